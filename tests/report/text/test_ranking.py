"""Which levels an answer tells apart: as claims about them do, else by what their runs show."""

import dataclasses

import numpy as np
import pytest
from report.fake_answers import answer_sentence, made_answer, make_claim

from siffra.lab.answers import ClaimAnswer
from siffra.lab.stats.comparison import Estimate
from siffra.report.text.ranking import above_best, below_best

NOISE = np.array([0, 0.0001, 0.0002, 0.0003, 0.0004])
APART = np.array([0.97 + NOISE, 0.95 + NOISE])
ALIKE = np.array([[0.97, 0.95, 0.96, 0.98, 0.94], [0.95, 0.96, 0.97, 0.94, 0.97]])


def claimed(verdict, difference=0.02, **changes):
    """A claim about levels 0 and 1, and what became of it."""
    estimate = Estimate(difference, np.nan, np.nan, 0.99, (difference,) * 5, "difference", 0)
    return ClaimAnswer(make_claim("c", "so", **changes), verdict, estimate, None, "")


def asked(accuracies, *claims):
    answer = made_answer({"test": accuracies, "val": accuracies})
    return dataclasses.replace(answer, claims=claims)


def numbers(answer, levels):
    return [answer.levels.index(level) for level in levels]


def test_without_a_claim_the_runs_tell():
    assert "1 neuron is best" in answer_sentence(asked(APART))
    assert "no clear winner" in answer_sentence(asked(ALIKE))


def test_no_winner_is_named_that_a_claim_about_the_two_leaves_open():
    said = answer_sentence(asked(APART, claimed("inconclusive")))

    assert "no clear winner" in said
    assert "is best" not in said


@pytest.mark.parametrize("verdict", ["no difference", "inconclusive"])
def test_a_verdict_of_none_makes_no_winner(verdict):
    answer = asked(APART, claimed(verdict, direction="worse"))

    assert (below_best(answer, "test"), above_best(answer, "test")) == ([], [])


@pytest.mark.parametrize(
    "claim",
    [
        claimed("supported"),
        claimed("refuted", direction="worse"),
        claimed("refuted", direction="same"),
        claimed("supported", -0.02, level=(1,), against=(0,), direction="worse"),
        claimed("refuted", -0.02, level=(1,), against=(0,)),
    ],
)
def test_what_a_claim_shows_the_answer_says_whichever_way_it_was_put(claim):
    answer = asked(ALIKE, claim)

    assert numbers(answer, below_best(answer, "test")) == [1]
    assert above_best(answer, "test") == []
    assert "1 neuron is best" in answer_sentence(answer)


def test_a_claim_that_shows_the_best_on_validation_to_be_worse_is_followed():
    answer = asked(ALIKE, claimed("refuted", -0.02))

    assert numbers(answer, above_best(answer, "test")) == [1]
    assert "1 neuron, the best on validation, has" in answer_sentence(answer)


@pytest.mark.parametrize(
    "claim",
    [
        claimed("inconclusive", on="moved"),
        claimed("inconclusive", metric="seconds"),
        claimed("inconclusive", against=0.9),
        claimed("not tested", epochs=100),
        claimed("supported", direction="same", against=(0, 1), level=(2,)),
    ],
)
def test_claims_about_something_else_decide_nothing_between_the_two(claim):
    answer = asked(APART, claim)

    assert numbers(answer, below_best(answer, "test")) == [1]


def test_of_two_claims_about_the_same_levels_the_one_that_decides_is_followed():
    answer = asked(ALIKE, claimed("inconclusive", direction="same"), claimed("supported"))

    assert numbers(answer, below_best(answer, "test")) == [1]


def test_a_level_clearly_above_is_found_behind_a_higher_one_that_is_all_over_the_place():
    val = np.array([0.97 + NOISE, 0.96 + NOISE, 0.9 + NOISE])
    test = np.array([0.95 + NOISE, 0.96 + NOISE, [0.99, 0.92, 0.99, 0.93, 0.99]])

    said = answer_sentence(made_answer({"val": val, "test": test}))

    assert "1 neuron, the best on validation, has 95.0" in said
    assert "less than 2 neurons" in said
