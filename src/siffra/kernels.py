"""Kernels: how Numba compiles them, where it keeps them, and how their threads wait.

A step of a small network takes some tens of microseconds. OpenMP's threads by default wait for
each other in a loop for milliseconds, which on a machine with anything else to do keeps the
very thread from running that they wait for: a training becomes ten times slower. So they give
up after some ten microseconds and let the system wake them. (GNU's OpenMP reads this once, when
the first kernel starts; a value that the user has set stays.)

Numba takes a kernel for unchanged while the file that it stands in is. But what it calls from
other files is part of it too, and after an update the old one would go on being used. Nor does it
tell a function compiled for one thread from the same one for many: whichever was kept first would
be used for both. So compiled kernels are kept in a folder of their own for each state of the
engine's files, and for each way of compiling. (Those of states that are long gone are removed from
siffra's own cache; in a folder that the user has named, nothing is.)

Kernels that differ by a variable of the function around them have one name among them, to which
Numba adds a number that counts in each process anew. Two that were compiled by different processes
may come out as the same, and whatever calls both then calls one of them twice, without a word: its
results are wrong. So such a kernel bears its variables in its name.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import platformdirs
from numba import njit
from numba.core import config as _config

from siffra.kernel_folders import in_use

os.environ.setdefault("GOMP_SPINCOUNT", "10000")

_numba: Any = _config  # whose values are set when it is imported, which type checkers can't see
_ENGINE = Path(__file__).parent / "engine" / "native"


def _compiled(function: Any = None, /, **options: Any) -> Any:
    if function is None:
        return partial(_compiled, **options)
    _name_by_variables(function)
    with _folder_for(options):
        return njit(cache=True, **options)(function)


compiled: Any = _compiled
"""Compiles a function; what it compiles is kept on disk. Options are those of `numba.njit`."""

parallel: Any = partial(_compiled, parallel=True, nogil=True)
"""Compiles a function whose `prange` loops run on several threads, without Python's lock."""


def _name_by_variables(function: Any) -> None:
    """Put the variables that a function has from around it into its name.

    Raises:
        TypeError: One is no plain value. (A compiled function, say, is another in each process,
            and so a kernel that holds one would never be found among those kept.)
    """
    values = {
        name: cell.cell_contents
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        )
    }
    for name, value in values.items():
        if not isinstance(value, bool | int | float | str):
            raise TypeError(f"{function.__qualname__}: {name} is {value!r}, no plain value")
    told = "".join(f"_{name}_{value}" for name, value in sorted(values.items()))
    function.__qualname__ += re.sub(r"\W", "_", told)


@contextmanager
def _folder_for(options: Mapping[str, Any]) -> Iterator[None]:
    """Numba's folder for as long as this lasts; the user's own kernels stay where they are."""
    chosen = _numba.CACHE_DIR
    folder = kernel_folder()
    way = "-".join(sorted(f"{name}={value}" for name, value in options.items())) or "plain"
    _numba.CACHE_DIR = str(folder / way)
    try:
        yield
    finally:
        _numba.CACHE_DIR = chosen


def kernel_folder() -> Path:
    """Where processes keep the kernels of this state: beneath NUMBA_CACHE_DIR if that is set."""
    if chosen := _numba.CACHE_DIR:
        return Path(chosen) / sources()
    return in_use(platformdirs.user_cache_path("siffra") / "kernels" / sources())


@cache
def sources() -> str:
    """A name for the state of the files that kernels are made of."""
    digest = hashlib.sha256()
    for path in [*sorted(_ENGINE.glob("*.py")), Path(__file__)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
