"""Tables that are compressed: by gzip, bzip2 or xz, or the only file in a ZIP archive."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from siffra.data.notes import named
from siffra.errors import SiffraError
from siffra.results.table import refused

_LARGEST = 2**30
"""Bytes that are unpacked, at most: small files may unpack to any size."""
_AT_ONCE = 2**20
_ZIP = b"PK\x03\x04"
_OPENERS: dict[bytes, Callable[[Path], IO[bytes] | Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}
_SUFFIXES = (".gz", ".bz2", ".xz", ".zip")
_WORKBOOK = "[Content_Types].xml"
_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


def is_compressed(start: bytes) -> bool:
    """Whether a file that starts so is compressed in a way that can be read."""
    return start.startswith((_ZIP, *_OPENERS))


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The table in a compressed file, as a file of its own for as long as the context lasts.

    What is refused in the context names `path`.

    Raises:
        ResultsError: It is damaged, too large, encrypted, a workbook, or has several files in it.
    """
    with TemporaryDirectory(prefix="siffra-") as folder:
        name = path.name if path.suffix.lower() not in _SUFFIXES else path.stem
        inner = Path(folder) / name
        try:
            _unpack(path, inner)
        except _DAMAGED as error:
            if isinstance(error, OSError) and error.errno:  # the system's: a full disk, say
                raise
            raise refused("damaged", source=path) from error
        with inner.open("rb") as file:
            start = file.read(512)
        if is_compressed(start) or start[257:262] == b"ustar":
            raise refused("archive", source=path)
        try:
            yield inner
        except SiffraError as error:
            renamed = type(error)(str(error).replace(str(inner), str(path)))
            texts = error.texts.items()
            renamed.texts = {lang: text.replace(str(inner), str(path)) for lang, text in texts}
            raise renamed from error


def _unpack(path: Path, to: Path) -> None:
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(_ZIP):
        with zipfile.ZipFile(path) as archive, archive.open(_only_member(path, archive)) as packed:
            _copy(path, packed, to)
        return
    opener = next(opener for magic, opener in _OPENERS.items() if start.startswith(magic))
    with opener(path) as packed:
        _copy(path, packed, to)


def _only_member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [each for each in archive.infolist() if not each.is_dir()]
    if _WORKBOOK in archive.namelist():
        raise refused("workbook", source=path)
    members = [each for each in members if not each.filename.startswith("__MACOSX/")]
    if len(members) != 1:
        raise refused("members", source=path, files=named(each.filename for each in members))
    if members[0].flag_bits & 1:
        raise refused("encrypted", source=path)
    return members[0]


def _copy(path: Path, packed: IO[bytes], to: Path) -> None:
    size = 0
    with to.open("wb") as file:
        while part := packed.read(_AT_ONCE):
            if (size := size + len(part)) > _LARGEST:
                raise refused("unpacked_size", source=path, most=_LARGEST // 2**20)
            file.write(part)
