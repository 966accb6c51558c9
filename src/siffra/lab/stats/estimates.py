"""From records to estimates: what a claim measures, in each run, and in pairs of runs.

Levels are paired seed by seed, and times only where they were made on one machine with one
number of threads and of runs at once: `siffra.lab.stats.comparison` says what follows from the
differences.
"""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from siffra.config.metrics import METRICS
from siffra.lab.plan.plan import Claim
from siffra.lab.stats.comparison import Comparison, Estimate, Scale
from siffra.system.cpu import name_among
from siffra.training.run import CURVE_IMAGES, Record
from siffra.training.scores import epochs_to, known

__all__ = [
    "CONFIDENCE",
    "Comparison",
    "Curve",
    "Estimate",
    "Scale",
    "Side",
    "Summary",
    "compare",
    "compare_accuracy",
    "compare_seconds",
    "curve",
    "margin_of",
    "measure",
    "paired",
    "scale_of",
    "summarise",
    "summarise_accuracy",
]

CONFIDENCE = 0.95
"""Of every summary and curve. A claim's own confidence is higher: see `siffra.lab.answers`."""

_TICK = 1e-9
"""Seconds; no clock shows less, and no time counts as less."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The mean of a quantity over seeds with its t interval (low and high NaN for one seed).

    The mean of accuracies is the plain one, with its interval cut to [0, 1]; that of times is
    the geometric one, so that a paired ratio is exactly the ratio of the two means. Without
    any value all three are NaN.
    """

    mean: float
    low: float
    high: float
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """Mean accuracy after each epoch over seeds, with its t interval; arrays of (epochs,)."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


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


_DIVERGED = Side(math.nan, step=0.0, diverged=True)


def scale_of(claim: Claim) -> Scale:
    """Times and epochs are compared as ratios, accuracies as differences."""
    return "ratio" if METRICS[claim.metric].is_ratio else "difference"


def margin_of(claim: Claim) -> float:
    """The claim's margin on the additive scale: 5 % of a time becomes log 1.05."""
    return math.log1p(claim.margin) if scale_of(claim) == "ratio" else claim.margin


def compare(
    claim: Claim, level: Sequence[Sequence[Record]], against: Sequence[Sequence[Record]] | float
) -> Comparison:
    """Pair `level` with `against`, seed by seed.

    Times are compared within one machine and number of threads and of runs at once, the one that
    most seeds were made on; the other seeds are left out, and so are those of which a run was made
    while the machine was busy.

    Args:
        claim: Says what is measured.
        level: For each seed the records of the claim's `level`, which are averaged.
        against: The same seeds in the same order, or a number.
    """
    scale = scale_of(claim)
    number = None
    if isinstance(against, int | float):
        number = Side(_log(against) if scale == "ratio" else against, step=0.0)
        against = [()] * len(level)
    seeds = list(zip(level, against, strict=True))
    if METRICS[claim.metric].unit != "seconds":
        pairs = [(_side(claim, ours), number or _side(claim, theirs)) for ours, theirs in seeds]
        return paired(pairs, scale, worst_if_diverged=claim.metric == "accuracy")
    kept = _on_one_machine(_undisturbed(seeds))
    pairs = [(_side(claim, ours), number or _side(claim, theirs)) for ours, theirs in kept]
    return replace(paired(pairs, scale), **_left_out(seeds, kept))


def compare_accuracy(level: Sequence[Record], against: Sequence[Record], on: str) -> Comparison:
    """Accuracy on the set `on`, `level` minus `against`, over the seeds that both have."""

    def side(record: Record) -> Side:
        reached = record.accuracy[on]
        return _DIVERGED if reached is None else Side(reached, _one_image(record, on))

    pairs = [(side(ours), side(theirs)) for ours, theirs in _by_seed(level, against)]
    return paired(pairs, "difference", worst_if_diverged=True)


def compare_seconds(
    level: Sequence[Record], against: Sequence[Record], scale: Scale = "ratio"
) -> Comparison:
    """Training time, the logarithm of `level` over `against`, over the seeds that both have.

    On the scale `difference` it is `level` minus `against`, in seconds. Of seeds made on several
    machines, or with other threads or company, the most that one has; without those of which a
    run was made while the machine was busy.
    """

    def side(records: Sequence[Record]) -> Side:
        seconds = records[0].seconds
        return Side(_log(seconds) if scale == "ratio" else seconds, step=0.0)

    seeds = [([ours], [theirs]) for ours, theirs in _by_seed(level, against)]
    kept = _on_one_machine(_undisturbed(seeds))
    pairs = [(side(ours), side(theirs)) for ours, theirs in kept]
    return replace(paired(pairs, scale), **_left_out(seeds, kept))


def measure(record: Record, claim: Claim) -> Side:
    """What `record` says about `claim`, in the metric's own unit (see `Claim`).

    A target that was never reached counts as reached one epoch after the last, or, in seconds,
    at the end of training: no later than it can have been. So does one that a run never reached
    because it diverged; its training time is that of any other.
    """
    match claim.metric:
        case "accuracy" | "drop" | "decline":
            return _measure_accuracy(record, claim)
        case "collapse":
            return Side(float(record.collapsed), step=0.0)
        case "seconds":
            return Side(record.seconds, step=0.0)
        case "epochs_to":
            epochs = _epochs_to_target(record, claim)
            return Side(epochs or len(record.epochs) + 1, 1.0, epochs is not None)
        case "seconds_to":
            epochs = _epochs_to_target(record, claim)
            seconds = [epoch.seconds for epoch in record.epochs[:epochs]]
            return Side(math.fsum(seconds), seconds[-1], epochs is not None)


def _measure_accuracy(record: Record, claim: Claim) -> Side:
    """`measure` for what is made of accuracies, which a diverged run has none of."""
    reached, on_test = record.accuracy[claim.on], record.accuracy["test"]
    if reached is None or on_test is None:
        return _DIVERGED
    if claim.metric == "accuracy":
        return Side(reached, _one_image(record, claim.on))
    if claim.metric == "drop":
        step = math.hypot(_one_image(record, "test"), _one_image(record, claim.on))
        return Side(on_test - reached, step)
    path = known(epoch.accuracy[claim.on] for epoch in record.epochs)
    if len(path) < 2:
        raise ValueError(f"claim {claim.id!r}: a run of a single epoch shows no decline")
    # Two periods that are fixed beforehand: the best of several is above the last by luck alone.
    fifth = max(1, len(path) // 5)
    lost = np.mean(path[:fifth]) - np.mean(path[-fifth:])
    return Side(float(lost), _one_image_of_a_curve(record, claim.on))


def summarise_accuracy(records: Sequence[Record], on: str) -> Summary:
    """Accuracy on the set `on` over those of the `records` that did not diverge.

    Runs that happen to agree do not make it exact: see `Comparison` on what counting hides.
    """
    trained = [record for record in records if not record.diverged]
    steps = [_one_image(record, on) for record in trained]
    floor = math.sqrt(math.fsum(s**2 for s in steps) / len(steps) / 12) if steps else 0.0
    return summarise(known(record.accuracy[on] for record in trained), floor=floor)


def summarise(values: Sequence[float], scale: Scale = "difference", floor: float = 0.0) -> Summary:
    """The mean of accuracies (`difference`) or of times (`ratio`) with its 95 % interval.

    `floor` is the least standard deviation to be believed, on the scale on which effects add.
    """
    if not values:
        return Summary(math.nan, math.nan, math.nan, ())
    on_scale = tuple(_log(v) for v in values) if scale == "ratio" else tuple(values)
    estimate = Comparison(on_scale, scale, floor).estimate(1 - CONFIDENCE)
    mean, low, high = estimate.value, estimate.low, estimate.high
    if scale == "difference" and len(values) > 1:
        low, high = max(low, 0.0), min(high, 1.0)
    return Summary(mean, low, high, tuple(values))


def curve(records: Sequence[Record], on: str) -> Curve:
    """Accuracy on the set `on` after each epoch, as long as the shortest of the runs.

    Over the runs that have not diverged by then; NaN where all have.
    """
    epochs = min((len(record.epochs) for record in records), default=0)
    points = [
        summarise(known(record.epochs[i].accuracy[on] for record in records)) for i in range(epochs)
    ]
    return Curve(
        mean=np.array([point.mean for point in points]),
        low=np.array([point.low for point in points]),
        high=np.array([point.high for point in points]),
    )


def _side(claim: Claim, records: Sequence[Record]) -> Side:
    measured = [measure(record, claim) for record in records]
    if scale_of(claim) == "ratio":
        measured = [Side(_log(m.value), m.step / max(m.value, _TICK), m.reached) for m in measured]
    return Side(
        value=math.fsum(m.value for m in measured) / len(measured),
        step=math.fsum(m.step for m in measured) / len(measured),
        reached=all(m.reached for m in measured),
        diverged=any(m.diverged for m in measured),
    )


def paired(
    pairs: Sequence[tuple[Side, Side]], scale: Scale, *, worst_if_diverged: bool = False
) -> Comparison:
    """The comparison of pairs that were measured.

    A side that was not reached opens it, and so does one that diverged: on both sides, or, if
    what diverged is the worst that there is (less than anything), away from the other side.
    """
    lost = [(a.diverged, b.diverged) for a, b in pairs if a.diverged or b.diverged]
    trained = [(a, b) for a, b in pairs if not (a.diverged or b.diverged)]
    reached = [(a, b) for a, b in trained if a.reached or b.reached]
    silent = len(trained) - len(reached)
    opens = silent > 0 or (bool(lost) and not worst_if_diverged)
    return Comparison(
        differences=tuple(a.value - b.value for a, b in reached),
        scale=scale,
        floor=_floor(reached),
        open_below=opens or any(a for a, _ in lost) or any(not b.reached for _, b in reached),
        open_above=opens or any(b for _, b in lost) or any(not a.reached for a, _ in reached),
        censored=sum(not (a.reached and b.reached) for a, b in trained),
        silent=silent,
        diverged=len(lost),
    )


def _by_seed(level: Sequence[Record], against: Sequence[Record]) -> list[tuple[Record, Record]]:
    theirs = {record.seed: record for record in against}
    return [(record, theirs[record.seed]) for record in level if record.seed in theirs]


_Seeds = Sequence[tuple[Sequence[Record], Sequence[Record]]]
"""For each seed the records of either side."""


def _undisturbed(seeds: _Seeds) -> _Seeds:
    """The seeds of which no run was made on a machine that was busy with something else."""
    return [sides for sides in seeds if not any(r.is_busy for side in sides for r in side)]


def _left_out(seeds: _Seeds, kept: _Seeds) -> dict[str, int]:
    """What a comparison of times says of the seeds that were not kept for it."""
    made = [record for sides in seeds for side in sides for record in side]
    busy = sum(record.is_busy for record in made)
    return {"left_out": len(seeds) - len(kept), "busy": busy, "runs": len(made)}


def _on_one_machine(seeds: _Seeds) -> _Seeds:
    """The seeds of which all runs were made on the one machine that has the most such seeds."""
    cpus = {record.machine.cpu for sides in seeds for side in sides for record in side}
    made_on = [{_machine(record, cpus) for side in sides for record in side} for sides in seeds]
    whole = Counter(next(iter(machines)) for machines in made_on if len(machines) == 1)
    if not whole:
        return []
    ((most, _),) = whole.most_common(1)
    pairs = zip(seeds, made_on, strict=True)
    return [sides for sides, machines in pairs if machines == {most}]


def _machine(record: Record, cpus: Collection[str]) -> tuple[str, str, int, int, int]:
    """All that a run's times are compared within, where the runs were made on these `cpus`."""
    machine = record.machine
    gpu = machine.versions.get("gpu", "")
    cpu = name_among(machine.cpu, cpus)
    return cpu, gpu, machine.cores, machine.threads, machine.jobs


def _floor(pairs: Sequence[tuple[Side, Side]]) -> float:
    """The spread that the sides' steps can hide: the variance of a rounding is step² / 12."""
    if not pairs:
        return 0.0
    hidden = math.fsum((a.step**2 + b.step**2) / 12 for a, b in pairs)
    return math.sqrt(hidden / len(pairs))


def _one_image(record: Record, on: str) -> float:
    return 1 / sum(map(sum, record.confusion[on]))  # lists: NumPy would copy them first


def _one_image_of_a_curve(record: Record, on: str) -> float:
    """After an epoch the training set is scored whole, and of any other set a part."""
    whole = _one_image(record, on)
    return whole if on == "train" else max(whole, 1 / CURVE_IMAGES)


def _epochs_to_target(record: Record, claim: Claim) -> int | None:
    if claim.target is None:
        raise ValueError(f"claim {claim.id!r} with metric {claim.metric} has no target")
    return epochs_to(claim.target, [epoch.accuracy[claim.on] for epoch in record.epochs])


def _log(time: float) -> float:
    return math.log(max(time, _TICK))
