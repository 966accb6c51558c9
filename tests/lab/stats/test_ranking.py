"""Which level is the best: the p-values are SciPy's, and the family errs no more than it may."""

import numpy as np
import pytest
import scipy.stats

from siffra.lab.stats.comparison import Comparison
from siffra.lab.stats.ranking import p_different, p_greater, rank, step_up


def compared(differences) -> Comparison:
    return Comparison(tuple(differences), "difference")


def test_the_p_values_are_those_of_a_paired_t_test():
    differences = np.array([0.011, 0.004, -0.002, 0.009, 0.006, 0.012])

    # By the definition: the mean in standard errors, and the t distribution.
    t = differences.mean() / (differences.std(ddof=1) / len(differences) ** 0.5)
    one_sided = scipy.stats.t.sf(t, len(differences) - 1)

    assert p_greater(compared(differences)) == pytest.approx(one_sided)
    assert p_different(compared(differences)) == pytest.approx(2 * one_sided)
    assert p_greater(compared(-differences)) == 1.0


@pytest.mark.parametrize(
    "differences",
    [
        [],
        [0.01, 0.011, 0.009, 0.01],  # four seeds
        [0.5, 0.51, 0.49, 0.5, 0.5, 0.1],  # of two kinds, and less than seven
    ],
)
def test_too_little_says_nothing(differences):
    assert p_different(compared(differences)) == 1.0


def test_large_differences_are_no_surer_than_runs_of_two_kinds_allow():
    """Of such runs, a quarter of the pairs at most are a good one before a bad one."""
    large = [0.5, 0.51, 0.49, 0.5, 0.5]

    assert p_greater(compared(large)) == pytest.approx(1 / 4**5)
    assert p_greater(compared([-d for d in large])) == 1.0
    assert p_greater(compared([*large, 0.5, 0.51])) < 1e-9


@pytest.mark.parametrize(
    ("p_values", "rejected"),
    [
        # By hand: the largest against 0.05, the next against 0.05 / 2, the least against 0.05 / 3.
        ([0.049, 0.04, 0.03], [True, True, True]),
        ([0.06, 0.024, 0.02], [False, True, True]),
        ([0.06, 0.03, 0.016], [False, False, True]),
        ([0.06, 0.03, 0.017], [False, False, False]),
        ([], []),
    ],
)
def test_hypotheses_are_stepped_up_as_hochberg_has_it(p_values, rejected):
    assert step_up(p_values, 0.05) == rejected


def test_levels_are_ordered_by_their_means_and_the_first_tested_at_its_share():
    p = {(2, 0): 0.03 / 3, (2, 1): 0.01 / 3}

    ranking = rank([0.5, 0.6, 0.9], lambda i, j: p[i, j], error=0.05)

    assert ranking.order == (2, 1, 0)
    assert ranking.is_best
    assert rank([0.5, 0.6, 0.9], lambda i, j: p[i, j], error=0.028).leaders == (2, 0)


def test_a_level_that_is_alone_is_not_called_the_best():
    assert not rank([0.9], lambda i, j: 0.0, error=0.05).is_best
