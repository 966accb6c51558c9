"""Time to target: when runs first reached the accuracy that a claim names, in epochs and seconds.

A claim compares levels, and so speaks of ratios; these are the times themselves.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from siffra.lab.plan.plan import Claim, Question
from siffra.lab.stats.estimates import epochs_of
from siffra.training.run import Record


@dataclass(frozen=True, slots=True)
class TimeToTarget:
    """When the runs of a level first had the accuracy `target` on the set `on`.

    `epochs` and `seconds` have a value for each run, infinity for one that never had it. So a
    median is infinite where half of the runs or more never had it; of no run at all it is NaN.
    """

    on: str
    target: float
    epochs: tuple[float, ...]
    seconds: tuple[float, ...]

    @property
    def never(self) -> int:
        """How many runs did not get there."""
        return self.epochs.count(math.inf)

    @property
    def median_epochs(self) -> float:
        """Over the runs."""
        return median(self.epochs) if self.epochs else math.nan

    @property
    def median_seconds(self) -> float:
        """Of training, over the runs."""
        return median(self.seconds) if self.seconds else math.nan


def targets_of(question: Question) -> tuple[Claim, ...]:
    """Of the claims with a target the first that names it, for each target and set."""
    first: dict[tuple[str, float], Claim] = {}
    for claim in question.claims:
        if claim.target is not None:
            first.setdefault((claim.on, claim.target), claim)
    return tuple(first.values())


def time_to_target(records: Sequence[Record], claim: Claim) -> TimeToTarget:
    """When `records` first reached the target of `claim`, which must have one."""
    assert claim.target is not None
    sides = [epochs_of(record, claim) for record in records]
    epochs = [side.value if side.reached else math.inf for side in sides]
    return TimeToTarget(
        on=claim.on,
        target=claim.target,
        epochs=tuple(epochs),
        seconds=tuple(map(_seconds_of_first, records, epochs)),
    )


def _seconds_of_first(record: Record, epochs: float) -> float:
    """Of training, up to the end of this many epochs."""
    if epochs == math.inf:
        return math.inf
    return math.fsum(epoch.seconds for epoch in record.epochs[: int(epochs)])
