"""What claims have shown, as an answer says it: what was seen, not whether the claim was right."""

import dataclasses
import math
from typing import Any

import pytest
from report.fake_answers import make_answers, make_claim, make_question

from siffra.lab.answers import ClaimAnswer, Verdict
from siffra.lab.stats.comparison import Estimate
from siffra.lab.stats.decisions import Grade
from siffra.report.text.decided import decided_sentences
from siffra.report.text.messages import words_in

EN, SV = words_in("en"), words_in("sv")
ASKED = make_answers([make_question("a", [{"neurons": n} for n in (8, 16)])], seeds=2).questions[0]


def points(value: float) -> Estimate:
    return Estimate(value, value - 0.002, value + 0.002, 0.95, (value,) * 5, "difference", 0)


def times(value: float) -> Estimate:
    return Estimate(value, 0.9 * value, 1.1 * value, 0.95, (value,) * 5, "ratio", 0)


def claimed(
    verdict: Verdict = "supported",
    grade: Grade | None = "shown",
    estimate: Estimate | None = None,
    **about: Any,
) -> ClaimAnswer:
    fields = {name: about.pop(name) for name in ("basis", "collapsed") if name in about}
    estimate = estimate or points(0.013)
    claim = make_claim("c", "so", **about)
    return ClaimAnswer(claim, verdict, estimate, None, "", grade=grade, **fields)


def said(*claims: ClaimAnswer, words=EN) -> list[str]:
    answer = dataclasses.replace(ASKED, claims=claims)
    return [text.replace("\N{NO-BREAK SPACE}", " ") for text in decided_sentences(words, answer)]


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        (
            claimed(),
            "accuracy on the test set is 1.30 percentage points higher with 8 neurons than with 16",
        ),
        (
            claimed("refuted", estimate=points(-0.013)),
            "accuracy on the test set is 1.30 percentage points lower with 8 neurons than with 16",
        ),
        (
            claimed(metric="seconds", estimate=times(1.5), margin=0.05),
            "training takes 1.5 times as long with 8 neurons as with 16 (1.4 to 1.7 times)",
        ),
        (
            claimed(metric="seconds", estimate=times(0.5), margin=0.05),
            "training takes 2.0 times as long with 16 neurons as with 8 (1.8 to 2.2 times)",
        ),
        (
            claimed(metric="epochs_to", target=0.93, estimate=times(3.0), margin=0.05),
            "93 % on the test set takes 3.0 times as many epochs with 8 neurons as with 16 "
            "(2.7 to 3.3 times)",
        ),
        (
            claimed("no difference"),
            "accuracy on the test set with 8 neurons is within 0.2 percentage points of that "
            "with 16",
        ),
        (
            claimed(metric="seconds", direction="same", estimate=times(1.01), margin=0.05),
            "training time with 8 neurons is within 5 % of that with 16",
        ),
        (
            claimed(direction="not worse"),
            "accuracy on the test set with 8 neurons is not worse than that with 16 by "
            "0.2 percentage points or more",
        ),
        (
            claimed(metric="seconds", times=0.4, estimate=times(0.6), margin=0.05),
            "training time with 8 neurons is less than 0.4 times that with 16",
        ),
        (
            claimed("refuted", plus=0.01, estimate=points(-0.02)),
            "accuracy on the test set with 8 neurons is less than that with 16 plus "
            "1 percentage point",
        ),
        (
            claimed(metric="drop", on="moved", against=0.0, basis="median", direction="worse"),
            "in the median run, the accuracy drop from the test set to the moved set "
            "with 8 neurons is 1.3 percentage points, above zero",
        ),
        (
            claimed(against=0.95, basis="median"),
            "in the median run, accuracy on the test set with 8 neurons is 96.3 %, above 95 %",
        ),
        (
            claimed(basis="collapse", collapsed=((11, 11), (0, 11))),
            "11 of 11 runs with 8 neurons collapse or diverge, against 0 of 11 runs with 16",
        ),
        (
            claimed(level=(0, 1), basis="collapse", collapsed=((10, 10), (0, 10))),
            "one or more runs in 10 of 10 seeds with 8 and 16 neurons collapse or diverge, "
            "against 0 of 10 runs with 16",
        ),
    ],
)
def test_each_kind_of_claim_has_its_phrase(claim, told):
    assert said(claim) == [f"shown: {told}"]


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ((3.0, 1.5, math.inf), "with 8 neurons as with 16 (with 8 neurons it is"),
        ((1 / 3, 0.0, 1 / 1.5), "with 16 neurons as with 8 (with 16 neurons it is"),
    ],
)
def test_a_target_that_was_not_reached_leaves_a_bound_and_no_factor(ends, told):
    """The seeds' ratios are bounds, so that their mean is no estimate."""
    value, low, high = ends
    late = Estimate(value, low, high, 0.95, (value,) * 5, "ratio", censored=3)

    assert said(claimed(metric="epochs_to", target=0.93, estimate=late, margin=0.05)) == [
        "shown: 93 % on the test set takes at least 1.5 times as many epochs "
        f"{told} not reached in 3 of 5 seeds)"
    ]


def test_what_is_shown_comes_first_then_what_is_likely_and_nothing_of_the_rest():
    likely = claimed(grade="likely", on="moved")
    open_ = claimed("inconclusive", None, on="rotated")

    shown, then = said(likely, open_, claimed())

    assert shown.startswith("shown: accuracy on the test set")
    assert then.startswith("likely: accuracy on the moved set")
    assert said(open_) == []


def test_the_farthest_is_told_first_and_the_same_but_once():
    near, far = claimed(), claimed(estimate=points(0.5), on="moved")

    (told,) = said(near, far, near)

    assert told.startswith("shown: accuracy on the moved set is 50.00 percentage points higher")
    assert told.count(";") == 1


def test_of_many_the_farthest_are_told_and_the_others_counted():
    many = [claimed(estimate=points(0.01 * i)) for i in range(1, 8)]

    (told,) = said(*many)

    assert told.endswith("; and 3 more verdicts")
    assert told.count("higher") == 4


def test_in_swedish():
    told = said(
        claimed(), claimed("no difference", "likely"), claimed("refuted", against=0.95), words=SV
    )

    assert told == [
        "visat: noggrannheten på testmängden med 8 neuroner är 96,3 %, över 95 %; noggrannheten "
        "på testmängden är 1,30 procentenheter högre med 8 neuroner än med 16",
        "troligt: noggrannheten på testmängden med 8 neuroner ligger inom 0,2 procentenheter från "
        "värdet med 16",
    ]


def test_what_was_refuted_comes_first_and_is_never_among_the_rest():
    near = [claimed("refuted", estimate=points(-0.002), on=on) for on in ("moved", "rotated")]
    far = [claimed(estimate=points(0.01 * i)) for i in range(1, 7)]

    (shown,) = said(*far, *near)
    parts = shown.removeprefix("shown: ").split("; ")
    assert [("the moved set" in p or "the rotated set" in p) for p in parts[:3]] == [
        True,
        True,
        False,
    ]
    assert parts[-1] == "and 4 more verdicts"


def test_the_first_sentence_says_how_long_was_trained_where_it_is_to():
    answer = dataclasses.replace(ASKED, claims=(claimed(), claimed(grade="likely")))

    shown, likely = decided_sentences(EN, answer, " after 3 epochs")
    assert shown.startswith("shown after 3 epochs: ")
    assert likely.startswith("likely: ")
