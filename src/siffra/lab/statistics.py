"""From records to estimates: paired differences between levels, with their intervals.

Everything is computed on a scale on which effects add: accuracies as they are, times and epochs
as logarithms. On that scale the mean of the paired differences gets a t interval (Student 1908).
`scipy.special` has the t distribution that `scipy.stats` is made of, and imports much faster.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import stdtr, stdtrit

from siffra.lab.moderation import Prior
from siffra.lab.plan import Claim
from siffra.run import CURVE_IMAGES, Record
from siffra.scores import epochs_to

Scale = Literal["difference", "ratio"]

CONFIDENCE = 0.95
"""Of every summary and curve. A claim's own confidence is higher: see `siffra.lab.verdicts`."""

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
class Estimate:
    """A paired comparison: `value` with the interval from `low` to `high` at `confidence`.

    On the `difference` scale it is level minus against, in the metric's unit; on the `ratio`
    scale it is level over against, a geometric mean. `values` holds one per seed, on the same
    scale. `censored` counts the seeds of which one or both sides never reached the claim's
    target: those with one are bounds, for which the interval is open on the side away from 1
    (0 or infinity); those with both are not among the values, and the interval is open on both
    sides. With one seed low and high are NaN.

    `freedom` is the degrees of freedom of its t distribution, those of the `prior` included that
    its variance was drawn towards (None: of its own seeds alone).
    """

    value: float
    low: float
    high: float
    confidence: float
    values: tuple[float, ...]
    scale: Scale
    censored: int
    freedom: float = math.nan
    prior: Prior | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """What one run, or several averaged, gave for a claim in one seed.

    `value` is on the additive scale. `step` is the coarseness with which it was measured
    there: one image of the test set, or one epoch. `reached` is False where a target never
    was, and `value` then is the least that it can have been.
    """

    value: float
    step: float
    reached: bool = True


@dataclass(frozen=True, slots=True)
class Comparison:
    """Paired differences on the additive scale, one a seed, from which any interval follows.

    `floor` is the least standard deviation to be believed. Equal values in every seed do not
    mean that nothing varies, only that it varies by less than what could be seen: something
    counted in whole images (or epochs) hides a spread of step / sqrt(12) in each side
    (Sheppard 1898). Without that floor, two seeds that happen to agree would decide anything.

    `open_below` and `open_above` say that the true mean may lie any distance below or above,
    because a side never reached its target. `censored` counts such pairs and the `silent`
    ones, in which neither side did. Those have no difference, but they do not go: what their
    runs would have shown may be anything, so that one of them opens both sides. (Without them
    the verdict would rest on the seeds that happened to reach the target.)
    """

    differences: tuple[float, ...]
    scale: Scale
    floor: float = 0.0
    open_below: bool = False
    open_above: bool = False
    censored: int = 0
    silent: int = 0

    @property
    def seeds(self) -> int:
        """The number of pairs that have a difference."""
        return len(self.differences)

    @property
    def mean(self) -> float:
        """The mean difference; NaN without any pair."""
        return math.fsum(self.differences) / self.seeds if self.seeds else math.nan

    @property
    def deviation(self) -> float:
        """The standard deviation of the differences, at least `floor`; NaN for one pair."""
        if self.seeds < 2:
            return math.nan
        mean = self.mean
        squares = math.fsum((d - mean) ** 2 for d in self.differences)
        return max(math.sqrt(squares / (self.seeds - 1)), self.floor)

    def interval(self, level: float, *, seeds: int | None = None) -> tuple[float, float]:
        """The two-sided t interval, wrong with probability `level`; NaN for one pair.

        With `seeds`, the one to be expected from that many, by the mean and spread seen.
        """
        n = seeds or self.seeds
        if self.seeds < 2 or n < 2:
            return math.nan, math.nan
        half = float(stdtrit(n - 1, 1 - level / 2)) * self.deviation / math.sqrt(n)
        low = -math.inf if self.open_below else self.mean - half
        high = math.inf if self.open_above else self.mean + half
        return low, high

    def level_outside(self, margin: float = 0.0) -> float:
        """The smallest level at which the interval lies wholly outside ±margin: a p-value."""
        open_inwards = self.open_below if self.mean > 0 else self.open_above
        return 1.0 if open_inwards else self._level(abs(self.mean) - margin)

    def level_inside(self, margin: float) -> float:
        """The smallest level at which the interval lies wholly inside ±margin: a p-value.

        The two one-sided tests of Schuirmann 1987, each at half the level.
        """
        if self.open_below or self.open_above:
            return 1.0
        return self._level(margin - abs(self.mean))

    def _level(self, room: float) -> float:
        """The level at which the interval's half width is `room`."""
        if self.seeds < 2 or room <= 0:
            return 1.0
        if self.deviation == 0:
            return 0.0
        error = self.deviation / math.sqrt(self.seeds)
        return 2 * float(stdtr(self.seeds - 1, -room / error))

    def estimate(self, level: float) -> Estimate:
        """The mean and its interval at `level`, on the scale that people read."""
        low, high = self.interval(level)
        numbers = (self.mean, low, high, *self.differences)
        if self.scale == "ratio":
            numbers = tuple(math.exp(number) for number in numbers)
        value, low, high, *values = numbers
        return Estimate(value, low, high, 1 - level, tuple(values), self.scale, self.censored)


def scale_of(claim: Claim) -> Scale:
    """Times and epochs are compared as ratios, accuracies as differences."""
    return "ratio" if claim.metric in ("seconds", "seconds_to", "epochs_to") else "difference"


def margin_of(claim: Claim) -> float:
    """The claim's margin on the additive scale: 5 % of a time becomes log 1.05."""
    return math.log1p(claim.margin) if scale_of(claim) == "ratio" else claim.margin


def compare(
    claim: Claim, level: Sequence[Sequence[Record]], against: Sequence[Sequence[Record]] | float
) -> Comparison:
    """Pair `level` with `against`, seed by seed.

    Args:
        claim: Says what is measured.
        level: For each seed the records of the claim's `level`, which are averaged.
        against: The same seeds in the same order, or a number.
    """
    scale = scale_of(claim)
    sides = [_side(claim, records) for records in level]
    if isinstance(against, int | float):
        number = _log(against) if scale == "ratio" else against
        others = [Side(number, step=0.0)] * len(sides)
    else:
        others = [_side(claim, records) for records in against]
    return _paired(list(zip(sides, others, strict=True)), scale)


def compare_accuracy(level: Sequence[Record], against: Sequence[Record], on: str) -> Comparison:
    """Accuracy on the set `on`, `level` minus `against`, over the seeds that both have."""
    ours, theirs = (
        {r.seed: Side(r.accuracy[on], _one_image(r, on)) for r in runs} for runs in (level, against)
    )
    return _paired([(ours[seed], theirs[seed]) for seed in ours if seed in theirs], "difference")


def compare_seconds(level: Sequence[Record], against: Sequence[Record]) -> Comparison:
    """Training time, the logarithm of `level` over `against`, over the seeds that both have."""
    ours, theirs = ({r.seed: Side(r.seconds, step=0.0) for r in runs} for runs in (level, against))
    return _paired([(ours[seed], theirs[seed]) for seed in ours if seed in theirs], "ratio")


def measure(record: Record, claim: Claim) -> Side:
    """What `record` says about `claim`, in the metric's own unit (see `Claim`).

    A target that was never reached counts as reached one epoch after the last, or, in seconds,
    at the end of training: no later than it can have been.
    """
    match claim.metric:
        case "accuracy":
            return Side(record.accuracy[claim.on], _one_image(record, claim.on))
        case "drop":
            lost = record.accuracy["test"] - record.accuracy[claim.on]
            step = math.hypot(_one_image(record, "test"), _one_image(record, claim.on))
            return Side(lost, step)
        case "decline":
            reached = [epoch.accuracy[claim.on] for epoch in record.epochs]
            fifth = len(reached) // 5
            lost = np.mean(reached[fifth : 2 * fifth]) - np.mean(reached[-fifth:])
            return Side(float(lost), _one_image_of_a_curve(record, claim.on))
        case "seconds":
            return Side(record.seconds, step=0.0)
        case "epochs_to":
            epochs = _epochs_to_target(record, claim)
            return Side(epochs or len(record.epochs) + 1, 1.0, epochs is not None)
        case "seconds_to":
            epochs = _epochs_to_target(record, claim)
            seconds = [epoch.seconds for epoch in record.epochs[:epochs]]
            return Side(math.fsum(seconds), seconds[-1], epochs is not None)


def summarise(values: Sequence[float], scale: Scale = "difference") -> Summary:
    """The mean of accuracies (`difference`) or of times (`ratio`) with its 95 % interval."""
    if not values:
        return Summary(math.nan, math.nan, math.nan, ())
    on_scale = tuple(_log(v) for v in values) if scale == "ratio" else tuple(values)
    estimate = Comparison(on_scale, scale).estimate(1 - CONFIDENCE)
    mean, low, high = estimate.value, estimate.low, estimate.high
    if scale == "difference" and len(values) > 1:
        low, high = max(low, 0.0), min(high, 1.0)
    return Summary(mean, low, high, tuple(values))


def curve(records: Sequence[Record], on: str) -> Curve:
    """Accuracy on the set `on` after each epoch, as long as the shortest of the runs."""
    epochs = min((len(record.epochs) for record in records), default=0)
    points = [
        summarise([record.epochs[i].accuracy[on] for record in records]) for i in range(epochs)
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
    )


def _paired(pairs: Sequence[tuple[Side, Side]], scale: Scale) -> Comparison:
    known = [(a, b) for a, b in pairs if a.reached or b.reached]
    silent = len(pairs) - len(known)
    return Comparison(
        differences=tuple(a.value - b.value for a, b in known),
        scale=scale,
        floor=_floor(known),
        open_below=silent > 0 or any(not b.reached for _, b in known),
        open_above=silent > 0 or any(not a.reached for a, _ in known),
        censored=sum(not (a.reached and b.reached) for a, b in pairs),
        silent=silent,
    )


def _floor(pairs: Sequence[tuple[Side, Side]]) -> float:
    """The spread that the sides' steps can hide: the variance of a rounding is step² / 12."""
    if not pairs:
        return 0.0
    hidden = math.fsum((a.step**2 + b.step**2) / 12 for a, b in pairs)
    return math.sqrt(hidden / len(pairs))


def _one_image(record: Record, on: str) -> float:
    return 1 / int(np.sum(record.confusion[on]))


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
