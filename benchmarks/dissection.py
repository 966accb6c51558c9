"""A training of the native engine's, its parts timed one by one."""

import time
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numba
import numpy as np

from benchmarks.peers.base import Problem
from siffra.bench.roofline import demand_of
from siffra.engine.native import dense
from siffra.engine.native.block_training import BlockTrainer
from siffra.engine.native.conv_fused import FusedBlock
from siffra.engine.native.engine import NativeEngine
from siffra.engine.native.sparse import add_outer
from siffra.engine.native.training import SparseTrainer
from siffra.engine.native.unfused import UnfusedBlock
from siffra.engine.rng import epoch_orders

_AGAIN = "products done again"


class Clock:
    """Seconds by part. One part's calls may make another's, whose seconds are then its alone."""

    def __init__(self) -> None:
        self._open = ["rest"]
        self._since = time.perf_counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def watch(self, owner: Any, method: str, part: str) -> None:
        """Have an object's calls of `method` count as `part`."""
        setattr(owner, method, self.timed(getattr(owner, method), part))

    def timed(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        """`function`, whose seconds count as `part`."""

        def run(*arguments: Any) -> Any:
            self._charge()
            self._open.append(part)
            try:
                return function(*arguments)
            finally:
                self._charge()
                self._open.pop()

        return run

    def take(self) -> dict[str, float]:
        """The seconds since this was last asked."""
        self._charge()
        taken, self._seconds = dict(self._seconds), defaultdict(float)
        return taken

    def _charge(self) -> None:
        now = time.perf_counter()
        self._seconds[self._open[-1]] += now - self._since
        self._since = now


def dissect(problem: Problem, repeats: int) -> tuple[int, int, dict[str, list[float]]]:
    """On how many threads, the multiply-adds of an epoch, and the seconds of `repeats` by part.

    Raises:
        TypeError: The engine trains the network in a way that is not known here.
    """
    engine, setting, data = NativeEngine(problem.threads), problem.setting, problem.dataset
    trainer = engine._trainer(
        problem.network, problem.weights, setting.training, data.train, problem.seed
    )
    clock = Clock()
    if isinstance(trainer, BlockTrainer):
        _watch(clock, trainer)
        epoch, threads = trainer.epoch, problem.threads
    elif isinstance(trainer, SparseTrainer):
        epoch, threads = InPieces(trainer, clock).epoch, 1
    else:
        raise TypeError(f"{type(trainer).__name__} is not taken apart yet")
    orders = epoch_orders(len(data.train), problem.seed)
    parts: defaultdict[str, list[float]] = defaultdict(list)
    with NativeEngine(threads).hold_threads():
        epoch(next(orders))  # compiles
        for _ in range(repeats):
            order = next(orders)
            clock.take()
            epoch(order)
            for part, seconds in _alone(clock.take()).items():
                parts[part].append(seconds)
    demand = demand_of(problem.network, data.train.x, training=True)
    return threads, demand.multiplications, dict(parts)


def _alone(taken: dict[str, float]) -> dict[str, float]:
    """The seconds by part, products that were done again taken off what they were first part of."""
    again = taken.pop(_AGAIN, 0.0)
    if again:
        taken["products"] += again
        taken["pointwise"] -= again
    return taken


def _watch(clock: Clock, trainer: BlockTrainer) -> None:
    clock.watch(trainer, "_gather", "gather")
    clock.watch(trainer, "_update", "descent")
    for block in trainer._sequential.blocks:
        # A fused convolution's products, bias, ReLU and pooling are one kernel.
        part = "products" if isinstance(block, FusedBlock) else "pointwise"
        for method in ("forward", "backward", "input_gradient", "learn"):
            if hasattr(block, method):
                clock.watch(block, method, part)
        if isinstance(block, UnfusedBlock):
            for method in ("forward", "weight_gradient", "input_gradient"):
                clock.watch(block._linear, method, "products")


class InPieces:
    """What `dense.sparse_epoch_on_one_thread` does, by as many calls as it has parts.

    Of the layers after the first, products and all else are one function: their products are
    done again, on other numbers, for the clock alone.
    """

    def __init__(self, trainer: SparseTrainer, clock: Clock) -> None:
        self._trainer = trainer
        self._work, self._grads = np.ones_like(trainer._work), np.zeros_like(trainer._grads)
        self._again = clock.timed(numba.njit(_products), _AGAIN)
        self._first = clock.timed(_called(dense.sparse_forward_first), "products")
        self._outer = clock.timed(_called(add_outer), "products")
        self._others = clock.timed(_called(dense.step_after_first), "pointwise")
        self._update = clock.timed(_called(dense.update), "descent")

    def epoch(self, order: np.ndarray) -> None:
        """One pass in `order`."""
        size = self._trainer._batch_size
        for start in range(0, order.size, size):
            self._step(order, start, min(size, order.size - start))

    def _step(self, order: np.ndarray, start: int, size: int) -> None:
        t = self._trainer
        csr, layers, sgd, shards = t._csr, t._layers, t._sgd, len(t._work)
        bounds = [start + size * s // shards for s in range(shards + 1)]
        units, blocks = int(layers[0, 1]), csr.bounds.size - 1
        for s, (first, last) in enumerate(pairwise(bounds)):
            work, grads = t._work[s], t._grads[s]
            self._first(csr, order, first, last, sgd.scale, t.params, layers, work)
            self._others(
                last - first, t._y, order, first, 1.0 / size, t.params, layers, work, grads
            )
            self._again(last - first, t.params, layers, self._work[s], self._grads[s])
        rest = int(layers[0, 0]) * units
        chunk = -(-(t.params.size - rest) // blocks)
        scale = -sgd.rate * sgd.scale
        for block in range(blocks):
            for s, (first, last) in enumerate(pairwise(bounds)):
                self._outer(
                    csr, block, order, first, last, scale, t._work[s], units, t._csc, t.params
                )
            low = rest + block * chunk
            high = min(t.params.size, low + chunk)
            self._update(t.params, t._velocity, t._grads, low, high, sgd)


def _called(kernel: Any) -> Any:
    """A kernel that others alone call, for Python."""
    return numba.njit(lambda *arguments: kernel(*arguments))


def _products(rows, params, layers, work, grads):
    """The products of all layers but the first, as `dense.step_after_first` does them."""
    at = dense.forward_after_first(rows, params, layers, work)
    for i in range(layers.shape[0] - 1, 0, -1):
        at = dense.backward(i, at, rows, params, layers, work, grads)
