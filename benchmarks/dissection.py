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
from siffra.engine.native import dense_epoch, sparse
from siffra.engine.native.block_training import BlockTrainer
from siffra.engine.native.conv_fused import FusedBlock
from siffra.engine.native.dense import BIAS, INPUTS, NO_DROPS, UNITS, Drops, Kind, part_of
from siffra.engine.native.dense_epoch import Descent
from siffra.engine.native.dense_layer import backward, forward
from siffra.engine.native.engine import NativeEngine
from siffra.engine.native.gather import scale_of
from siffra.engine.native.stack_training import SparseTrainer
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
    trainer = engine._trainer(problem.network, setting.training, data.train, problem.seed)
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
    clock.watch(trainer, "_step", "descent")
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
    """What a `SparseTrainer`'s kernel does on one thread, by as many calls as it has parts.

    Of the layers after the first, products and all else are one function: their products are
    done again, on other numbers, for the clock alone.
    """

    def __init__(self, trainer: SparseTrainer, clock: Clock) -> None:
        self._trainer, self._net = trainer, trainer._net
        kind, net = Kind.of(trainer.parameters), trainer._net
        self._spare = net._replace(work=np.ones_like(net.work), grads=np.zeros_like(net.grads))
        self._again = clock.timed(_products(kind), _AGAIN)
        self._first = clock.timed(_called(sparse.forward), "products")
        self._outer = clock.timed(_called(sparse.add_outer), "products")
        self._others = clock.timed(_called(dense_epoch.stages(kind, True)), "pointwise")
        self._update = clock.timed(_called(dense_epoch.update), "descent")

    def epoch(self, order: np.ndarray) -> None:
        """One pass in `order`."""
        trainer = self._trainer
        size = trainer._batch_size
        count = -(-order.size // size)
        drops = trainer._dropout.draw(count)
        descent = trainer._descent(trainer._next_rates(count))
        for t in range(count):
            start = t * size
            self._step(order, start, min(size, order.size - start), drops, descent, t)

    def _step(
        self, order: np.ndarray, start: int, size: int, drops: Drops, descent: Descent, t: int
    ) -> None:
        trainer, net = self._trainer, self._net
        params, layers, csr = net.params, net.layers, trainer._csr
        scale, columns = scale_of(trainer._x), trainer._columns
        shards, trained = net.grads.shape
        bounds = [start + size * s // shards for s in range(shards + 1)]
        units, blocks = int(layers[0, UNITS]), csr.bounds.size - 1
        for s, (first, last) in enumerate(pairwise(bounds)):
            self._first(
                csr, order, first, last, scale, params, units, params, layers[0, BIAS], net.floor,
                net.work[s],
            )  # fmt: skip
            self._others(
                1, 2 * len(layers) - 1, s, start, size, csr, order, scale, columns, trainer._y,
                drops, descent, net,
            )  # fmt: skip
            self._again(last - first, s, NO_DROPS, self._spare)
        rest = int(layers[0, INPUTS]) * units
        chunk = -(-(trained - rest) // blocks)
        factor = -descent.paces[t, 0] * scale
        for block in range(blocks):
            for s, (first, last) in enumerate(pairwise(bounds)):
                self._outer(
                    csr, block, order, first, last, factor, net.work[s], units, columns, params
                )
            low = rest + block * chunk
            self._update(net, descent, net.grads, low, min(trained, low + chunk), t)


def _called(kernel: Any) -> Any:
    """A kernel that others alone call, for Python."""
    return numba.njit(lambda *arguments: kernel(*arguments))


def _products(kind: Kind) -> Any:
    """The products of all layers of a plain stack but the first, with the sums over its biases."""
    there, back, view = forward(kind), backward(kind), part_of(kind.is_normed)

    @numba.njit
    def run(rows, s, drops, net):
        part, top = view(net, s), net.layers.shape[0] - 1
        for i in range(1, top + 1):
            there(i, rows, 0, rows, drops, part)
        for i in range(top, 0, -1):
            back(i, rows, 0, rows, drops, part)

    return run
