import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from siffra.lab.stats.collapse import Share, compare_failures, fisher

shares = st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(shares, st.floats(0.001, 0.5))
def test_a_share_has_the_interval_of_clopper_and_pearson(share, alpha):
    k, n = share
    # With none failed, or all, one side is certain: the other has all of the alpha.
    confidence = 1 - (2 * alpha if k in (0, n) else alpha)
    if confidence <= 0:
        return
    expected = stats.binomtest(k, n).proportion_ci(confidence, method="exact")
    assert Share(k, n).interval(alpha) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_none_of_five_may_be_nearly_half():
    assert Share(0, 5).interval() == (0.0, pytest.approx(1 - 0.05 ** (1 / 5)))
    assert np.isnan(Share(0, 0).interval()[0])


@given(shares, shares)
def test_two_shares_are_compared_by_fishers_exact_test(a, b):
    table = [[a[0], a[1] - a[0]], [b[0], b[1] - b[0]]]
    assert fisher(Share(*a), Share(*b)) == pytest.approx(stats.fisher_exact(table)[1], rel=1e-6)


def test_eleven_failures_of_eleven_against_none_by_hand():
    found = compare_failures([True] * 11, [False] * 11)
    # One table of the 22 over 11 is as extreme, and so is its mirror image.
    assert found.p_outside() == pytest.approx(2 / 705_432)
    assert found.centre == 1.0
    assert found.p_inside(0.5) == 1.0
    low, high = found.interval(0.05)
    assert 0 < low < 1
    assert high == 1.0


def test_a_forecast_has_the_shares_that_were_seen():
    found = compare_failures([True, True, False, False, False], [False] * 5)
    assert found.p_outside(seeds=20) == pytest.approx(fisher(Share(8, 20), Share(0, 20)))
