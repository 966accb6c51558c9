"""Interim analyses: when a lab that adds seeds looks at its results, and the alpha of each look.

To look after every seed and stop when something shows is to find something where there is
nothing: at 5 % a look, in 29 % of cases within 30 looks. So the looks are fixed beforehand, and
the 5 % for errors is spent over them: little at first, all of it by the last.

Sources: the spending function is the one of K. K. G. Lan and D. L. DeMets, Discrete sequential
boundaries for clinical trials, 1983, that resembles O'Brien and Fleming's boundaries. The alphas
that spend it follow by the integration of P. Armitage, C. K. McPherson and B. C. Rowe, Repeated
significance tests on accumulating data, 1969. They are found for normal scores, and used for
the p-values of t statistics: the significance level approach (C. Jennison and B. W. Turnbull,
Group Sequential Methods, 2000, section 4.4).
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

LAB_ALPHA = 0.05
"""The family-wise error rate: the share of labs that may make any error of one kind."""

_FIRST_LOOKS = (5, 7, 10, 14, 20, 28, 40)
_APART = 1.25
"""The last look has at least so many times the seeds of the one before it."""
_NODES = 100
"""Of the quadrature: alphas are right to six digits."""
_FARTHEST = 38.0
"""Standard deviations; nothing lies beyond in double precision."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The looks of a lab: the number of seeds at each, growing."""

    seeds: tuple[int, ...]

    def spent(self, look: int) -> float:
        """The share of a lab's alpha that is spent by a look, counted from 0."""
        time = self.seeds[look] / self.seeds[-1]
        # Half of it lies on either side.
        return 4 * float(ndtr(ndtri(LAB_ALPHA / 4) / math.sqrt(time))) / LAB_ALPHA

    def alpha(self, look: int, overall: float) -> float:
        """The alpha of a test at a look, if its error rate over all looks may be `overall`."""
        if len(self.seeds) == 1:
            return overall
        times = tuple(n / self.seeds[-1] for n in self.seeds[: look + 1])
        spent = tuple(overall * self.spent(i) for i in range(look + 1))
        return _spend(times, spent).alpha


ONE_LOOK = Schedule((1,))


def looks_to(most: int) -> tuple[int, ...]:
    """The numbers of seeds at which claims are judged, up to `most`: 5, 7, 10, 14, 20, 28, 40.

    Beyond 40 they double. Of two that are nearly at once, the later one is left.
    """
    usual = [*_FIRST_LOOKS, *(_FIRST_LOOKS[-1] << i for i in range(1, most.bit_length()))]
    return (*(seeds for seeds in usual if _APART * seeds <= most), most)


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    """A Brownian motion from 0 that was stopped where it left ±bound at one of the times so far.

    `alpha` is that of the last bound; the motion goes on at `places` with probabilities `mass`.
    """

    alpha: float
    places: np.ndarray
    mass: np.ndarray


@lru_cache(maxsize=4096)
def _spend(times: tuple[float, ...], spent: tuple[float, ...]) -> _Stage:
    """The stage at the last time, of bounds that are left with probability `spent` by each."""
    if len(times) == 0:
        return _Stage(0.0, np.zeros(1), np.ones(1))
    before = _spend(times[:-1], spent[:-1])
    step = math.sqrt(times[-1] - (times[-2] if len(times) > 1 else 0.0))
    to_spend = spent[-1] - (spent[-2] if len(spent) > 1 else 0.0)

    def excess(bound: float) -> float:
        leaves = ndtr((before.places - bound) / step) + ndtr((-before.places - bound) / step)
        return float(leaves @ before.mass) - to_spend

    scale = math.sqrt(times[-1])
    bound = cast(float, brentq(excess, 0.0, _FARTHEST * scale))
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    steps = (bound * nodes[:, None] - before.places) / step
    density = np.exp(-(steps**2) / 2) @ before.mass / (step * math.sqrt(2 * math.pi))
    return _Stage(2 * float(ndtr(-bound / scale)), bound * nodes, density * weights * bound)
