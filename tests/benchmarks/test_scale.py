"""The simulation of a large cluster, where its answer can be worked out by hand."""

import pytest

from benchmarks.scale import simulate


def test_with_a_driver_that_costs_nothing_the_cpus_set_the_pace():
    found = simulate(0.0, 10.0, runs=10_000, slots=100)

    # As much work as there is, over all CPUs, and no more than a long run's idling at the end.
    assert found.hours * 3600 == pytest.approx(10_000 * 10 / 100, rel=0.05)
    assert found.busy > 0.95


def test_with_a_slow_driver_it_sets_the_pace():
    found = simulate(1.0, 10.0, runs=10_000, slots=100)

    assert found.hours * 3600 == pytest.approx(10_000 * 1.0, rel=0.02)
    assert found.busy == pytest.approx(10 / 100, rel=0.05)


def test_fewer_runs_than_cpus_take_as_long_as_the_longest():
    found = simulate(0.0, 10.0, runs=20, slots=100)

    assert 10 < found.hours * 3600 < 30
