"""Where compiled kernels are kept, in place of Numba's own cache.

Numba's takes a kernel for unchanged while its source and the processor are the same. But Numba's
switches change the code too (`NUMBA_OPT`, `NUMBA_BOUNDSCHECK` and others), as do the options that a
function is compiled with; and two processes that compile one function for different types at the
same moment may each take the other's file for their own. Where its folder cannot be written, it
goes, without a word, to `__pycache__` beside the sources, where kernels stay after an update of
what they call. So here each kernel has a file of its own, named by a digest of all that it was made
from. A file that is damaged, or another's, counts as none.
"""

import hashlib
import inspect
import pickle
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core import config
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from siffra.errors import SiffraError
from siffra.system.atomic_write import write_whole

_DIGEST = hashlib.sha256().digest_size

_SAME_CODE = re.compile(
    "CACHE_.*|CHROME_TRACE|COLOR_SCHEME|CUDA_.*|.*NUM_THREADS|DEBUG_CACHE|DISABLE_PERFORMANCE_WARNINGS"
    "|DUMP_.*|FULL_TRACEBACKS|FUNCTION_CACHE_SIZE|GDB_BINARY|HIGHLIGHT_DUMPS|HTML|JIT_COVERAGE"
    "|LLVM_PASS_TIMINGS|PARALLEL_DIAGNOSTICS|SHOW_HELP|THREADING_LAYER.*|TRACE"
)
"""Numba's switches that only say where, how many or what is told. All others have a say in code,
those that a later Numba brings too, as far as is known here."""


def switches() -> tuple[str, ...]:
    """All that code depends on beside its source: versions, and Numba's switches as they are."""
    values = vars(config)
    return (
        f"numba {numba.__version__}",
        f"llvmlite {llvmlite.__version__}",
        *(
            f"{name}={values[name]!r}"
            for name in sorted(values)
            if name.isupper() and not name.startswith("_") and not _SAME_CODE.fullmatch(name)
        ),
    )


class KernelCache(_Cache):
    """Keeps what a function was compiled to, for each kind of arguments, in files in a folder.

    `folder` tells which one, whenever it is asked, or None where nothing can be kept. `options` are
    those that the function is compiled with.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        options: Mapping[str, Any],
        folder: Callable[[], Path | None],
    ) -> None:
        self._folder, self._enabled = folder, True
        source, code = Path(inspect.getfile(function)), function.__code__
        name = f"{source.stem}.{function.__qualname__}-{code.co_firstlineno}"
        self._name = re.sub(r"[<>]", "", name)
        self._made_of = (
            function.__module__,
            name,
            _digest(source),
            code.co_code.hex(),
            sorted((option, repr(value)) for option, value in options.items()),
        )

    @property
    def cache_path(self) -> str | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """See Numba."""
        return None if (folder := self._folder()) is None else str(folder)

    def load_overload(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, sig: Any, target_context: Any
    ) -> CompileResult | None:
        """See Numba."""
        target_context.refresh()
        if not self._enabled or (folder := self._folder()) is None:
            return None
        key = self._key(sig, target_context.codegen())
        try:
            kept = (folder / self._file(key)).read_bytes()
        except OSError:
            return None
        digest, content = kept[:_DIGEST], kept[_DIGEST:]
        if hashlib.sha256(content).digest() != digest:
            return None
        found, payload = pickle.loads(content)
        return CompileResult._rebuild(target_context, *payload) if found == key else None

    def save_overload(self, sig: Any, data: CompileResult) -> None:
        """See Numba; what cannot be kept is none the worse for it."""
        if not self._enabled or any(not lifted.can_cache for lifted in data.lifted):
            return
        if data.library.has_dynamic_globals or (folder := self._folder()) is None:
            return
        key = self._key(sig, data.library.codegen)
        content = dumps((key, data._reduce()))
        with suppress(SiffraError):
            digest = hashlib.sha256(content).digest()
            write_whole(folder / self._file(key), digest + content, SiffraError)

    def enable(self) -> None:
        """See Numba."""
        self._enabled = True

    def disable(self) -> None:
        """See Numba."""
        self._enabled = False

    def flush(self) -> None:
        """See Numba."""
        if folder := self._folder():
            for file in folder.glob(f"{self._name}.*.nbc"):
                file.unlink(missing_ok=True)

    def _key(self, sig: Any, codegen: Any) -> str:
        return repr((sig, codegen.magic_tuple(), self._made_of, switches()))

    def _file(self, key: str) -> str:
        return f"{self._name}.{hashlib.sha256(key.encode()).hexdigest()[:24]}.nbc"


@cache
def _digest(source: Path) -> str:
    """Of a file; nothing where there is none, as of what is typed in."""
    try:
        return hashlib.sha256(source.read_bytes()).hexdigest()
    except OSError:
        return ""
