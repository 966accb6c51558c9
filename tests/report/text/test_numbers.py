import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report.fake_answers import make_claim

from siffra.config.metrics import Metric
from siffra.lab.stats.comparison import Estimate, Scale
from siffra.lab.stats.summaries import Summary, summarise
from siffra.report.text import numbers
from siffra.report.text.messages import GAP, words_in

EN, SV = words_in("en"), words_in("sv")


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


def estimate(value: float, low: float, high: float, scale: Scale = "difference") -> Estimate:
    return Estimate(value, low, high, 0.95, (value,) * 5, scale, 0)


@pytest.mark.parametrize(
    ("half_width", "decimals"),
    [(0.34, 1), (0.12, 2), (0.028, 2), (2.4, 1), (3.4, 0), (14.0, 0), (0.0, 2), (math.nan, 2)],
)
def test_an_uncertainty_keeps_one_digit_or_two_if_it_starts_with_1_or_2(half_width, decimals):
    assert numbers.decimals_for(half_width) == decimals


@given(st.floats(1e-6, 1e6))
def test_rounding_moves_a_number_by_less_than_a_fifth_of_its_uncertainty(half_width):
    decimals = numbers.decimals_for(half_width, most=20)

    # Half a unit of the last decimal; 2.95 is the least uncertainty that gets one digit.
    assert 0.5 * 10.0**-decimals <= max(half_width / 5.9, 0.5) * (1 + 1e-9)
    if decimals > 0:
        assert 0.5 * 10.0**-decimals <= half_width / 5.9 * (1 + 1e-9) or half_width < 10


@pytest.mark.parametrize(
    ("summary", "text"),
    [
        (Summary(0.97123, 0.96783, 0.97463, ()), "97.1 ± 0.3 %"),
        (Summary(0.17, 0.146, 0.194, ()), "17.0 ± 2.4 %"),
        (Summary(0.1135, 0.1135, 0.1135, ()), "11.35 ± 0.00 %"),
        (Summary(0.97123, math.nan, math.nan, ()), "97.12 %"),
    ],
)
def test_an_accuracy_is_rounded_to_what_its_interval_supports(summary, text):
    assert plain(numbers.accuracy(EN, summary)) == text


def test_a_skewed_interval_of_a_time_is_given_by_its_ends():
    assert plain(numbers.seconds(EN, Summary(12.31, 11.92, 12.71, ()))) == "12.3 ± 0.4 s"
    assert plain(numbers.seconds(EN, Summary(0.28, 0.02, 4.4, ()))) == "0.28 (0.02–4.40) s"


@pytest.mark.parametrize(
    ("words", "text"), [(EN, "24.00 (range: 6.00–96.00) s"), (SV, "24,00 (spann: 6,00–96,00) s")]
)
def test_of_two_unlike_times_the_two_are_given(words, text):
    unlike = summarise([6.0, 96.0], "ratio")

    assert unlike.high > 1e6  # which is right, and nobody's idea of a time
    assert plain(numbers.seconds(words, unlike)) == text


def test_what_varies_by_too_little_to_be_shown_is_not_shown_as_exact():
    assert plain(numbers.accuracy(EN, Summary(0.9338, 0.93377, 0.93383, ()))) == "93.38 ± 0.01 %"


@pytest.mark.parametrize(
    ("metric", "found", "text", "interval"),
    [
        ("accuracy", estimate(0.032, 0.028, 0.036), "+3.2 percentage points", "+2.8 to +3.6"),
        ("seconds", estimate(1.04, 1.01, 1.07, "ratio"), "+4 %", "+1 to +7"),
        ("seconds", estimate(3.41, 3.1, 3.75, "ratio"), "× 3.4", "3.1 to 3.8"),
        ("epochs_to", estimate(0.3, 0.0, 0.4, "ratio"), "× 0.3", "0.4 or less"),
        ("epochs_to", estimate(10.5, 7.6, math.inf, "ratio"), "× 10.5", "7.6 or more"),
        ("seconds", estimate(0.7, 1e-9, 0.9, "ratio"), "−30 %", "−10 or less"),
        ("accuracy", estimate(0.5, 0.1, 1.2), "+50 percentage points", "+10 or more"),
        ("accuracy", estimate(0.5, -1.1, 1.2), "+50 percentage points", ""),
    ],
)
def test_an_estimate_is_written_in_the_unit_that_suits_it(metric, found, text, interval):
    claim = make_claim("a1", "so", metric=metric, target=0.9)

    value, span = numbers.estimate_words(EN, claim, found)

    assert plain(value) == text
    assert span == interval


def test_swedish_has_a_decimal_comma_and_its_own_units():
    value, interval = numbers.estimate_words(
        SV, make_claim("a1", "so"), estimate(-0.032, -0.036, -0.028)
    )

    assert (plain(value), interval) == ("−3,2 procentenheter", "−3,6 till −2,8")


def test_a_column_with_a_skewed_interval_is_left_alone():
    assert numbers.align(["0.3 (0.1–0.9)", "12"], ".") == ["0.3 (0.1–0.9)", "12"]


def as_wide(text: str) -> str:
    """Padding as the digits and marks that it is as wide as."""
    return text.replace("\u2007", "0").replace("\u2008", ".").replace(GAP, " ")


def test_columns_are_padded_at_their_ends_until_their_intervals_stand_under_each_other():
    texts = [t.replace(" ", GAP) for t in ("90.0 ± 0.5", "93.48 ± 0.28", "84 ± 3", "–")]

    column = numbers.align(texts, ".")

    assert [as_wide(text) for text in column[:3]] == ["90.0 ± 0.50", "93.48 ± 0.28", "84 ± 3.00"]
    assert [text.rstrip("\u2007\u2008") for text in column] == texts  # no gap within
    assert column[3] == "–"


def test_columns_of_plain_numbers_are_padded_until_their_decimals_do():
    assert [as_wide(text) for text in numbers.align(["0,25", "12", "3,5"], ",")] == [
        "0,25",
        "12.00",
        "3,50",
    ]
    assert numbers.align(["5", "12"], ".") == ["5", "12"]


def test_an_end_beside_zero_is_not_written_as_zero():
    found = estimate(0.04, 0.003, 0.077)

    assert numbers.estimate_words(EN, make_claim("a1", "so"), found)[1] == "+0.3 to +7.7"


@pytest.mark.parametrize(
    ("metric", "found", "text", "interval"),
    [
        ("epochs_to", estimate(0.3, 0.1, 0.97, "ratio"), "× 0.30", "0.10 to 0.97"),
        ("seconds", estimate(1.049, 1.02, 1.0499, "ratio"), "+4.9 %", "+2.0 to +5.0"),
        ("accuracy", estimate(0.0, -0.0019, 0.0019), "0.00 percentage points", "−0.19 to +0.19"),
    ],
)
def test_an_end_beside_a_line_that_decides_is_not_written_as_on_it(metric, found, text, interval):
    claim = make_claim("a1", "so", metric=metric, target=0.9, margin=0.05)
    if metric == "accuracy":
        claim = make_claim("a1", "so")  # its margin is 0.2 points

    value, span = numbers.estimate_words(EN, claim, found)

    assert (plain(value), span) == (text, interval)


@pytest.mark.parametrize(
    ("against", "high", "text"),
    [
        ((1,), 0.38, "+38 or less"),
        (0.9, 0.08, "+8 or less"),
        (0.9, 0.1, ""),
        (0.1135, 0.9, ""),
        ((1,), 1.38, ""),
    ],
)
def test_an_interval_has_no_ends_where_accuracies_have_theirs(against, high, text):
    claim = make_claim("a1", "so", against=against)

    assert numbers.estimate_words(EN, claim, estimate(-0.15, -1.69, high))[1] == text


@pytest.mark.parametrize("ends", [(-0.2, -0.2), (math.nan, math.nan)])
def test_a_difference_that_is_the_same_with_every_seed_has_the_digits_that_it_has(ends):
    metric = Metric("loss", "lower")
    claim = make_claim("a1", "so", metric="loss", named=metric)

    value, _ = numbers.estimate_words(EN, claim, estimate(0.7 - 0.9, *ends))

    assert value == "−0.2"


@given(st.floats(1.001, 50), st.floats(1e-6, 0.2))
def test_ends_of_an_interval_of_a_ratio_are_told_apart(times, arm):
    _, low, high = numbers.ratios(EN, times, times * (1 - arm), times * (1 + arm))

    assert float(low) < float(high)


def test_an_accuracy_whose_interval_ends_at_all_or_nothing_is_given_by_its_ends():
    assert plain(numbers.accuracy(EN, Summary(0.81, 0.33, 1.0, ()))) == "81 (33–100) %"
    assert plain(numbers.accuracy(SV, Summary(0.003, 0.0, 0.02, ()))) == "0,3 (0,0–2,0) %"


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.95, "95"),
        (1 - 0.05 / 9, "99.4"),
        (0.999, "99.9"),
        (1 - 0.05 / 67, "> 99.9"),
        (1 - 1.5e-5, "> 99.9"),
        (0.99, "99"),
    ],
)
def test_no_confidence_is_called_certainty(fraction, text):
    assert plain(numbers.confidence(EN, fraction)) == text


@given(st.floats(1e-9, 0.2))
def test_a_confidence_is_never_rounded_up(error):
    shown = float(plain(numbers.confidence(EN, 1 - error)).removeprefix("> "))
    assert shown <= 100 * (1 - error) + 1e-8
    assert shown < 100


def test_a_target_is_told_as_it_was_chosen():
    told = [plain(numbers.target(SV, target)) for target in (0.9, 0.985, 0.995)]
    assert told == ["90 %", "98,5 %", "99,5 %"]


@pytest.mark.parametrize(("value", "text"), [(7.0, "7"), (0.25, "0.25"), (3e-9, "3e−9")])
def test_a_metric_that_is_the_same_in_all_runs_has_no_uncertainty(value, text):
    metric = Metric("loss", "lower")
    assert numbers.metric_number(words_in("en"), summarise([value] * 5), metric) == text


@pytest.mark.parametrize(
    ("language", "unit", "number", "text"),
    [
        ("en", "points", "+1", "+1 percentage point"),
        ("en", "points", "+1.0", "+1.0 percentage points"),
        ("en", "epochs", "1", "1\N{NO-BREAK SPACE}epoch"),
        ("sv", "points", "+1", "+1 procentenhet"),
        ("sv", "points", "\N{MINUS SIGN}1", "\N{MINUS SIGN}1 procentenhet"),
        ("sv", "points", "+1,5", "+1,5 procentenheter"),
        ("sv", "percent", "1", "1\N{NO-BREAK SPACE}%"),
    ],
)
def test_of_one_a_unit_is_in_the_singular(language, unit, number, text):
    assert numbers.quantity(words_in(language), unit, number) == text
