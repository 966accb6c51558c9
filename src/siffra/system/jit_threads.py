"""The threads that kernels run on: how OpenMP's wait for each other, and what a fork does to them.

OpenMP's threads wait in a loop at first, and asleep after a while. A step of a small network takes
some tens of microseconds, and waking a thread as long again. So threads that have nothing to do
wait in a loop, longer than one of them alone is at work between two shared parts of a step. But not
for milliseconds, as GNU's OpenMP does by default: where another program has a core, the thread that
they wait for may not run before they give up.

GNU's OpenMP counts rounds of that loop, not seconds, and how long a round takes differs by ten
times between CPUs. It reads an environment variable once, when it is loaded; a value that the user
has set stays. So rounds are timed and OpenMP is loaded here, and the environment is left as it was
found: programs that the process starts are none of our business.

GNU's OpenMP does not survive a fork: its threads are gone, and whoever calls them in the child is
killed by Numba, or waits for ever. So where the parent's are at work, a child has its kernels on
several threads linked anew, from the cache, to the threads that Numba brings itself. They compute
the same bits.
"""

import ctypes
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from importlib import import_module
from typing import Any

import llvmlite.binding as llvm
from numba.core import config
from numba.core.compiler_lock import global_compiler_lock
from numba.np.ufunc import parallel

_WAIT = 200e-6
"""Seconds in a loop: one thread's part of a convolution's step takes 100 to 200 us."""
_VARIABLE = "GOMP_SPINCOUNT"
_ROUNDS, _REPEATS = 2000, 5
_X86 = ("x86_64", "amd64", "i686")

# GNU's own loop, libgomp's `do_spin`: on other CPUs than x86 it does nothing between two looks.
_LOOP = """
define void @wait(ptr %word, i64 %rounds) {{
entry:
  br label %look
look:
  %left = phi i64 [ %rounds, %entry ], [ %less, %look ]
  %seen = load volatile i32, ptr %word
  call void asm sideeffect "{pause}", "~{{memory}}"()
  %less = sub i64 %left, 1
  %none = icmp eq i64 %less, 0
  br i1 %none, label %end, label %look
end:
  ret void
}}
"""

_kernels: list[Any] = []
_turn = threading.RLock()


def load_openmp() -> None:
    """Load the OpenMP that kernels run on, such that its threads wait for as long as they should.

    Does nothing where there is none; where it was loaded before, it keeps what it had then.
    """
    is_set = _VARIABLE in os.environ
    if not is_set:
        os.environ[_VARIABLE] = str(rounds_for(_WAIT))
    try:
        with suppress(ImportError):
            import_module("numba.np.ufunc.omppool")
    finally:
        if not is_set:
            del os.environ[_VARIABLE]


def rounds_for(seconds: float) -> int:
    """How many rounds of the loop take so long on this CPU; takes some milliseconds itself."""
    return max(1, round(seconds / _seconds_a_round()))


def _seconds_a_round() -> float:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()
    pause = "pause" if platform.machine().lower() in _X86 else ""
    machine = llvm.Target.from_default_triple().create_target_machine()
    compiled = llvm.create_mcjit_compiler(llvm.parse_assembly(_LOOP.format(pause=pause)), machine)
    compiled.finalize_object()
    address = compiled.get_function_address("wait")
    wait = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(address)
    word = ctypes.c_int32(0)
    times = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        wait(ctypes.addressof(word), _ROUNDS)
        times.append(time.perf_counter() - started)
    # The quickest: in any other, some other program may have had the core.
    return min(times) / _ROUNDS


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


def link_anew_after_forks(kernel: object) -> None:
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
