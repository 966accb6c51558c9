"""Files and folders that are there whole or not at all, whoever reads, whatever ends the writing.

They are written beside their place and renamed: that is one step, within a file system. What is
written there is a *part*: made by us, under a random name, where nothing was; so that no link that
somebody laid there is followed, and two threads may write to one place. Whoever writes a part holds
it locked, and the kernel lets go of that however the writer dies. So parts that nobody holds are
what killed processes left, and the next writer in that folder removes them.
"""

import errno
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from siffra.errors import SiffraError

try:
    import fcntl
except ImportError:  # Windows: there parts are left for a day
    fcntl = None

_PART = re.compile(r"\.siffra-[0-9a-f]{16}\.part")
_PART_OF_PROCESS = re.compile(r"\.(?P<name>.+)\.(?P<pid>[0-9]{1,10})\.part|\.new-[a-z0-9_]{8}")
"""What siffra 0.1 wrote, whose writers hold nothing locked."""
_OF_A_REPORT = re.compile(
    r"(report|comparison|search|results)\.(html|md|json)|winner\.(toml|safetensors)"
    r"|runs\.(csv|parquet)|figures"
)
"""What was in its folders: a user may have one called `.new-projects`, too."""
_A_DAY = 24 * 3600.0
_FOUND = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def write_whole(
    path: Path, content: bytes, refusal: type[SiffraError], *, makes_folder: bool = False
) -> None:
    """Put `content` in the place of what is at `path`; see `replacing`."""
    with replacing(path, refusal, makes_folder=makes_folder) as file:
        file.write(content)


@contextmanager
def replacing(
    path: Path, refusal: type[SiffraError], *, makes_folder: bool = False
) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of what is at `path` unless that fails.

    A file keeps the mode of the one that it replaces. A link is replaced, not followed.

    Raises:
        SiffraError: It cannot be written; the error is of the class `refusal`.
    """
    with _explained(path, refusal):
        if makes_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        mode = _mode_of(path)
        with _part(path.parent) as part:
            if mode is not None and os.chmod in os.supports_fd:
                os.chmod(part.fileno(), mode)
            yield part
            part.flush()
            os.fsync(part.fileno())  # or a power cut may leave the name, and nothing in the file
            if fcntl is None:  # Windows renames no file that is open
                part.close()
            os.replace(part.name, path)


def expect_room(path: Path, refusal: type[SiffraError]) -> None:
    """Check that a file can be written at `path`, without a change. Raises as `replacing` does."""
    with _explained(path, refusal):
        _mode_of(path)
        with _part(path.parent):
            pass


@contextmanager
def part_folder(parent: Path) -> Iterator[Path]:
    """A folder in `parent` for what is not finished; nothing of it is left there afterwards.

    Only its owner can read it.

    Raises:
        OSError: It cannot be made.
    """
    remove_left_parts(parent)
    folder, held = _new_folder(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if held is not None:
            os.close(held)


def remove_left_parts(folder: Path) -> None:
    """Remove the parts in `folder` whose writers are dead, and nothing else.

    That is: files and folders of ours, no links, with a part's name, that nobody holds. What the
    system refuses stays.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _PART.fullmatch(entry.name) or _PART_OF_PROCESS.fullmatch(entry.name):
                with suppress(OSError):
                    _remove_if_left(entry)


@contextmanager
def _explained(path: Path, refusal: type[SiffraError]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise refusal(f"{path}: cannot be written: {error.strerror or error}.") from error


def _mode_of(path: Path) -> int | None:
    """The permissions of the file that is at `path`; None if there is none.

    Raises:
        OSError: What is there is no file that can be replaced: a folder, a device, a pipe.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode) or (stat.S_ISLNK(mode) and path.is_dir()):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise OSError(errno.EINVAL, "Not a regular file")
    return stat.S_IMODE(mode) if stat.S_ISREG(mode) else None


@contextmanager
def _part(folder: Path) -> Iterator[BinaryIO]:
    """A new file in `folder`, held; nothing of its name is left there afterwards."""
    remove_left_parts(folder)
    file = _new_file(folder)
    try:
        yield file
    finally:
        with suppress(OSError):  # what could not be written, as was told when it was tried
            file.close()
        with suppress(OSError):
            os.unlink(file.name)


def _new_file(folder: Path) -> BinaryIO:
    while True:
        path = folder / _new_name()
        file = path.open("x+b")  # O_EXCL: what has this name already is not opened, links neither
        _hold(file.fileno())
        if _is_at(file.fileno(), path):
            return file
        file.close()  # before it was held, another writer took it for left


def _new_folder(parent: Path) -> tuple[Path, int | None]:
    while True:
        folder = parent / _new_name()
        folder.mkdir(0o700)
        if fcntl is None:
            return folder, None
        held = None
        with suppress(FileNotFoundError):
            held = os.open(folder, _FOUND)
            _hold(held)
            if _is_at(held, folder):
                return folder, held
        if held is not None:
            os.close(held)


def _new_name() -> str:
    return f".siffra-{secrets.token_hex(8)}.part"


def _hold(descriptor: int) -> None:
    """Lock what is open, where the file system can."""
    if fcntl:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether what is open is what has this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _remove_if_left(entry: os.DirEntry[str]) -> None:
    status = entry.stat(follow_symlinks=False)
    is_folder = stat.S_ISDIR(status.st_mode)
    if not (is_folder or stat.S_ISREG(status.st_mode)):
        return
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        return
    with _seen_left(entry, is_old=time.time() - status.st_mtime > _A_DAY) as is_left:
        if not is_left:
            return
        if is_folder:
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            os.unlink(entry.path)


@contextmanager
def _seen_left(entry: os.DirEntry[str], *, is_old: bool) -> Iterator[bool]:
    """Whether the writer of a part is dead; while this lasts, nobody else can come to hold it."""
    if of_process := _PART_OF_PROCESS.fullmatch(entry.name):
        pid = of_process["pid"]
        if pid is None:
            yield is_old and all(_OF_A_REPORT.fullmatch(name) for name in os.listdir(entry.path))
        else:
            # A user may have a hidden `.letter.2023.part`, too: then no `letter` is beside it.
            is_for = Path(entry.path).with_name(of_process["name"]).is_file()
            yield is_for and (is_old or not _lives(int(pid)))
    elif fcntl is None:
        yield is_old
    else:
        descriptor = os.open(entry.path, _FOUND)
        try:
            yield _could_hold(descriptor, otherwise=is_old)
        finally:
            os.close(descriptor)


def _could_hold(descriptor: int, *, otherwise: bool) -> bool:
    """Lock what is open unless somebody has; `otherwise` where the file system has no locks."""
    assert fcntl
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return otherwise
    return True


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # of another user, or no number of a process
        return True
    return True
