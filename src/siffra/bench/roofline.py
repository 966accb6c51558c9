"""The machine: how many threads all may use, and the limits that no training gets past.

Nothing here starts siffra's own threads: it decides how OpenMP's threads wait, and what is
started from a process inherits that.
"""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

from siffra.engine.network import Network

_SIDE = 2048
_FLOATS = 64 * 2**20
"""Numbers of an array that no cache holds."""
_REPEATS = 3
_THREAD_COUNTS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


@dataclass(frozen=True, slots=True)
class Demand:
    """What a work asks of a machine: multiply-adds, and bytes that must come from memory."""

    multiplications: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What a machine does at best: float32 products in GFLOP/s, memory traffic in GB/s."""

    matrix_peak: float
    bandwidth: float

    def seconds(self, demand: Demand) -> float:
        """The least time for a work that skips nothing."""
        return max(self.computing(demand), self.reading(demand))

    def computing(self, demand: Demand) -> float:
        """The least time for the multiply-adds alone."""
        return 2e-9 * demand.multiplications / self.matrix_peak

    def reading(self, demand: Demand) -> float:
        """The least time for the bytes alone."""
        return 1e-9 * demand.bytes / self.bandwidth


def middle(measured: Sequence[Limits]) -> Limits:
    """The medians of several measurements."""
    return Limits(
        median(limits.matrix_peak for limits in measured),
        median(limits.bandwidth for limits in measured),
    )


def demand_of(network: Network, images: np.ndarray, *, training: bool) -> Demand:
    """What an epoch of training on `images`, or scoring them, asks for.

    Every pixel and position counts. A training needs outputs, gradients of weights and gradients
    of inputs, but for the first layer's inputs. Of the bytes only those of the images must come
    from memory: weights and activations may stay in caches.
    """
    per_image = network.multiplications
    if training:
        per_image = 3 * per_image - network.layers[0].multiplications
    return Demand(len(images) * per_image, images.nbytes)


def measure_limits(threads: int) -> Limits:
    """The machine's limits, as they are now; takes about a second and half a gigabyte."""
    return Limits(matrix_peak(threads), memory_bandwidth(threads))


def matrix_peak(threads: int) -> float:
    """GFLOP/s of a large float32 matrix product by NumPy's BLAS on `threads`: the best of a few."""
    a = np.ones((_SIDE, _SIDE), np.float32)
    out = np.empty_like(a)
    with threadpool_limits(threads, "blas"):
        return 2 * _SIDE**3 / _best(lambda: np.dot(a, a, out=out)) / 1e9


def memory_bandwidth(threads: int) -> float:
    """GB/s of copying a large array on `threads` threads, what is read and what is written.

    Source: the copy kernel of McCalpin 1995, STREAM.
    """
    source, target = np.ones(_FLOATS, np.float32), np.ones(_FLOATS, np.float32)
    parts = list(zip(*(np.array_split(a, threads) for a in (target, source)), strict=True))
    with ThreadPoolExecutor(threads) as pool:
        seconds = _best(lambda: list(pool.map(lambda part: np.copyto(*part), parts)))
    return 2 * source.nbytes / seconds / 1e9


def _best(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def limit_threads(threads: int) -> None:
    """Give all processes that are started from here on `threads` threads.

    On Linux they are also given no more cores than that, which every library heeds; elsewhere
    JAX uses all cores.
    """
    os.environ.update(dict.fromkeys(_THREAD_COUNTS, str(threads)))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
