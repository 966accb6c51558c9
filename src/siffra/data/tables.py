"""CSV and Parquet files, read column by column; a table's columns and labels as a data set."""

import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from siffra.data.dataset import Images
from siffra.data.limits import LIMIT, MOST_FEATURES
from siffra.data.parts import Parts, numbered
from siffra.errors import DataError, did_you_mean

ENDINGS = (".csv", ".parquet")
MOST_CSV = 2**30
"""The most bytes of a CSV file; as Parquet the same would be a fifth as large."""
LABELS = ("label", "class", "target", "y")
"""What the column of labels is called if nothing else is said."""

_WIDEST_CELL = 8  # bytes
_SOME = 2**16

Columns = Mapping[str, np.ndarray]
"""A table: numbers, or texts; texts and missing values (None) make a column one of objects."""


def table_files(path: Path) -> dict[str, Path] | None:
    """The files of a table by set: `path` alone, or `train.csv` and `test.csv` in the folder.

    None if it is neither.

    Raises:
        DataError: Only one of the two is there.
    """
    if path.suffix.lower() in ENDINGS and not path.is_dir():
        return {"train": path}
    for ending in ENDINGS if path.is_dir() else ():
        found = {name: path / f"{name}{ending}" for name in ("train", "val", "test")}
        found = {name: file for name, file in found.items() if file.is_file()}
        if "train" in found and "test" not in found:
            raise DataError(
                f"{path}: there is {found['train'].name} and no test{ending}; name the file "
                f"itself, and siffra takes a part of it for testing."
            )
        if "train" in found:
            return found
    return None


def read_tables(
    files: Mapping[str, Path], where: str, label: str | None, image: Sequence[int] | None
) -> Parts:
    """The data set in these files; `image` is the shape of the images that rows are, if they are.

    Raises:
        DataError: A file is damaged or too large, a column cannot be learned from, or there is
            none of labels.
    """
    tables = {name: _read(file) for name, file in files.items()}
    label = _label_column(tables["train"], where, label)
    features = tuple(name for name in tables["train"] if name != label)
    if not 0 < len(features) <= MOST_FEATURES:
        raise DataError(
            f"{where}: {len(features):,} columns beside `{label}`; there can be 1 to "
            f"{MOST_FEATURES:,}."
        )
    for name, table in tables.items():
        for column in (*features, label):
            if column not in table:
                raise DataError(
                    f"{files[name]}: no column `{column}`, which {files['train'].name} has."
                )
    labels = {name: _labels(table[label], label, files[name]) for name, table in tables.items()}
    numbers, class_names = numbered(labels, where)
    rows = {
        name: np.stack([_numbers(table[f], f, files[name]) for f in features], axis=1)
        for name, table in tables.items()
    }
    if image:
        x = {name: _as_images(row, image, files[name]) for name, row in rows.items()}
        features = ()
    else:
        x = {name: row[:, np.newaxis, :, np.newaxis] for name, row in rows.items()}
    return Parts(where, {s: Images(x[s], numbers[s]) for s in x}, class_names, features)


def _label_column(table: Columns, where: str, label: str | None) -> str:
    if label is not None:
        if label not in table:
            raise DataError(f"{where}: no column `{label}`; {did_you_mean(label, table)}")
        return label
    usual = [name for name in table if name.lower() in LABELS]
    texts = [name for name, column in table.items() if column.dtype == object and _texts(column)]
    found = usual or texts
    if len(found) != 1:
        names = list(found or table)
        told = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        raise DataError(
            f"{where}: which column has the labels? Say it with `label`; found: {told}."
        )
    return found[0]


def _texts(column: np.ndarray) -> bool:
    return any(isinstance(value, str) for value in column)


def _labels(column: np.ndarray, name: str, file: Path) -> np.ndarray:
    if column.dtype == object:
        missing = [row for row, value in enumerate(column, start=1) if value is None]
        if missing:
            raise DataError(f"{file}: `{name}` has no label in row {missing[0]}; remove such rows.")
        return np.array([str(value) for value in column])
    return column


def _numbers(column: np.ndarray, name: str, file: Path) -> np.ndarray:
    """A column as float64, or what makes it none of numbers."""
    if column.dtype == object:
        for row, value in enumerate(column, start=1):
            if isinstance(value, str):
                raise DataError(
                    f"{file}: column `{name}` has {value[:40]!r} in row {row}; columns must be of "
                    f"numbers: leave it out, or put numbers in its place."
                )
        column = np.array([np.nan if value is None else value for value in column], np.float64)
    numbers = column.astype(np.float64)
    missing = ~np.isfinite(numbers)
    if missing.any():
        raise DataError(
            f"{file}: column `{name}` is missing in {int(missing.sum()):,} of {len(numbers):,} "
            f"rows, the first of them row {int(missing.argmax()) + 1}; fill it in, or leave those "
            f"rows out."
        )
    return numbers


def _as_images(rows: np.ndarray, image: Sequence[int], file: Path) -> np.ndarray:
    shape = (*image, 1) if len(image) == 2 else tuple(image)
    told = "x".join(map(str, image))
    if math.prod(shape) != rows.shape[1]:
        raise DataError(
            f"{file}: image = {told} takes {math.prod(shape):,} columns of pixels; "
            f"there are {rows.shape[1]:,}."
        )
    if rows.min() < 0 or rows.max() > 255 or (rows != np.rint(rows)).any():
        raise DataError(
            f"{file}: pixels go from {rows.min():g} to {rows.max():g}; as images of {told} "
            f"they must be whole numbers from 0 to 255."
        )
    return rows.astype(np.uint8).reshape(len(rows), *shape)


def _read(path: Path) -> Columns:
    if not path.is_file():
        raise DataError(f"{path}: {'not a regular file' if path.exists() else 'no such file'}.")
    with _refusals(path):
        reader = _open_parquet(path) if path.suffix.lower() == ".parquet" else _open_csv(path)
        names = [field.name for field in reader.schema]
        doubled = next((name for name in names if names.count(name) > 1), None)
        if doubled is not None:
            raise DataError(f"{path}: two columns are called `{doubled}`.")
        table = _whole(reader, path, len(names))
        columns = {name: _column(table.column(name), name, path) for name in names}
    if not columns or not len(next(iter(columns.values()))):
        raise DataError(f"{path}: it has no rows.")
    return columns


def _open_csv(path: Path) -> Any:
    from arro3.io import infer_csv_schema, read_csv

    if (size := path.stat().st_size) > MOST_CSV:
        raise DataError(
            f"{path}: {size / 2**30:,.1f} GiB are too much for CSV; at most {MOST_CSV // 2**30} "
            f"GiB are read. Save it as Parquet."
        )
    with path.open("rb") as file:
        start = file.read(_SOME)
    if b"\0" in start:
        raise DataError(f"{path}: not text, so no CSV.")
    head = start.splitlines()[0].decode("utf-8-sig", "replace") if start.strip() else ""
    if not head:
        raise DataError(f"{path}: it is empty, or its first line is; that names the columns.")
    delimiter = max(",;\t", key=head.count)
    if all(_is_number(name) for name in head.split(delimiter)):
        raise DataError(
            f"{path}: its first line has numbers, where it must name the columns; add such a line."
        )
    told = {"has_header": True, "delimiter": delimiter}
    with path.open("rb") as file:
        schema = infer_csv_schema(file, **told)
    return read_csv(path, schema, **told)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _open_parquet(path: Path) -> Any:
    from arro3.io import read_parquet

    # What is most often wrong is told here, in words of ours.
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(max(-8, -path.stat().st_size), os.SEEK_END)
        end = file.read(8)
    length = int.from_bytes(end[:4], "little")
    if start != b"PAR1":
        raise DataError(f"{path}: not a Parquet file (it starts with {start!r}).")
    if end[4:] != b"PAR1" or length + 12 > path.stat().st_size:
        raise DataError(f"{path}: cut short or damaged; copy or download it again.")
    return read_parquet(path)


def _whole(reader: Any, path: Path, width: int) -> Any:
    """All of a table, as long as it is not too much: a small file can claim billions of rows."""
    from arro3.core import Table

    batches, rows = [], 0
    for batch in reader:
        rows += batch.num_rows
        if rows * width * _WIDEST_CELL > LIMIT:
            raise DataError(
                f"{path}: more than {rows:,} rows of {width:,} columns are too many; "
                f"siffra reads at most {LIMIT // 2**30} GiB."
            )
        batches.append(batch)
    return Table.from_batches(batches, schema=reader.schema)


def _column(column: Any, name: str, path: Path) -> np.ndarray:
    kind = type(column.type)
    if kind.is_null(column.type):
        return np.full(len(column), None, object)
    if kind.is_numeric(column.type) or kind.is_boolean(column.type):
        if column.null_count or kind.is_boolean(column.type):
            values = column.to_pylist()
            return np.array(values, object if column.null_count else np.int64)
        return column.combine_chunks().to_numpy() if len(column) else np.empty(0)
    if kind.is_nested(column.type) or "inary" in str(column.type):
        raise DataError(f"{path}: column `{name}` has neither numbers nor texts in it.")
    values = np.empty(len(column), object)
    values[:] = [None if value is None else str(value) for value in column.to_pylist()]
    return values


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    """What a reader cannot take, in one line; it is Rust, and says so itself as well."""
    with _silence():
        try:
            yield
        except (DataError, KeyboardInterrupt):
            raise
        except MemoryError as error:
            raise DataError(f"{path}: it is too large for this machine's memory.") from error
        except BaseException as error:  # a panic is no Exception
            raise DataError(f"{path}: {_in_words(str(error))}.") from error


def _in_words(told: str) -> str:
    if ragged := re.search(r"Expected (\d+) records, found (\d+) records at line (\d+)", told):
        expected, found, line = ragged.groups()
        return f"line {line} has {found} values, and the first line names {expected} columns"
    if "UTF-8" in told and (line := re.search(r"at line (\d+)", told)):
        return f"line {line[1]} is not UTF-8 text"
    return f"damaged, or not what its ending says ({' '.join(told.split())[:120].rstrip('.')})"


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing gets to the process' own stderr meanwhile, where Rust writes past Python."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
