"""Peers in processes of their own, which are asked in turn for an epoch each.

A process for each peer keeps thread pools, allocators and settings of one library out of the
way of the others; all but the one whose turn it is wait for a message.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from siffra.bench.limits import Limits, measure_limits
from siffra.bench.peers import PEERS
from siffra.bench.peers.base import Peer, Problem
from siffra.bench.vectors import used_avx512
from siffra.bench.works import Task
from siffra.data.dataset import Dataset, Images
from siffra.engine.rng import epoch_orders
from siffra.errors import BenchError

_SETTLE = 0.1
"""Seconds before each turn in which the threads of the last one go to sleep."""
_SHORT = 0.5
"""Seconds that short epochs go on for, as in a training, before the last of them is what counts:
after a pause caches are cold and cores asleep, and a system may keep two threads that it has just
woken on one core."""
_PATIENCE = 300.0
"""Seconds after which a turn is given up; a first one may have to compile for long."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One epoch, or one scoring: seconds of wall time, and the mean loss in nats.

    The loss is None for what computes none.
    """

    seconds: float
    loss: float | None


class Worker:
    """A process in which one peer lives. What it is asked for raises `BenchError` if it fails."""

    def __init__(self, patience: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._patience = patience
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,))
        self._process.start()
        theirs.close()

    @classmethod
    @contextmanager
    def start(cls, patience: float = _PATIENCE) -> Iterator[Self]:
        """A process with nothing in it yet, which ends with the block."""
        worker = cls(patience)
        try:
            yield worker
        finally:
            worker._end()

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return self._process.is_alive()

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
        return self.ask(_used_avx512)

    def ask_rested(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """`ask`, after a pause in which the threads of other processes fall asleep."""
        time.sleep(_SETTLE)
        return self.ask(function, *arguments)

    def ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What `function`, of a module, returns over there."""
        try:
            self._pipe.send((function, arguments))
            if not self._pipe.poll(self._patience):
                self._end()
                raise BenchError(f"took more than {self._patience:.0f} s")
            failed, answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise BenchError("its process died") from error
        if failed:
            raise BenchError(answer)
        return answer

    def _end(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()


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
        self._peer, self._task, self._test = peer, task, problem.dataset.test
        self._orders = epoch_orders(len(problem.dataset.train), problem.seed)

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

    def _once(self) -> Turn:
        return self._epoch() if self._task == "train" else self._scoring()

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
_began: float


def _serve(pipe: Any) -> None:
    """Answer until nobody asks any more."""
    global _began
    _began = time.monotonic()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who asks
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # TensorFlow writes there whatever one sets
    while True:
        try:
            function, arguments = pipe.recv()
        except EOFError:
            return
        try:
            answer = False, function(*arguments)
        except Exception as error:  # whatever a library raises: it is told, and others are asked
            answer = True, next(iter(str(error).splitlines()), repr(error))
        pipe.send(answer)


def _open(peer: str, task: Task, problem: Problem) -> None:
    global _place
    if _place:
        _place.close()
    _place = _Place(PEERS[peer].load()(problem), task, problem)


def _used_avx512() -> bool:
    return used_avx512(_began)


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
