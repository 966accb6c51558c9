"""Answers in plain text."""

from itertools import takewhile

import pytest
from report.fake_answers import report_on, short_study, study

from siffra.report.render.terminal import lab_text


@pytest.fixture(scope="module")
def report():
    return report_on(study())


@pytest.fixture(scope="module")
def lines(report):
    return lab_text(report).splitlines()


def line_of(lines, say):
    """The verdict on a claim, and what stands behind what it says."""
    (line,) = [line for line in lines if f" {say}  " in line and line.startswith("    ")]
    verdict, _, rests = line.partition(say)
    return verdict.strip(), rests.strip()


def test_a_level_without_a_run_has_a_dash_and_the_question_says_what_it_takes():
    text = lab_text(report_on(short_study()))

    assert "– %" not in text
    assert "│ –" in text
    for question in report_on(short_study()).questions:
        if question.untrained and question.claims:
            below = text[text.index(f"({question.id}) ") :].splitlines()[1]
            assert below.strip().startswith(
                ("Not judged for lack of time: ", "There was not enough time: ")
            )


def test_a_claim_of_several_questions_is_a_line_with_estimate_and_interval(lines):
    verdict, rests = line_of(lines, "0.02 is never as good as 0.7.")

    assert verdict == "supported"
    assert rests.startswith("−19.4")
    assert " percentage points (" in rests
    assert rests.endswith(")")


def test_a_claim_that_is_not_tested_says_why(lines):
    verdict, rests = line_of(lines, "0.02 never catches up in 100 epochs.")

    assert verdict == "not tested"
    assert rests == "The claim is about 100 epochs of training"


def test_a_level_of_several_questions_is_a_line_with_its_points_mean_and_interval(lines, report):
    question = report.questions[0]
    below = lines[lines.index(f"({question.id}) {question.ask}") + 2 :]

    rows = list(takewhile(lambda line: "│" in line, below))

    assert len(rows) == len(question.levels)
    for row, level in zip(rows, question.levels, strict=True):
        name, strip, rest = row.strip().split("│")
        assert name.strip() == level.name
        assert "●" in strip
        assert rest.replace("\N{NO-BREAK SPACE}", " ").startswith(
            f" {level.accuracy['test'].text} %".replace("\N{NO-BREAK SPACE}", " ")
        )


def test_claims_begin_in_one_column(report, lines):
    says = [claim.say for claim in report.claims]
    starts = {
        line.index(say)
        for say in says
        for line in lines
        if f"  {say}" in line and line.startswith("    ")
    }

    assert len(starts) == 1


def test_the_tally_and_the_surprises_come_last(lines, report):
    tally = next(n for n, line in enumerate(lines) if line.startswith(report.summary))
    last_claim = max(n for n, line in enumerate(lines[:tally]) if line.startswith("    "))

    assert last_claim < tally
    assert report.surprises
    first = report.claim_of(report.surprises[0])
    far = report.surprises[0].far_text.replace("\N{NO-BREAK SPACE}", " ")
    assert any(line.endswith(f"{first.say}  {far}") for line in lines[tally:])


def test_in_full_an_open_claim_says_how_many_seeds_would_decide_it(report):
    text = lab_text(report, verbose=True)

    assert any(
        line.startswith("Open: ") and line.endswith(" seeds would more likely than not decide it.")
        for line in text.splitlines()
    )
    for question in report.questions:
        assert question.answer.replace("\N{NO-BREAK SPACE}", " ") in text


def test_accuracy_is_drawn_on_the_set_that_most_claims_are_about(report):
    moved = next(q for q in report.questions if q.claims and "moved" in q.levels[0].accuracy)
    claims = tuple(claim.model_copy(update={"on": "moved"}) for claim in moved.claims)
    question = moved.model_copy(update={"claims": claims})
    asked = report.model_copy(update={"questions": (question, *report.questions[1:])})

    assert "Accuracy on the moved set:" in lab_text(asked)
