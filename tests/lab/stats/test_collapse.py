"""Shares of runs that collapse: SciPy's exact binomial test has the same intervals."""

import pytest
import scipy.stats

from siffra.lab.stats.collapse import at_most, share


@pytest.mark.parametrize(("k", "n"), [(0, 5), (1, 5), (3, 10), (5, 5), (11, 40)])
def test_the_interval_is_clopper_and_pearsons(k, n):
    exact = scipy.stats.binomtest(k, n).proportion_ci(0.95, method="exact")

    found = share(k, n)

    assert (found.k, found.n) == (k, n)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


@pytest.mark.parametrize(("k", "n"), [(0, 5), (0, 10), (2, 7)])
def test_the_bound_is_one_sided(k, n):
    exact = scipy.stats.binomtest(k, n, alternative="less").proportion_ci(0.95, method="exact")

    assert at_most(k, n) == pytest.approx(exact.high)


def test_that_none_of_five_collapsed_leaves_45_per_cent_possible():
    # The largest p for which five runs that train have a probability of 5 %: (1 - p)^5 = 0.05.
    assert at_most(0, 5) == pytest.approx(1 - 0.05 ** (1 / 5))


def test_without_runs_nothing_is_known():
    found = share(0, 0)

    assert (found.low, found.high, at_most(0, 0)) == (0.0, 1.0, 1.0)
