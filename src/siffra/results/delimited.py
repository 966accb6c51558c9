"""CSV, TSV and Parquet files of finished runs, as columns that are not interpreted yet."""

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from siffra.data.arrow import open_parquet, refusals, whole_table
from siffra.data.csv_file import NUMBER, opened_csv, read_dialect, refuse_data_as_names
from siffra.data.notes import Note, named, short
from siffra.results.assemble import Raw
from siffra.results.table import MOST_ROWS, note, refuse_size, refused, remedy

_LIMIT = remedy("row_a_run")
_CHART = re.compile(r".+ - .+__(MIN|MAX)")
"""A column of the CSV that W&B's page exports from a chart."""


def read_delimited(path: Path) -> Raw:
    """The texts in a CSV or TSV file, by column; empty cells are None.

    Raises:
        DataError: It is no such file, too large, or has no rows, or its first line no names.
    """
    dialect = read_dialect(path)
    refuse_size(str(path), 0, len(dialect.names))
    _refuse_chart(path, dialect.names)
    with refusals(path, dialect.lines_before):
        refuse_data_as_names(path, dialect.names)
        with opened_csv(path, dialect, lambda name: True) as reader:
            table = whole_table(reader, path, MOST_ROWS, _LIMIT)
    raw = _raw(path, table, dialect.has_decimal_commas)
    return replace(raw, notes=_cut_off(path, raw))


def read_parquet_file(path: Path) -> Raw:
    """The columns of a Parquet file.

    Raises:
        DataError: It is none, damaged, too large, or has no rows.
    """
    with refusals(path):
        reader = open_parquet(path)
        refuse_size(str(path), 0, len(reader.schema))
        table = whole_table(reader, path, MOST_ROWS, _LIMIT)
        return _raw(path, table, decimal_commas=False)


def _raw(path: Path, table: Any, decimal_commas: bool) -> Raw:
    names = [field.name.strip() for field in table.schema]
    cells = [table.column(i).to_pylist() for i in range(len(names))]
    kept = [i for i, name in enumerate(names) if name or any(c is not None for c in cells[i])]
    for number in kept:
        names[number] = names[number] or f"Unnamed: {number}"  # as pandas calls it
    columns = {names[i]: cells[i] for i in kept}
    if len(columns) < len(kept):
        doubled = next(names[i] for i in kept if names.count(names[i]) > 1)
        raise refused("same_name", source=path, column=short(doubled))
    return Raw.without_empty_rows(columns, str(path), decimal_commas=decimal_commas)


def _cut_off(path: Path, raw: Raw) -> tuple[Note, ...]:
    """That the last value is shorter than all others and no line ends behind it, if so."""
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        is_whole = file.read() in (b"\n", b"\r", b"\0")
    name, cells = list(raw.columns.items())[-1]
    *others, last = ("" if cell is None else cell for cell in cells)
    if is_whole or not NUMBER.fullmatch(last) or len(last) >= min(map(len, others), default=0):
        return ()
    return (note("cut_off", column=named([name]), cell=last),)


def _refuse_chart(path: Path, names: Sequence[str]) -> None:
    if charted := [name for name in names if _CHART.fullmatch(name)]:
        raise refused("chart_export", source=path, columns=named(charted, 2))
