"""The process that `siffra.engine.native.precompile` starts: prepares what it is told to, and ends.

`python -m siffra.engine.native [PARENT]`: it ends with the process of that number, in any case.
"""

import os
import pickle
import sys
import threading
import time

from siffra.engine.native.engine import NativeEngine

_OFTEN = 0.2
"""Seconds between looks whether the parent lives."""


def main() -> None:
    """Prepare the trainings in the pickle on standard input."""
    if sys.argv[1:] and hasattr(os, "getppid"):
        threading.Thread(target=_end_with, args=(int(sys.argv[1]),), daemon=True).start()
    tasks, dataset = pickle.load(sys.stdin.buffer)
    engine = NativeEngine(threads=1)
    for model, training in tasks:
        engine.prepare_alone(model, training, dataset, scoring_first=True)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_OFTEN)
    os._exit(0)


if __name__ == "__main__":
    main()
