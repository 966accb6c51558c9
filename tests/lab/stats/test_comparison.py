import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from siffra.lab.stats.comparison import Comparison, MedianComparison

differences = st.lists(st.floats(-0.02, 0.02).map(lambda x: round(x, 4)), min_size=3, max_size=12)


class TestMean:
    @given(differences, st.floats(-0.01, 0.01))
    def test_its_one_sided_p_values_are_those_of_t(self, values, bound):
        if np.std(values) < 1e-6:
            return
        found = Comparison(tuple(values), "difference")
        t = (np.mean(values) - bound) / (np.std(values, ddof=1) / math.sqrt(len(values)))
        above = float(stats.t.sf(t, len(values) - 1))
        # Half of the range is of no interest, and counts as 1.
        assert found.p_above(bound) == pytest.approx(above if above < 0.5 else 1.0, rel=1e-6)

    def test_equivalence_is_two_one_sided_tests(self):
        values = (0.001, -0.0005, 0.0012, 0.0002)
        _, below = stats.ttest_1samp(values, 0.002, alternative="less")
        _, above = stats.ttest_1samp(values, -0.002, alternative="greater")
        found = Comparison(values, "difference").p_inside(0.002)
        assert found == pytest.approx(np.max([below, above]))

    def test_a_forecast_keeps_mean_and_spread(self):
        found = Comparison((0.01, 0.0, 0.005, -0.002), "difference")
        t = found.centre / (found.deviation / math.sqrt(20))
        assert found.p_outside(seeds=20) == pytest.approx(2 * stats.t.sf(t, 19))

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_what_is_no_number_has_no_p_value(self, value):
        found = Comparison((0.01, value, 0.01), "difference")
        assert found.p_outside() == found.p_inside(0.1) == 1.0


class TestMedian:
    @given(differences)
    def test_is_judged_by_the_sign_test(self, values):
        found = MedianComparison(tuple(values), "difference")
        for more, p_value in ((True, found.p_above(0.0)), (False, found.p_below(0.0))):
            right = sum(v > 0 if more else v < 0 for v in values)
            expected = stats.binomtest(right, len(values), 0.5, alternative="greater").pvalue
            assert p_value == pytest.approx(expected)

    def test_ten_runs_above_a_number_by_hand(self):
        found = MedianComparison(tuple(0.001 * k for k in range(1, 11)), "difference")
        assert found.p_outside() == pytest.approx(2 / 2**10)
        assert found.p_inside(0.02) == pytest.approx(1 / 2**10)
        # At 5 %, one of ten may lie beyond on either side: 2 * 11 / 1024.
        assert found.interval(0.05) == pytest.approx((0.002, 0.009))
        assert found.interval(0.001) == (-math.inf, math.inf)

    def test_holds_for_skewed_values_where_t_does_not(self):
        # 0.97 less something exponential, of which the median is the number.
        rng = np.random.default_rng(5)
        draws = math.log(2) - rng.exponential(size=(4000, 10))
        by_sign = [MedianComparison(tuple(row), "difference").p_outside() for row in draws]
        assert np.mean(np.array(by_sign) <= 0.05) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 4000)
