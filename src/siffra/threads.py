"""Kernels whose loops are shared out over threads, and how those threads wait.

A step of a small network takes some tens of microseconds. OpenMP's threads by default wait for
each other in a loop for milliseconds, which on a machine with anything else to do keeps the
very thread from running that they wait for: a training becomes ten times slower. So they give
up after some ten microseconds and let the system wake them. (GNU's OpenMP reads this once, when
the first kernel starts; a value that the user has set stays.)
"""

import os
from typing import Any

from numba import njit

os.environ.setdefault("GOMP_SPINCOUNT", "10000")

parallel: Any = njit(parallel=True, cache=True, nogil=True)
"""Compiles a function whose `prange` loops run on several threads, without Python's lock."""
