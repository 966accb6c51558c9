"""A table of finished runs, whatever it was read from: columns of cells, and curves if it has any.

Nothing here knows which column is a knob, a seed or a metric: see `siffra.results.roles`.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from siffra.data.notes import Note, named, package_note, refusal, short
from siffra.errors import ResultsError

MOST_ROWS = 1_000_000
MOST_COLUMNS = 2_000
MOST_CELLS = 30_000_000

Scalar = bool | int | float | str
Cell = Scalar | None
"""None where a cell is empty; a float NaN where the source says so, as of a run that diverged."""

Curve = tuple[tuple[float, float], ...]
"""Step (or epoch) and value, in the order of the steps."""

Origin = Literal["knob", "metric", "context"]
"""What the source itself calls a column: a parameter, a metric, or something about the run."""

note = partial(package_note, "siffra.results", "note")
remedy = partial(package_note, "siffra.results", "remedy")
"""The part of a refusal that says what would be right."""
_ROW, _ROWS = re.compile(r"row (\d+)"), frozenset({"row", "first", "other"})


def refused(code: str, /, **values: object) -> ResultsError:
    """The error with this code in `languages`; rows that are called by number are so in each."""
    for name in _ROWS.intersection(values):
        if row := _ROW.fullmatch(str(values[name])):
            values[name] = package_note("siffra.results", "place", "row", number=row[1])
    return refusal(ResultsError, "siffra.results", code, **values)


def shown(cell: Cell) -> str:
    """A cell as messages have it."""
    return "none" if cell is None else str(cell)


@dataclass(frozen=True, slots=True, eq=False)
class RunTable:
    """Finished runs, one a row.

    Attributes:
        columns: Cells by the name of their column, in the order of the source.
        source: What it was read from, as messages name it.
        rows: What messages call each run: `row 3`, or its name where it has one.
        steps: How coarsely each column of numbers was printed (1e-4 for 0.9731), which is 1 for
            whole numbers; 0 where the numbers have all the digits of a float.
        curves: By metric, a curve for each run; empty where a run has none.
        origins: What the source itself says a column is, where it does.
        notes: What was read in a way that its user may not expect.
    """

    columns: Mapping[str, tuple[Cell, ...]]
    source: str
    rows: tuple[str, ...]
    steps: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, tuple[Curve, ...]] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def taken(self, rows: Sequence[int]) -> "RunTable":
        """The table of these rows alone, in this order."""
        return replace(
            self,
            columns={name: tuple(cells[r] for r in rows) for name, cells in self.columns.items()},
            rows=tuple(self.rows[r] for r in rows),
            curves={name: tuple(of[r] for r in rows) for name, of in self.curves.items()},
        )


def no_column(table: RunTable, asked: str, column: str) -> ResultsError:
    """The refusal of what was asked, about a column that is not there; there may be thousands."""
    near = difflib.get_close_matches(column, table.columns, n=1, cutoff=0.5)
    hint = remedy("near_column" if near else "columns", columns=named(near or table.columns, 10))
    source = table.source
    return refused("no_column", source=source, asked=asked, column=short(column), remedy=hint)


def refuse_size(source: str, rows: int, columns: int) -> None:
    """Check that a table is no larger than siffra takes.

    Raises:
        ResultsError: It is.
    """
    for count, most, what in (
        (rows, MOST_ROWS, "rows"),
        (columns, MOST_COLUMNS, "columns"),
        (rows * columns, MOST_CELLS, "cells"),
    ):
        if count > most:
            raise refused(f"too_many_{what}", source=source, count=f"{count:,}", most=f"{most:,}")
