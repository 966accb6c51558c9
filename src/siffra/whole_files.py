"""Files that are there whole or not at all, whoever reads meanwhile, whatever ends the writing.

They are written beside their place and renamed: that is one step, within a file system.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from siffra.errors import SiffraError


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

    Raises:
        SiffraError: It cannot be written; the error is of the class `refusal`.
    """
    with _beside(path, refusal) as part:
        if makes_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            yield file
        part.replace(path)


def expect_room(path: Path, refusal: type[SiffraError]) -> None:
    """See that a file can be written at `path`, and change nothing; raises as `replacing` does."""
    with _beside(path, refusal) as part:
        part.touch()


@contextmanager
def _beside(path: Path, refusal: type[SiffraError]) -> Iterator[Path]:
    """The name of a file beside `path`; nothing is left there afterwards."""
    part = None
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        yield part
    except OSError as error:
        raise refusal(f"{path}: cannot be written: {error.strerror or error}.") from error
    finally:
        if part:
            with suppress(OSError):
                part.unlink()
