"""How much comparisons vary, learned from all of a kind: a cautious moderated t.

With five seeds a standard deviation is known to within a factor of two or so, and t intervals
pay for that: at the alpha of one claim among sixty they are more than twice as wide as they
would be were it known. Comparisons of one kind vary alike, more or less, and how much alike can be
estimated: their variances are taken as draws from a scaled inverse chi-squared distribution,
and each is drawn towards its centre.

Source: G. K. Smyth, Linear models and empirical Bayes methods for assessing differential
expression in microarray experiments, 2004, sections 4 and 6.2.

In a lab there are ten comparisons, not ten thousand genes; they share runs; and networks near
collapse vary a hundred times as much as others. Smyth's method as it stands then claims too often
a difference where there is none (docs/method.md). Hence five cautions:

- nothing is learned where comparisons vary so differently that it would be worth less than five
  seeds: it would only blur those that are known well;
- nor from fewer than three comparisons;
- what is learned counts for no more than a comparison's own seeds do;
- a comparison that varies more than its kind keeps its own variance, and what was learned counts
  for the less, the more it does;
- with fewer than five seeds what is learned is only a hint, which adds no degrees of freedom: it
  widens the intervals of runs that happen to agree, and makes none narrower. (So it may come from
  comparisons that have little in common.)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, polygamma

FEWEST_COMPARISONS = 3
FEWEST_DEGREES = 4
"""Of freedom: five seeds."""
_HINT = 0.05
"""Degrees of freedom that what is learned counts for with fewer than five seeds.

Enough to bar a spread of less than a sixth of the usual with three seeds, which is what false
verdicts at small alphas come from; 95 % intervals of normal differences then cover 96 %.
"""


@dataclass(frozen=True, slots=True)
class Prior:
    """What is known of a comparison's variance before its own seeds are looked at.

    As good as `freedom` degrees of freedom (infinity: known) for a standard deviation of
    `deviation`, on the scale on which effects add. Learned from so many `comparisons`.
    """

    freedom: float
    deviation: float
    comparisons: int

    def moderate(self, deviation: float, freedom: int) -> tuple[float, float]:
        """The deviation to go by, and what this prior adds to its degrees of freedom.

        Smyth's (2004) section 4, with the last three cautions above.
        """
        if deviation <= 0:
            return deviation, 0.0
        own, prior = deviation**2, self.deviation**2
        few = freedom < FEWEST_DEGREES
        counts = _HINT if few else min(self.freedom, freedom) * min(1.0, prior / own)
        pooled = (counts * prior + freedom * own) / (counts + freedom)
        return math.sqrt(max(own, pooled)), 0.0 if few else counts


def learn(deviations: Sequence[float], freedoms: Sequence[int]) -> Prior | None:
    """The prior of comparisons with these standard deviations (> 0) and degrees of freedom.

    By the moments of the logarithms of the variances: Smyth 2004, section 6.2. None where the
    first two cautions above forbid it.
    """
    if len(deviations) < FEWEST_COMPARISONS:
        return None
    prior = fit(deviations, freedoms)
    only_widens = max(freedoms) < FEWEST_DEGREES
    return prior if only_widens or prior.freedom >= FEWEST_DEGREES else None


def fit(deviations: Sequence[float], freedoms: Sequence[int]) -> Prior:
    """What `learn` learns, without caution, from two comparisons or more."""
    count = len(deviations)
    half = np.array(freedoms) / 2
    logs = 2 * np.log(deviations) - digamma(half) + np.log(half)
    centre = float(logs.mean())
    excess = float(np.var(logs, ddof=1) - polygamma(1, half).mean())
    if excess <= 0:
        return Prior(math.inf, math.exp(centre / 2), count)
    freedom = 2 * _inverse_trigamma(excess)
    log_variance = centre + float(digamma(freedom / 2)) - math.log(freedom / 2)
    return Prior(freedom, math.exp(log_variance / 2), count)


def _inverse_trigamma(value: float) -> float:
    """The y with trigamma(y) = `value` > 0: Newton on 1 / trigamma (Smyth 2004, appendix)."""
    y = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, y))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, y))
        y += step
        if -step / y < 1e-10:
            break
    return y
