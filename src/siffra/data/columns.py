"""The columns of a table: which are learned from, and which only look as if they could be.

A column that numbers the rows, or is the label once more, makes every network look perfect.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from siffra.data.notes import Note, named, note
from siffra.data.splits import Parts

_INDEX = re.compile(
    r"|unnamed: *\d+|_*index(_level_\d+)?_*|row(_?(names?|numbers?|nr|no|id))?|rownames"
    r"|(.*[ _-])?(id|uuid|guid)",
    re.IGNORECASE,
)
_CAMEL = re.compile(r".*[a-z0-9](Id|ID)")
"""What a column is called that numbers or names the rows: `Id`, `image_id`, `PassengerId`."""

_FEWEST = 10
"""So few rows can be in order, or have a value for each class, by accident."""


def is_index(name: str, columns: Sequence[np.ndarray]) -> bool:
    """Whether the column of this `name` numbers or names the rows, in every one of its files.

    It is called so, and every row has a whole number or a text that no other has.
    """
    return names_rows(name) and all(_tells_rows_apart(column) for column in columns)


def names_rows(name: str) -> bool:
    """Whether a column of this name should number or name the rows."""
    return bool(_INDEX.fullmatch(name.strip()) or _CAMEL.fullmatch(name.strip()))


def left_out_note(columns: Sequence[str]) -> tuple[Note, ...]:
    """Says that `columns` were left out, if there are any."""
    return (note("columns_left_out", columns=named(columns)),) if columns else ()


def column_notes(parts: Parts) -> list[Note]:
    """What is odd about the columns that are learned from: rows' numbers, the label once more."""
    remarks = []
    if again := [name for name in parts.features if names_rows(name)]:
        remarks.append(note("numbered_twice", columns=named(again)))
    train = parts.sets["train"]
    rows = train.x[:, 0, :, 0]
    if not parts.features or len(rows) < _FEWEST:
        return remarks
    same = _says_class(rows, train.y)
    if same.any():
        names = np.array(parts.features, object)[same]
        remarks.append(note("gives_label_away", columns=named(names)))
    return remarks


def counting_notes(columns: Mapping[str, np.ndarray]) -> tuple[Note, ...]:
    """Names the columns, in the order of their file, that grow by one from row to row."""
    counting = [
        name
        for name, column in columns.items()
        if len(column) >= _FEWEST and not names_rows(name) and _counts(column)
    ]
    return (note("counts_rows", columns=named(counting)),) if counting else ()


def _counts(column: np.ndarray) -> bool:
    # The ends first: most columns are told by them. Halves: their difference can overflow.
    reaches = column[-1] / 2 - column[0] / 2 == (len(column) - 1) / 2
    return bool(reaches and (np.diff(column) == 1).all())


def _tells_rows_apart(column: np.ndarray) -> bool:
    if column.dtype.kind == "f" and not (np.isfinite(column) & (column == np.rint(column))).all():
        return False
    values = column.tolist()
    return None not in values and len(set(values)) == len(values)


def _says_class(rows: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which columns have one value in each class, and no two classes the same."""
    order = np.argsort(y, kind="stable")
    starts = np.flatnonzero(np.diff(y[order], prepend=-1))
    least = np.minimum.reduceat(rows[order], starts, axis=0)
    most = np.maximum.reduceat(rows[order], starts, axis=0)
    by_value = np.sort(least, axis=0)
    return (least == most).all(axis=0) & (by_value[1:] != by_value[:-1]).all(axis=0)
