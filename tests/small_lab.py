"""A lab of a second or so, with an engine that writes down what it is asked to train.

Run as a program it runs the lab on a store, so that a test can kill it:
`python small_lab.py STORE LOG`.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from reference import ReferenceEngine

from siffra.config import Model, Setting, Training
from siffra.data.dataset import Dataset, Images, fingerprint
from siffra.engine.base import Engine, EpochEnd, Fitted
from siffra.errors import ConfigError
from siffra.lab.execute.events import Task
from siffra.lab.execute.runner import run_plan
from siffra.lab.plan.plan import Plan, PlannedRun
from siffra.store.store import open_store
from siffra.training.run import Record

SETTINGS = tuple(
    Setting.from_knobs({"learning_rate": rate, "batch_size": 8, "neurons": 4, "epochs": 2})
    for rate in (0.1, 0.5, 2.0)
)


def small_plan(seeds: Sequence[int] = range(4), settings: Sequence[Setting] = SETTINGS) -> Plan:
    """A plan of which only the runs are of interest: seed by seed, each in the settings' order."""
    return plan_of([PlannedRun(setting, seed) for seed in seeds for setting in settings])


def plan_of(runs: Sequence[PlannedRun]) -> Plan:
    """A plan of these runs, in this order, without questions."""
    seeds = tuple(dict.fromkeys(run.seed for run in runs))
    fields = {"seeds": seeds, "questions": (), "looks": (), "tuning_seeds": ()}
    fields |= {"time": None, "averages": False, "metrics": ()}
    return cast(Plan, SimpleNamespace(runs=tuple(runs), possible_runs=tuple(runs), **fields))


class LoggingEngine(ReferenceEngine):
    """Appends a line to `log` for each training begun, and takes at least `pause` s an epoch."""

    def __init__(self, log: Path, pause: float = 0.0) -> None:
        self.log, self.pause = log, pause

    def fit(
        self,
        model: Model,
        training: Training,
        dataset: Dataset,
        seed: int,
        on_epoch: Callable[[EpochEnd, Fitted], None],
    ) -> Fitted:
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"{training.learning_rate} {seed}\n")

        def slowly(end: EpochEnd, fitted: Fitted) -> None:
            time.sleep(self.pause)
            on_epoch(end, fitted)

        return super().fit(model, training, dataset, seed, slowly)

    def trained(self) -> list[str]:
        """The lines written so far."""
        return self.log.read_text(encoding="utf-8").split("\n")[:-1] if self.log.exists() else []


def line_of(run: PlannedRun) -> str:
    """What the engine writes for a run."""
    return f"{run.setting.training.learning_rate} {run.seed}"


def results(records: dict[Any, Record]) -> dict[Any, Any]:
    """Of each run, all that does not depend on the clock, bit for bit."""
    return {
        which: (record.accuracy, record.confusion, [(e.loss, e.accuracy) for e in record.epochs])
        for which, record in records.items()
    }


@dataclass(frozen=True, slots=True)
class CountingTask(Task):
    """Says how many images there are, what would train on them, and a variable's value."""

    setting: Setting

    def do(self, dataset: Dataset, engine: Engine) -> tuple[int, str, str]:
        """See `Task.do`."""
        return len(dataset.train), engine.name, os.environ.get("COUNTED", "")


class FailingEngine(LoggingEngine):
    """Refuses one of the runs, or takes its process down with it."""

    deadly = False

    def fit(self, model: Model, training: Training, dataset: Dataset, seed: int, on_epoch: Any):
        """See `Engine.fit`."""
        fitted = super().fit(model, training, dataset, seed, on_epoch)
        if training.learning_rate == 0.5 and seed == 1:
            if self.deadly:
                os.kill(os.getpid(), signal.SIGKILL)
            raise ConfigError("learning_rate: not this one.")
        return fitted


def make_failing_engine(log: Path, deadly: bool, threads: int) -> FailingEngine:
    """As `make_slow_engine`."""
    engine = FailingEngine(log, pause=0.02)
    engine.deadly = deadly
    return engine


def make_slow_engine(log: Path, threads: int) -> LoggingEngine:
    """What makes an engine, which other processes can import."""
    return LoggingEngine(log, pause=0.05)


def small_dataset() -> Dataset:
    """40 training images of 4 x 4 pixels in 3 classes, and 10 to 12 in each other set."""
    rng = np.random.default_rng(0)

    def images(count: int) -> Images:
        x = rng.integers(0, 256, (count, 4, 4, 1), dtype=np.uint8)
        return Images(x, rng.integers(0, 3, count))

    train, val, test, moved, rotated = map(images, (40, 12, 10, 10, 10))
    shifted = {"moved": moved, "rotated": rotated}
    held = {"train": train, "val": val, "test": test, **shifted}
    return Dataset("small", 3, train, val, test, shifted, fingerprint(3, held))


def main(store: str, log: str) -> None:
    """Run the small lab, slowly, and say when that begins."""
    with open_store(store) as runs:
        print("begun", flush=True)
        run_plan(small_plan(), small_dataset(), LoggingEngine(Path(log), pause=0.02), runs)


if __name__ == "__main__":
    main(*sys.argv[1:])


TIMED = {"seconds", "answer", "caption", "remarks", "busy", "busy_text"}
"""Fields of `results.json` that depend on the clock: texts too, since they speak of times."""
WHERE = {"machine", "other_machines", "command", "facts", "methods"}
"""Those that depend on where runs were made."""


NODE = {"object_store_memory": 80 * 2**20}
"""What a node of a cluster of Ray's is given, beside its CPUs."""


def timeless(results: object) -> object:
    """The results of a report without what depends on the clock, or on where runs were made."""
    if isinstance(results, dict):
        return {k: timeless(value) for k, value in results.items() if k not in TIMED | WHERE}
    return [timeless(value) for value in results] if isinstance(results, list) else results
