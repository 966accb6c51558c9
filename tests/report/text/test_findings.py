"""What an answer may say beyond its claims: at one error a question, no more than they say."""

import dataclasses

import numpy as np
import pytest
import scipy.stats
from made_runs import make_level, make_question
from made_runs import make_record as make_run
from report.fake_answers import answer_sentence, made_answer, make_claim

from siffra.config import Setting
from siffra.lab.answers import ClaimAnswer, LevelAnswer, QuestionAnswer
from siffra.lab.stats.comparison import Estimate
from siffra.lab.stats.summaries import summarise
from siffra.report.text.findings import ERROR, findings

NOISE = np.array([0, 0.0001, 0.0002, 0.0003, 0.0004])
APART = np.array([0.97 + NOISE, 0.95 + NOISE])
ALIKE = np.array([[0.97, 0.95, 0.96, 0.98, 0.94], [0.95, 0.96, 0.97, 0.94, 0.97]])


def claimed(verdict, difference=0.02, **changes):
    """A claim about levels 0 and 1, and what became of it."""
    estimate = Estimate(difference, np.nan, np.nan, 0.99, (difference,) * 5, "difference", 0)
    grade = "shown" if verdict in ("supported", "refuted", "no difference") else None
    claim = make_claim("c", "so", **changes)
    return ClaimAnswer(claim, verdict, estimate, None, "", grade=grade)


def asked(accuracies, *claims):
    answer = made_answer({"test": accuracies, "val": accuracies})
    return dataclasses.replace(answer, claims=claims)


def best(answer, on="test"):
    """The level that is shown to be the best; None if none is."""
    standing = findings(answer).standings[on]
    if not standing.ranking.is_best:
        return None
    return answer.levels.index(standing.levels[standing.ranking.first])


def collapsed(level: LevelAnswer, *seeds: int) -> LevelAnswer:
    """The level with these runs giving every image class 1."""
    matrix = [[0, 1000, *[0] * 8] for _ in range(10)]
    runs = tuple(
        run.model_copy(update={"confusion": dict.fromkeys(run.confusion, matrix)})
        if run.seed in seeds
        else run
        for run in level.records
    )
    return dataclasses.replace(level, records=runs)


class TestBest:
    def test_a_level_above_every_other_in_every_seed_is_best(self):
        assert best(asked(APART)) == 0

    def test_levels_that_chance_orders_have_no_best(self):
        assert best(asked(ALIKE)) is None

    def test_it_must_be_shown_above_the_second_not_only_above_the_worst(self):
        three = np.array([0.97 + NOISE, 0.9699 + NOISE[[2, 0, 4, 1, 3]], 0.9 + NOISE])
        standing = findings(asked(three)).standings["test"]

        assert not standing.ranking.is_best
        assert standing.leaders == (0, 1)

    def test_four_seeds_show_nothing(self):
        assert best(asked(APART[:, :4])) is None

    def test_accuracies_of_two_kinds_show_nothing_with_five_seeds(self):
        """A run that hardly trains, without being collapsed, is no normal noise."""
        mixed = np.array([0.97 + NOISE, [0.70, 0.69, 0.71, 0.70, 0.95]])

        assert best(asked(mixed)) is None
        assert best(asked(np.concatenate([mixed, mixed], axis=1))) == 0

    def test_runs_that_collapse_are_not_compared(self):
        answer = asked(APART)
        first, second = answer.levels
        answer = dataclasses.replace(answer, levels=(first, collapsed(second, 0)))

        standing = findings(answer).standings["test"]

        assert len(standing.accuracy[1].values) == 4
        assert best(answer) is None  # four pairs are left

    def test_a_level_of_which_most_runs_collapse_has_no_place_in_the_order(self):
        answer = asked(np.array([0.97 + NOISE, 0.95 + NOISE, 0.1 + NOISE]))
        *two, third = answer.levels
        answer = dataclasses.replace(answer, levels=(*two, collapsed(third, 0, 1, 2)))

        standing = findings(answer).standings["test"]

        assert standing.levels == tuple(two)
        assert best(answer) == 0


class TestClaims:
    @pytest.mark.parametrize("verdict", ["no difference", "inconclusive"])
    def test_what_a_claim_about_the_two_leaves_open_is_not_said(self, verdict):
        answer = asked(APART, claimed(verdict))

        assert not findings(answer).any
        assert "better" not in answer_sentence(answer)

    @pytest.mark.parametrize(
        "claim",
        [
            claimed("supported"),
            claimed("refuted", direction="worse"),
            claimed("refuted", direction="same"),
            claimed("refuted", direction="not better"),
            claimed("supported", -0.02, level=(1,), against=(0,), direction="worse"),
            claimed("refuted", -0.02, level=(1,), against=(0,)),
        ],
    )
    def test_what_a_claim_shows_is_said_whichever_way_it_was_put(self, claim):
        answer = asked(ALIKE + np.array([[0.01], [0.0]]), claim)
        standing = findings(answer).standings["test"]

        assert standing.ranking.is_best
        assert standing.lead is None  # the claim says it
        assert "% with 1 neuron and 95" in answer_sentence(answer)

    def test_of_two_claims_about_the_same_levels_the_one_that_decides_is_followed(self):
        both = claimed("inconclusive", direction="same"), claimed("supported")

        assert findings(asked(APART, *both)).standings["test"].ranking.is_best

    def test_nothing_is_said_beyond_claims_that_show_nothing(self):
        """So that claims and what is beyond them err no more often together than claims do."""
        about_something_else = claimed("inconclusive", on="moved")

        assert best(asked(APART, about_something_else)) is None
        assert best(asked(APART, claimed("supported", on="moved"))) == 0

    def test_a_claim_that_was_not_tested_is_none(self):
        assert best(asked(APART, claimed("not tested", epochs=100))) == 0


def most(labs: int) -> float:
    """So many of `labs` are exceeded with probability 0.001 if `ERROR` of them err."""
    return float(scipy.stats.binom.ppf(0.999, labs, ERROR))


class TestError:
    @pytest.mark.parametrize(("levels", "seeds"), [(2, 5), (3, 7), (13, 5)])
    def test_where_nothing_differs_anything_is_said_of_one_question_in_twenty_at_most(
        self, levels, seeds
    ):
        rng = np.random.default_rng(levels)
        labs = 500
        # At worst the luck of a run shows on validation and test alike.
        runs = rng.normal(0.97, 0.002, (labs, levels, seeds))

        said = sum(findings(made_answer({"test": run, "val": run})).any for run in runs)

        assert said <= most(labs)

    def test_runs_of_two_kinds_that_are_alike_are_told_apart_as_seldom(self):
        """Half of them hardly train, and are not called collapsed."""
        rng = np.random.default_rng(5)
        labs = 500
        bad = rng.random((labs, 4, 5)) < 0.5
        runs = np.where(bad, 0.2, 0.97) + rng.normal(0, 0.002, bad.shape)

        said = sum(findings(made_answer({"test": run, "val": run})).any for run in runs)

        assert said <= most(labs)

    def test_of_two_that_are_best_alike_neither_is_called_best_more_often(self):
        rng = np.random.default_rng(3)
        labs = 500
        runs = rng.normal(0.97, 0.002, (labs, 4, 6)) - np.array([0, 0, 0.1, 0.1])[:, None]

        wrong = sum(best(made_answer({"test": run, "val": run})) is not None for run in runs)

        assert wrong <= most(labs)

    def test_ingredients_that_add_nothing_are_said_to_in_one_question_of_twenty_at_most(self):
        rng = np.random.default_rng(4)
        labs = 300

        said = sum(findings(recipe_without_effects(rng)).any for _ in range(labs))

        assert said <= most(labs)


def recipe_without_effects(rng: np.random.Generator, seeds: int = 6) -> QuestionAnswer:
    """A recipe of five ingredients that change neither accuracy nor time."""
    setting = Setting.from_knobs({"neurons": 32})
    run = make_run(setting, 0)
    knobs = [{"recipe": "r"}, *({"recipe": "r", "momentum": i / 10} for i in range(1, 6))]
    levels = []
    for level in (make_level(each, setting) for each in knobs):
        runs = tuple(
            run.model_copy(
                update={
                    "seed": seed,
                    "seconds": float(np.exp(rng.normal(0, 0.1))),
                    "accuracy": {on: float(rng.normal(0.97, 0.002)) for on in run.accuracy},
                }
            )
            for seed in range(seeds)
        )
        accuracy = {on: summarise([r.accuracy[on] or 0.0 for r in runs]) for on in run.accuracy}
        seconds = summarise([r.seconds for r in runs], "ratio")
        timed = tuple(run.seconds for run in runs)
        made = LevelAnswer(level, setting, runs, accuracy, seconds, 0, {}, runs, timed=timed)
        levels.append(made)
    question = make_question([level.level for level in levels], [])
    return QuestionAnswer(question, tuple(levels), (), 0, ())


def test_the_lead_is_told_with_its_interval_and_the_second():
    two = answer_sentence(asked(APART)).replace("\N{NO-BREAK SPACE}", " ")
    three = answer_sentence(asked(np.array([*APART, 0.94 + NOISE])))

    assert "1 neuron is better on the test set: 97.02 ± 0.02 %, 2.00 percentage points (" in two
    assert two.endswith(" above 2 neurons.")
    assert "1 neuron is best on the test set: " in three
    assert three.endswith(" above the second, 2 neurons.")
