"""Who is timed, and how often."""

import time
from contextlib import nullcontext
from typing import ClassVar

import pytest

from benchmarks.peers.base import Problem
from benchmarks.race import TOLERANCE, Effort, Timing, measure
from benchmarks.workers import PeerWorker, Turn
from siffra.bench.roofline import Demand, Limits
from siffra.bench.workloads import WORKLOADS
from siffra.errors import BenchError


def test_a_timing_is_its_median_and_the_distance_of_its_quartiles():
    timing = Timing(first=9.0, loss=1.0, seconds=[4.0, 1.0, 2.0, 3.0, 5.0])

    assert timing.median == 3.0
    assert timing.spread == pytest.approx((4.0 - 2.0) / 3.0)


class FakeWorker:
    """A turn takes it 20 seconds; the loss that it reports is its peer's in `LOSSES`.

    While steps lead nowhere it is `STILL`.
    """

    STILL = 1.5
    WIDE = ("pytorch",)

    LOSSES: ClassVar = {
        "siffra": 1.0,
        "pytorch": 1 + TOLERANCE / 2,
        "keras": 1 + 2 * TOLERANCE,
        "torch-compile": 1.0,
    }

    @classmethod
    def start(cls):
        return nullcontext(cls())

    def open(self, peer, task, problem):
        if peer == "jax":
            raise BenchError("no such device")
        self.peer, self.turns = peer, 0
        self.moves = problem.learning_rate > 1e-20

    def turn(self):
        self.turns += 1
        if self.peer == "torch-compile" and self.turns == 2:
            raise BenchError("its process died")
        return Turn(20.0, self.LOSSES[self.peer] if self.moves else self.STILL)

    def limits(self, threads):
        self.peer = "NumPy"
        return Limits(matrix_peak=100.0, bandwidth=10.0)

    def used_avx512(self):
        return self.peer in self.WIDE


@pytest.fixture
def problem(digits) -> Problem:
    return Problem(WORKLOADS["dense"].setting, digits(300), seed=3, threads=1)


def test_who_trains_otherwise_or_fails_is_not_timed(problem, monkeypatch):
    monkeypatch.setattr("benchmarks.race.PeerWorker", FakeWorker)

    result = measure(
        WORKLOADS["dense"], problem, ["siffra", "keras", "pytorch", "torch-compile", "jax"],
        Effort(repeats=9, least=3, budget=90.0), say=lambda text: None,
    )  # fmt: skip

    assert result.timings.keys() == {"siffra", "pytorch"}
    assert "its first loss is 1.00200, siffra's is 1.00000" in result.refused["keras"]
    assert result.refused["jax"] == "failed: no such device"
    assert result.refused["torch-compile"] == "failed: its process died"
    # The fifth turn is the one that uses up 90 seconds.
    assert result.timings["pytorch"].seconds == [20.0] * 5
    assert result.images == 300
    # Forward and gradients of weights, and the second layer's gradients of inputs.
    assert result.demand == Demand(300 * (2 * (784 * 32 + 32 * 10) + 32 * 10), 300 * 784)
    assert result.share == pytest.approx(2e-9 * result.demand.multiplications / 100 / 20)


def test_who_learns_nothing_is_not_timed_where_there_is_little_to_learn(problem, monkeypatch):
    monkeypatch.setattr("benchmarks.race.PeerWorker", FakeWorker)
    monkeypatch.setattr(FakeWorker, "STILL", still := 1 + TOLERANCE / 2)
    monkeypatch.setattr(FakeWorker, "LOSSES", {"siffra": 1.0, "pytorch": still, "keras": 1 + 1e-5})

    result = measure(
        WORKLOADS["deep"], problem, ["siffra", "keras", "pytorch"], Effort(1, 1, 9.0),
        say=lambda text: None,
    )  # fmt: skip

    assert result.timings.keys() == {"siffra", "keras"}
    assert result.refused["pytorch"] == (
        "its first loss is 1.00050, siffra's is 1.00000, and no more than 2.5e-05 may lie between"
    )


def test_who_does_not_keep_to_the_vectors_that_all_are_held_to_is_not_timed(problem, monkeypatch):
    monkeypatch.setattr("benchmarks.race.PeerWorker", FakeWorker)
    peers, effort = ["siffra", "pytorch", "torch-compile"], Effort(1, 1, 9.0)

    free = measure(WORKLOADS["dense"], problem, peers, effort, lambda text: None)
    held = measure(WORKLOADS["dense"], problem, peers, effort, lambda text: None, "AVX2")

    assert "pytorch" in free.timings
    assert held.refused["pytorch"] == (
        "failed: it used AVX-512 registers, though all are held to AVX2"
    )
    for wide in ("siffra", "NumPy"):
        monkeypatch.setattr(FakeWorker, "WIDE", (wide,))
        with pytest.raises(BenchError, match="used AVX-512 registers"):
            measure(WORKLOADS["dense"], problem, peers, effort, lambda text: None, "AVX2")


def test_a_peer_that_is_too_slow_has_one_turn_where_that_is_enough(problem, monkeypatch):
    monkeypatch.setattr("benchmarks.race.PeerWorker", FakeWorker)

    result = measure(
        WORKLOADS["dense"], problem, ["siffra"], Effort(repeats=9, least=1, budget=10.0),
        say=lambda text: None,
    )  # fmt: skip

    assert result.timings["siffra"].seconds == [20.0]


def test_a_peer_is_warm_when_a_short_epoch_counts_and_tells_the_first_ones_loss(problem):
    with PeerWorker.start() as worker:
        worker.open("siffra", "train", problem)
        worker.turn()  # compiles
        began = time.monotonic()
        early, later = worker.turn(), worker.turn()
        passed = time.monotonic() - began

    assert early.loss
    assert later.loss
    assert passed >= 2 * 0.5
    assert early.seconds + later.seconds < passed / 2
    assert later.loss < early.loss / 2  # so there were epochs in between
