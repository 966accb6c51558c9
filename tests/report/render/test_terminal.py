"""Answers in plain text."""

import pytest
from report.fake_answers import report_on, study

from siffra.report.render.terminal import lab_text


@pytest.fixture(scope="module")
def lines():
    return lab_text(report_on(study())).splitlines()


def below(lines, say):
    """The verdict on a claim, and the line that stands below."""
    number, line = next((n, line) for n, line in enumerate(lines) if line.endswith(f" {say}"))
    return line.removesuffix(say).strip(), lines[number + 1].strip()


def test_a_claim_of_several_questions_is_told_with_estimate_interval_and_n(lines):
    verdict, evidence = below(lines, "0.02 is never as good as 0.7.")

    assert verdict == "supported"
    assert evidence.startswith("−19.4")
    assert " percentage points (" in evidence
    assert evidence.endswith("; n = 5).")


def test_an_open_claim_says_how_many_seeds_would_decide_it(lines):
    verdict, evidence = below(lines, "0.7 and 1 are the same.")

    assert verdict == "open"
    assert "% interval " in evidence
    assert evidence.endswith(" seeds would more likely than not decide it.")


def test_a_claim_that_is_not_tested_says_why(lines):
    verdict, evidence = below(lines, "0.02 never catches up in 100 epochs.")

    assert verdict == "not tested at this length"
    assert evidence == "The claim is about 100 epochs of training."
