"""IDX files, as MNIST, Fashion-MNIST and EMNIST come in: four files, gzipped or not.

Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits": a magic number of two
zeros, the type of the numbers and how many dimensions there are; these, big-endian; the numbers.
"""

import gzip
import math
import re
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from siffra.data.dataset import LIMIT, Images
from siffra.data.labels import numbered
from siffra.data.splits import Parts
from siffra.errors import DataError

_NAME = re.compile(
    r"(?P<prefix>.*?)-?(?P<set>train|t10k|test)-(?P<what>images|labels)[-.]idx\d-ubyte(\.gz)?"
)
_SETS = {"train": "train", "t10k": "test", "test": "test"}
_UNSIGNED_BYTES = 8
_MOST_DENSE = 1032
"""Deflate makes at most this many bytes of one."""

Files = dict[tuple[str, str], Path]
"""The files of a data set by set and content, as ("test", "labels")."""


def idx_files(path: Path) -> Files | None:
    """The IDX files that `path` stands for: a folder, one of them, or what their names start with.

    None if there are none.

    Raises:
        DataError: There are several data sets, or some of the four files are missing.
    """
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        return None
    by_prefix: dict[str, Files] = {}
    # A name sorts before the same with .gz, which is not needed then.
    for file in sorted(folder.iterdir()):
        if (parsed := _NAME.fullmatch(file.name)) and file.is_file():
            files = by_prefix.setdefault(parsed["prefix"], {})
            files.setdefault((_SETS[parsed["set"]], parsed["what"]), file)
    if not path.is_dir():
        parsed = _NAME.fullmatch(path.name)
        prefix = parsed["prefix"] if parsed else path.name
        by_prefix = {name: files for name, files in by_prefix.items() if name == prefix}
    if len(by_prefix) > 1:
        names = ", ".join(by_prefix)
        raise DataError(f"{path}: it holds several data sets ({names}); name one of them with it.")
    for prefix, files in by_prefix.items():
        _refuse_missing(folder, prefix, files)
        return files
    return None


def _refuse_missing(folder: Path, prefix: str, files: Files) -> None:
    for which in (("train", "images"), ("train", "labels"), ("test", "images"), ("test", "labels")):
        if which not in files:
            start = f"{prefix}-" if prefix else ""
            name = {"train": "train", "test": "t10k"}[which[0]]
            dimensions = {"images": 3, "labels": 1}[which[1]]
            raise DataError(
                f"{folder}: no file {start}{name}-{which[1]}-idx{dimensions}-ubyte(.gz); "
                f"found {', '.join(file.name for file in files.values())}."
            )


def read_idx(files: Files, where: str) -> Parts:
    """The data set in these files.

    Raises:
        DataError: A file is damaged, claims too much, or does not fit the others.
    """
    images, labels = (
        {s: files[s, what] for s in ("train", "test")} for what in ("images", "labels")
    )
    x = {name: _read(file, 3) for name, file in images.items()}
    y, class_names = numbered({name: _read(file, 1) for name, file in labels.items()}, where)
    for name in x:
        if len(x[name]) != len(y[name]):
            raise DataError(
                f"{images[name]}: it has {len(x[name]):,} images and {labels[name].name} "
                f"{len(y[name]):,} labels; there must be one label per image."
            )
    sides = {name: "x".join(map(str, array.shape[1:])) for name, array in x.items()}
    if sides["train"] != sides["test"]:
        raise DataError(
            f"{images['test']}: its images are {sides['test']} and those of "
            f"{images['train'].name} {sides['train']}; they must be alike."
        )
    sets = {name: Images(x[name][..., np.newaxis], y[name]) for name in x}
    return Parts(where, sets, class_names, in_order=True)


def _read(path: Path, dimensions: int) -> np.ndarray:
    """The numbers in an IDX file, uint8; its header is believed only as far as it can be true."""
    packed = path.suffix == ".gz"
    try:
        size = path.stat().st_size
        with gzip.open(path) if packed else path.open("rb") as file:
            shape = _shape(path, file, dimensions)
            claimed = math.prod(shape)
            held = size * _MOST_DENSE if packed else size - 4 * (dimensions + 1)
            if claimed > min(held, LIMIT):
                raise DataError(
                    f"{path}: its header claims {'x'.join(map(str, shape))} numbers, more than "
                    f"{'there can be in so short a file' if claimed > held else 'siffra reads'}."
                )
            numbers = np.empty(claimed, np.uint8)
            there = _fill(numbers, file)
            there += bool(file.read(1))
    except gzip.BadGzipFile as error:
        raise DataError(f"{path}: not a gzip file, though it is called so.") from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path}: cut short or damaged; copy or download it again.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}.") from error
    except MemoryError as error:
        raise DataError(f"{path}: it is too large for this machine's memory.") from error
    if there != claimed:
        present = "more" if there > claimed else f"{there:,}"
        raise DataError(
            f"{path}: its header says {claimed:,} bytes and there are {present}; "
            f"it is cut short or damaged."
        )
    return numbers.reshape(shape)


def _fill(numbers: np.ndarray, file: BinaryIO | gzip.GzipFile) -> int:
    """Read into `numbers` what there is; how many were read."""
    room, there = numbers.data, 0
    while there < len(numbers) and (more := file.readinto(room[there:])):  # pyright: ignore[reportAttributeAccessIssue]
        there += more
    return there


def _shape(path: Path, file: BinaryIO | gzip.GzipFile, dimensions: int) -> tuple[int, ...]:
    magic = file.read(4)
    expected = bytes([0, 0, _UNSIGNED_BYTES, dimensions])
    if magic != expected:
        raise DataError(
            f"{path}: it starts with {magic.hex() or 'nothing'}; an IDX file of "
            f"{'images' if dimensions == 3 else 'labels'} starts with {expected.hex()}."
        )
    header = file.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise DataError(f"{path}: cut short or damaged; copy or download it again.")
    shape = tuple(int(side) for side in np.frombuffer(header, ">u4"))
    if 0 in shape:
        raise DataError(f"{path}: it is empty ({'x'.join(map(str, shape))}).")
    return shape
