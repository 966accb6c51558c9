"""Folders of compiled kernels, one for each state of what they are made of; old ones are removed.

Whoever loads a kernel runs it. So a folder is used only if it is this user's and nobody else may
write there. Where there is none, for want of room, of rights or of a home, this process has a
private one, as have those that it starts, and takes it away when it ends.

A folder takes some 10 MB, and an update leaves one behind. Whoever comes back to one that is gone
waits for its kernels to be compiled once more, and nothing else.
"""

import atexit
import os
import re
import shutil
import stat
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from siffra.system.atomic_write import part_folder

LONG = 30 * 24 * 3600.0
"""Seconds after which a folder that no process has used is removed."""
PRIVATE = "SIFFRA_KERNELS"
"""The variable that tells the processes which this one starts where its private folder is."""

_STATE = re.compile("[0-9a-f]{16}")
_used: set[Path] = set()
_making_private = threading.Lock()


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
        told = os.environ.get(PRIVATE)
        if not (told and _is_own(Path(told))):
            told = _new_private()
    return in_use(Path(told) / state, clears=False) if told else None


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
        found = folder.lstat()
    except OSError:
        return False
    if not stat.S_ISDIR(found.st_mode):
        return False
    if not hasattr(os, "geteuid"):  # Windows, where a user's folders are the user's
        return True
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _is_safe_in(parent: Path) -> bool:
    """Whether nobody but this user and root could put another folder in the place of one there."""
    found = parent.stat()
    if not hasattr(os, "geteuid"):
        return True
    may_rename = found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX
    return found.st_uid in (os.geteuid(), 0) and not may_rename


def _remove_unused(root: Path) -> None:
    limit = time.time() - LONG
    for folder in root.iterdir():
        with suppress(OSError):  # another process may be removing it
            if _STATE.fullmatch(folder.name) and folder.stat().st_mtime < limit:
                shutil.rmtree(folder, ignore_errors=True)
