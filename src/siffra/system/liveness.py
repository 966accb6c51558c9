"""Whether a process still lives: each holds a file locked, by whose name others know it.

The kernel lets go of a lock however its holder dies, so that neither `kill -9` nor a reused
process number nor a reboot can make the dead look alive.

The names of others are read from a store, which may come from anywhere. So a name counts only if
it is one that this module makes, and a file only if it is a regular one of such a name: nothing
else is opened, locked or removed.
"""

import os
import re
import stat
import uuid
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

_NAME = re.compile("[0-9a-f]{32}")  # of uuid4().hex


class Presence:
    """This process to others: `name`, the name of a file in `folder` that it holds locked.

    Only one process at a time may be inside `enter`, `is_other` or `leave` for one folder; the
    caller sees to that. They raise OSError where the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.name = uuid.uuid4().hex
        self._folder = folder
        self._lock = FileLock(folder / self.name)

    @property
    def any(self) -> bool:
        """Whether there are traces of anybody, dead or alive."""
        return self._folder.exists()

    def enter(self) -> None:
        """Hold the lock, if it is not held yet."""
        if not self._lock.is_locked:
            self._folder.mkdir(exist_ok=True)
            self._lock.acquire(blocking=False)

    def is_other(self, name: str) -> bool:
        """Whether `name` is that of another holder that lives."""
        is_others = name != self.name and _NAME.fullmatch(name)
        return bool(is_others) and not _remove_if_dead(self._folder / name)

    def lives(self, name: str) -> bool:
        """Whether a holder of that name lives; this leaves everything as it is."""
        file = self._folder / name
        return bool(_NAME.fullmatch(name)) and _is_lock(file) and _is_held(FileLock(file))

    def leave(self) -> None:
        """Let go, and remove all traces of this process and of the dead."""
        self.let_go()
        for file in list(self._folder.iterdir()):
            if _NAME.fullmatch(file.name):
                _remove_if_dead(file)
        with suppress(OSError):  # not empty: others live
            self._folder.rmdir()

    def let_go(self) -> None:
        """Let go of the lock; what is left of it is seen to be dead."""
        self._lock.release()


def _remove_if_dead(file: Path) -> bool:
    if not _is_lock(file):
        return True
    if _is_held(FileLock(file)):
        return False
    file.unlink(missing_ok=True)
    return True


def _is_lock(file: Path) -> bool:
    """Whether it can be what a presence made: a regular file, no link to one."""
    try:
        return stat.S_ISREG(os.lstat(file).st_mode)
    except OSError:
        return False


def _is_held(lock: FileLock) -> bool:
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    lock.release()
    return False
