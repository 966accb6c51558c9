"""The command, on a few images: what is timed is the same training, whoever does it."""

import os
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from benchmarks.measure import TOLERANCE, Timing, measure
from benchmarks.peers.base import Peer, Problem
from benchmarks.peers.products import Products
from benchmarks.peers.pytorch import PyTorch
from benchmarks.peers.siffra_native import Siffra
from benchmarks.workers import Turn
from benchmarks.works import WORKS
from siffra.engine.draws import epoch_orders

ROOT = Path(__file__).parents[2]
FEW = 300


def losses(peer: Peer, problem: Problem) -> list[float | None]:
    orders = epoch_orders(len(problem.dataset.train), problem.seed)
    return [peer.train(peer.ready(next(orders))) for _ in range(2)]


@pytest.fixture
def problem(request, digits) -> Problem:
    return Problem(WORKS[request.param].setting, digits(FEW), seed=3, threads=1)


@pytest.mark.parametrize("problem", ["dense", "conv-strides"], indirect=True)
class TestPyTorchAndSiffra:
    def test_have_the_same_losses(self, problem):
        expected = losses(PyTorch(problem), problem)

        assert losses(Siffra(problem), problem) == pytest.approx(expected, rel=1e-5)

    def test_score_alike_before_and_after_training(self, problem):
        siffra, pytorch = Siffra(problem), PyTorch(problem)
        np.testing.assert_allclose(siffra.score(), pytorch.score(), atol=1e-5)
        untrained = siffra.score()

        losses(siffra, problem)
        losses(pytorch, problem)

        np.testing.assert_allclose(siffra.score(), pytorch.score(), atol=1e-5)
        assert np.abs(siffra.score() - untrained).max() > 0.01


@pytest.mark.parametrize("problem", ["dense"], indirect=True)
def test_the_bare_products_end_with_a_partial_batch_and_have_no_loss(problem):
    assert losses(Products(problem), problem) == [None, None]


def test_a_timing_is_its_median_and_the_distance_of_its_quartiles():
    timing = Timing(first=9.0, loss=1.0, seconds=[4.0, 1.0, 2.0, 3.0, 5.0])

    assert timing.median == 3.0
    assert timing.spread == pytest.approx((4.0 - 2.0) / 3.0)


class FakeWorker:
    """A turn takes it 20 seconds; the loss that it reports is its peer's in `LOSSES`."""

    LOSSES: ClassVar = {"siffra": 1.0, "pytorch": 1 + TOLERANCE / 2, "keras": 1 + 2 * TOLERANCE}

    @classmethod
    def start(cls):
        return nullcontext(cls())

    def open(self, peer, work, problem):
        if peer == "jax":
            raise RuntimeError("no such device")
        self.loss = self.LOSSES[peer]

    def turn(self):
        return Turn(20.0, self.loss)

    def peak(self):
        return 100.0


@pytest.mark.parametrize("problem", ["dense"], indirect=True)
def test_who_trains_otherwise_or_fails_is_not_timed(problem, monkeypatch):
    monkeypatch.setattr("benchmarks.measure.Worker", FakeWorker)

    result = measure(
        WORKS["dense"], problem, ["siffra", "keras", "pytorch", "jax"],
        repeats=9, budget=90.0, say=lambda text: None,
    )  # fmt: skip

    assert result.timings.keys() == {"siffra", "pytorch"}
    assert "its first loss is 1.00200, siffra's is 1.00000" in result.refused["keras"]
    assert result.refused["jax"] == "failed: no such device"
    # The fifth turn is the one that uses up 90 seconds.
    assert result.timings["pytorch"].seconds == [20.0] * 5


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT, capture_output=True, text=True, env=os.environ | {"COLUMNS": "120"},
    )  # fmt: skip


def test_the_command_times_siffra_and_pytorch_and_says_what_it_measured():
    done = bench("--work", "dense", "--peer", "pytorch", "--images", str(FEW), "--repeats", "1")

    assert done.returncode == 0, done.stderr
    assert re.search(r"dense 784-32-10, batch 256.*\d\.\d+.*\d\.\d+", done.stdout)
    assert re.search(r"300 images an epoch; matrix peak \d+ GFLOP/s", done.stdout)


def test_a_work_that_there_is_not_is_one_line():
    done = bench("--work", "dens")

    assert done.returncode == 2
    assert done.stderr == "error: --work dens: not known; did you mean `dense`?\n"
