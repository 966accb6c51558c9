"""The design in NumPy does what the design says: against SciPy, closed forms and small cases."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from benchmarks.method import twin
from benchmarks.method.cells import CELLS, MIXED
from benchmarks.method.draws import SEEDS, alike, collapse, normal, of_accuracy, of_time
from benchmarks.method.twin import GREATER, LOOKS, OPEN, SAME, SMALLER


def p_of(result: object) -> float:
    """SciPy's results are the statistic and its p-value."""
    return float(np.asarray(result)[1])


def number_claims(differences: np.ndarray) -> twin.Labs:
    labs = of_accuracy(differences)
    return replace(labs, number=np.ones(len(labs.margin), bool))


def test_the_level_of_the_first_look_is_what_is_spent_by_then():
    levels = twin.nominal(LOOKS)
    spent = (LOOKS[0] / LOOKS[-1]) ** 1.5
    assert levels[:, 0] == pytest.approx(twin._LEVELS * spent, rel=1e-9)


def test_the_levels_of_all_looks_together_spend_the_whole():
    rng = np.random.default_rng(0)
    steps = rng.standard_normal((400_000, SEEDS)).cumsum(axis=1)
    scores = steps[:, np.array(LOOKS) - 1] / np.sqrt(LOOKS)
    p = 2 * stats.norm.sf(np.abs(scores))
    for overall in (0.05, 0.3):
        found = np.min([twin.overall(p[:, k], k, LOOKS) for k in range(len(LOOKS))], axis=0)
        error = np.sqrt(overall * (1 - overall) / len(p))
        assert (found <= overall).mean() == pytest.approx(overall, abs=4 * error)


def test_one_look_spends_all():
    p = np.array([0.0, 1e-9, 0.03, 1.0])
    assert twin.overall(p, 0, (5,)).tolist() == p.tolist()


@pytest.mark.parametrize("look", range(len(LOOKS)))
def test_the_level_over_all_looks_grows_with_that_of_the_look(look):
    p = np.geomspace(1e-25, 1.0, 500)
    assert (np.diff(twin.overall(p, look, LOOKS)) >= 0).all()


def test_stages_are_students_and_schuirmanns_tests():
    d = np.random.default_rng(1).normal(0.001, 0.003, (3, 4, SEEDS))
    labs = of_accuracy(d)
    out, within, sign, _ = twin.stage_p_values(labs, 10)
    for lab, claim in itertools.product(range(3), range(4)):
        own, margin = d[lab, claim, :10], labs.margin[claim]
        expected = p_of(stats.ttest_1samp(own, 0))
        above = p_of(stats.ttest_1samp(own, -margin, alternative="greater"))
        below = p_of(stats.ttest_1samp(own, margin, alternative="less"))
        assert out[lab, claim] == pytest.approx(expected, rel=1e-9)
        assert within[lab, claim] == pytest.approx(max(above, below), rel=1e-9)
        assert sign[lab, claim] == np.sign(own.mean())


def test_values_that_agree_are_not_believed_beyond_what_counting_hides():
    labs = of_accuracy(np.full((1, 1, SEEDS), 1e-4))
    out, *_ = twin.stage_p_values(labs, 5)
    assert out[0, 0] == pytest.approx(2 * stats.t.sf(np.sqrt(6 * 5), 4))


def test_pairs_far_apart_need_seven_seeds():
    d = 0.3 + np.random.default_rng(0).normal(0, 0.003, (1, 1, SEEDS))
    by_accuracy = [twin.stage_p_values(of_accuracy(d), n)[0][0, 0] for n in (5, 7)]
    by_time = [twin.stage_p_values(of_time(d), n)[0][0, 0] for n in (5, 7)]
    assert by_accuracy[0] == 1.0
    assert by_time[0] < 1e-5
    assert max(by_accuracy[1], by_time[1]) < 1e-8


def test_fishers_test_is_scipys():
    for n in (5, 14):
        for k, m in itertools.product(range(n + 1), repeat=2):
            expected = p_of(stats.fisher_exact([[k, n - k], [m, n - m]]))
            assert twin.fisher_p(n)[k, m] == pytest.approx(expected, rel=1e-9)


def test_where_runs_collapse_the_rest_is_compared_and_the_shares_are():
    rng = np.random.default_rng(2)
    d = rng.normal(0, 0.003, (1, 1, SEEDS))
    down = np.zeros(d.shape, bool)
    down[..., :8] = True
    labs = of_accuracy(np.where(down, -0.9, d))
    labs = replace(labs, down=down, down_against=np.zeros(d.shape, bool))
    out, within, sign, by_share = twin.stage_p_values(labs, 20)
    among_trained = p_of(stats.ttest_1samp(d[0, 0, 8:20], 0))
    of_shares = p_of(stats.fisher_exact([[8, 12], [0, 20]]))
    assert out[0, 0] == pytest.approx(2 * min(among_trained, of_shares))
    assert within[0, 0] == 1.0
    assert (sign[0, 0], by_share[0, 0]) == (-1, True)


def test_against_a_number_the_signs_count():
    d = np.full((1, 1, SEEDS), 0.5)
    d[..., 0] = -0.5
    out, within, sign, _ = twin.stage_p_values(number_claims(d), 10)
    assert out[0, 0] == pytest.approx(stats.binomtest(9, 10).pvalue)
    assert within[0, 0] > 0.5
    assert sign[0, 0] == 1
    inside = np.full((1, 1, SEEDS), 0.001)
    assert twin.stage_p_values(number_claims(inside), 10)[1][0, 0] == pytest.approx(0.5**10)


def test_a_level_that_trains_better_and_fails_more_often_is_left_open():
    d = 0.05 + np.random.default_rng(2).normal(0, 0.003, (1, 1, SEEDS))
    down = np.zeros(d.shape, bool)
    down[..., :12] = True
    labs = replace(of_accuracy(d), down=down, down_against=np.zeros(d.shape, bool))
    assert twin.stage_p_values(labs, 20)[0][0, 0] == 1.0
    labs = replace(labs, differences=-d)
    assert twin.stage_p_values(labs, 20)[0][0, 0] < 1e-3


def test_differences_spread_over_two_values_take_a_pair_of_no_difference():
    rng = np.random.default_rng(8)
    d = rng.choice([0.0, 0.5], (1, 1, SEEDS), p=[0.3, 0.7]) + rng.normal(0, 0.003, (1, 1, SEEDS))
    out, *_ = twin.stage_p_values(of_accuracy(d), 14)
    assert out[0, 0] == pytest.approx(p_of(stats.ttest_1samp([*d[0, 0, :14], 0.0], 0)), rel=1e-9)


def test_holm_rejects_step_by_step():
    p = np.array([[0.012, 0.009, 0.021, 0.9], [0.013, 0.02, 0.02, 0.02]])
    rejected = p <= twin.holm(p, 0.05)
    assert rejected.tolist() == [[True, True, True, False], [False] * 4]


def test_benjamini_and_hochberg_reject_what_scipy_adjusts_below_the_level():
    p = np.random.default_rng(3).random((50, 20)) ** 3
    rejected = p <= twin.benjamini_hochberg(p)[:, None]
    expected = np.array([stats.false_discovery_control(row) for row in p]) <= twin.LIKELY
    assert (rejected == expected).all()


def test_clear_claims_are_decided_early_and_stay_decided():
    rng = np.random.default_rng(4)
    effect = np.array([0.05, -0.05, 0.0])[:, None]
    labs = of_accuracy(effect + rng.normal(0, 0.0001, (1, 3, SEEDS)))
    judged = twin.judge(labs)
    assert judged.shown.tolist() == [[GREATER, SMALLER, SAME]]
    assert judged.look.tolist() == [[5, 5, 5]]
    assert (judged.likely == judged.shown).all()


@pytest.mark.parametrize("name", CELLS)
def test_cells_draw_labs_whose_truth_fits_them(name):
    drawn = CELLS[name](np.random.default_rng(5), 3)
    labs, claims, seeds = drawn.labs.differences.shape
    assert (labs, seeds) == (3, SEEDS)
    assert drawn.labs.margin.shape == drawn.labs.accuracy.shape == (claims,)
    judged = twin.judge(drawn.labs)
    assert not drawn.wrong(np.full((labs, claims), OPEN), judged).any()


def test_levels_that_several_claims_are_against_are_shared():
    drawn = alike(normal, [5])(np.random.default_rng(6), 400)
    correlation = np.corrcoef(drawn.labs.differences[:, :, 0].T)
    # Two differences from one level share half of their variance; 400 labs err by 0.04.
    assert correlation[np.triu_indices(5, 1)] == pytest.approx(0.5, abs=0.16)


def test_as_many_runs_collapse_as_the_cell_says():
    drawn = collapse(0.2, 20)(np.random.default_rng(7), 50)
    down = drawn.labs.down
    against = drawn.labs.down_against
    assert down is not None
    assert against is not None
    assert down.mean() == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / down.size))
    assert (drawn.labs.differences[down & ~against] < -0.8).all()


def test_no_order_and_no_stop_shows_more_than_all_looks_do():
    drawn = MIXED["20 % differ, 40 % are alike"](np.random.default_rng(9), 20)
    seconds = np.exp(np.random.default_rng(10).standard_normal((20, 60)))
    stopped = twin.judge_cheapest_first(drawn.labs, seconds, np.full(20, 200.0))
    differs, same = twin.judge_never_stopping(drawn.labs)
    assert 0 < (stopped.shown != OPEN).sum() < (twin.judge(drawn.labs).shown != OPEN).sum()
    assert (same.shown[stopped.shown == SAME] == SAME).all()
    is_shown = (stopped.shown == GREATER) | (stopped.shown == SMALLER)
    assert (differs.shown[is_shown] == stopped.shown[is_shown]).all()
