"""What happens while a plan is run: one type of event, from the executor to the page."""

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine
from siffra.lab.plan.plan import PlannedRun, PlannedTiming
from siffra.training.examination import Examination
from siffra.training.run import Epoch, Record, WrittenRecord
from siffra.training.timing import Timing

Kind = Literal[
    "preparing", "started", "epoch", "finished", "timed", "done", "reused", "lost", "waiting"
]
Job = PlannedRun | PlannedTiming
"""What a lab gives an executor to do."""


class Task(abc.ABC):
    """Other work for an executor. It and its result are pickled where a process does it.

    `setting` is what it trains, so that it is compiled before.
    """

    setting: Setting

    @abc.abstractmethod
    def do(self, dataset: Dataset, engine: Engine) -> Any:
        """Do it with the executor's data set and an engine of its threads; return the result."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a lab has come: `done` of `total` runs, with `at_once` in progress.

    `seconds_left` is a prediction; None where nothing is known of such runs. Of a plan with looks,
    `decided` of its `claims` are decided.
    """

    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    at_once: int = 1
    decided: int = 0
    claims: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, by `kind`; all but the first and the last concern one `run`.

    That is a run, or a round of times, which has a `timing` where a run has a `record`, or a task,
    which has a `result`.

    - `preparing`: kernels are being compiled, unless they were before;
    - `started`: the run begins, or is submitted to a cluster that will begin it;
    - `epoch`: it has ended its epoch number `epoch`, from 1, with these `scores`; of a program,
      it has printed these `values`, that of its epoch or step among them;
    - `finished`: it was trained, and is stored with its `record` (and its `examination`), which
      are written if another process made them;
    - `timed`: the round is over, and this is its `timing`;
    - `done`: the task is done, and this is its `result`;
    - `reused`: its `record` is in the store already, from earlier or from another process;
    - `lost`: what was training it is gone, for the reason and the number of times (`losses`)
      given, and it is trained again;
    - `waiting`: all runs that are left are being made by other processes.

    Executors report `epoch`, `finished`, `timed`, `done` and `lost`, without the lab's `progress`.
    """

    kind: Kind
    run: Job | Task | None = None
    epoch: float = 0
    scores: Epoch | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    record: Record | WrittenRecord | None = None
    examination: Examination | str | None = None
    timing: Timing | None = None
    result: Any = None
    reason: str = ""
    losses: int = 0
    progress: Progress = Progress()

    @property
    def planned_timing(self) -> PlannedTiming | None:
        """The round of times that it concerns, if it does."""
        return self.run if isinstance(self.run, PlannedTiming) else None

    @property
    def planned_run(self) -> PlannedRun:
        """The run that it concerns; it must concern one."""
        assert isinstance(self.run, PlannedRun)
        return self.run
