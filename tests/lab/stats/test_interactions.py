import math
from dataclasses import replace

import numpy as np
import pytest
from made_runs import make_claim, make_level, make_plan, make_question, make_record

from siffra.lab.answers import answer
from siffra.lab.stats.decisions import Alphas
from siffra.lab.stats.interactions import interaction_tests
from siffra.lab.stats.shrinkage import Prior

RATES, BATCHES = (0.1, 0.3, 1.0), (10, 100)
GRID = [
    make_level({"learning_rate": rate, "batch_size": batch}) for rate in RATES for batch in BATCHES
]
CROSSED = {(0.1, 10): 0.97, (0.3, 10): 0.95, (1.0, 10): 0.80,
           (0.1, 100): 0.90, (0.3, 100): 0.95, (1.0, 100): 0.96}  # fmt: skip
PARALLEL = {(0.1, 10): 0.90, (0.3, 10): 0.95, (1.0, 10): 0.80,
            (0.1, 100): 0.91, (0.3, 100): 0.96, (1.0, 100): 0.94}  # fmt: skip


def runs(means, spread, seeds=5, draw=0):
    rng = np.random.default_rng(draw)
    return [
        tuple(
            make_record(
                level.settings[0],
                seed,
                accuracy={
                    "val": means[level.knobs["learning_rate"], level.knobs["batch_size"]]
                    + spread * rng.standard_normal()
                },
            )
            for seed in range(seeds)
        )
        for level in GRID
    ]


def ask(means, spread, **options):
    tests = interaction_tests(make_question(GRID), runs(means, spread, **options))
    return [test.judge(Alphas(0.05, 0.05)) for test in tests]


def test_the_best_rate_depends_on_the_batch_size():
    rate, batch = ask(CROSSED, 0.001)

    assert (rate.knob, rate.by, rate.verdict) == ("learning_rate", "batch_size", "depends")
    assert rate.best == ((10, 0.1), (100, 1.0))
    assert rate.common is None
    lost = {loss.value: (loss.at, loss.to) for loss in rate.losses}
    assert lost[0.1] == (100, 1.0)
    assert lost[1.0][0] == 10
    assert all(loss.estimate.high < 0 for loss in rate.losses)
    assert (batch.knob, batch.by, batch.verdict) == ("batch_size", "learning_rate", "depends")


def test_where_one_value_is_best_everywhere_it_does_not():
    rate, batch = ask(PARALLEL, 0.0003)
    assert (rate.verdict, rate.common) == ("same", 0.3)
    assert (batch.verdict, batch.common) == ("same", 100)


def test_noise_decides_nothing():
    halves = {at: mean / 2 for at, mean in CROSSED.items()}  # far from 1, whatever is drawn
    assert {found.verdict for found in ask(halves, 0.1)} == {"inconclusive"}


def test_a_loss_within_the_margin_does_not_matter():
    level = dict.fromkeys(CROSSED, 0.95) | {(0.1, 10): 0.9505, (1.0, 100): 0.9505}
    assert ask(level, 0.0001)[0].verdict == "same"


def test_where_nothing_differs_five_percent_see_a_dependence_at_most():
    equal = dict.fromkeys(CROSSED, 0.95)
    found = [ask(equal, 0.01, draw=draw)[0].verdict for draw in range(100)]
    assert found.count("depends") / 100 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 100)


def test_no_grid_no_interaction():
    assert interaction_tests(make_question(GRID[:-1]), runs(CROSSED, 0.001)[:-1]) == ()
    one_knob = [make_level({"neurons": n}) for n in (4, 8)]
    assert interaction_tests(make_question(one_knob), [[]] * 2) == ()


def test_answers_have_both_and_share_the_allowance():
    plan = make_plan(make_question(GRID, [make_claim()]))
    records = {
        (run.setting, run.seed): run for of_level in runs(CROSSED, 0.001) for run in of_level
    }
    (found,) = answer(plan, records).questions
    assert [i.verdict for i in found.interactions] == ["depends", "depends"]
    # One claim, and two interactions that are rejected before it.
    assert found.claims[0].estimate.confidence in (pytest.approx(1 - 0.05 / 3), 0.95)


def test_a_pair_of_cells_teaches_once_how_much_things_vary():
    plan = make_plan(make_question(GRID))
    records = {(run.setting, run.seed): run for of_level in runs(CROSSED, 0.01) for run in of_level}
    (found,) = answer(plan, records).questions
    priors = [loss.estimate.prior for i in found.interactions for loss in i.losses]
    # Three pairs of rates at two batch sizes, and a pair of batch sizes at three rates.
    assert [prior and prior.comparisons for prior in priors] == [3 * 2 + 1 * 3] * 5


def test_a_pair_of_cells_has_learned_the_same_whichever_way_round():
    (test, _) = interaction_tests(make_question(GRID), runs(CROSSED, 0.01))
    seen = test.comparisons
    learned = [replace(c, prior=Prior(4.0, 0.001 * n, 9)) for n, c in enumerate(seen, start=1)]

    moderated = test.with_comparisons(learned)

    assert len(seen) == len(test.duels) / 2
    assert moderated.comparisons == tuple(learned)
    for (i, j, k), duel in moderated.duels.items():
        assert duel.differences == test.duels[i, j, k].differences
        assert duel.prior == moderated.duels[j, i, k].prior
