"""Which verdicts are called surprising, on answers made by hand."""

import math
from dataclasses import replace

import pytest
from report.fake_answers import make_answers, make_claim, make_question

from siffra.lab.answers import Answers, ClaimAnswer
from siffra.lab.stats.comparison import Estimate
from siffra.report.text.messages import words_in
from siffra.report.text.surprises import most_wrong, surprises


def refuted(name: str, low: float, high: float, **about) -> ClaimAnswer:
    """A refuted claim with this interval."""
    scale = "ratio" if about.get("metric") == "seconds" else "difference"
    middle = math.sqrt(low * high) if scale == "ratio" else (low + high) / 2
    claim = make_claim(name, name, **about)
    estimate = Estimate(middle, low, high, 0.95, (middle,) * 3, scale, 0)
    return ClaimAnswer(claim, "refuted", estimate, None, "")


def lab(*questions: list[ClaimAnswer]) -> Answers:
    """A lab whose questions have these answers to their claims."""
    made = make_answers(
        [make_question(f"q{i}", [{"neurons": n} for n in (8, 16)]) for i in range(len(questions))],
        seeds=2,
    )
    answered = zip(made.questions, questions, strict=True)
    return replace(made, questions=tuple(replace(q, claims=tuple(c)) for q, c in answered))


def order(answers: Answers) -> list[str]:
    return [found.claim.claim.id for found in surprises(answers)]


def test_the_near_end_of_the_interval_counts_not_its_middle():
    certain = refuted("certain", -0.03, -0.02)
    uncertain = refuted("uncertain", -0.20, -0.001)

    assert order(lab([uncertain], [certain])) == ["certain", "uncertain"]
    first = surprises(lab([uncertain], [certain]))[0]
    assert first.margins == pytest.approx(0.02 / 0.002)


def test_distance_is_counted_in_margins():
    narrow = refuted("narrow", -0.02, -0.01, margin=0.001)  # 10 margins
    wide = refuted("wide", -0.06, -0.05, margin=0.01)  # 5

    assert order(lab([wide], [narrow])) == ["narrow", "wide"]


def test_times_are_counted_on_their_own_scale():
    """A training 1.21 times as long is two margins of 10 % away."""
    slower = refuted("slower", 1.1**2, 1.5, metric="seconds", margin=0.1)

    assert surprises(lab([slower]))[0].margins == pytest.approx(2.0)


def test_an_interval_that_is_open_on_its_far_side_still_has_a_near_one():
    open_ended = refuted("open", 1.1, math.inf, metric="seconds", margin=0.1)
    open_below = refuted("below", 0.0, 1 / 1.1, metric="seconds", margin=0.1)

    assert [s.margins for s in surprises(lab([open_ended], [open_below]))] == pytest.approx([1, 1])


def test_a_question_gives_one_surprise_and_a_lab_three():
    ends = [0.01, 0.02, 0.03, 0.04]
    questions = [[refuted(f"{e}{side}", -2 * e, -e) for side in "ab"] for e in ends]

    assert order(lab(*questions)) == ["0.04a", "0.03a", "0.02a"]


def test_only_what_is_refuted_surprises():
    claim = refuted("a", -0.03, -0.02)
    verdicts = ("supported", "no difference", "inconclusive", "not tested")

    assert order(lab([replace(claim, verdict=verdict) for verdict in verdicts])) == []


def test_only_claims_of_the_labs_author_surprise():
    answers = lab([refuted("own", -0.03, -0.02)], [refuted("authors", -0.02, -0.01)])
    own, authors = answers.questions
    own = replace(own, question=replace(own.question, by={"en": "siffra"}))

    assert order(replace(answers, questions=(own, authors))) == ["authors"]


@pytest.mark.parametrize(
    ("language", "one", "two"),
    [
        (
            "en",
            "Most wrong is “Far” (\N{MINUS SIGN}5.0 percentage points).",
            "Most wrong are “Far” (\N{MINUS SIGN}5.0 percentage points) and "
            "“Near” (\N{MINUS SIGN}2.5 percentage points).",
        ),
        (
            "sv",
            "Mest fel har ”(sv) Far” (\N{MINUS SIGN}5,0 procentenheter).",
            "Mest fel har ”(sv) Far” (\N{MINUS SIGN}5,0 procentenheter) och "
            "”(sv) Near” (\N{MINUS SIGN}2,5 procentenheter).",
        ),
    ],
)
def test_the_two_that_are_farthest_off_are_named_with_what_was_seen(language, one, two):
    far, near = refuted("Far", -0.06, -0.04), refuted("Near", -0.03, -0.02)
    nearest = refuted("Nearest", -0.03, -0.01)
    words = words_in(language)

    assert most_wrong(words, surprises(lab([far]))) == one
    assert most_wrong(words, surprises(lab([near], [far], [nearest]))) == two
    assert most_wrong(words, []) == ""


def test_of_one_that_is_part_of_a_sentence_it_is_told_what_it_is_about():
    told = most_wrong(words_in("en"), surprises(lab([refuted("… by far.", -0.06, -0.04)])))

    assert told == (
        "Most wrong is “… by far” (accuracy on the test set, 8 neurons against 16 neurons: "
        "\N{MINUS SIGN}5.0 percentage points)."
    )
