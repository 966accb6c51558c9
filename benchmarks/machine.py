"""The machine: how many threads all may use, and how fast its matrix products are at best."""

import os
import time

import numpy as np

_SIDE = 2048
_REPEATS = 3
_THREAD_COUNTS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


def available_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def hold_to(threads: int) -> None:
    """Give all processes that are started from here on `threads` threads.

    On Linux they are also given no more cores than that, which every library heeds; elsewhere
    JAX uses all cores.
    """
    os.environ.update(dict.fromkeys(_THREAD_COUNTS, str(threads)))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def matrix_peak() -> float:
    """GFLOP/s of a large float32 matrix product by NumPy's BLAS: the best of a few."""
    a = np.ones((_SIDE, _SIDE), np.float32)
    out = np.empty_like(a)
    seconds = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        np.dot(a, a, out=out)
        seconds.append(time.perf_counter() - started)
    return 2 * _SIDE**3 / min(seconds) / 1e9
