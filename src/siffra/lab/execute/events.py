"""What conducting tells while it goes on."""

from dataclasses import dataclass

from siffra.lab.plan.plan import PlannedRun
from siffra.training.run import Epoch, Record


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a lab has come. `seconds_left` is a prediction, `at_once` how many runs are made."""

    done: int
    total: int
    seconds_left: float
    at_once: int = 1


@dataclass(frozen=True, slots=True)
class Preparing:
    """What the runs need is compiled, unless it was before."""

    progress: Progress


@dataclass(frozen=True, slots=True)
class Started:
    """A run begins, or is handed to a cluster that will begin it."""

    run: PlannedRun
    progress: Progress


@dataclass(frozen=True, slots=True)
class EpochDone:
    """A run that is being made has ended its epoch `number`, from 1."""

    run: PlannedRun
    number: int
    epoch: Epoch
    progress: Progress


@dataclass(frozen=True, slots=True)
class Finished:
    """A run was made, and is stored."""

    run: PlannedRun
    record: Record
    progress: Progress


@dataclass(frozen=True, slots=True)
class Reused:
    """A run was found in the store, from earlier or from another process."""

    run: PlannedRun
    record: Record
    progress: Progress


@dataclass(frozen=True, slots=True)
class Restarted:
    """What made a run is gone, for the `loss`-th time, from 1; it is made again."""

    run: PlannedRun
    why: str
    loss: int
    progress: Progress


@dataclass(frozen=True, slots=True)
class Waiting:
    """All runs that are left are being made by other processes."""

    progress: Progress


Event = Preparing | Started | EpochDone | Finished | Reused | Restarted | Waiting
