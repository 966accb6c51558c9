"""How much seeds alone change a metric, and how many seeds a difference takes.

From runs of one setting: their mean with a t interval, their standard deviation with the interval
of the chi-square distribution (Snedecor and Cochran, Statistical Methods, 1989, section 5.11), and
the power of the t test of two settings by the noncentral t distribution (Johnson and Welch 1940).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import chdtri, nctdtr, stdtrit

from siffra.lab.stats.comparison import ROUNDED, Comparison
from siffra.lab.stats.families import OUTSIDE_ALPHA

POWER = 0.8
"""The share of cases in which a difference is to be shown."""
CORRELATION = 0.5
"""Of runs with the same seed, where they have much in common."""
_CONFIDENCE = 0.95
_FEWEST = 5
"""Fewer seeds decide nothing."""
_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Noise:
    """What runs of one setting, two or more, say of a metric; with 95 % intervals.

    Attributes:
        values: One of each run.
        mean: Their mean.
        mean_interval: Of the mean of all such runs.
        deviation: Their standard deviation, at least the coarseness that their decimals hide.
        deviation_interval: Of that of all such runs.
    """

    values: tuple[float, ...]
    mean: float
    mean_interval: tuple[float, float]
    deviation: float
    deviation_interval: tuple[float, float]

    @property
    def varies(self) -> bool:
        """Whether more than the rounding of single precision sets the values apart."""
        low, high = min(self.values), max(self.values)
        is_rounded = not all(value.is_integer() for value in self.values)
        return high - low > (ROUNDED * max(abs(low), abs(high)) if is_rounded else 0.0)


def noise_of(values: Sequence[float], step: float = 0.0) -> Noise:
    """The noise of two values or more; `step` is the unit of their last decimal."""
    comparison = Comparison(tuple(values), "difference", floor=step / math.sqrt(12))
    alpha, freedom = 1 - _CONFIDENCE, comparison.seeds - 1
    low, high = (
        comparison.deviation * math.sqrt(freedom / float(chdtri(freedom, tail)))
        for tail in (alpha / 2, 1 - alpha / 2)
    )
    mean, spread = comparison.centre, comparison.deviation
    return Noise(comparison.differences, mean, comparison.interval(alpha), spread, (low, high))


def difference_deviation(deviation: float, correlation: float = 0.0) -> float:
    """The standard deviation of the difference of two runs with this correlation."""
    return deviation * math.sqrt(2 * (1 - correlation))


def power(seeds: int, effect: float) -> float:
    """How often a difference is shown with this many seeds of both levels.

    `effect` is the difference over the standard deviation of differences. The test is that of a
    lone claim of `siffra vary`, with as many degrees of freedom as pairs of runs have: without
    pairs siffra counts those of the smaller group.
    """
    freedom, shift = seeds - 1, effect * math.sqrt(seeds)
    critical = -float(stdtrit(freedom, OUTSIDE_ALPHA / 2))
    return float(1 - nctdtr(freedom, shift, critical) + nctdtr(freedom, shift, -critical))


def seeds_needed(effect: float) -> int | None:
    """The fewest seeds with which the `effect` is shown in `POWER` of cases; None: a million."""
    most = _FEWEST
    while power(most, effect) < POWER:
        most *= 2
        if most > _MOST:
            return None
    least = max(_FEWEST, most // 2)
    while least < most:
        middle = (least + most) // 2
        least, most = (least, middle) if power(middle, effect) >= POWER else (middle + 1, most)
    return most


def smallest_effect(seeds: int) -> float:
    """The effect that is shown with this many seeds in `POWER` of cases, to four digits."""
    low, high = 0.0, 1.0
    while power(seeds, high) < POWER:
        high *= 2
    while high - low > 1e-5 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if power(seeds, middle) >= POWER else (middle, high)
    return high
