"""Kernels in a forked process: they go on with other threads than OpenMP's.

GNU's OpenMP does not survive a fork: its threads are gone, and whoever calls them in the child is
killed by Numba, or waits for ever. So where the parent's are at work, a child has its kernels on
several threads linked anew, from the cache, to the threads that Numba brings itself. They compute
the same bits.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from numba.core import config
from numba.core.compiler_lock import global_compiler_lock
from numba.np.ufunc import parallel

_kernels: list[Any] = []
_turn = threading.RLock()


@contextmanager
def turn_at_threads() -> Iterator[None]:
    """Call kernels on several threads within: it waits where those serve one caller at a time.

    OpenMP's serve any number. Those that Numba brings itself, with which forked processes go on and
    machines without OpenMP do, end the process when two call at once. Whoever has a turn must not
    wait for another thread, or nobody goes on: what else is to be held is held before.
    """
    parallel.get_num_threads()  # so that Numba has chosen its threads
    with _turn if parallel.threading_layer() == "workqueue" else nullcontext():
        yield


def _take_own_locks() -> None:
    """Locks of this process alone, which nobody else holds.

    Numba's lock around its threads, which every question for their number takes, is a semaphore
    that a forked process shares with its parent and with all that the parent forks. One that is
    killed while it holds it would leave all the others waiting for ever.
    """
    global _turn
    _turn = threading.RLock()
    parallel._backend_init_thread_lock = threading.RLock()
    parallel._backend_init_process_lock = threading.RLock()


def link_anew_after_forks(kernel: Any) -> None:
    """Have a kernel that runs on several threads linked anew in forked processes."""
    _kernels.append(kernel)


def _go_on_without_openmp() -> None:
    if not (parallel._is_initialized and parallel._threading_layer == "omp"):
        return
    config.THREADING_LAYER = "workqueue"  # pyright: ignore[reportAttributeAccessIssue]
    parallel._is_initialized = False
    parallel._launch_threads()
    for kernel in _kernels:
        if kernel.overloads:
            kernel._make_finalizer()()
            kernel._reset_overloads()


if hasattr(os, "register_at_fork"):
    # Not while another thread compiles: what it has locked, nobody would unlock in the child.
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )
    # In this order: linking kernels anew takes those locks.
    os.register_at_fork(after_in_child=_take_own_locks)
    os.register_at_fork(after_in_child=_go_on_without_openmp)
