"""Peers in processes of their own, which are asked in turn for an epoch each.

A process for each peer keeps thread pools, allocators and settings of one library out of the
way of the others; all but the one whose turn it is wait for a message.
"""

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from benchmarks.machine import matrix_peak
from benchmarks.peers import PEERS
from benchmarks.peers.base import Peer, Problem
from benchmarks.works import Work
from siffra.data.dataset import Dataset, Images
from siffra.engine.draws import epoch_orders

_SETTLE = 0.1
"""Seconds before each turn in which the threads of the last one go to sleep."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One epoch, or one scoring: seconds of wall time, and the mean loss in nats.

    The loss is None for what computes none.
    """

    seconds: float
    loss: float | None


class Worker:
    """A process in which one peer lives."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    @classmethod
    @contextmanager
    def start(cls) -> Iterator[Self]:
        """A process with nothing in it yet."""
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            yield cls(pool)

    def open(self, peer: str, work: Work, problem: Problem) -> None:
        """Import the peer's library and build its network."""
        self._pool.submit(_open, peer, work, problem).result()

    def turn(self) -> Turn:
        """One epoch or one scoring."""
        time.sleep(_SETTLE)
        return self._pool.submit(_turn).result()

    def peak(self) -> float:
        """The machine's matrix peak, in GFLOP/s."""
        time.sleep(_SETTLE)
        return self._pool.submit(matrix_peak).result()


def read_images(train: int, test: int) -> Dataset:
    """MNIST's first `train` training and `test` test images, and no others.

    They are read by another process: siffra's loader decides how OpenMP's threads wait, and
    what is started from here would inherit that.
    """
    with Worker.start() as worker:
        return worker._pool.submit(_read, train, test).result()


class _Place:
    """What a worker's process holds between two turns."""

    def __init__(self, peer: Peer, work: Work, problem: Problem) -> None:
        self._peer, self._work, self._test = peer, work, problem.dataset.test
        self._orders = epoch_orders(len(problem.dataset.train), problem.seed)

    def turn(self) -> Turn:
        return self._epoch() if self._work.task == "train" else self._scoring()

    def _epoch(self) -> Turn:
        ready = self._peer.ready(next(self._orders))
        started = time.perf_counter()
        loss = self._peer.train(ready)
        return Turn(time.perf_counter() - started, loss)

    def _scoring(self) -> Turn:
        started = time.perf_counter()
        p = self._peer.score()
        seconds = time.perf_counter() - started
        if p is None:
            return Turn(seconds, None)
        y = self._test.y
        return Turn(seconds, float(-np.log(p[np.arange(len(y)), y]).mean()))


_place: _Place


def _open(peer: str, work: Work, problem: Problem) -> None:
    global _place
    _place = _Place(PEERS[peer].load()(problem), work, problem)


def _turn() -> Turn:
    return _place.turn()


def _read(train: int, test: int) -> Dataset:
    from siffra.data.load import load_dataset

    full = load_dataset()
    none = Images(full.test.x[:0], full.test.y[:0])
    return replace(
        full,
        train=Images(full.train.x[:train], full.train.y[:train]),
        test=Images(full.test.x[:test], full.test.y[:test]),
        val=none, moved=none, rotated=none, drawn={},
    )  # fmt: skip
