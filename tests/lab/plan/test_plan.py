"""A plan's runs: each once, seed by seed, in an order that is random but always the same."""

from dataclasses import replace

import pytest
from blank import blank_dataset
from made_runs import make_level, make_plan, make_question

from siffra.config import Setting
from siffra.lab.plan.ad_hoc import plan_vary
from siffra.lab.plan.presets import LabOptions


@pytest.fixture
def plan():
    levels = {"learning_rate": [0.1, 0.2, 0.3, 0.4], "neurons": [4, 8]}
    return plan_vary(levels, {}, blank_dataset(), LabOptions(seeds=3))


def test_every_setting_is_run_once_with_every_seed(plan):
    settings = {level.settings[0] for level in plan.questions[0].levels}

    runs = [(run.setting, run.seed) for run in plan.runs]

    assert len(runs) == len(set(runs))
    assert set(runs) == {(setting, seed) for setting in settings for seed in (0, 1, 2)}


def test_runs_that_several_questions_need_are_made_once(plan):
    twice = replace(plan, questions=plan.questions * 2)

    assert twice.runs == plan.runs


def test_seeds_come_in_blocks(plan):
    assert [run.seed for run in plan.runs] == [0] * 8 + [1] * 8 + [2] * 8


def test_the_order_differs_between_blocks_and_labs_but_not_between_times(plan):
    orders = [[r.setting for r in plan.runs if r.seed == seed] for seed in (0, 1, 2)]

    assert orders[0] != orders[1] != orders[2]
    assert replace(plan).runs == plan.runs
    assert replace(plan, digest="another").runs != plan.runs
    assert replace(plan, seeds=(0, 1)).runs == plan.runs[:16]


def test_a_claim_is_its_own_authors_then_the_questions_then_the_labs(plan):
    (question,) = plan.questions
    claim, *_ = question.claims
    theirs = replace(question, by={"en": "siffra"})

    assert question.author_of(claim) == {}
    assert theirs.author_of(claim) == {"en": "siffra"}
    assert theirs.author_of(replace(claim, by={"en": "us"})) == {"en": "us"}


class TestTuning:
    """One level chooses its rate; another one has a rate of its own that is among them."""

    RATES = tuple(Setting.from_knobs({"learning_rate": rate}) for rate in (0.1, 0.2))
    QUESTION = make_question(
        [make_level({"neurons": 32}, *RATES), make_level({"neurons": 8}, RATES[0])],
        retune=("learning_rate",),
    )
    PLAN = replace(make_plan(QUESTION, seeds=(0, 1)), tuning_seeds=(100, 101))

    def test_candidates_are_run_with_the_tuning_seeds_and_what_is_fixed_with_the_others(self):
        first, second = self.RATES
        runs = {(run.setting, run.seed) for run in self.PLAN.runs}
        tuning = {(setting, seed) for setting in (first, second) for seed in (100, 101)}
        assert runs == tuning | {(first, 0), (first, 1)}

    def test_whatever_is_chosen_may_be_run_with_the_others(self):
        runs = {(run.setting, run.seed) for run in self.PLAN.possible_runs}
        assert {(setting, seed) for setting in self.RATES for seed in (0, 1)} < runs
        assert len(self.PLAN.possible_runs) == len(runs) == 8

    def test_with_looks_up_to_the_last(self):
        plan = replace(self.PLAN, looks=(2, 6))
        assert {run.seed for run in plan.possible_runs} == {*range(6), 100, 101}
        assert {run.seed for run in plan.runs} == {0, 1, 100, 101}
