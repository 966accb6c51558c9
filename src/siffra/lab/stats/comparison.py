"""A paired comparison, from its differences to its interval.

Everything is computed on a scale on which effects add: accuracies as they are, times and epochs
as logarithms. On that scale the mean of the paired differences gets a t interval (Student 1908),
of which the variance may be moderated (`siffra.lab.stats.shrinkage`). `scipy.special` has the t
distribution that `scipy.stats` is made of, and imports much faster.
"""

import math
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from scipy.special import stdtr, stdtrit

from siffra.lab.stats.shrinkage import Prior

Scale = Literal["difference", "ratio"]

_GREATEST_POWER = math.log(sys.float_info.max)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A paired comparison: `value` with the interval from `low` to `high` at `confidence`.

    On the `difference` scale it is level minus against, in the metric's unit; on the `ratio`
    scale it is level over against, a geometric mean. `values` holds one per seed, on the same
    scale. `censored` counts the seeds of which one or both sides never reached the claim's
    target: those with one are bounds, for which the interval is open on the side away from 1
    (0 or infinity); those with both are not among the values, and the interval is open on both
    sides. With one seed low and high are NaN.

    `freedom` is the degrees of freedom of its t distribution (NaN for one seed), those `learned`
    included: what the `prior` adds, towards which its variance was drawn (None: it was not).
    """

    value: float
    low: float
    high: float
    confidence: float
    values: tuple[float, ...]
    scale: Scale
    censored: int
    freedom: float = math.nan
    learned: float = 0.0
    prior: Prior | None = None


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

    `diverged` counts the pairs of which a side diverged. They have no difference either, and do
    not go: a run that diverged is worse than any other, so that the pair opens the interval on
    that side, where accuracies are compared; where nothing orders the two, on both.

    `left_out` counts the seeds whose times were made on another machine than the others', or on a
    busy one: so were `busy` of the `runs` that were to be compared.
    `prior` is what comparisons of the same kind say about its variance.
    """

    differences: tuple[float, ...]
    scale: Scale
    floor: float = 0.0
    open_below: bool = False
    open_above: bool = False
    censored: int = 0
    silent: int = 0
    diverged: int = 0
    left_out: int = 0
    busy: int = 0
    runs: int = 0
    prior: Prior | None = None

    @property
    def seeds(self) -> int:
        """The number of pairs that have a difference."""
        return len(self.differences)

    @property
    def judged(self) -> int:
        """The number of pairs that it is about, with a difference or without."""
        return self.seeds + self.silent + self.diverged

    @cached_property
    def mean(self) -> float:
        """The mean difference; NaN without any pair."""
        return math.fsum(self.differences) / self.seeds if self.seeds else math.nan

    @property
    def deviation(self) -> float:
        """The standard deviation of the differences, at least `floor`; NaN for one pair."""
        return max(self._seen, self.floor) if self.seeds > 1 else math.nan

    @property
    def teaches(self) -> bool:
        """Whether others can learn from its variance, and it from theirs.

        Not from a variance that was too small to be seen (as of networks that all collapse), nor
        from bounds in the place of values.
        """
        return self.seeds > 1 and not self.censored and self._seen > self.floor

    @cached_property
    def _seen(self) -> float:
        mean = self.mean
        squares = math.fsum((d - mean) ** 2 for d in self.differences)
        return math.sqrt(squares / (self.seeds - 1)) if self.seeds > 1 else math.nan

    @cached_property
    def _moderated(self) -> tuple[float, float]:
        """The deviation to go by, and the degrees of freedom beyond those of the seeds."""
        if self.prior is None:
            return self.deviation, 0.0
        return self.prior.moderate(self.deviation, self.seeds - 1)

    def reversed(self) -> "Comparison":
        """The same pairs the other way round."""
        return replace(
            self,
            differences=tuple(-difference for difference in self.differences),
            open_below=self.open_above,
            open_above=self.open_below,
        )

    def interval(self, alpha: float, *, seeds: int | None = None) -> tuple[float, float]:
        """The two-sided t interval, wrong with probability `alpha`; NaN for one pair.

        With `seeds`, the one to be expected from that many, by the mean and spread seen.
        """
        n = seeds or self.seeds
        if self.seeds < 2 or n < 2:
            return math.nan, math.nan
        deviation, learned = self._moderated
        # From the lower tail: beside 1, a small alpha would round to 0.
        half = -float(stdtrit(n - 1 + learned, alpha / 2)) * deviation / math.sqrt(n)
        low = -math.inf if self.open_below else self.mean - half
        high = math.inf if self.open_above else self.mean + half
        return low, high

    def p_outside(self, margin: float = 0.0) -> float:
        """The p-value: the smallest alpha at which the interval lies wholly outside ±margin."""
        open_inwards = self.open_below if self.mean > 0 else self.open_above
        return 1.0 if open_inwards else self._p_value(abs(self.mean) - margin)

    def p_inside(self, margin: float) -> float:
        """The p-value: the smallest alpha at which the interval lies wholly inside ±margin.

        The two one-sided tests of Schuirmann 1987, each at alpha / 2.
        """
        if self.open_below or self.open_above:
            return 1.0
        return self._p_value(margin - abs(self.mean))

    def p_above(self, bound: float) -> float:
        """The p-value: the smallest alpha at which the interval lies wholly above `bound`."""
        return 1.0 if self.open_below else self._p_value(self.mean - bound)

    def _p_value(self, distance: float) -> float:
        """The alpha at which the interval's half width is `distance`; 1 where that is NaN."""
        if self.seeds < 2 or not distance > 0:
            return 1.0
        deviation, learned = self._moderated
        if deviation == 0:
            return 0.0
        error = deviation / math.sqrt(self.seeds)
        return 2 * float(stdtr(self.seeds - 1 + learned, -distance / error))

    def estimate(self, alpha: float) -> Estimate:
        """The mean and its interval at confidence 1 - `alpha`, on the scale that people read."""
        low, high = self.interval(alpha)
        numbers = (self.mean, low, high, *self.differences)
        if self.scale == "ratio":
            numbers = tuple(map(_exp, numbers))
        value, low, high, *values = numbers
        _, learned = self._moderated
        return Estimate(
            value=value,
            low=low,
            high=high,
            confidence=1 - alpha,
            values=tuple(values),
            scale=self.scale,
            censored=self.censored,
            freedom=self.seeds - 1 + learned if self.seeds > 1 else math.nan,
            learned=learned,
            prior=self.prior,
        )


def _exp(number: float) -> float:
    """E to that power; infinite where no float is so large, as an interval's end may be."""
    return math.inf if number >= _GREATEST_POWER else math.exp(number)  # NaN's is NaN
