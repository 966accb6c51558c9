"""The statistics against those of statsmodels, where it does the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW, ttost_paired

from siffra.lab.stats.comparison import Comparison
from siffra.lab.stats.families import holm

# Both use SciPy's t distribution in float64; sums are taken in another order.
RTOL = 1e-8

seeds = st.integers(0, 2**32 - 1)


def pairs(seed: int, n: int, gap: float) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies of two levels, seed by seed, that differ by `gap` or so."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(0.97, 0.002, n)
    return shared + rng.normal(gap, 0.001, n), shared + rng.normal(0, 0.001, n)


def compared(a: np.ndarray, b: np.ndarray) -> Comparison:
    return Comparison(tuple((a - b).tolist()), "difference")


@settings(max_examples=40)
@given(
    p_values=st.lists(st.floats(0, 1), min_size=1, max_size=20),
    scale=st.sampled_from([1.0, 0.1, 0.01]),
    error=st.sampled_from([0.05, 0.01, 0.2]),
)
def test_holm_rejects_what_multipletests_rejects(p_values, scale, error):
    p_values = [p * scale for p in p_values]

    alphas = holm(p_values, overall=error)
    rejected = [p <= alpha for p, alpha in zip(p_values, alphas, strict=True)]

    expected, adjusted, *_ = multipletests(p_values, alpha=error, method="holm")
    # Where a p-value lies on its level but for rounding, either answer is right.
    clear = np.abs(adjusted - error) > 1e-12
    np.testing.assert_array_equal(np.array(rejected)[clear], expected[clear])


@given(seed=seeds, n=st.integers(2, 20), gap=st.sampled_from([0.0, 0.0005, 0.0015]))
def test_sameness_is_shown_by_two_one_sided_tests(seed, n, gap):
    a, b = pairs(seed, n, gap)

    found = compared(a, b).p_inside(0.002)

    p_value, *_ = ttost_paired(a, b, -0.002, 0.002)
    # Where the mean lies outside the margin nothing is said of how far.
    assert found == pytest.approx(p_value if p_value < 0.5 else 1.0, rel=RTOL)


@given(seed=seeds, n=st.integers(2, 20), level=st.sampled_from([0.05, 0.01, 0.05 / 60]))
def test_intervals_and_levels_are_those_of_the_paired_differences(seed, n, level):
    a, b = pairs(seed, n, 0.001)
    described = DescrStatsW(a - b)

    np.testing.assert_allclose(
        compared(a, b).interval(level), described.tconfint_mean(level), rtol=RTOL, atol=1e-12
    )
    assert compared(a, b).p_outside() == pytest.approx(described.ttest_mean(0)[1], rel=RTOL)
