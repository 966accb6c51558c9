"""Kernels: how Numba compiles them and where it keeps them.

Compiled kernels are kept by a cache of siffra's own (`jit_cache`). What a kernel calls from
other files is part of it, so each state of the engine's files has a folder of its own. (Those of
states that are long gone are removed from siffra's own cache; in a folder that the user has named,
nothing is.)

Kernels that differ by a variable of the function around them have one name among them, to which
Numba adds a number that counts in each process anew. Two that were compiled by different processes
may come out as the same, and whatever calls both then calls one of them twice, without a word: its
results are wrong. So such a kernel bears its variables in its name: values, and a digest of the
name of each kernel that it is made with.

What a kernel calls, Numba takes into it and compiles with it once more, and a `prange` loop's body
four times over. So large kernels are `noinline`: compiled once, and called by their address.
"""

import hashlib
import inspect
import re
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import platformdirs
from numba import njit
from numba.core import cgutils, types
from numba.core import config as _config
from numba.extending import intrinsic, register_jitable

from siffra.system import jit_cache
from siffra.system.jit_cache import KernelCache, in_use, private_folder
from siffra.system.jit_threads import link_anew_after_forks, load_openmp

load_openmp()  # before the first kernel does

_numba: Any = _config  # whose values are set when it is imported, which type checkers can't see
_ENGINE = Path(__file__).parents[1] / "engine" / "native"


_NOT_FOR_C: dict[str, Any] = {"no_cfunc_wrapper": True}  # a way in that nobody takes


def _compiled(function: Any = None, /, **options: Any) -> Any:
    if function is None:
        return partial(_compiled, **options)
    _name_by_variables(function)
    kernel: Any = njit(**_NOT_FOR_C | options)(function)
    if not _numba.DISABLE_JIT:
        kernel._cache = KernelCache(function, options, kernel_folder)
        if options.get("parallel"):
            link_anew_after_forks(kernel)
    return kernel


compiled: Any = _compiled
"""Compiles a function; what it compiles is kept on disk. Options are those of `numba.njit`."""

parallel: Any = partial(_compiled, parallel=True, nogil=True)
"""Compiles a function whose `prange` loops run on several threads, without Python's lock."""

noinline_kernels: dict[str, Any] = {}
"""The `noinline` kernels, by name."""
_inline_kernels: set[str] = set()
"""The names of `inline` ones."""


def inline(function: Any = None, /, **options: Any) -> Any:
    """Lets kernels call a function, which becomes part of each."""
    if function is None:
        return partial(inline, **options)
    _name_by_variables(function)
    _inline_kernels.add(_full_name(function))
    return (register_jitable(**options) if options else register_jitable)(function)


def noinline(function: Any) -> Any:
    """Compiles a function that kernels alone call, once, by itself.

    What calls it is compiled in less time, but cannot be made one with it, so this is for what
    does more than a call costs. A `compiled` function that calls it is not to be called by kernels:
    Numba would forget what that one needs.
    """
    kernel = _compiled(function, no_cpython_wrapper=True)
    name = _full_name(function)
    noinline_kernels[name] = kernel
    if _numba.DISABLE_JIT:
        return kernel

    def call(typing_context, *arguments):
        place = _Place(name, arguments)
        result = place()
        return result(*arguments), place.emit_call

    context = inspect.Parameter("typing_context", inspect.Parameter.POSITIONAL_ONLY)
    signature = inspect.signature(function)
    call.__signature__ = signature.replace(parameters=[context, *signature.parameters.values()])
    for attribute in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(call, attribute, getattr(function, attribute))
    return intrinsic(call)


class _Place(NamedTuple):
    """Where a `noinline` kernel is, for these types of arguments.

    Numba keeps it with what calls that kernel, and calls it before it loads that from the cache.
    """

    kernel: str
    arguments: tuple[types.Type, ...]

    def __call__(self) -> types.Type:
        """Have the kernel in memory, and LLVM know where; returns the type of its result."""
        kernel = noinline_kernels[self.kernel]
        kernel.compile(self.arguments)
        made = kernel.overloads[self.arguments]
        llvm.add_symbol(
            self._symbol, made.library.get_pointer_to_function(made.fndesc.llvm_func_name)
        )
        return made.signature.return_type

    @property
    def _symbol(self) -> str:
        return f"{self.kernel}({', '.join(map(str, self.arguments))})"

    def emit_call(self, context, builder, signature, values):
        """A call of the kernel, as Numba would make it; an error there is one here."""
        context.active_code_library._reload_init.add(self)
        convention, result = context.call_conv, signature.return_type
        kind = convention.get_function_type(result, signature.args)
        callee = cgutils.get_or_insert_function(builder.module, kind, self._symbol)
        status, value = convention.call_function(builder, callee, result, signature.args, values)
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return value


def _name_by_variables(function: Any) -> None:
    """Put the variables that a function has from around it into its name.

    Raises:
        TypeError: One is neither a plain value nor a kernel that kernels alone call, which has a
            name. (Another compiled function is another one in each process, and so a kernel that
            holds it would never be found among those kept.)
    """
    names = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    values = {name: cell.cell_contents for name, cell in names}
    suffix = "".join(
        f"_{name}_{_as_name(value, f'{function.__qualname__}: {name}')}"
        for name, value in sorted(values.items())
    )
    function.__qualname__ += re.sub(r"\W", "_", suffix)


def _as_name(value: Any, what: str) -> str:
    if isinstance(value, bool | int | float | str):
        return str(value)
    name = _full_name(value)
    if name in noinline_kernels or name in _inline_kernels:  # names of files must not be long
        return hashlib.sha256(name.encode()).hexdigest()[:8]
    raise TypeError(f"{what} is {value!r}, no plain value and no kernel that kernels call")


def _full_name(function: Any) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"


def kernel_folder() -> Path | None:
    """Where this process keeps the kernels of this state.

    Where no lasting folder can be used, it is one of this process and of those that it starts;
    None if there is no such folder either.
    """
    return lasting_folder() or private_folder(sources())


def lasting_folder() -> Path | None:
    """Where all processes keep the kernels of this state: beneath NUMBA_CACHE_DIR if that is set.

    None if it cannot be written, or is not this user's alone.
    """
    chosen = _numba.CACHE_DIR
    root = Path(chosen) if chosen else platformdirs.user_cache_path("siffra") / "kernels"
    return in_use(root / sources(), clears=not chosen)


@cache
def sources() -> str:
    """A name for the state of the files that kernels are made of."""
    digest = hashlib.sha256()
    for path in [*sorted(_ENGINE.glob("*.py")), Path(__file__), Path(jit_cache.__file__)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
