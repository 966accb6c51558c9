"""What all processes of a pool are given, in a file that each maps into its memory.

Arrays are in it as they are in memory, so that processes share their pages: a data set takes its
place once, however many processes train on it. What a process writes to them, it alone sees. The
file has no name, so that nothing of it is left on the disk, however all of them end.
"""

import mmap
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO, Any

from siffra.errors import ExecutorError

_ALIGNED = 64
"""Bytes: arrays begin where a vector instruction can load them at once."""
_LENGTH = 8
"""Bytes of the number at the end, which is the length of the index before it."""


def unnamed_file() -> IO[bytes]:
    """An empty file, which is gone when nobody has it open any more.

    Raises:
        ExecutorError: None can be made.
    """
    with _explained():
        if hasattr(os, "memfd_create"):  # Linux: in memory, in a tenth of the time of a disk's
            return os.fdopen(os.memfd_create("siffra"), "w+b")
        return TemporaryFile()


def write_shared(content: object, file: IO[bytes]) -> None:
    """Write `content` to an empty file.

    Raises:
        ExecutorError: It cannot be written.
    """
    arrays: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(content, protocol=5, buffer_callback=arrays.append)
    places: list[tuple[int, int]] = []
    with _explained():
        for array in arrays:
            raw = array.raw()
            file.seek(-file.tell() % _ALIGNED, os.SEEK_CUR)
            places.append((file.tell(), raw.nbytes))
            file.write(raw)
        index = pickle.dumps((pickled, places))
        file.write(index + len(index).to_bytes(_LENGTH, "little"))
        file.flush()


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise ExecutorError(f"the data cannot be shared with other processes: {reason}.") from error


def read_shared(file: int) -> Any:
    """What is in the open file of that number, which is closed."""
    # Processes share the open file's position as well: so it is not read, but mapped.
    content = memoryview(mmap.mmap(file, 0, access=mmap.ACCESS_COPY))
    os.close(file)
    length = int.from_bytes(content[-_LENGTH:], "little")
    pickled, places = pickle.loads(content[-_LENGTH - length : -_LENGTH])
    arrays = [content[start : start + size] for start, size in places]
    return pickle.loads(pickled, buffers=arrays)
