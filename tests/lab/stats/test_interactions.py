import math

import numpy as np
import pytest
from made_runs import ONE_LOOK, SETS, make_claim, make_level, make_plan, make_question, make_record

from siffra.lab.answers import answer
from siffra.lab.stats.families import INSIDE_ALPHA, OUTSIDE_ALPHA, decide
from siffra.lab.stats.interactions import interaction_tests

RATES, BATCHES = (0.1, 0.3, 1.0), (10, 100)
GRID = [
    make_level({"learning_rate": rate, "batch_size": batch}) for rate in RATES for batch in BATCHES
]
CROSSED = {(0.1, 10): 0.97, (0.3, 10): 0.95, (1.0, 10): 0.80,
           (0.1, 100): 0.90, (0.3, 100): 0.95, (1.0, 100): 0.96}  # fmt: skip
PARALLEL = {(0.1, 10): 0.90, (0.3, 10): 0.95, (1.0, 10): 0.80,
            (0.1, 100): 0.91, (0.3, 100): 0.96, (1.0, 100): 0.94}  # fmt: skip

ONE_CLASS = {name: [[5000, 0], [5000, 0]] for name in SETS}


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
    return judge(tests)


def judge(tests):
    """Each test as if it were alone."""
    decisions = [decide({0: [test]}, {0: ONE_LOOK})[0] for test in tests]
    return [test.judge(decision) for test, decision in zip(tests, decisions, strict=True)]


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


def test_answers_have_both_and_they_are_a_family_of_their_own():
    plan = make_plan(make_question(GRID, [make_claim()]))
    records = {
        (run.setting, run.seed): run for of_level in runs(CROSSED, 0.001) for run in of_level
    }
    (found,) = answer(plan, records).questions
    assert [i.verdict for i in found.interactions] == ["depends", "depends"]
    # The claim is decided, as one of one: within the margin or beyond zero.
    assert found.claims[0].grade == "shown"
    assert 1 - found.claims[0].estimate.confidence in (
        pytest.approx(OUTSIDE_ALPHA),
        pytest.approx(2 * INSIDE_ALPHA),
    )


def test_where_networks_collapse_no_value_is_said_to_lose_nowhere():
    rates = runs(PARALLEL, 0.0003)
    collapsed = [run.model_copy(update={"confusion": ONE_CLASS}) for run in rates[0][:1]]
    rates[0] = (*collapsed, *rates[0][1:])
    tests = interaction_tests(make_question(GRID), rates)
    assert judge(tests)[0].verdict == "inconclusive"
