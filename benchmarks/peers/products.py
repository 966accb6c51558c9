"""No library: the matrix products that a network of dense layers cannot do without, alone."""

import time
from itertools import pairwise
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.peers.base import Peer, Problem

_TRIAL = 50
"""Steps on one thread, and as many on all, to see which is faster."""


class Products(Peer):
    """An epoch's products by NumPy's BLAS: outputs, gradients of kernels, gradients of inputs.

    On one thread or on all, whichever is faster. The first layer's inputs need no gradient.
    There is no gather, no ReLU, no softmax and no update. Convolutions are not counted: they
    need not be done as matrix products.
    """

    def __init__(self, problem: Problem) -> None:
        """See `Peer`."""
        self._batch_size = problem.batch_size
        denses = problem.network.denses
        widths = [denses[0].inputs, *(dense.units for dense in denses)]
        self._activations = [np.ones((self._batch_size, n), np.float32) for n in widths]
        # Means of their inputs: numbers stay near 1 through any number of layers.
        self._kernels = [np.full(s, 1 / s[0], np.float32) for s in pairwise(widths)]
        self._grads = [np.empty_like(kernel) for kernel in self._kernels]
        self._threads = min((1, problem.threads), key=self._seconds)

    def train(self, ready: Any) -> None:
        """See `Peer`."""
        with threadpool_limits(self._threads, "blas"):
            for start in range(0, len(ready), self._batch_size):
                self._step(min(self._batch_size, len(ready) - start))

    def score(self) -> None:
        """See `Peer`."""

    def _seconds(self, threads: int) -> float:
        with threadpool_limits(threads, "blas"):
            self._step(self._batch_size)
            started = time.perf_counter()
            for _ in range(_TRIAL):
                self._step(self._batch_size)
            return time.perf_counter() - started

    def _step(self, size: int) -> None:
        activations = [array[:size] for array in self._activations]
        layers = list(zip(self._kernels, self._grads, pairwise(activations), strict=True))
        for kernel, _, (x, y) in layers:
            np.dot(x, kernel, out=y)
        for number, (kernel, grads, (x, dy)) in reversed(list(enumerate(layers))):
            np.dot(x.T, dy, out=grads)
            if number:
                np.dot(dy, kernel.T, out=x)


PEER = Products
