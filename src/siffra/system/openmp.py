"""How OpenMP's threads wait for each other: in a loop at first, and asleep after a while.

A step of a small network takes some tens of microseconds, and waking a thread as long again. So
threads that have nothing to do wait in a loop, longer than one of them alone is at work between
two shared parts of a step. But not for milliseconds, as GNU's OpenMP does by itself: where another
program has a core, the thread that they wait for may not run before they give up.

GNU's OpenMP is told in rounds of that loop, not in seconds, and how long a round takes differs
by ten times between CPUs. It is told by a variable of the environment that it reads once, when it
is loaded; a value that the user has set stays. So rounds are timed and OpenMP is loaded here, and
the environment is left as it was found: programs that the process starts are none of our business.
"""

import ctypes
import os
import platform
import time
from contextlib import suppress
from importlib import import_module

import llvmlite.binding as llvm

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
