"""Arrays out of an `.npz` file that nobody vouches for.

Headers are read and added up before anything is allocated, and pickles are never loaded.
"""

import difflib
import math
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from siffra.data.dataset import LIMIT
from siffra.errors import DataError


def names_in(path: Path) -> tuple[str, ...]:
    """Names of the arrays in the `.npz` file at `path`, in its order.

    Raises:
        DataError: There is no such file, or it is not an `.npz` archive.
    """
    with _archive(path) as archive:
        return tuple(n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy"))


def read_arrays(path: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """The named arrays of the `.npz` file at `path`.

    Raises:
        DataError: An array is missing, damaged or holds Python objects, or all together have
            more than `LIMIT` bytes; they are not read then.
    """
    names = tuple(names)
    with _archive(path) as archive:
        total = sum(_claimed_bytes(archive, path, name) for name in names)
        if total > LIMIT:
            raise DataError(
                f"{path}: its arrays claim {total / 2**30:,.0f} GiB; "
                f"siffra reads at most {LIMIT // 2**30} GiB."
            )
        return {name: _read(archive, path, name) for name in names}


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        if not path.is_file():
            raise DataError(f"{path}: {_absence(path)}")
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}.") from error
    with file:
        try:
            archive = zipfile.ZipFile(file)
        except Exception as error:  # see `_damage_named`
            raise DataError(f"{path}: {_what_it_is(file)}") from error
        with archive:
            yield archive


def _absence(path: Path) -> str:
    if path.is_dir():
        return "this is a folder; it must be an .npz file."
    if path.exists():
        return "this is not a regular file; it must be an .npz file."
    if not path.parent.is_dir():
        return f"no such file, nor is there a folder {path.parent}."
    near = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=1)
    return f"no such file; did you mean `{near[0]}`?" if near else "no such file."


def _what_it_is(file: BinaryIO) -> str:
    file.seek(0)
    start = file.read(6)
    if not start:
        return "the file is empty; it must be an .npz archive."
    if start.startswith(b"PK"):
        return "the archive is cut short or damaged; copy or download it again."
    if start == b"\x93NUMPY":
        return "this is a single .npy array; it must be an .npz archive (np.savez)."
    return (
        f"not an .npz archive (it starts with {start!r}); write one with np.savez, or give a table "
        f"the ending .csv, .tsv or .parquet."
    )


def _claimed_bytes(archive: zipfile.ZipFile, path: Path, name: str) -> int:
    with _damage_named(path, name):
        member = archive.getinfo(f"{name}.npy")
        with archive.open(member) as file:
            version = np.lib.format.read_magic(file)
            read_header = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read_header(file)
            header_bytes = file.tell()
    if dtype.hasobject:
        raise DataError(
            f"{path}: `{name}` holds pickled Python objects, which are never loaded; "
            f"it must hold plain numbers, such as uint8."
        )
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or size > member.file_size - header_bytes:
        raise DataError(
            f"{path}: `{name}` is cut short or damaged: its header says {shape} {dtype}, "
            f"{size:,} bytes, and it has {member.file_size - header_bytes:,}."
        )
    return size


def _read(archive: zipfile.ZipFile, path: Path, name: str) -> np.ndarray:
    with _damage_named(path, name), archive.open(f"{name}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


@contextmanager
def _damage_named(path: Path, name: str) -> Iterator[None]:
    """Turn whatever zipfile and NumPy raise into a line: no list of theirs is whole.

    On bytes that nobody vouches for they raise a dozen kinds of errors: of zlib and struct, of the
    tokenizer and the parser that NumPy reads a header with, of shapes that are no numbers.
    """
    try:
        yield
    except DataError:
        raise
    except MemoryError as error:
        raise DataError(f"{path}: `{name}` is too large for this machine's memory.") from error
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise DataError(
            f"{path}: `{name}` is damaged ({reason}); copy or download the file again."
        ) from error
