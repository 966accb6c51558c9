"""What is said of two knobs that were turned together."""

import re
from dataclasses import replace

import pytest
from report.fake_answers import make_answers, make_question, report_on

from siffra.lab.answers import Interaction, Loss
from siffra.lab.stats.comparison import Estimate
from siffra.report.render.notebook import lab_html
from siffra.report.render.terminal import lab_text
from siffra.report.text.interactions import interactions
from siffra.report.text.messages import words_in

LAB = make_answers([make_question("a", [{"neurons": n} for n in (8, 16)])], seeds=2)
QUESTION = LAB.questions[0]


def lost(points: float) -> Estimate:
    return Estimate(points, points - 0.01, points + 0.01, 0.994, (points,) * 3, "difference", 0)


def found(verdict, common=None) -> Interaction:
    return Interaction(
        knob="learning_rate",
        by="batch_size",
        verdict=verdict,
        margin=0.002,
        best=((6, 0.1), (140, 0.7)),
        common=common,
        losses=(Loss(0.1, 140, 0.7, lost(-0.05)), Loss(0.7, 6, 0.1, lost(-0.3))),
    )


def said(interaction: Interaction, language: str = "en") -> str:
    answer = replace(QUESTION, interactions=(interaction,))
    (told,) = interactions(words_in(language), answer)
    return f"{told.verdict_text}: {told.finding} {told.evidence}".replace("\N{NO-BREAK SPACE}", " ")


def test_that_it_depends_is_told_with_where_each_value_loses():
    assert said(found("depends")) == (
        "dependent: The best learning rate depends on the batch size: 0.1 at batch size 6 and "
        "0.7 at batch size 140. No value is the best everywhere; each loses somewhere: 0.1 "
        "to 0.7 at batch size 140, by −5.0 percentage points (99.4 %: −6.0 to −4.0); 0.7 to 0.1 "
        "at batch size 6, by −30.0 percentage points (99.4 %: −31.0 to −29.0)."
    )


def test_that_it_does_not_is_told_with_the_value_that_always_does():
    assert said(found("same", common=0.7)) == (
        "independent: The best learning rate does not depend on the batch size: 0.7 is within the "
        "margin of the best throughout. For every value of the other knob, its validation accuracy "
        "is within 0.2 percentage points of the best."
    )


def test_what_is_open_is_told_with_what_was_seen():
    assert "is undecided; best on validation was 0.1 at batch size 6" in said(found("inconclusive"))


@pytest.mark.parametrize("verdict", ["depends", "same", "inconclusive"])
def test_swedish_says_it_too(verdict):
    told = said(found(verdict, common=0.7))
    swedish = said(found(verdict, common=0.7), "sv")

    assert "batchstorlek" in swedish
    assert "0,7" in swedish
    assert swedish != told


def test_terminals_and_notebooks_tell_it_too():
    answer = replace(QUESTION, interactions=(found("depends"),))
    lab = replace(LAB, questions=(answer,))

    finding = "The best learning rate depends on the batch size"
    assert f"Dependent: {finding}" in lab_text(report_on(lab))
    assert f">dependent</span> {finding}" in lab_html(report_on(lab))
    two = replace(lab, questions=(answer, QUESTION))
    assert re.search("dependent +The best learning rate depends", lab_text(report_on(two)))


def test_a_question_about_one_knob_has_none():
    assert interactions(words_in("en"), QUESTION) == ()
