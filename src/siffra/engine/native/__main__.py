"""The process that `siffra.engine.native.ahead` starts: prepares what it is told to, and ends."""

import pickle
import sys

from siffra.engine.native.engine import NativeEngine


def main() -> None:
    """Prepare the trainings in the pickle on standard input."""
    tasks, dataset = pickle.load(sys.stdin.buffer)
    engine = NativeEngine(threads=1)
    for model, training in tasks:
        engine.prepare_alone(model, training, dataset, scoring_first=True)


if __name__ == "__main__":
    main()
