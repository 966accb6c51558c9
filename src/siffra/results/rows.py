"""The rows of a table of runs: each with its level, its seed and its metrics."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from siffra.config.metrics import Metric, judged
from siffra.data.csv_file import NUMBER
from siffra.data.labels import MISSING
from siffra.data.notes import Note, short
from siffra.results import names
from siffra.results.cells import DECIMAL_COMMA, is_finite, is_grouped, is_number, starts_as_number
from siffra.results.names import ENDINGS
from siffra.results.roles import Roles
from siffra.results.table import Cell, Curve, Scalar, refused, remedy

LevelKey = tuple[Cell, ...]
"""A level's values, in the order of `Roles.by`."""

_SPREAD = ("±", "+/-", "(")
_SHEET_ERROR = re.compile(r"#(N/A|NV|#+|[^\W\d_][\w/]*[!?])")
"""`#REF!`, `#N/A`, `#DIV/0!`, and what they are in other languages, as `#SAKNAS!`."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run that was made, as far as its table tells.

    Attributes:
        name: What messages call it.
        row: Its number in the table of the roles, from 0.
        level: The values of the knobs that its level consists of, in the order of `Roles.by`.
        seed: None if there is no column of seeds, or its cell is empty.
        pair: What it shares with the runs of other levels that it is paired with.
        metrics: By name; None if it was not reported, NaN if the run diverged.
        failed: Why it is not a result, though it may have metrics; None if it is one.
        curves: By metric, step and value.
        context: Commit, machine, versions and times, where there are any.
    """

    name: str
    row: int
    level: LevelKey
    seed: Cell
    pair: tuple[Cell, ...]
    metrics: Mapping[str, float | None]
    failed: str | None
    curves: Mapping[str, Curve]
    context: Mapping[str, Cell]

    def has(self, metric: str) -> bool:
        """Whether it is a result with a finite value of this metric."""
        return self.failed is None and is_finite(self.metrics[metric])


def run_rows(roles: Roles) -> list[RunRow]:
    """Every row of the table that `roles` is about.

    Raises:
        ResultsError: A metric has a text for a value.
    """
    table = roles.table
    by = _tuples(table.columns, roles.by, len(table))
    pairs = _tuples(table.columns, roles.pair_by, len(table))
    _refuse_errors(roles, (*roles.by, *roles.pair_by))
    metrics = {metric.name: _values(roles, metric) for metric in roles.metrics}
    curves = {name: of for name, of in table.curves.items() if name in metrics}
    seeds = table.columns[roles.seed] if roles.seed else (None,) * len(table)
    return [
        RunRow(
            name=table.rows[row],
            row=row,
            level=by[row],
            seed=_plain(seeds[row]),
            pair=pairs[row],
            metrics={name: values[row] for name, values in metrics.items()},
            failed=_failure(roles, row),
            curves={name: of[row] for name, of in curves.items() if of[row]},
            context={name: table.columns[name][row] for name in roles.context},
        )
        for row in range(len(table))
    ]


def _refuse_errors(roles: Roles, columns: Sequence[str]) -> None:
    """Check that no cell that identifies a run holds a spreadsheet error."""
    for name in columns:
        for row, cell in enumerate(roles.table.columns[name]):
            if isinstance(cell, str) and _SHEET_ERROR.fullmatch(cell):
                raise refused(
                    "sheet_error",
                    source=roles.table.source,
                    row=roles.table.rows[row],
                    column=short(name),
                    cell=cell,
                )


def _tuples(
    columns: Mapping[str, Sequence[Cell]], names: Sequence[str], rows: int
) -> list[tuple[Cell, ...]]:
    if not names:
        return [()] * rows
    return [tuple(map(_plain, row)) for row in zip(*(columns[n] for n in names), strict=True)]


def _plain(cell: Cell) -> Cell:
    """A cell that can be a key: what is NaN was empty, as pandas has it."""
    return None if cell != cell else cell


def _values(roles: Roles, metric: Metric) -> list[float | None]:
    """The values of a metric by row.

    Raises:
        ResultsError: One is a text that is not a number.
    """
    return [
        judged(cell) if isinstance(cell, float) else _value(roles, metric, row, cell)
        for row, cell in enumerate(roles.table.columns[metric.name])
    ]


def _value(roles: Roles, metric: Metric, row: int, cell: Cell) -> float | None:
    if is_number(cell):
        return judged(float(cell))
    word = "" if cell is None else str(cell).casefold()
    if word in MISSING:
        return math.nan if word == "nan" else None
    if word in ENDINGS["failed"]:
        return math.nan
    if NUMBER.fullmatch(word):
        return judged(float(word))
    _refuse_errors(roles, [metric.name])
    raise refused(
        "no_number",
        source=roles.table.source,
        row=roles.table.rows[row],
        column=short(metric.name),
        cell=short(str(cell)),
        remedy=_as_number(word),
    )


def _as_number(word: str) -> Note:
    """What would be right in the place of a text that is not a number."""
    if is_grouped(word):
        return remedy("no_marks")
    if any(sign in word for sign in _SPREAD):
        return remedy("no_spread")
    if "%" in word:
        return remedy("all_percent")
    if DECIMAL_COMMA.fullmatch(word):
        return remedy("decimal_point")
    return remedy("no_unit" if starts_as_number(word) else "number")


def _failure(roles: Roles, row: int) -> str | None:
    """How a run failed, as its table says."""
    for name in roles.status:
        cell = roles.table.columns[name][row]
        if cell is not None and _says_failed(name, cell):
            return f"{short(name)}: {short(str(cell))}"
    return None


def _says_failed(name: str, cell: Scalar) -> bool:
    if isinstance(cell, bool):
        return cell != (name.casefold() == "converged")
    if not isinstance(cell, str):
        return cell != 0  # an exit code
    word = cell.casefold()
    if word in ENDINGS["failed"] or word in ENDINGS["unfinished"]:
        return True
    return names.tells_error(name) and word not in ENDINGS["ended"] and word not in MISSING
