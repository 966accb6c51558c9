"""Collapse: the share of runs whose network gives every image the same class.

`Record.collapsed` says which runs did. A share of few runs is poorly known, and that none of five
collapsed does not mean that none does: so each has its exact interval.
"""

from dataclasses import dataclass

from scipy.special import betaincinv

_ERROR = 0.05
"""Of an interval or a bound: each holds the true share in at least 95 % of cases."""


@dataclass(frozen=True, slots=True)
class Share:
    """`k` of `n` runs, and the share `low` to `high` of all such runs that this is compatible with.

    Without runs the interval is the whole one, 0 to 1.
    """

    k: int
    n: int
    low: float
    high: float


def share(k: int, n: int) -> Share:
    """`k` of `n` runs with the exact 95 % interval.

    Source: C. J. Clopper and E. S. Pearson, The use of confidence or fiducial limits illustrated
    in the case of the binomial, 1934.
    """
    low = float(betaincinv(k, n - k + 1, _ERROR / 2)) if k > 0 else 0.0
    high = float(betaincinv(k + 1, n - k, 1 - _ERROR / 2)) if k < n else 1.0
    return Share(k, n, low, high)


def at_most(k: int, n: int) -> float:
    """The exact one-sided 95 % bound on the share of which `k` of `n` runs are (1 without runs)."""
    return float(betaincinv(k + 1, n - k, 1 - _ERROR)) if k < n else 1.0
