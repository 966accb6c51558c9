"""The machine's limits, and what a network asks of them."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from siffra.bench.roofline import Demand, Limits, demand_of, matrix_peak, middle
from siffra.config import DenseModel
from siffra.engine.network import build_network


def test_the_limit_is_the_greater_of_computing_and_reading():
    limits = Limits(matrix_peak=200.0, bandwidth=50.0)
    demand = Demand(multiplications=10**9, bytes=10**9)

    assert limits.computing(demand) == pytest.approx(0.01)
    assert limits.reading(demand) == pytest.approx(0.02)
    assert limits.seconds(demand) == limits.reading(demand)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_matrix_peak_is_that_of_as_many_threads(threads, monkeypatch):
    seen = []

    def look(work):
        work()
        seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return 1.0

    monkeypatch.setattr("siffra.bench.roofline._best", look)
    matrix_peak(threads)

    assert seen
    assert set(seen) == {threads}


def test_the_middle_is_taken_of_each_limit():
    assert middle([Limits(1, 9), Limits(3, 8), Limits(2, 7)]) == Limits(2, 8)


def test_scoring_asks_for_outputs_only():
    network = build_network(DenseModel(neurons=(4,)), (2, 3, 1), 5)
    images = np.zeros((7, 2, 3, 1), np.uint8)

    assert demand_of(network, images, training=False) == Demand(7 * (6 * 4 + 4 * 5), 42)
