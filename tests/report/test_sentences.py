import dataclasses

import pytest
from report.fake_answers import make_answers, make_claim, make_question, study

from siffra.report.sentences import (
    answer_sentence,
    most_surprising,
    summary_sentence,
    verdict_name,
    verdict_sentence,
)
from siffra.report.words import words_in


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


def question(name, answers):
    return next(q for q in answers.questions if q.question.id == name)


def claim(name, answers):
    return next((c, q.question) for q in answers.questions for c in q.claims if c.claim.id == name)


@pytest.fixture(scope="module")
def answers():
    return study()


def test_the_winner_is_named_with_its_lead_and_whom_it_cannot_be_told_from(answers):
    said = plain(answer_sentence(question("a", answers)))

    assert said.startswith("After 20 epochs, best is learning rate 1, with ")
    assert "percentage points above learning rate 0.02" in said
    assert "(though it cannot be told from learning rate 0.7)" in said


def test_a_best_value_at_the_edge_is_flagged(answers):
    said = answer_sentence(question("a", answers))

    assert "The best value for learning rate is the largest that was tried" in said


def test_a_question_about_time_is_answered_with_time(answers):
    said = plain(answer_sentence(question("c", answers)))

    assert said.startswith("After 20 epochs, training is fastest with the dense model, in ")
    assert "times as long" in said


def test_overlapping_intervals_make_no_winner(answers):
    assert "no clear winner on the test set" in answer_sentence(question("d", answers))


def test_the_shifted_sets_are_answered_where_they_are_asked_about(answers):
    assert "the moved set" in answer_sentence(question("d", answers))
    assert "the moved set" not in answer_sentence(question("e", answers))


def test_collapsed_runs_are_told(answers):
    said = answer_sentence(question("g", answers))

    assert "With 16 and 23 hidden layers, 10 of 10 runs collapsed" in said


def test_diverged_runs_are_told():
    rates = make_question("a", [{"learning_rate": r} for r in (0.5, 8.0)])

    said = answer_sentence(make_answers([rates]).questions[0])

    assert "With learning rate 8, 5 of 5 runs diverged." in said


def test_single_runs_decide_nothing():
    rates = make_question("a", [{"learning_rate": r} for r in (0.5, 1.0)])

    said = answer_sentence(make_answers([rates], seeds=1).questions[0])

    assert "single runs decide nothing" in said


def test_without_runs_nothing_is_claimed():
    rates = make_question("a", [{"learning_rate": r} for r in (0.5, 1.0)])
    answer = make_answers([rates]).questions[0]
    levels = tuple(dataclasses.replace(level, records=()) for level in answer.levels)

    assert answer_sentence(dataclasses.replace(answer, levels=levels)) == "Not run yet."


def test_a_verdict_says_what_was_compared_and_on_what_it_rests(answers):
    said = plain(verdict_sentence(*claim("a2", answers)))

    assert said.startswith(
        "Supported: accuracy on the test set, learning rate 0.02 against learning rate 0.7; −20.0"
    )
    assert "% interval −" in said
    assert "n = 5" in said


def test_a_claim_about_a_longer_training_is_not_tested_at_this_length(answers):
    said = verdict_sentence(*claim("a3", answers))

    assert said.startswith("Not tested at this length: ")
    assert "100 epochs" in said


def test_an_inconclusive_claim_says_how_many_seeds_would_decide_it(answers):
    assert "seeds would decide it" in verdict_sentence(*claim("a4", answers))


def test_a_target_that_was_not_reached_is_told(answers):
    assert "in 5 seeds the target was not reached" in verdict_sentence(*claim("a1", answers))


def test_where_neither_side_reached_it_no_number_of_seeds_is_promised(answers):
    found, asked = claim("a1", answers)
    silent = dataclasses.replace(found, verdict="inconclusive", reason="never reached")

    said = verdict_sentence(silent, asked)

    assert "with a seed in which neither side reached the target" in said
    assert "decide it" not in said


def test_levels_that_are_averaged_are_called_their_mean(answers):
    said = verdict_sentence(*claim("a6", answers))

    assert "against the mean of learning rate 0.02 and 1" in said


def test_the_summary_counts_every_verdict(answers):
    assert summary_sentence(answers) == (
        "Of 11 claims, 4 were supported, 2 were refuted, "
        "4 stayed inconclusive and 1 was not tested."
    )


def test_the_most_surprising_claim_is_refuted_by_the_most_margins(answers):
    surprise = most_surprising(answers)

    assert surprise is not None
    assert surprise[1].claim.id == "a1"


def test_a_lab_without_claims_has_no_surprise():
    bare = make_answers([make_question("a", [{"neurons": n} for n in (8, 16)])])

    assert most_surprising(bare) is None
    assert summary_sentence(bare) == "This lab makes no claims."


def test_a_number_is_compared_in_the_claims_own_unit():
    claims = [
        make_claim("a1", "so", against=0.95),
        make_claim("a2", "so", against=12.0, metric="seconds", margin=0.05),
    ]
    lab = make_answers([make_question("a", [{"neurons": n} for n in (8, 16)], claims=claims)])

    assert "8 neurons against 95 %" in plain(verdict_sentence(*claim("a1", lab)))
    assert "8 neurons against 12 s" in plain(verdict_sentence(*claim("a2", lab)))


def test_swedish_says_it_too(answers):
    swedish = plain(answer_sentence(question("a", answers), "sv"))

    assert swedish.startswith("Efter 20 epoker: bäst är inlärningshastighet 1, med ")
    assert verdict_name(words_in("sv"), claim("a2", answers)[0]) == "stöds"
