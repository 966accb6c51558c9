"""From records to estimates: what a claim measures, in each run, and in pairs of runs.

Levels are paired seed by seed, and times round by round, as they were measured by turns:
`siffra.lab.stats.comparison` says what follows from the differences.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

import numpy as np

from siffra.lab.plan.plan import Claim
from siffra.lab.stats.collapse import compare_failures
from siffra.lab.stats.comparison import (
    ROUNDED,
    SINGLE,
    Comparison,
    MedianComparison,
    Scale,
    UnpairedComparison,
)
from siffra.lab.stats.summaries import TICK, hidden_by, log_time, one_image
from siffra.training.run import Record
from siffra.training.scored_sets import CURVE_IMAGES
from siffra.training.scores import epochs_to, known

_LEAST_SPREAD = math.log1p(0.001)
"""Of a ratio of times: rounds that agree better than to 0.1 % agree by chance."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one run, or several averaged, gave for a claim in one seed.

    `value` is on the additive scale. `step` is the coarseness with which it was measured
    there: one image of the test set, or one epoch. `reached` is False where a target never
    was, and `value` then is the least that it can have been. Where a run `diverged` it
    has no accuracy, and `value` is NaN.
    """

    value: float
    step: float
    reached: bool = True
    diverged: bool = False


@dataclass(frozen=True, slots=True)
class Time:
    """What a training took in one round: `seconds`, or more if not `reached`.

    `step` is the coarseness of `seconds`: an epoch's, where a target is reached after this many.
    """

    seconds: float
    step: float = 0.0
    reached: bool = True


_DIVERGED = Side(math.nan, step=0.0, diverged=True)


def scale_of(claim: Claim) -> Scale:
    """Times and epochs are compared as ratios, accuracies as differences."""
    return claim.measured.scale


def margin_of(claim: Claim) -> float:
    """The claim's margin on the additive scale: 5 % of a time becomes log 1.05."""
    return math.log1p(claim.margin) if scale_of(claim) == "ratio" else claim.margin


def compare(
    claim: Claim, level: Sequence[Sequence[Record]], against: Sequence[Sequence[Record]] | float
) -> Comparison:
    """Pair `level` with `against`, seed by seed, in any metric but a time: see `compare_times`.

    Accuracy and drop are those of the runs that train: a pair of which a run collapsed or diverged
    has no difference. Against a number all runs count, and their median is judged, below which a
    run that diverged is.

    Args:
        claim: Says what is measured, and how what it is compared with is moved.
        level: For each seed the records of the claim's `level`, which are averaged.
        against: The same seeds in the same order, or a number.
    """
    if claim.metric == "collapse" and not isinstance(against, int | float):
        return compare_failures([failed(side) for side in level], [failed(s) for s in against])
    scale, moved = scale_of(claim), _moved(claim)
    if isinstance(against, int | float):
        number = _on_scale(against, scale)
        sides = [_side(claim, records) for records in level]
        # A run that diverged is worse than any other: more of a drop or a decline is worse.
        worst = -math.inf if claim.measured.higher_is_better else math.inf
        values = [worst if side.diverged else side.value - number for side in sides]
        return MedianComparison(
            differences=tuple(values),
            scale=scale,
            open_above=not all(side.reached for side in sides),
            censored=sum(not side.reached for side in sides),
            diverged=0,
        )
    seeds = list(zip(level, against, strict=True))
    if of_trained_runs(claim):
        seeds = [(ours, theirs) for ours, theirs in seeds if not lacks(claim, (*ours, *theirs))]
    pairs = [(_side(claim, ours), _side(claim, theirs)) for ours, theirs in seeds]
    comparison = paired(pairs, scale)
    return replace(
        comparison,
        differences=tuple(d - moved for d in comparison.differences),
        failed=len(level) - len(seeds),
    )


def compare_unpaired(
    claim: Claim, level: Sequence[Record], against: Sequence[Record]
) -> Comparison:
    """`compare` for runs that share no seeds: two groups, of each the runs that train."""
    scale = scale_of(claim)
    ours, theirs = (
        [_side(claim, [record]) for record in group if not lacks(claim, [record])]
        for group in (level, against)
    )
    floor = hidden_by([side.step for side in (*ours, *theirs)])
    moved = _moved(claim)
    comparison = UnpairedComparison.of(
        tuple(side.value - moved for side in ours),
        tuple(side.value for side in theirs),
        scale,
        floor,
    )
    least = min(len(level), len(against))
    return replace(
        comparison,
        failed=max(0, least - comparison.seeds),
        rounding=_rounding([*ours, *theirs], scale),
    )


def compare_times(
    claim: Claim,
    level: Sequence[Sequence[Time]],
    against: Sequence[Sequence[Time]] | float,
) -> Comparison:
    """As `compare`, of times that were measured by turns: one of each setting, round by round."""
    ours = [_time_side(times) for times in level]
    if isinstance(against, int | float):
        values = [side.value - _on_scale(against, "ratio") for side in ours]
        is_open = not all(side.reached for side in ours)
        return MedianComparison(tuple(values), "ratio", open_above=is_open)
    theirs = [_time_side(times) for times in against]
    comparison = paired(list(zip(ours, theirs, strict=True)), "ratio")
    moved = tuple(d - _moved(claim) for d in comparison.differences)
    return replace(comparison, differences=moved, floor=max(comparison.floor, _LEAST_SPREAD))


def of_trained_runs(claim: Claim) -> bool:
    """Whether a claim is about the runs that train, of which those that fail are no part."""
    is_of_each_run = claim.named is not None or claim.metric in ("accuracy", "drop")
    return is_of_each_run and isinstance(claim.against, tuple)


def lacks(claim: Claim, records: Sequence[Record]) -> bool:
    """Whether any of these runs has nothing to say of a claim: it failed, or lacks its metric."""
    if failed(records):
        return True
    if claim.named is None:
        return False
    return any(record.metrics.get(claim.metric) is None for record in records)


def failed(records: Sequence[Record]) -> bool:
    """Whether any of these runs did not train: see `Record.failed`."""
    return any(map(attrgetter("failed"), records))


def compare_accuracy(level: Sequence[Record], against: Sequence[Record], on: str) -> Comparison:
    """Accuracy on the set `on`, `level` minus `against`, over the seeds in which both train."""

    def side(record: Record) -> Side:
        reached = record.accuracy[on]
        return _DIVERGED if reached is None else Side(reached, one_image(record, on))

    seeds = _by_seed(level, against)
    trained = [pair for pair in seeds if not failed(pair)]
    comparison = paired([(side(ours), side(theirs)) for ours, theirs in trained], "difference")
    return replace(comparison, failed=len(seeds) - len(trained))


def compare_seconds(
    level: Sequence[float], against: Sequence[float], scale: Scale = "ratio"
) -> Comparison:
    """Training time by turns: seconds of the same rounds, by their ratio or difference."""
    rounds = list(zip(level, against, strict=False))
    if scale == "difference":
        return Comparison(tuple(ours - theirs for ours, theirs in rounds), scale)
    values = [log_time(ours) - log_time(theirs) for ours, theirs in rounds]
    return Comparison(tuple(values), scale, _LEAST_SPREAD)


def measure(record: Record, claim: Claim) -> Side:
    """What `record` says about `claim`, in the metric's own unit (see `Claim`).

    A target that was never reached counts as reached one epoch after the last, no later than it
    can have been. So does one that a run never reached because it diverged.
    """
    if claim.named:
        value = record.metrics.get(claim.metric)
        step = max(claim.named.step, record.steps.get(claim.metric, 0.0))
        return _DIVERGED if value is None else Side(value, step)
    match claim.metric:
        case "accuracy" | "drop" | "decline":
            return _measure_accuracy(record, claim)
        case "collapse":
            return Side(float(failed([record])), step=0.0)
        case "epochs_to":
            return epochs_of(record, claim)
        case _:
            raise ValueError(f"claim {claim.id!r}: {claim.metric} is timed by turns, not of a run")


def epochs_of(record: Record, claim: Claim) -> Side:
    """The epochs after which `record` first had the claim's target; see `measure`."""
    if claim.target is None:
        raise ValueError(f"claim {claim.id!r} with metric {claim.metric} has no target")
    epochs = epochs_to(claim.target, [epoch.accuracy[claim.on] for epoch in record.epochs])
    return Side(epochs or len(record.epochs) + 1, 1.0, epochs is not None)


def _measure_accuracy(record: Record, claim: Claim) -> Side:
    """`measure` for what is made of accuracies, which a diverged run has none of."""
    reached, on_test = record.accuracy[claim.on], record.accuracy["test"]
    if reached is None or on_test is None:
        return _DIVERGED
    if claim.metric == "accuracy":
        return Side(reached, one_image(record, claim.on))
    if claim.metric == "drop":
        step = math.hypot(one_image(record, "test"), one_image(record, claim.on))
        return Side(on_test - reached, step)
    path = known(epoch.accuracy[claim.on] for epoch in record.epochs)
    if len(path) < 2:
        raise ValueError(f"claim {claim.id!r}: a run of a single epoch shows no decline")
    # Two periods that are fixed beforehand: the best of several is above the last by luck alone.
    fifth = max(1, len(path) // 5)
    lost = np.mean(path[:fifth]) - np.mean(path[-fifth:])
    return Side(float(lost), _one_image_of_a_curve(record, claim.on))


def _side(claim: Claim, records: Sequence[Record]) -> Side:
    measured = [measure(record, claim) for record in records]
    if scale_of(claim) == "ratio":
        measured = [
            Side(log_time(m.value), m.step / max(m.value, TICK), m.reached) for m in measured
        ]
    return _averaged(measured)


def _time_side(times: Sequence[Time]) -> Side:
    return _averaged(
        [Side(log_time(t.seconds), t.step / max(t.seconds, TICK), t.reached) for t in times]
    )


def _averaged(sides: Sequence[Side]) -> Side:
    if len(sides) == 1:
        return sides[0]
    return Side(
        value=math.fsum(side.value for side in sides) / len(sides),
        step=math.fsum(side.step for side in sides) / len(sides),
        reached=all(side.reached for side in sides),
        diverged=any(side.diverged for side in sides),
    )


def _moved(claim: Claim) -> float:
    """How far what the level is compared with is moved, on the additive scale."""
    return math.log(claim.times) if scale_of(claim) == "ratio" else claim.plus


def _on_scale(number: float, scale: Scale) -> float:
    return log_time(number) if scale == "ratio" else number


def paired(pairs: Sequence[tuple[Side, Side]], scale: Scale) -> Comparison:
    """The comparison of pairs that were measured.

    A side that was not reached opens it, and a pair of which a side diverged opens both.
    """
    trained = [(a, b) for a, b in pairs if not (a.diverged or b.diverged)]
    reached = [(a, b) for a, b in trained if a.reached or b.reached]
    silent, lost = len(trained) - len(reached), len(pairs) - len(trained)
    opens = silent > 0 or lost > 0
    return Comparison(
        differences=tuple(a.value - b.value for a, b in reached),
        scale=scale,
        floor=_floor(reached),
        open_below=opens or any(not b.reached for _, b in reached),
        open_above=opens or any(not a.reached for a, _ in reached),
        censored=sum(not (a.reached and b.reached) for a, b in trained),
        silent=silent,
        diverged=lost,
        rounding=_rounding([side for pair in reached for side in pair], scale),
    )


def _by_seed(level: Sequence[Record], against: Sequence[Record]) -> list[tuple[Record, Record]]:
    theirs = {record.seed: record for record in against}
    return [(record, theirs[record.seed]) for record in level if record.seed in theirs]


def _rounding(sides: Sequence[Side], scale: Scale) -> float:
    """How far apart the same value may be, of sides with as many digits as single precision has.

    0 of coarser ones, whose equal values are equal.
    """
    size = 1.0 if scale == "ratio" else max((abs(side.value) for side in sides), default=0.0)
    is_coarse = any(side.step > size * SINGLE for side in sides)
    return 0.0 if is_coarse else size * ROUNDED


def _floor(pairs: Sequence[tuple[Side, Side]]) -> float:
    """The spread that the sides' steps can hide: the variance of a rounding is step² / 12."""
    if not pairs:
        return 0.0
    hidden = math.fsum((a.step**2 + b.step**2) / 12 for a, b in pairs)
    return math.sqrt(hidden / len(pairs))


def _one_image_of_a_curve(record: Record, on: str) -> float:
    """After an epoch the training set is scored whole, and of any other set a part."""
    whole = one_image(record, on)
    return whole if on == "train" else max(whole, 1 / CURVE_IMAGES)
