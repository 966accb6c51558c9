"""Interim analyses: the numbers of seeds at which a claim is judged, and the alpha of each look.

To look after every seed and stop when something shows is to find something where there is
nothing: at 5 % a look, in 29 % of cases within 30 looks. So the looks are fixed beforehand, and
an alpha is spent over them: by the time that a share t of the last look's seeds is there,
alpha t^1.5. Each claim looks when its own runs are there, and stops when it is decided.

What a claim has shown by a look is its *sequential p-value*: the smallest alpha that, spent in
this way, would have rejected the hypothesis at that look or before. It can only fall. Where a
claim stops does not matter to it: it is at least the one that all looks would have given, which
is a p-value. So sequential p-values of claims that stop at any time, for any reason, may be
judged together as p-values are.

Sources: spending functions are from K. K. G. Lan and D. L. DeMets, Discrete sequential boundaries
for clinical trials, 1983; this one, of the family of C. Jennison and B. W. Turnbull, Group
Sequential Methods, 2000, section 7.2.3. Sequential p-values are from Q. Liu and K. M. Anderson,
On adaptive extensions of group sequential trials, 2008. The alphas of the looks follow by the
integration of P. Armitage, C. K. McPherson and B. C. Rowe, Repeated significance tests on
accumulating data, 1969. They are found for normal scores, and used for the p-values of t
statistics: the significance level approach (Jennison and Turnbull, section 4.4).
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import cast

import numpy as np
import scipy  # which imports `scipy.optimize` on first use
from scipy.special import ndtr

LAB_ALPHA = 0.05
"""The share of labs in which any verdict that is shown may be wrong."""
FIRST_LOOK = 5
"""Seeds; a t interval from fewer has more faith in its few values than they deserve."""
MOST_SEEDS = 40
"""At the last look, unless another number is asked for."""

_POWER = 1.5
"""Of the share of the seeds, in the spending function."""
_NODES = 100
"""Of the quadrature: alphas are right to six digits."""
_FARTHEST = 38.0
"""Standard deviations; nothing lies beyond in double precision."""
_LEAST = 1e-14
"""The smallest sequential p-value that is told from 0."""
_GRID = 80
"""Alphas between `_LEAST` and 1 for which the looks' alphas are worked out, and between which they
are interpolated: to four digits."""


def looks_to(most: int) -> tuple[int, ...]:
    """The looks of a claim that `most` seeds may be spent on: 5, 7, 10, 14, 20, 28, 40, 80, 160 …

    The first ones lie a factor of about the square root of 2 apart, later ones a factor of 2.
    The last is `most` itself; no look comes just before it.
    """
    looks, steps = [FIRST_LOOK], iter((7, 10, 14, 20, 28, 40))
    while looks[-1] < most:
        further = next(steps, 2 * looks[-1])
        looks.append(further if 1.2 * further <= most else most)
    return tuple(looks)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The looks of a claim: the number of seeds at each, growing."""

    seeds: tuple[int, ...]

    def spent(self, look: int) -> float:
        """The share of an alpha that is spent by a look, counted from 0."""
        return (self.seeds[look] / self.seeds[-1]) ** _POWER

    def alpha(self, look: int, overall: float) -> float:
        """The alpha of a two-sided test at a look, whose error rate over all is `overall`."""
        if len(self.seeds) == 1 or overall <= 0:
            return max(0.0, overall)
        logs, alphas = _alphas(self.seeds)
        if math.log(overall) < logs[0]:
            return 0.0
        return math.exp(float(np.interp(math.log(overall), logs, alphas[look])))

    def sequential(self, p_values: Sequence[float]) -> list[float]:
        """The sequential p-values at each look so far, of the two-sided `p_values` at the looks."""
        overall = [self._overall(look, p) for look, p in enumerate(p_values)]
        return list(itertools.accumulate(overall, min))

    def _overall(self, look: int, p_value: float) -> float:
        """The smallest overall alpha at which a look rejects by this p-value."""
        if len(self.seeds) == 1:
            return p_value
        logs, alphas = _alphas(self.seeds)
        if p_value <= 0 or math.log(p_value) <= alphas[look][0]:
            return _LEAST
        if math.log(p_value) > alphas[look][-1]:
            return 1.0
        return math.exp(float(np.interp(math.log(p_value), alphas[look], logs)))


@lru_cache(maxsize=64)
def _alphas(seeds: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of overall alphas, (grid,), and of the looks' alphas at each, (looks, grid)."""
    times = tuple(n / seeds[-1] for n in seeds)
    overall = np.geomspace(_LEAST, 1.0, _GRID)
    # At an overall alpha of 1 there are no bounds; just below, the last one is at 0.
    overall[-1] = 1 - 1e-9
    looks = np.empty((len(seeds), _GRID))
    for i, alpha in enumerate(overall):
        spent = [alpha * t**_POWER for t in times]
        looks[:, i] = np.log(_spend(times, spent))
    return np.log(overall), looks


def _spend(times: Sequence[float], spent: Sequence[float]) -> list[float]:
    """The two-sided alphas of bounds that a Brownian motion has left by these times so often.

    The motion starts from 0 and is stopped where it leaves ±bound at one of the `times`.
    `spent` are the probabilities that it has been by then.
    """
    alphas: list[float] = []
    # The motion is at these places with this probability mass.
    places, mass = np.zeros(1), np.ones(1)
    before, spent_before = 0.0, 0.0
    nodes, weights = _quadrature()
    for time, by_now in zip(times, spent, strict=True):
        step, scale = math.sqrt(time - before), math.sqrt(time)

        excess = partial(_excess, places, mass, step, by_now - spent_before)
        # Where as little is left inside as is to be spent, no bound holds it.
        is_spent = excess(0.0) <= 0
        bound = (
            0.0 if is_spent else cast(float, scipy.optimize.brentq(excess, 0.0, _FARTHEST * scale))
        )
        alphas.append(2 * float(ndtr(-bound / scale)))
        steps = (bound * nodes[:, None] - places) / step
        density = np.exp(-(steps**2) / 2) @ mass / (step * math.sqrt(2 * math.pi))
        places, mass = bound * nodes, density * weights * bound
        before, spent_before = time, by_now
    return alphas


@cache
def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    """Nodes between -1 and 1, and their weights, (_NODES,) each."""
    return np.polynomial.legendre.leggauss(_NODES)


def _excess(
    places: np.ndarray, mass: np.ndarray, step: float, to_spend: float, bound: float
) -> float:
    """How much more than is to be spent of the motion leaves ±bound in this step."""
    leaves = ndtr((places - bound) / step) + ndtr((-places - bound) / step)
    return float(leaves @ mass) - to_spend
