"""What is told of equal settings that were timed against each other."""

import math

import pytest

from benchmarks.turns import ROUNDS, TURNS, Errors, lines, measure_turns


def errors(*ratios: float, is_busy: bool = False) -> Errors:
    """Tries whose rounds all have the same ratio."""
    rounds = [math.log(ratio) for ratio in ratios for _ in range(ROUNDS)]
    return Errors("a network", is_busy, tuple(rounds))


def test_a_try_is_the_geometric_mean_of_its_rounds():
    rounds = (1.0, 2.0, 4.0, 1.0, 1.0)

    (found,) = Errors("", False, tuple(map(math.log, rounds))).tries

    assert math.exp(found) == pytest.approx(8 ** (1 / 5))


@pytest.mark.parametrize(
    ("ratios", "share"),
    [((1.0, 1.049), 1.0), ((1.051, 1.0), 0.5), ((1 / 1.049, 1 / 1.051), 0.5), ((2.0, 0.5), 0.0)],
)
def test_within_five_percent_is_so_in_either_direction(ratios, share):
    assert errors(*ratios).share == share


def test_a_line_says_what_misses_the_aim():
    good, bad = lines([errors(1.0, 1.0), errors(1.0, 1.1, is_busy=True)])

    assert good == (
        "a network, idle: 100% of 2 tries within 5% of 1; a round is off by 0.0%, a try by 0.0%, "
        "all 10 rounds by +0.00% ± 0.00%"
    )
    assert bad.startswith("a network, one core busy: 50% of 2 tries within 5% of 1; ")
    assert bad.endswith("; the aim is 95%")


def test_a_lean_to_one_side_is_seen_in_all_rounds_together():
    lean, standard_error = Errors("", False, (0.03, 0.01, 0.03, 0.01)).bias

    assert lean == pytest.approx(0.02)
    # Deviations of a per cent each: their standard deviation is 1.15 %, over two.
    assert standard_error == pytest.approx(0.01 * math.sqrt(4 / 3) / 2)


def test_every_network_is_timed_idle_and_busy(monkeypatch, digits):
    monkeypatch.setattr("benchmarks.turns.ROUNDS", 1)

    found = list(measure_turns(["dense"], digits(300), 2, lambda text: None))

    assert [(each.title, each.is_busy, len(each.rounds)) for each in found] == [
        (TURNS["dense"][0], False, 2),
        (TURNS["dense"][0], True, 2),
    ]
