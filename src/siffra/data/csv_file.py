"""CSV as people and programs write it: its encoding and delimiter, and whether names come first."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from arro3.core import DataType, Schema
from arro3.io import infer_csv_schema, read_csv

from siffra.data.notes import refused, short

MOST_CSV = 2**30
"""The most bytes of a CSV file; as Parquet the same would be a fifth as large."""
NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")
"""A number in a cell, as every program writes it; `1_0`, `inf` and other digits are none."""

_SOME = 2**16
_DELIMITERS = ",;\t|"
_ROWS_LOOKED_AT = 20
_SAID = re.compile(rb'(\xef\xbb\xbf)?"?sep=([,;\t|:^~ ])"?\r?\n', re.IGNORECASE)
"""Excel's first line that says what the delimiter is."""
_LINE_END = re.compile(r"\r?\n|\r")
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
_PIXELS = 4
"""So many names in a row that count up by one are those of pixels or years, not a row of data."""
_WAVELENGTHS = 8
"""So many names that only grow, or only fall, beside one of labels: those of a spectrum, say."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written: `names` of its columns, what is between values, lines before names.

    `utf_16` says that it is not UTF-8, `start` at which byte the line of names begins.
    """

    names: tuple[str, ...]
    delimiter: str
    start: int
    lines_before: int
    utf_16: bool

    @property
    def has_decimal_commas(self) -> bool:
        """Whether a comma within a number can only be a decimal one."""
        return self.delimiter != ","


def read_dialect(path: Path) -> Dialect:
    """How the file at `path` is written, from its start.

    Raises:
        DataError: It is too large, no text, or has no first line.
    """
    if (size := path.stat().st_size) > MOST_CSV:
        sizes = {"size": f"{size / 2**30:,.1f}", "most": MOST_CSV // 2**30}
        raise refused("csv_too_large", source=path, **sizes)
    with path.open("rb") as file:
        start = file.read(_SOME)
    utf_16 = start[:2] in (b"\xff\xfe", b"\xfe\xff") and start[:4] != b"\xff\xfe\0\0"
    if utf_16:
        start = _from_utf_16(start[: len(start) // 2 * 2], path, final=False)
    if b"\0" in start:
        raise refused("not_text", source=path)
    said = _SAID.match(start)
    before = said.end() if said else 0
    text = start[before:].decode("utf-8-sig", "replace")
    if not text.strip() or not text.splitlines()[0].strip():
        raise refused("empty", source=path)
    delimiter = said[2].decode("latin-1") if said else _delimiter(text, len(start) == _SOME)
    names = next(_parsed(text, delimiter), [])
    return Dialect(tuple(names), delimiter, before, bool(said), utf_16)


@contextmanager
def opened_csv(path: Path, dialect: Dialect, as_text: Callable[[str], bool]) -> Iterator[Any]:
    """A reader of the file's batches; columns whose name is `as_text` are read as they stand.

    Raises:
        DataError: It is not the text that its start says, or a quote swallows lines.
    """
    options = {"has_header": True, "delimiter": dialect.delimiter}
    with _opened(path, dialect) as file:
        start = file.tell()
        _refuse_swallowed(file, path, dialect)
        file.seek(start)
        schema = infer_csv_schema(file, **options)
        fields = [f.with_type(DataType.string()) if as_text(f.name) else f for f in schema]
        file.seek(start)
        yield read_csv(file, Schema(fields), **options)


def refuse_data_as_names(
    path: Path, names: Sequence[str], columns: Mapping[str, np.ndarray] | None = None
) -> None:
    """Check that the first line names the columns; without `columns`, as far as that can be told.

    A line of data has numbers where its column has such numbers, and its class is one of the
    others' classes. Years, pixels, wavelengths and what pandas calls columns without names (0, 1,
    2) are names as well, though they are numbers.

    Raises:
        DataError: The first line is one of data, or may be.
    """
    filled = [name for name in names if name.strip()]
    numbers = [name for name in filled if NUMBER.fullmatch(name)]
    if not numbers:
        return
    of_data = len(numbers) == len(filled) or len(set(numbers)) < len(numbers)
    if columns and not of_data:
        class_is_there = any(
            name.strip() and name not in numbers and name in _values(columns[name])
            for name in names
        )
        many = 2 * len(numbers) > len(filled)
        of_data = class_is_there or (many and not _are_names(numbers, columns))
    if of_data and not _counts_up(numbers):
        found = ", ".join(map(short, filled[:4])) + (", ..." if len(filled) > 4 else "")
        raise refused("data_as_names", source=path, found=found)


def _refuse_swallowed(file: BinaryIO, path: Path, dialect: Dialect) -> None:
    """Check that no quote is left open, so that the lines up to the next one, or all, are a cell.

    A cell may have several lines. One that was left open is known by what is in it: as many values
    on each line as the table has columns, some of them numbers.
    """
    if all(line.count(b'"') % 2 == 0 for line in file):
        return
    file.seek(dialect.start)
    text, width = file.read().decode("utf-8", "replace"), len(dialect.names)
    between = re.escape(dialect.delimiter)
    for cell in re.finditer(rf'(?<![^{between}\r\n])"([^"]*(?:""[^"]*)*)("?)', text):
        lines = _LINE_END.split(cell[1])
        if cell[2] and len(lines) == 1:
            continue
        before = text[text.rfind("\n", 0, cell.start()) + 1 : cell.start()]
        column = len(next(_parsed(before, dialect.delimiter), [""])) - 1
        rows = [line.split(dialect.delimiter) for line in lines]
        widths = [width - column, *[width] * (len(lines) - 2), column + 1]
        others = (*rows[0][1:], *rows[-1][:-1])  # values beside it, and no part of a text
        swallows = list(map(len, rows)) == widths and any(map(NUMBER.fullmatch, others))
        if not cell[2] or swallows:
            code = "swallowed" if cell[2] else "open_quote"
            line = text.count("\n", 0, cell.start()) + 1 + dialect.lines_before
            raise refused(code, source=path, line=line, lines=len(lines) - 1)


def _values(column: np.ndarray) -> Collection[object]:
    return set(column.tolist()) if column.dtype == object else ()


def _are_names(numbers: Sequence[str], columns: Mapping[str, np.ndarray]) -> bool:
    """Whether these numbers can be names, in a line whose label is no other line's."""
    values = list(map(float, numbers))
    steps = np.diff(values)
    from_zero = list(map(str, range(len(numbers))))
    is_monotone = len(values) >= _WAVELENGTHS and bool((steps > 0).all() or (steps < 0).all())
    return is_monotone or numbers == from_zero or _is_beside(numbers, columns)


def _is_beside(numbers: Sequence[str], columns: Mapping[str, np.ndarray]) -> bool:
    """Whether these names are whole numbers, none of which could be one of its column's."""
    for name in numbers:
        column = columns[name]
        if not _WHOLE.fullmatch(name):
            return False
        if column.dtype.kind in "iuf" and column.min() <= int(name) <= column.max():
            return False
    return True


def _counts_up(numbers: Sequence[str]) -> bool:
    if len(numbers) < _PIXELS or not all(map(_WHOLE.fullmatch, numbers)):
        return False
    return list(map(int, numbers)) == list(range(int(numbers[0]), int(numbers[0]) + len(numbers)))


def _delimiter(text: str, is_cut: bool) -> str:
    """What parts the first line, outside of quotes, in the most pieces, as it does most others."""

    def merit(delimiter: str) -> tuple[bool, int]:
        rows = [row for row in islice(_parsed(text, delimiter), _ROWS_LOOKED_AT) if row]
        whole = rows[:-1] if is_cut and len(rows) > 1 else rows
        wide = len(rows[0]) if rows else 0
        alike = sum(len(row) == wide for row in whole)
        return wide > 1 and 2 * alike > len(whole), wide

    return max(_DELIMITERS, key=merit)


def _parsed(text: str, delimiter: str) -> Any:
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    except csv.Error:  # a cell longer than csv reads; what was parsed will do
        return


def _opened(path: Path, dialect: Dialect) -> BinaryIO:
    if not dialect.utf_16:
        file = path.open("rb")
        file.seek(dialect.start)
        return file
    file = io.BytesIO(_from_utf_16(path.read_bytes(), path))
    file.seek(dialect.start)
    return file


def _from_utf_16(content: bytes, path: Path, *, final: bool = True) -> bytes:
    try:
        return codecs.getincrementaldecoder("utf-16")().decode(content, final).encode("utf-8")
    except UnicodeError as error:
        raise refused("not_utf_16", source=path) from error
