"""Verdicts in words: their grades, what they rest on, and how many there are of each."""

import dataclasses
import math
from typing import Any

import pytest
from report.fake_answers import make_answers, make_claim, make_question

from siffra.lab.answers import Answers, ClaimAnswer, Verdict
from siffra.lab.stats.comparison import Estimate
from siffra.lab.stats.decisions import Grade
from siffra.report.model.claims import VerdictsBy, count_grades
from siffra.report.text.messages import words_in
from siffra.report.text.verdicts import (
    comparison,
    evidence,
    summary_sentence,
    unbounded_text,
    verdict_name,
)

EN, SV = words_in("en"), words_in("sv")
GAP = Estimate(0.013, 0.009, 0.017, 0.95, (0.013,) * 10, "difference", 0)


def claimed(
    verdict: Verdict = "supported", grade: Grade | None = "shown", **fields: Any
) -> ClaimAnswer:
    of_claim = ("direction", "against", "level", "metric", "target")
    about = {key: fields.pop(key) for key in of_claim if key in fields}
    fields = {"estimate": GAP, "seeds_needed": None, "reason": "", "grade": grade} | fields
    return ClaimAnswer(claim=make_claim("c", "so", **about), verdict=verdict, **fields)


def told(answer: ClaimAnswer, words=EN) -> str:
    return evidence(words, answer).replace("\N{NO-BREAK SPACE}", " ")


def lab(*claims: ClaimAnswer) -> Answers:
    made = make_answers([make_question("a", [{"neurons": n} for n in (8, 16)])], seeds=2)
    (question,) = made.questions
    return dataclasses.replace(made, questions=(dataclasses.replace(question, claims=claims),))


@pytest.mark.parametrize(
    ("verdict", "grade", "english", "swedish"),
    [
        ("supported", "shown", "supported", "stöds"),
        ("supported", "likely", "likely supported", "stöds troligen"),
        ("refuted", "likely", "likely refuted", "motsägs troligen"),
        ("no difference", "likely", "likely no difference", "troligen ingen skillnad"),
        ("no difference", "shown", "no difference", "ingen skillnad"),
        ("inconclusive", None, "open", "öppet"),
    ],
)
def test_a_verdict_is_named_with_its_grade(verdict, grade, english, swedish):
    answer = claimed(verdict, grade)

    assert (verdict_name(EN, answer), verdict_name(SV, answer)) == (english, swedish)


class TestSummary:
    def test_it_counts_what_is_shown_by_verdict_and_then_what_is_likely_and_open(self):
        claims = [
            *[claimed()] * 41,
            *[claimed("refuted")] * 9,
            *[claimed("no difference")] * 4,
            *[claimed("refuted", "likely")] * 6,
            *[claimed("inconclusive", None)] * 7,
        ]

        assert summary_sentence(lab(*claims)) == (
            "Of 67 claims 41 are supported, 9 refuted, 4 show no difference; "
            "6 are likely; 7 stay open."
        )
        assert summary_sentence(lab(*claims), "sv") == (
            "Av 67 påståenden stöds 41, 9 motsägs, 4 visar ingen skillnad; "
            "6 är troliga; 7 är öppna."
        )

    def test_it_begins_with_what_there_is(self):
        claims = [claimed("no difference"), claimed(grade="likely"), claimed("inconclusive", None)]

        assert summary_sentence(lab(*claims)) == (
            "Of 3 claims 1 shows no difference; 1 is likely; 1 stays open."
        )
        assert summary_sentence(lab(*claims[1:]), "sv") == (
            "Av 2 påståenden är 1 troligt; 1 är öppet."
        )

    def test_each_author_has_a_sentence(self):
        own = claimed("refuted")
        own = dataclasses.replace(own, claim=dataclasses.replace(own.claim, by={"en": "siffra"}))

        assert summary_sentence(lab(claimed(), claimed(), own)) == (
            "Of the lab author's 2 claims 2 are supported. The only claim by siffra: refuted."
        )


def test_both_grades_are_counted():
    claims = [claimed(), claimed(grade="likely"), claimed("inconclusive", None)]

    counted = VerdictsBy(by=None, **count_grades(claims))

    assert (counted.verdicts["supported"], counted.likely["supported"]) == (2, 1)
    assert counted.tally == {"supported": 1, "likely_supported": 1, "inconclusive": 1}


class TestOpen:
    def test_it_says_how_many_seeds_would_probably_decide_it(self):
        answer = claimed("inconclusive", None, seeds_needed=14)

        assert told(answer).endswith("; about 14 seeds would more likely than not decide it")
        assert told(answer, SV).endswith("; ungefär 14 frön räcker sannolikt för att avgöra det")

    def test_a_difference_about_the_margin_stays_open(self):
        answer = claimed("inconclusive", None, reason="at the margin")

        assert told(answer).endswith("; the difference is about the margin: it will stay open")
        assert "förbli öppet" in told(answer, SV)


class TestCollapse:
    def test_a_verdict_that_rests_on_it_says_how_many_runs_collapsed_and_the_test(self):
        answer = claimed(basis="collapse", collapsed=((11, 11), (0, 11)))

        assert told(answer) == (
            "collapsed or diverged in 11 of 11 runs against 0 of 11 runs (Fisher's exact test); "
            "of the runs that train: +1.3 percentage points (95 % interval +0.9 to +1.7; n = 10)"
        )

    def test_of_some_that_collapse_the_difference_is_of_the_others(self):
        text = told(claimed(collapsed=((1, 10), (0, 10))))

        assert text.startswith(
            "collapsed or diverged in 1 of 10 runs against 0 of 10 runs; of the runs that"
        )

    @pytest.mark.parametrize(
        ("verdict", "direction"),
        [("no difference", "better"), ("supported", "same"), ("supported", "not worse")],
    )
    def test_no_difference_is_never_said_without_the_bound(self, verdict, direction):
        """That none of 10 runs collapses has a probability of 5 % if 26 % do: 0.74^10 = 0.05."""
        answer = claimed(verdict, direction=direction, collapsed=((0, 10), (0, 10)))

        assert told(answer).startswith(
            "none of 10 runs collapsed on either side: at most 26 % do; +1.3"
        )
        assert "högst 26 % gör det" in told(answer, SV)

    def test_a_difference_of_runs_that_all_train_needs_no_word_of_it(self):
        assert told(claimed(collapsed=((0, 10), (0, 10)))).startswith("+1.3 percentage points")


def test_sides_of_several_levels_fail_by_seeds_not_by_runs():
    """In 10 of 10 seeds one of two levels collapsed, though of their runs only 14 of 20 did."""
    answer = claimed(basis="collapse", collapsed=((10, 10), (0, 10)), level=(0, 1), against=(2,))

    assert told(answer).startswith(
        "collapsed or diverged in 10 of 10 seeds (one run or more of each) against 0 of 10 runs"
    )


def test_what_is_likely_is_not_called_decided():
    likely = claimed(grade="likely", look=14, seeds_needed=20)

    assert told(likely).endswith(
        "; likely as of 14 seeds; about 20 seeds would more likely than not show it"
    )
    assert told(claimed(look=14)).endswith("; decided at 14 seeds")


def test_an_open_verdict_on_a_large_difference_says_why():
    answer = claimed(verdict="inconclusive", grade=None, reason="large", seeds_needed=7)

    assert told(answer).endswith(
        "; about 7 seeds would more likely than not decide it; some seeds differ by more than "
        "20 percentage points, which takes 7 seeds to decide"
    )


@pytest.mark.parametrize(
    ("ends", "bound", "side"),
    [
        (
            (2.0, math.inf),
            "at least × 3",
            "the level named first did not reach the target in one seed",
        ),
        ((0.0, 5.0), "at most × 3", "the level named second did not reach the target in one seed"),
        ((0.0, math.inf), "× 3", "one side or both did not reach the target in one seed"),
    ],
)
def test_it_is_told_which_side_did_not_reach_the_target(ends, bound, side):
    low, high = ends
    estimate = Estimate(3.0, low, high, 0.95, (3.0,) * 5, "ratio", censored=1)

    evidence = told(claimed(estimate=estimate, metric="epochs_to", target=0.9))

    assert evidence.startswith(bound)
    assert side in evidence


def test_an_interval_that_spans_all_that_is_possible_says_what_is_missing():
    wide = Estimate(0.79, -math.inf, math.inf, 0.9999, (0.79,) * 10, "difference")

    answer = claimed("inconclusive", None, estimate=wide)

    assert told(answer).startswith("+79 percentage points (10 seeds are too few for bounds)")
    assert unbounded_text(EN, answer) == "10 seeds are too few for bounds"
    assert unbounded_text(EN, claimed()) == ""
    # What a target that was not reached leaves open, more seeds need not bound.
    late = Estimate(3.0, 0.0, math.inf, 0.95, (3.0,) * 5, "ratio", censored=1)
    assert unbounded_text(EN, claimed(estimate=late, metric="epochs_to", target=0.9)) == ""


def test_a_drop_is_compared_with_percentage_points():
    question = make_question("a", [{"neurons": n} for n in (8, 16)])
    claim = make_claim("c", "so", metric="drop", on="moved", against=0.0)

    assert comparison(EN, claim, question).endswith("8 neurons against 0 percentage points")


def test_an_interval_without_a_width_is_not_written_as_if_it_had_one():
    alike = Estimate(0.0156, 0.0156, 0.0156, 0.95, (0.0156,) * 40, "difference")
    narrow = Estimate(0.0156, 0.01559, 0.01561, 0.95, (0.0156,) * 40, "difference")

    assert told(claimed(estimate=alike)) == (
        "+1.56 percentage points (both ends of the 95 % interval are the same; n = 40)"
    )
    assert "+1.559 to +1.561" in told(claimed(estimate=narrow))


def test_a_level_that_is_compared_with_a_number_is_judged_by_its_median_run():
    answer = claimed(against=0.95, basis="median", collapsed=((1, 10),))

    assert told(answer).startswith(
        "1 of 10 runs collapsed or diverged; of the runs that train: +1.3"
    )
    assert told(answer).endswith("; about the median run (sign test)")


@pytest.mark.parametrize(
    ("moved", "claim"),
    [
        (
            {"metric": "seconds", "times": 0.4, "direction": "same"},
            "\N{MINUS SIGN}60\N{NO-BREAK SPACE}%",
        ),
        ({"metric": "seconds", "times": 1.2, "direction": "worse"}, "above +20\N{NO-BREAK SPACE}%"),
        ({"plus": 0.01}, "above +1 percentage point"),
        ({"plus": -0.005}, "above \N{MINUS SIGN}0.5 percentage points"),
    ],
)
def test_how_large_a_difference_is_claimed_stands_beside_what_is_compared(moved, claim):
    question = make_question("a", [{"neurons": n} for n in (8, 16)])

    told = comparison(EN, make_claim("c", "so", **moved), question)

    assert told.endswith(f", 8 neurons against 16 neurons (claimed: {claim})")


@pytest.mark.parametrize(
    ("moved", "estimate", "start"),
    [
        (
            {"metric": "seconds", "times": 0.4},
            Estimate(0.5, 0.45, 0.55, 0.95, (0.5,) * 5, "ratio"),
            "\N{MINUS SIGN}80.0 % (95 % interval \N{MINUS SIGN}82.0 to \N{MINUS SIGN}78.0;",
        ),
        ({"plus": 0.01}, GAP, "+2.3 percentage points (95 % interval +1.9 to +2.7;"),
    ],
)
def test_the_estimate_is_that_of_the_levels_themselves(moved, estimate, start):
    """Not what is left of it when a claimed factor or offset is taken away."""
    answer = claimed(estimate=estimate)
    answer = dataclasses.replace(answer, claim=make_claim("c", "so", **moved))

    assert told(answer).startswith(start)


def test_runs_that_came_after_a_verdict_are_told_apart_from_those_it_rests_on():
    """The looks up to 40 seeds have been made: 20 of them would not show it."""
    likely = claimed(grade="likely", look=14, seeds_needed=20)

    assert evidence(EN, claimed(look=14), 40).endswith(
        "; when decided (14 seeds; the table has 40 or more)"
    )
    assert evidence(EN, likely, 40).endswith("; likely as of 14 seeds (the table has 40 or more)")
    assert evidence(EN, likely, 14).endswith("about 20 seeds would more likely than not show it")


def test_an_estimate_from_a_few_runs_says_how_many_are_needed():
    one = Estimate(0.8, math.nan, math.nan, 0.95, (0.8,), "difference", 0)
    answer = dataclasses.replace(
        claimed(verdict="inconclusive", grade=None, reason="too few seeds"), estimate=one
    )

    assert unbounded_text(EN, answer) == "1 run; 5 needed"
    assert "(1 run; 5 needed)" in evidence(EN, answer)
