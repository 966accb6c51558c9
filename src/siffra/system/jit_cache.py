"""Where compiled kernels are kept, in place of Numba's own cache.

Numba's takes a kernel for unchanged while its source and the processor are the same. But Numba's
switches change the code too (`NUMBA_OPT`, `NUMBA_BOUNDSCHECK` and others), as do the options that a
function is compiled with; and two processes that compile one function for different types at the
same moment may each take the other's file for their own. Where its folder cannot be written, it
falls back, silently, to `__pycache__` beside the sources, where kernels stay after an update of
what they call. So here each kernel has a file of its own, named by a digest of all that it was made
from. A file that is damaged, or another's, counts as none.

Each state of the sources has a folder. Whoever loads a kernel runs it, so a folder is used only if
it is this user's and nobody else may write there. Where there is none, for want of room, of rights
or of a home, this process has a private one, shared with those that it starts, and removes it when
it ends. A folder takes some 10 MB, and an update leaves one behind: old ones are removed.
"""

import atexit
import hashlib
import inspect
import os
import pickle
import re
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
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
from siffra.system.atomic_write import part_folder, write_whole

LONG = 30 * 24 * 3600.0
"""Seconds after which a folder that no process has used is removed."""
PRIVATE = "SIFFRA_KERNELS"
"""The variable that tells the processes which this one starts where its private folder is."""

_STATE = re.compile("[0-9a-f]{16}")
_used: set[Path] = set()
_making_private = threading.Lock()

_DIGEST = hashlib.sha256().digest_size

_SAME_CODE = re.compile(
    "CACHE_.*|CHROME_TRACE|COLOR_SCHEME|CUDA_.*|.*NUM_THREADS|DEBUG_CACHE|DISABLE_PERFORMANCE_WARNINGS"
    "|DUMP_.*|FULL_TRACEBACKS|FUNCTION_CACHE_SIZE|GDB_BINARY|HIGHLIGHT_DUMPS|HTML|JIT_COVERAGE"
    "|LLVM_PASS_TIMINGS|PARALLEL_DIAGNOSTICS|SHOW_HELP|THREADING_LAYER.*|TRACE"
)
"""Numba's switches that do not change code, only where, how many and what is reported. All others
count as if they did, those of later versions of Numba too."""


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
        options: Mapping[str, object],
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
        key_there, payload = pickle.loads(content)
        return CompileResult._rebuild(target_context, *payload) if key_there == key else None

    def save_overload(self, sig: object, data: CompileResult) -> None:
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


def in_use(folder: Path, *, clears: bool = True) -> Path | None:
    """`folder`, made if it is not there; None if it is not safe to use, or cannot be written.

    When a process first uses it, it is marked by its time of modification. Where it has to be made,
    those beside it that no process has marked for `LONG` are removed if it `clears`, and if they
    bear a state's name.
    """
    try:
        is_new = _make(folder)
        if not (_is_own(folder) and _is_safe_in(folder.parent)):
            return None
        if folder not in _used:
            os.utime(folder)
            with tempfile.TemporaryFile(dir=folder):
                pass
            if is_new and clears:
                _remove_unused(folder.parent)
            _used.add(folder)
    except OSError:
        return None
    return folder


def private_folder(state: str) -> Path | None:
    """The folder for a state's kernels in what this process, or whoever started it, has alone.

    None if not even that can be made.
    """
    with _making_private:
        folder = os.environ.get(PRIVATE)
        if not (folder and _is_own(Path(folder))):
            folder = _new_private()
    return in_use(Path(folder) / state, clears=False) if folder else None


def _new_private() -> str | None:
    opened = ExitStack()
    try:
        folder = str(opened.enter_context(part_folder(Path(tempfile.gettempdir()))))
    except OSError:
        return None
    maker = os.getpid()

    def remove() -> None:
        if os.getpid() == maker:  # not a fork of it
            opened.close()

    atexit.register(remove)
    os.environ[PRIVATE] = folder
    return folder


def _make(folder: Path) -> bool:
    """Make a folder for its owner alone, and those around it; False if it was there."""
    try:
        folder.mkdir(0o700)
    except FileExistsError:
        return False
    except FileNotFoundError:
        _make(folder.parent)
        folder.mkdir(0o700, exist_ok=True)  # another process may be quicker
    return True


def _is_own(folder: Path) -> bool:
    """Whether it is a folder, no link to one, of this user's, in which nobody else may write."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    if not stat.S_ISDIR(status.st_mode):
        return False
    if not hasattr(os, "geteuid"):  # Windows, where a user's folders are the user's
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _is_safe_in(parent: Path) -> bool:
    """Whether nobody but this user and root could put another folder in the place of one there."""
    status = parent.stat()
    if not hasattr(os, "geteuid"):
        return True
    may_rename = status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX
    return status.st_uid in (os.geteuid(), 0) and not may_rename


def _remove_unused(root: Path) -> None:
    limit = time.time() - LONG
    for folder in root.iterdir():
        with suppress(OSError):  # another process may be removing it
            if _STATE.fullmatch(folder.name) and folder.stat().st_mtime < limit:
                shutil.rmtree(folder, ignore_errors=True)
