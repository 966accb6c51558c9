"""What a command costs beyond its own process: both are really run, and what is printed is read."""

import pytest

from benchmarks.command import (
    COMMANDS,
    LINES,
    Cost,
    measure_costs,
    measure_question,
    measure_reading,
)


def test_every_command_is_run_both_ways():
    costs = list(measure_costs(repeats=2))

    assert [cost.title for cost in costs] == list(COMMANDS)
    for cost in costs:
        assert len(cost.bare) == len(cost.run) == 2
        assert all(seconds > 0 for seconds in (*cost.bare, *cost.run))


def test_what_is_beyond_is_the_median_of_pairs():
    cost = Cost("", bare=(1.0, 5.0, 2.0), run=(1.5, 5.25, 4.0))

    assert cost.beyond == pytest.approx(0.5)


def test_reading_has_a_speed_for_every_kind_of_line():
    speeds = dict(measure_reading(megabytes=1))

    assert list(speeds) == list(LINES)
    assert all(0 < speed < 10_000 for speed in speeds.values())


def test_a_question_is_run_and_so_is_its_program_bare():
    cost = measure_question(seeds=2)

    assert cost.title == "each of 4 runs of a question"
    assert cost.run[0] > 0.03
    assert cost.bare[0] > 0.03
