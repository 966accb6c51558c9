"""CSV and Parquet files, read column by column; a table's columns and labels as a data set."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from siffra.data.arrow import open_parquet, refusals, whole_table
from siffra.data.columns import counting_notes, is_index, left_out_note, names_rows
from siffra.data.csv_file import NUMBER, opened_csv, read_dialect, refuse_data_as_names
from siffra.data.dataset import LIMIT, MOST_FEATURES, Images
from siffra.data.labels import MISSING, numbered
from siffra.data.notes import Note, named, note, short
from siffra.data.set_names import set_named, val_as_test
from siffra.data.splits import Parts
from siffra.errors import DataError, did_you_mean

CSV = (".csv", ".tsv")
ENDINGS = (*CSV, ".parquet")
LABELS = ("label", "class", "target", "y")
"""What the column of labels is called if nothing else is said."""

_RESULTS = re.compile(
    r"_?(step|epoch|seed|runtime|timestamp|run|accuracy|loss|lr|learning_rate|batch_size)s?"
    r"|.*[ _/.-](acc|accuracy|loss)",
    re.IGNORECASE,
)
"""What columns are called in a table of training runs."""
_DECIMAL_COMMA = re.compile(r"\s*[+-]?[0-9]+,[0-9]+([eE][+-]?[0-9]+)?\s*")
_WIDEST_CELL = 8  # bytes

Columns = Mapping[str, np.ndarray]
"""A table: numbers, or texts; texts and missing values (None) make a column one of objects."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """What a file holds: its `columns`, how many it has beside them that are empty throughout.

    With `decimal_commas` the comma in a number can only be a decimal one.
    """

    path: Path
    columns: Columns
    empty: int = 0
    decimal_commas: bool = False


def table_files(path: Path) -> tuple[dict[str, Path], tuple[Note, ...]] | None:
    """The files of a table by set: `path` alone, or `train.csv` and `test.csv` in the folder.

    None if it is neither.

    Raises:
        DataError: Only one of the two is there.
    """
    if path.suffix.lower() in ENDINGS and not path.is_dir():
        return {"train": path}, ()
    if not path.is_dir():
        return None
    for ending in ENDINGS:
        files = [file for file in sorted(path.iterdir()) if file.suffix.lower() == ending]
        by_set = set_named([file for file in files if file.is_file()], path)
        if "train" not in by_set:
            continue
        if "test" in by_set or "val" in by_set:
            return val_as_test(by_set, by_set["val"].name if "val" in by_set else "")
        raise DataError(
            f"{path}: there is {by_set['train'].name} and no test{ending}; name the file itself, "
            f"and siffra takes a part of it for testing."
        )
    return None


def read_tables(
    files: Mapping[str, Path], where: str, label: str | None, image: Sequence[int] | None
) -> Parts:
    """The data set in these files; `image` is the shape of the images that rows are, if they are.

    Raises:
        DataError: A file is damaged or too large, a column cannot be learned from, or there is
            none of labels.
    """
    tables = {name: _read(file, label) for name, file in files.items()}
    train = tables["train"].columns
    label = _label_column(train, where, label)
    index = [
        name
        for name in train
        if name != label
        and names_rows(name)
        and is_index(name, [t.columns[name] for t in tables.values() if name in t.columns])
    ]
    features = tuple(name for name in train if name != label and name not in index)
    if not 0 < len(features) <= MOST_FEATURES:
        beside = f"`{short(label)}`" + (f" and {named(index)}, left out" if index else "")
        raise DataError(
            f"{where}: {len(features):,} columns beside {beside}; there can be 1 to "
            f"{MOST_FEATURES:,}."
        )
    for table in tables.values():
        _refuse_lacking(table, (*features, label), label, files["train"])
    labels = {s: _labels(t.columns[label], label, t.path) for s, t in tables.items()}
    numbers, class_names = numbered(labels, where)
    commas: dict[str, str] = {}
    columns = {s: {f: _numbers(t, f, commas) for f in features} for s, t in tables.items()}
    rows = {s: np.stack(list(columns[s].values()), axis=1) for s in tables}
    empty = tables["train"].empty
    notes = (
        *((note("empty_columns", count=empty),) if empty else ()),
        *left_out_note(index),
        *(_comma_note(commas) if commas else ()),
    )
    if image:
        x = {s: _as_images(rows[s], image, files[s]) for s in rows}
        features = ()
    else:
        x = {s: rows[s][:, np.newaxis, :, np.newaxis] for s in rows}
        notes += counting_notes(columns["train"])
    sets = {s: Images(x[s], numbers[s]) for s in x}
    return Parts(where, sets, class_names, features, left_out=tuple(index), notes=notes)


def _label_column(table: Columns, where: str, label: str | None) -> str:
    if label is not None:
        if label not in table:
            raise DataError(f"{where}: no column `{short(label)}`; {did_you_mean(label, table)}")
        return label
    usual = [name for name in table if name.lower() in LABELS]
    texts = [name for name, column in table.items() if _has_names(column)]
    texts = [name for name in texts if not is_index(name, [table[name]])]
    candidates = usual or texts
    if len(candidates) == 1:
        return candidates[0]
    ask = "Say it with `--label NAME`, or `label` in a lab's [data]"
    results = [name for name in table if _RESULTS.fullmatch(name)]
    if not candidates and len(results) > 1:
        raise DataError(
            f"{where}: it looks like a table of results ({named(results)}), and siffra judges runs "
            f"that it made itself; if it is data to learn from, which column has the labels? "
            f"{ask}."
        )
    raise DataError(
        f"{where}: which column has the labels? {ask}; found: {named(candidates or table, 10)}."
    )


def _has_names(column: np.ndarray) -> bool:
    """Whether most of the column's texts are no numbers, of whatever notation."""
    if column.dtype != object:
        return False
    texts = [value for value in column if isinstance(value, str)]
    odd = sum(not (NUMBER.fullmatch(text) or _DECIMAL_COMMA.fullmatch(text)) for text in texts)
    return 2 * odd > len(column)


def _refuse_lacking(table: Table, wanted: Sequence[str], label: str, train: Path) -> None:
    for column in wanted:
        if column not in table.columns:
            alone = f"; name {train} itself, and siffra takes a part of it for testing"
            raise DataError(
                f"{table.path}: no column `{short(column)}`, which {train.name} has"
                f"{alone if column == label else ''}."
            )


def _labels(column: np.ndarray, name: str, file: Path) -> np.ndarray:
    if column.dtype == object:
        missing = [row for row, value in enumerate(column, start=1) if value is None]
        if missing:
            raise DataError(f"{file}: `{name}` has no label in row {missing[0]}; remove such rows.")
        return np.array([str(value) for value in column])
    return column


def _numbers(table: Table, name: str, commas: dict[str, str]) -> np.ndarray:
    """A column as float64, or what makes it none of numbers; `commas` gets those read as decimal.

    Raises:
        DataError: A cell is no number, or missing.
    """
    column = table.columns[name]
    if column.dtype == object:
        values = [_number(table, name, row, v, commas) for row, v in enumerate(column, start=1)]
        column = np.array(values, np.float64)
    numbers = column.astype(np.float64)
    if (huge := np.isinf(numbers)).any():
        raise DataError(
            f"{table.path}: column `{short(name)}` has {numbers[huge.argmax()]} in row "
            f"{int(huge.argmax()) + 1}; numbers must be finite, and less than 1.8e308."
        )
    missing = np.isnan(numbers)
    if missing.any():
        raise DataError(
            f"{table.path}: column `{short(name)}` is missing in {int(missing.sum()):,} of "
            f"{len(numbers):,} rows, the first of them row {int(missing.argmax()) + 1}; fill it "
            f"in, or leave those rows out."
        )
    return numbers


def _number(table: Table, name: str, row: int, cell: Any, commas: dict[str, str]) -> float:
    if not isinstance(cell, str):
        return np.nan if cell is None else float(cell)
    if NUMBER.fullmatch(cell):
        return float(cell)
    is_comma = _DECIMAL_COMMA.fullmatch(cell)
    if is_comma and table.decimal_commas:
        commas.setdefault(name, cell.strip())
        return float(cell.replace(",", "."))
    remedy = "columns must be of numbers: leave it out, or put numbers in its place"
    if is_comma:
        remedy = "is that a decimal comma? write 5.1, or part columns by semicolons"
    elif cell.strip().casefold() in MISSING:
        remedy = "is it missing there? fill it in, or leave such rows out"
    elif cell == name:
        remedy = "the line of names stands there again; remove it"
    raise DataError(
        f"{table.path}: column `{short(name)}` has {cell[:40]!a} in row {row}; {remedy}."
    )


def _comma_note(commas: Mapping[str, str]) -> tuple[Note, ...]:
    example = next(iter(commas.values()))
    read = f"{float(example.replace(',', '.')):g}"
    return (note("decimal_commas", example=example, read=read, columns=named(commas)),)


def _as_images(rows: np.ndarray, image: Sequence[int], file: Path) -> np.ndarray:
    shape = (*image, 1) if len(image) == 2 else tuple(image)
    sides = "x".join(map(str, image))
    if math.prod(shape) != rows.shape[1]:
        raise DataError(
            f"{file}: image = {sides} takes {math.prod(shape):,} columns of pixels; "
            f"there are {rows.shape[1]:,}."
        )
    if rows.min() < 0 or rows.max() > 255 or (rows != np.rint(rows)).any():
        raise DataError(
            f"{file}: pixels go from {rows.min():g} to {rows.max():g}; as images of {sides} "
            f"they must be whole numbers from 0 to 255."
        )
    return rows.astype(np.uint8).reshape(len(rows), *shape)


def _read(path: Path, label: str | None) -> Table:
    if not path.is_file():
        raise DataError(f"{path}: {'not a regular file' if path.exists() else 'no such file'}.")
    if path.suffix.lower() == ".parquet":
        with refusals(path):
            columns, empty = _columns(open_parquet(path), path)
            return Table(path, columns, empty)
    dialect = read_dialect(path)

    def as_text(name: str) -> bool:  # so that 01 and 1 are not the same
        return name.strip() == label if label is not None else name.strip().lower() in LABELS

    with refusals(path, dialect.lines_before):
        refuse_data_as_names(path, dialect.names)
        with opened_csv(path, dialect, as_text) as reader:
            columns, empty = _columns(reader, path)
        refuse_data_as_names(path, tuple(columns), columns)
    return Table(path, columns, empty, dialect.has_decimal_commas)


def _columns(reader: Any, path: Path) -> tuple[Columns, int]:
    """The columns by name, and how many have neither a name nor a value, as after a last comma."""
    names = [field.name.strip() for field in reader.schema]
    most = LIMIT // (_WIDEST_CELL * max(len(names), 1))
    table = whole_table(reader, path, most, f"siffra reads at most {LIMIT // 2**30} GiB")
    if not names or not table.num_rows:
        raise DataError(f"{path}: it has no rows.")
    is_empty = [not name and _is_empty(table.column(i)) for i, name in enumerate(names)]
    kept = [i for i in range(len(names)) if not is_empty[i]]
    named = [names[i] for i in kept]
    doubled = next((name for name in named if named.count(name) > 1), None)
    if doubled is not None:
        raise DataError(f"{path}: two columns are called `{short(doubled)}`.")
    return {names[i]: _column(table.column(i), names[i], path) for i in kept}, sum(is_empty)


def _is_empty(column: Any) -> bool:
    return type(column.type).is_null(column.type) or column.null_count == len(column)


def _column(column: Any, name: str, path: Path) -> np.ndarray:
    kind = type(column.type)
    if kind.is_null(column.type):
        return np.full(len(column), None, object)
    if kind.is_numeric(column.type) or kind.is_boolean(column.type):
        if column.null_count or kind.is_boolean(column.type):
            return np.array(column.to_pylist(), object if column.null_count else np.bool_)
        return column.combine_chunks().to_numpy() if len(column) else np.empty(0)
    if kind.is_nested(column.type) or "inary" in str(column.type):
        raise DataError(f"{path}: column `{name}` has neither numbers nor texts in it.")
    values = np.empty(len(column), object)
    values[:] = [None if value is None else str(value) for value in column.to_pylist()]
    return values
