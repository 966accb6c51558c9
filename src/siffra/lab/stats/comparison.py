"""A paired comparison, from its differences to its interval and its p-values.

Everything is computed on a scale on which effects add: accuracies as they are, times and epochs
as logarithms. On that scale the mean of the paired differences gets a t interval (Student 1908).
Where nothing is paired, as against a number, skewed values would deceive a t interval: there the
median gets the interval of the sign test (Conover, Practical Nonparametric Statistics, 1999,
sections 3.2 and 3.4). `scipy.special` has the distributions that `scipy.stats` is made of, and
imports much faster.
"""

import math
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median
from typing import Literal

from scipy.special import bdtr, stdtr, stdtrit

Scale = Literal["difference", "ratio"]

LARGE = 0.2
"""A difference in accuracy above this is that of networks that train well or hardly at all."""

_SAME = 1e-9
"""Numbers that are no farther apart than this share of them are the same."""
SINGLE, ROUNDED = 2.0**-23, 2.0**-19
"""How near two numbers of single precision can be, as a share of them; and how near the same sum in
another order comes: of 24 bits, some 19 agree."""
_GREATEST_POWER = math.log(sys.float_info.max)

_CAUTION, _BY_CHANCE = 120.0, 0.6
"""How much evidence of two groups that are skewed and spread unlike is weakened.

Chosen so that of 20,000 tables without a difference at most 4 % to 6 % are wrong at an alpha of
4 %: exponential, lognormal and t3, spread alike, 3 and 6 times, 5 and 5 to 20 and 20 runs. The
second is the skewness of many runs of which no notice is taken.
"""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A paired comparison: `value` with the interval from `low` to `high` at `confidence`.

    On the `difference` scale it is level minus against, in the metric's unit; on the `ratio`
    scale it is level over against, a geometric mean. `values` holds one per seed, on the same
    scale. `censored` counts the seeds of which one or both sides never reached the claim's
    target: those with one are bounds, for which the interval is open on the side away from 1
    (0 or infinity); those with both are not among the values, and the interval is open on both
    sides. With one seed low and high are NaN.

    `freedom` is the degrees of freedom of its t distribution (NaN for one seed, and for the
    median of a sign test).
    """

    value: float
    low: float
    high: float
    confidence: float
    values: tuple[float, ...]
    scale: Scale
    censored: int = 0
    freedom: float = math.nan


@dataclass(frozen=True)  # no slots: what is asked for again and again is kept
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

    `rounding` is how far apart the same difference may be computed, in single precision.

    `diverged` counts the pairs that have no difference since a side diverged, and that open both
    sides; `failed` those that are no part of it since a run of theirs failed to train.
    """

    differences: tuple[float, ...]
    scale: Scale
    floor: float = 0.0
    open_below: bool = False
    open_above: bool = False
    censored: int = 0
    silent: int = 0
    diverged: int = 0
    failed: int = 0
    rounding: float = 0.0

    @property
    def seeds(self) -> int:
        """The number of pairs that have a difference."""
        return len(self.differences)

    @property
    def judged(self) -> int:
        """The number of pairs that it is about, with a difference or without."""
        return self.seeds + self.silent + self.diverged + self.failed

    @cached_property
    def centre(self) -> float:
        """The mean difference; NaN without any pair."""
        return math.fsum(self.differences) / self.seeds if self.seeds else math.nan

    @cached_property
    def deviation(self) -> float:
        """The standard deviation of the differences, at least `floor`; NaN for one pair."""
        if self.seeds < 2:
            return math.nan
        squares = math.fsum((d - self.centre) ** 2 for d in self.differences)
        return max(math.sqrt(squares / (self.seeds - 1)), self.floor)

    @property
    def is_constant(self) -> bool:
        """Whether all of several differences are the same, as far as floats can tell."""
        return self.seeds > 1 and _is_same(self.differences, self.rounding)

    @property
    def freedom(self) -> float:
        """Degrees of freedom of its t distribution; NaN for one pair."""
        return self.seeds - 1 if self.seeds > 1 else math.nan

    def reversed(self) -> "Comparison":
        """The same pairs the other way round."""
        return replace(
            self,
            differences=tuple(-difference for difference in self.differences),
            open_below=self.open_above,
            open_above=self.open_below,
        )

    @property
    def cautious(self) -> "Comparison":
        """With one pair more, of difference 0, where differences are spread over `LARGE`.

        Of such a mixture of two kinds t errs by a third more often than it says; not with that.
        """
        if not self.differences or max(self.differences) - min(self.differences) <= LARGE:
            return self
        return replace(self, differences=(*self.differences, 0.0))

    def interval(self, alpha: float) -> tuple[float, float]:
        """The two-sided interval, wrong with probability `alpha`; NaN for one pair."""
        if self.seeds < 2:
            return math.nan, math.nan
        # From the lower tail: beside 1, a small alpha would round to 0.
        error = self.deviation / math.sqrt(self.seeds)
        half = -float(stdtrit(self.freedom, alpha / 2)) * error if alpha > 0 else math.inf
        low = -math.inf if self.open_below else self.centre - half
        high = math.inf if self.open_above else self.centre + half
        return low, high

    def p_above(self, bound: float, *, seeds: int | None = None) -> float:
        """The one-sided p-value of what is compared being above `bound`: small where it is.

        With `seeds`, the one to be expected from that many, by the centre and spread seen.
        """
        return 1.0 if self.open_below else self._tail(self.centre - bound, seeds)

    def p_below(self, bound: float, *, seeds: int | None = None) -> float:
        """As `p_above`, of its being below `bound`."""
        return 1.0 if self.open_above else self._tail(bound - self.centre, seeds)

    def p_outside(self, margin: float = 0.0, *, seeds: int | None = None) -> float:
        """The two-sided p-value of its being outside ±margin."""
        sides = self.p_above(margin, seeds=seeds), self.p_below(-margin, seeds=seeds)
        return min(1.0, 2 * min(sides))

    def p_inside(self, margin: float, *, seeds: int | None = None) -> float:
        """The p-value of its being inside ±margin: two one-sided tests (Schuirmann 1987)."""
        return max(self.p_above(-margin, seeds=seeds), self.p_below(margin, seeds=seeds))

    def _tail(self, distance: float, seeds: int | None) -> float:
        """The one-sided p-value at this distance on the right side; 1 where that is NaN."""
        if self.seeds < 2 or not distance > 0:
            return 1.0
        if self.deviation == 0:
            return 0.0
        if not math.isfinite(self.deviation):
            return 1.0
        n = seeds or self.seeds
        return float(stdtr(n - 1, -distance * math.sqrt(n) / self.deviation))

    def estimate(self, alpha: float) -> Estimate:
        """The centre and its interval at confidence 1 - `alpha`, on the scale that people read."""
        low, high = self.interval(alpha)
        numbers = (self.centre, low, high, *self.differences)
        if self.scale == "ratio":
            numbers = tuple(map(_exp, numbers))
        value, low, high, *values = numbers
        return Estimate(
            value=value,
            low=low,
            high=high,
            confidence=1 - alpha,
            values=tuple(values),
            scale=self.scale,
            censored=self.censored,
            freedom=self.freedom,
        )


@dataclass(frozen=True)
class UnpairedComparison(Comparison):
    """Two groups of runs that share no seeds: the difference of their means, by Welch's t.

    `differences` are the values of `level` minus the mean of `against`, all on the additive scale.
    The degrees of freedom are those of the smaller group: at the small alphas of many claims,
    Welch's own (1947) err with few runs, and these do not (H. Scheffé, Practical solutions of the
    Behrens-Fisher problem, 1970).

    Where values are skewed and one group is spread more widely than the other, the mean of its few
    runs lies on the side of the short tail again and again, with too small a deviation: t then errs
    in 9 to 15 % where 4 % are promised. Evidence on that side is taken for weaker: see `_stretch`.
    """

    level: tuple[float, ...] = ()
    against: tuple[float, ...] = ()

    @classmethod
    def of(
        cls, level: tuple[float, ...], against: tuple[float, ...], scale: Scale, floor: float
    ) -> "UnpairedComparison":
        """Two groups of values on the additive scale; `floor` is that of either's deviation."""
        other = math.fsum(against) / len(against) if against else math.nan
        differences = tuple(value - other for value in level)
        return cls(differences, scale, floor, level=level, against=against)

    @property
    def seeds(self) -> int:
        """The number of runs in the smaller group."""
        return min(len(self.level), len(self.against))

    @cached_property
    def deviation(self) -> float:
        """That of as many differences as have the same standard error; NaN for a group of one."""
        if self.seeds < 2:
            return math.nan
        variance = sum(
            max(_variance(group), self.floor**2) / len(group)
            for group in (self.level, self.against)
        )
        return math.sqrt(variance * self.seeds)

    @cached_property
    def centre(self) -> float:
        """The difference of the means; NaN without a run on either side."""
        return math.fsum(self.differences) / len(self.level) if self.seeds else math.nan

    @property
    def is_constant(self) -> bool:
        """Whether neither group varies, as far as floats can tell."""
        return self.seeds > 1 and all(
            _is_same(values, self.rounding) for values in (self.level, self.against)
        )

    def p_above(self, bound: float, *, seeds: int | None = None) -> float:
        """See `Comparison.p_above`."""
        return self._tail((self.centre - bound) / self._stretch(1, seeds), seeds)

    def p_below(self, bound: float, *, seeds: int | None = None) -> float:
        """See `Comparison.p_below`."""
        return self._tail((bound - self.centre) / self._stretch(-1, seeds), seeds)

    def interval(self, alpha: float) -> tuple[float, float]:
        """See `Comparison.interval`; the arm towards the long tail is the longer one."""
        low, high = super().interval(alpha)
        below, above = (
            (end - self.centre) * self._stretch(side) for end, side in ((low, 1), (high, -1))
        )
        return self.centre + below, self.centre + above

    def _stretch(self, side: int, seeds: int | None = None) -> float:
        """How many times farther from 0 a difference above it must be (`side` 1), or below (-1).

        With `seeds`, what is to be expected of this many runs in the smaller group.
        """
        if self.seeds < 3:  # which have no skewness
            return 1.0
        runs = (len(self.level) + len(self.against)) * (seeds or self.seeds) / self.seeds
        imbalance, skewness = self._shape
        # A difference below 0 is suspicious where the more widely spread level has a long tail
        # above, or where the more widely spread other one has it below.
        adverse = -side * math.copysign(skewness, skewness * imbalance)
        seen = adverse - _BY_CHANCE * max(0.0, 1 - 10 / runs)
        return 1 + _CAUTION * max(0.0, seen) * imbalance**2 / runs

    @cached_property
    def _shape(self) -> tuple[float, float]:
        """What the third moment of the difference rests on.

        Its skewness were the values' 1, from -1 to 1 (0 where both groups have the same part in its
        spread, 1 where it is that of `level` alone), and the skewness of the values, pooled.
        """
        groups = self.level, self.against
        least = self.floor**2
        parts = [math.sqrt(max(_variance(group), least) / len(group)) for group in groups]
        error = math.hypot(*parts)
        if not 0 < error < math.inf:
            return 0.0, 0.0
        ours, theirs = (
            (part / error) ** 3 / math.sqrt(len(group))
            for part, group in zip(parts, groups, strict=True)
        )
        pooled = math.fsum(len(group) * _skewness(group) for group in groups)
        runs = sum(map(len, groups))
        return (ours - theirs) * math.sqrt(self.seeds), pooled / runs

    def reversed(self) -> "UnpairedComparison":
        """The same groups the other way round."""
        return UnpairedComparison.of(self.against, self.level, self.scale, self.floor)


def _is_same(values: tuple[float, ...], rounding: float) -> bool:
    low, high = min(values), max(values)
    return high - low <= max(rounding, _SAME * max(abs(low), abs(high)))


def _variance(values: tuple[float, ...]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _skewness(values: tuple[float, ...]) -> float:
    """The adjusted Fisher-Pearson coefficient; 0 of values that are all the same."""
    n, mean = len(values), math.fsum(values) / len(values)
    deviation = math.sqrt(_variance(values) * (n - 1) / n)
    if deviation == 0:
        return 0.0
    third = math.fsum(((value - mean) / deviation) ** 3 for value in values) / n
    return math.sqrt(n * (n - 1)) / (n - 2) * third


@dataclass(frozen=True)
class MedianComparison(Comparison):
    """Differences from a number, of which the median is judged, by the sign test.

    It holds whatever the distribution: how often a run is above its median is a coin's matter.
    """

    @cached_property
    def centre(self) -> float:
        """The median difference; NaN without any."""
        return median(self.differences) if self.differences else math.nan

    @property
    def freedom(self) -> float:
        """None: it is not a t interval."""
        return math.nan

    def interval(self, alpha: float) -> tuple[float, float]:
        """Between two of the ordered differences; open where there are too few for `alpha`."""
        if self.seeds < 2:
            return math.nan, math.nan
        # So many on either side may lie beyond: P(X < k) <= alpha / 2 for a fair coin's heads X.
        k = 0
        while k <= self.seeds // 2 and _heads(k, self.seeds) <= alpha / 2:
            k += 1
        ordered = sorted(self.differences)
        if k == 0:
            return -math.inf, math.inf
        low, high = ordered[k - 1], ordered[-k]
        return (-math.inf if self.open_below else low), (math.inf if self.open_above else high)

    def p_above(self, bound: float, *, seeds: int | None = None) -> float:
        """See `Comparison.p_above`. A difference that is at the bound is not above it."""
        if self.open_below:
            return 1.0
        return self._coin(sum(d > bound for d in self.differences), seeds)

    def p_below(self, bound: float, *, seeds: int | None = None) -> float:
        if self.open_above:
            return 1.0
        return self._coin(sum(d < bound for d in self.differences), seeds)

    def _coin(self, right: int, seeds: int | None) -> float:
        """The chance that a fair coin shows heads so often, or more often, as there are `right`."""
        if self.seeds < 2:
            return 1.0
        n = seeds or self.seeds
        wrong = round((self.seeds - right) * n / self.seeds)
        return _heads(wrong, n)


def _heads(most: int, tosses: int) -> float:
    """The chance of at most this many heads of a fair coin."""
    return float(bdtr(most, tosses, 0.5))


def _exp(number: float) -> float:
    """E to that power; infinite where no float is so large, as an interval's end may be."""
    return math.inf if number >= _GREATEST_POWER else math.exp(number)  # NaN's is NaN
