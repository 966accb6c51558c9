"""What happens while a plan is run: one type of event, from the executor to the page."""

from dataclasses import dataclass
from typing import Literal

from siffra.lab.plan.plan import PlannedRun, PlannedTiming
from siffra.training.diagnostics import Examination
from siffra.training.run import Epoch, Record
from siffra.training.timing import Timing

Kind = Literal["preparing", "started", "epoch", "finished", "timed", "reused", "lost", "waiting"]
Job = PlannedRun | PlannedTiming
"""What an executor is given to do."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a lab has come: `done` of `total` runs, with `at_once` in progress.

    `seconds_left` is a prediction. Of a plan with looks, `decided` of its `claims` are decided.
    """

    done: int = 0
    total: int = 0
    seconds_left: float = 0.0
    at_once: int = 1
    decided: int = 0
    claims: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, by `kind`; all but the first and the last concern one `run`.

    That is a run, or a round of times, which has a `timing` where a run has a `record`.

    - `preparing`: kernels are being compiled, unless they were before;
    - `started`: the run begins, or is submitted to a cluster that will begin it;
    - `epoch`: it has ended its epoch number `epoch`, from 1, with these `scores`;
    - `finished`: it was trained, and is stored with its `record` (and its `examination`);
    - `timed`: the round is over, and this is its `timing`;
    - `reused`: its `record` is in the store already, from earlier or from another process;
    - `lost`: what was training it is gone, for the reason and the number of times (`losses`)
      given, and it is trained again;
    - `waiting`: all runs that are left are being made by other processes.

    Executors report `epoch`, `finished`, `timed` and `lost`, without the lab's `progress`.
    """

    kind: Kind
    run: Job | None = None
    epoch: int = 0
    scores: Epoch | None = None
    record: Record | None = None
    examination: Examination | None = None
    timing: Timing | None = None
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
