"""Which verdicts are called surprising, on answers made by hand."""

import math
from dataclasses import replace

import pytest
from report.fake_answers import make_answers, make_claim, make_question

from siffra.lab.answers import Answers, ClaimAnswer
from siffra.lab.stats.comparison import Estimate
from siffra.report.text.claimed import misses_only_size
from siffra.report.text.messages import words_in
from siffra.report.text.surprises import missed, most_wrong, surprises


def refuted(name: str, low: float, high: float, **about) -> ClaimAnswer:
    """A refuted claim with this interval."""
    is_ratio = about.get("metric") in ("seconds", "epochs_to")
    scale = "ratio" if is_ratio else "difference"
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


def test_a_size_misjudged_in_the_right_direction_comes_after_a_wrong_direction():
    """84 % less where 60 % less is claimed is far off, but less it is."""
    size = refuted("size", 0.3, 0.5, metric="seconds", times=0.4, direction="same", margin=0.01)
    number = refuted("number", 0.1, 0.2, against=0.5, direction="same")
    way = refuted("way", -0.006, -0.004)

    assert order(lab([size], [number], [way])) == ["way", "size", "number"]
    assert order(lab([size, way])) == ["way"]


def test_a_moved_claim_whose_direction_is_wrong_is_no_question_of_size():
    other_way = refuted("way", 3.0, 4.0, metric="seconds", times=0.4, direction="same")

    assert not misses_only_size(other_way)  # 1.2 to 1.6 times as long, where 60 % less is claimed


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        (
            refuted("a", 0.38, 0.42, metric="seconds", times=0.4, direction="same"),
            "claimed: \N{MINUS SIGN}60 %; measured: \N{MINUS SIGN}84.0 %",
        ),
        (
            refuted("a", 4.0, 4.84, metric="seconds", direction="same"),
            "claimed: no difference; measured: 4.4 times as long",
        ),
        (
            refuted("a", 4.0, 4.84, metric="seconds"),
            "claimed: shorter; measured: 4.4 times as long",
        ),
        (
            refuted("a", 1 / 5, 1 / 5, metric="seconds", direction="worse"),
            "claimed: longer; measured: 80.0 % shorter",
        ),
        (
            refuted("a", 1.04, 1.06, metric="seconds", times=1 / 1.2, direction="worse"),
            "claimed: above \N{MINUS SIGN}16.666667 %; measured: \N{MINUS SIGN}12.5 %",
        ),
        (
            refuted("a", -0.021, -0.019, direction="not worse"),
            "claimed: not lower; measured: 2.00 percentage points lower",
        ),
        (
            refuted("a", 0.0156, 0.0156, against=0.0979, direction="same"),
            "claimed: 9.79 %; measured: 11.35 %",
        ),
        (
            refuted("a", 2.0, 2.0, metric="epochs_to", target=0.9),
            "claimed: fewer; measured: 2.0 times as many",
        ),
    ],
)
def test_what_was_claimed_is_told_beside_what_was_measured_in_the_same_terms(claim, told):
    assert missed(words_in("en"), claim).replace("\N{NO-BREAK SPACE}", " ") == told


LOWER = {
    "en": "(accuracy on the test set; claimed: higher; measured: {} percentage points lower)",
    "sv": "(noggrannhet på testmängden; påstått: högre; uppmätt: {} procentenheter lägre)",
}


@pytest.mark.parametrize(
    ("language", "one", "two", "sizes"),
    [
        ("en", "Most wrong is “Far” {}.", "Most wrong are “Far” {} and “Near” {}.", ("5.0", "2.5")),
        (
            "sv",
            "Mest fel har ”(sv) Far” {}.",
            "Mest fel har ”(sv) Far” {} och ”(sv) Near” {}.",
            ("5,0", "2,5"),
        ),
    ],
)
def test_the_two_that_are_farthest_off_are_named_with_what_was_seen(language, one, two, sizes):
    far, near = refuted("Far", -0.06, -0.04), refuted("Near", -0.03, -0.02)
    nearest = refuted("Nearest", -0.03, -0.01)
    words, seen = words_in(language), [LOWER[language].format(size) for size in sizes]

    assert most_wrong(words, surprises(lab([far]))) == one.format(seen[0])
    assert most_wrong(words, surprises(lab([near], [far], [nearest]))) == two.format(*seen)
    assert most_wrong(words, []) == ""


def test_of_one_that_is_part_of_a_sentence_it_is_told_what_it_is_about():
    told = most_wrong(words_in("en"), surprises(lab([refuted("… by far.", -0.06, -0.04)])))

    assert told == (
        "Most wrong is “… by far” (accuracy on the test set, 8 neurons against 16 neurons; "
        "claimed: higher; measured: 5.0 percentage points lower)."
    )
