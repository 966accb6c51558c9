"""Peers in processes of their own, which are asked in turn for an epoch each."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.peers import PEERS
from benchmarks.peers.base import Peer, Problem
from benchmarks.vectors import used_avx512
from siffra.bench.roofline import Limits, measure_limits
from siffra.bench.worker import Worker
from siffra.bench.workloads import Task
from siffra.data.dataset import Dataset, Images
from siffra.engine.rng import epoch_orders

_SHORT = 0.5
"""Seconds that short epochs go on for, as in a training, before the last of them is what counts:
after a pause caches are cold and cores asleep, and a system may keep two threads that it has just
woken on one core."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One epoch, or one scoring: seconds of wall time, and the mean loss in nats.

    The loss is None for what computes none.
    """

    seconds: float
    loss: float | None


class PeerWorker(Worker):
    """A process in which one peer lives. What it is asked for raises `BenchError` if it fails."""

    def __init__(self, patience: float) -> None:
        super().__init__(patience)
        self._began: float = self.ask(time.monotonic)

    def open(self, peer: str, task: Task, problem: Problem) -> None:
        """Import the peer's library and build its network, in place of any before."""
        self.ask(_open, peer, task, problem)

    def turn(self) -> Turn:
        """One epoch or one scoring."""
        return self.ask_rested(_turn)

    def limits(self, threads: int) -> Limits:
        """The machine's limits, as they are now."""
        return self.ask_rested(measure_limits, threads)

    def used_avx512(self) -> bool:
        """Whether anything over there has used AVX-512's registers."""
        return self.ask(used_avx512, self._began)


def read_images(train: int, test: int) -> Dataset:
    """MNIST's first `train` training and `test` test images, and no others.

    They are read by another process: siffra's loader decides how OpenMP's threads wait, and
    what is started from here would inherit that.
    """
    with Worker.start() as worker:
        return worker.ask(_read, train, test)


class _Place:
    """What a worker's process holds between two turns."""

    def __init__(self, peer: Peer, task: Task, problem: Problem) -> None:
        self._peer, self._test = peer, problem.dataset.test
        self._orders = epoch_orders(len(problem.dataset.train), problem.seed)
        self._once: Callable[[], Turn] = self._epoch if task == "train" else self._scoring

    def close(self) -> None:
        """End what the peer does in the background."""
        self._peer.close()

    def turn(self) -> Turn:
        """One epoch or scoring; of short ones a later one, with the loss of the first."""
        until = time.perf_counter() + _SHORT
        last = first = self._once()
        while time.perf_counter() < until:
            last = self._once()
        return replace(last, loss=first.loss)

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


_place: _Place | None = None


def _open(peer: str, task: Task, problem: Problem) -> None:
    global _place
    if _place:
        _place.close()
    _place = _Place(PEERS[peer].load()(problem), task, problem)


def _turn() -> Turn:
    assert _place, "nothing was opened"
    return _place.turn()


def _read(train: int, test: int) -> Dataset:
    from siffra.data.load import load_dataset

    full = load_dataset()
    none = Images(full.test.x[:0], full.test.y[:0])
    return replace(
        full,
        train=Images(full.train.x[:train], full.train.y[:train]),
        test=Images(full.test.x[:test], full.test.y[:test]),
        val=none, shifted={}, drawn={}, strengths={},
    )  # fmt: skip
