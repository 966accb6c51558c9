"""From what a reader found, columns of whatever cells, to a table of runs, one a row.

Objects within cells become columns of their own, texts become numbers, and names lose what only
says where a column comes from (`config.lr`), which is remembered.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import NoneType
from typing import Any, Self, TypeGuard

from siffra.data.labels import MISSING
from siffra.data.notes import Note, named, short
from siffra.results.cells import (
    Column,
    certain_decimal,
    float_step,
    is_number,
    plain_cell,
    points_in_threes,
    read_cells,
    same_numbers,
    starts_as_number,
)
from siffra.results.names import is_summary, numbers_runs
from siffra.results.nested import flat_columns
from siffra.results.table import Curve, Origin, RunTable, note, refuse_size, refused

_ORIGINS: Mapping[str, Origin] = {
    "config": "knob",
    "params": "knob",
    "hparams": "knob",
    "hyperparameters": "knob",
    "args": "knob",
    "metrics": "metric",
    "summary": "metric",
    "results": "metric",
    "tags": "context",
    "machine": "context",
}
"""What a column is whose name starts so, before a point: W&B's, MLflow's and other names for it."""


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """What a reader found: cells by column, as they are in the source, and curves by metric.

    `rows` is what messages call each run.
    """

    columns: Mapping[str, Sequence[Any]]
    source: str
    rows: Sequence[str]
    curves: Mapping[str, tuple[Curve, ...]] = field(default_factory=dict)
    decimal_commas: bool = False
    notes: tuple[Note, ...] = ()

    @classmethod
    def without_empty_rows(
        cls, columns: Mapping[str, Sequence[object]], source: str, *, decimal_commas: bool = False
    ) -> Self:
        """The columns without rows that are empty throughout; a row is called by its number.

        Raises:
            ResultsError: There are no rows.
        """
        rows = max((len(cells) for cells in columns.values()), default=0)
        cells_by_row = enumerate(zip(*columns.values(), strict=True))
        filled = [n for n, row in cells_by_row if any(cell is not None for cell in row)]
        if not filled:
            raise refused("no_rows", source=source)
        if len(filled) < rows:
            columns = {name: [cells[n] for n in filled] for name, cells in columns.items()}
        return cls(columns, source, [f"row {n + 1}" for n in filled], {}, decimal_commas)


def assemble(raw: Raw) -> RunTable:
    """The table of what a reader found.

    Raises:
        ResultsError: It is too large, or what is nested in it cannot be read.
    """
    refuse_size(raw.source, len(raw.rows), len(raw.columns))
    raw, notes = _without_summaries(raw)
    flat = flat_columns(raw.columns, len(raw.rows), raw.source)
    refuse_size(raw.source, len(raw.rows), len(flat.columns))
    names, origins = _short_names([*flat.columns, *raw.curves])
    texts = {name: cells for name, cells in flat.columns.items() if _are_texts(cells)}
    comma = certain_decimal(texts, ",") if raw.decimal_commas else ("", "")
    if comma[1]:
        _refuse_points(raw, texts, comma)
    read = {names[name]: _typed(of, bool(comma[1])) for name, of in flat.columns.items()}
    if raw.decimal_commas and not certain_decimal(texts, ".")[1]:
        for name, cells in texts.items():
            is_read = read[names[name]].step is not None
            point = points_in_threes(cells) if is_read else ""
            read[names[name]] = replace(read[names[name]], point=point)
    curves = {**{names[name]: of for name, of in raw.curves.items()}, **flat.curves}
    return RunTable(
        columns={name: column.cells for name, column in read.items()},
        source=raw.source,
        rows=tuple(raw.rows),
        steps={name: c.step for name, c in read.items() if c.step is not None},
        curves=curves,
        origins=origins,
        notes=(*raw.notes, *notes, *_notation_notes(read), *_left_out_notes(flat.left_out)),
    )


def _without_summaries(raw: Raw) -> tuple[Raw, list[Note]]:
    """Without the rows that sum up others: `mean` where all other rows have a number, or a seed.

    In a column that does not number runs, a word that several rows have is a level, as of `impute`.
    """
    summaries: set[int] = set()
    worded: set[int] = set()
    for name, cells in raw.columns.items():
        texts = {cell for cell in cells if isinstance(cell, str)}
        words = {text for text in texts if is_summary(text)}
        if not numbers_runs(name):
            words = {word for word in words if cells.count(word) == 1}
        others = [c for c in cells if c is not None and c not in words] if words else []
        rows = {row for row, c in enumerate(cells) if isinstance(c, str) and c in words}
        worded |= rows
        if others and all(is_number(c) or starts_as_number(str(c)) for c in others):
            summaries |= rows
    for cells in (cells for name, cells in raw.columns.items() if worded and numbers_runs(name)):
        unnumbered = {row for row, cell in enumerate(cells) if _is_empty(cell)}
        summaries |= unnumbered if unnumbered <= worded and len(unnumbered) < len(cells) else set()
    if not summaries:
        return raw, []
    kept = [row for row in range(len(raw.rows)) if row not in summaries]
    columns, curves = (
        {name: tuple(of[row] for row in kept) for name, of in columns.items()}
        for columns in (raw.columns, raw.curves)
    )
    left_out = note("summary_rows", rows=named(raw.rows[row] for row in sorted(summaries)))
    rows = [raw.rows[row] for row in kept]
    return replace(raw, columns=columns, curves=curves, rows=rows), [left_out]


def _is_empty(cell: object) -> bool:
    return cell is None or cell != cell or (isinstance(cell, str) and cell.casefold() in MISSING)


def _refuse_points(
    raw: Raw, texts: Mapping[str, Sequence[str | None]], comma: tuple[str, str]
) -> None:
    """Check that no point may part thousands in a table with a `comma` that is a decimal one."""
    for name, cells in texts.items():
        if number := points_in_threes(cells):
            raise refused(
                "points",
                source=raw.source,
                row=raw.rows[[cell and cell.strip() for cell in cells].index(number)],
                column=short(name),
                cell=number,
                other=short(comma[0]),
                decimal=comma[1],
            )


def _typed(cells: Sequence[object], decimal_commas: bool) -> Column:
    if _are_texts(cells):
        return read_cells(cells, decimal_commas=decimal_commas)
    plain = [plain_cell(cell) for cell in cells]
    if _are_texts(plain):
        return read_cells(plain)
    numbers = any(is_number(cell) and not isinstance(cell, bool) for cell in plain)
    if any(isinstance(cell, str) for cell in plain):
        plain = same_numbers(plain)
    return Column(tuple(plain), float_step(plain) if numbers else None)


def _are_texts(cells: Sequence[object]) -> TypeGuard[Sequence[str | None]]:
    return set(map(type, cells)) <= {str, NoneType}


def _short_names(names: Sequence[str]) -> tuple[dict[str, str], dict[str, Origin]]:
    """Names without what says where a column comes from, unless two would be called the same."""
    parts = {name: name.partition(".") for name in dict.fromkeys(names)}
    bare = {n: rest if head in _ORIGINS and rest else n for n, (head, _, rest) in parts.items()}
    shared = {name for name, times in Counter(bare.values()).items() if times > 1}
    called = {name: name if short in shared else short for name, short in bare.items()}
    origins: dict[str, Origin] = {
        called[n]: _ORIGINS[head]
        for n, (head, _, rest) in parts.items()
        if rest and head in _ORIGINS
    }
    return called, origins


def _notation_notes(columns: Mapping[str, Column]) -> list[Note]:
    notes = []
    for code, examples in (
        ("decimal_commas", {name: column.comma for name, column in columns.items()}),
        ("percentages", {name: column.percent for name, column in columns.items()}),
        ("points", {name: column.point for name, column in columns.items()}),
    ):
        if used := {name: text for name, text in examples.items() if text}:
            example = next(iter(used.values()))
            value = float(example.rstrip("% ").replace(",", "."))
            value = value / 100 if example.endswith("%") else value
            notes.append(note(code, example=example, read=f"{value:g}", columns=named(used)))
    return notes


def _left_out_notes(columns: Sequence[str]) -> list[Note]:
    return [note("nested_left_out", columns=named(columns))] if columns else []
