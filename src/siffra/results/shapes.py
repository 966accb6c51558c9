"""Tables of other shapes than one row a run, which become it.

Rows that are epochs of a run become its curves and its last values, rows that are sets it was
measured on columns (`test_accuracy`), and columns that are seeds (`seed_0`, `seed_1`) rows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from siffra.data.notes import named, short
from siffra.results import names
from siffra.results.cells import is_finite, is_number
from siffra.results.kinds import distinct, kind_of
from siffra.results.table import Cell, Curve, RunTable, note, refused

_SEED_COLUMNS = (
    re.compile(
        r"(?:(?P<of>.+)[ _./-])?(?:seed|run|rep|fold|trial)[ _-]?(?P<seed>[0-9]{1,9})", re.I
    ),
    re.compile(r"(?:seed|run|rep|fold|trial)[ _-]?(?P<seed>[0-9]{1,9})[ _./-](?P<of>.+)", re.I),
    re.compile(r"(?P<of>.+)[ _./-]s(?P<seed>[0-9]{1,9})", re.I),
)
_VALUE = "value"

Groups = Sequence[Sequence[int]]
"""The rows of each run."""


def one_row_a_run(table: RunTable) -> RunTable:
    """The table with one row a run, if it has several: the same one if it has not.

    Raises:
        ResultsError: Which rows are of one run cannot be told, or it is a table of something else.
    """
    if {"truth", "predicted", "images"} <= table.columns.keys():
        raise refused("confusions", source=table.source)
    return _by_epoch(_by_set(_with_accuracies(_by_metric(_by_seed_columns(table)))))


def _by_seed_columns(table: RunTable) -> RunTable:
    """Columns that are seeds, as in a table of a paper, become rows of a metric.

    That is `value`, unless they name it: `val_loss_seed0`.
    """
    of: dict[str, dict[int, str]] = {}
    for name, cells in table.columns.items():
        metric, seed = _measured_with(name)
        if metric and _is_numeric(cells):
            of.setdefault(metric, {})[seed] = name
    seeds = next(iter(of.values()), {})
    if len(seeds) < 2 or any(by_seed.keys() != seeds.keys() for by_seed in of.values()):
        return table
    if names.SEEDS[0] in table.columns or not table.columns.keys().isdisjoint(of):
        return table
    runs, taken = range(len(table)), {n for by_seed in of.values() for n in by_seed.values()}
    columns = {
        name: tuple(cells[row] for row in runs for _ in seeds)
        for name, cells in table.columns.items()
        if name not in taken
    }
    columns[names.SEEDS[0]] = tuple(seed for _ in runs for seed in seeds)
    steps, remarks = dict(table.steps), []
    for metric, by_seed in of.items():
        columns[metric] = tuple(table.columns[by_seed[seed]][row] for row in runs for seed in seeds)
        steps[metric] = min(table.steps.get(name, 0.0) for name in by_seed.values())
        called = {"columns": named(by_seed.values()), "column": named([metric])}
        remarks.append(note("columns_by_seed", **called))
    return replace(
        table,
        columns=columns,
        rows=tuple(f"{table.rows[row]}, {short(name)}" for row in runs for name in seeds.values()),
        steps=steps,
        notes=(*table.notes, *remarks),
    )


def _measured_with(column: str) -> tuple[str, int]:
    """The metric that a column has of the runs with one seed, and the seed; "" if it has none."""
    for match in filter(None, (pattern.fullmatch(column) for pattern in _SEED_COLUMNS)):
        metric = match["of"] or _VALUE
        if metric == _VALUE or (names.direction(metric) and not names.is_knob(metric)):
            return metric, int(match["seed"])
    return "", 0


def _is_numeric(cells: Sequence[Cell]) -> bool:
    return all(cell is None or is_number(cell) for cell in cells)


def _by_metric(table: RunTable) -> RunTable:
    """Rows of one metric each, as pandas' `melt` makes them, become one with a column for each."""
    for column, cells in table.columns.items():
        called = [str(cell) for cell in distinct(cells)]
        if not names.names_metrics(column) or not any(map(names.direction, called)):
            continue
        others = [name for name in table.columns if name != column]
        values = [name for name in others if kind_of(table, name, None) == "measured"]
        if len(values) != 1:
            continue
        groups = _groups(table, {column, *values}, with_steps=True)
        metrics = [[cells[row] for row in rows] for rows in groups]
        if any(len(set(of)) < len(of) for of in metrics):
            continue
        return _with_metrics(table, groups, column, values[0])
    return table


def _with_metrics(table: RunTable, groups: Groups, column: str, value: str) -> RunTable:
    cells, measured = table.columns[column], table.columns[value]
    columns = {
        name: tuple(of[rows[0]] for rows in groups)
        for name, of in table.columns.items()
        if name not in (column, value)
    }
    by_metric = [{str(cells[row]): measured[row] for row in rows} for rows in groups]
    for metric in map(str, distinct(cells)):
        columns[metric] = tuple(of.get(metric) for of in by_metric)
    counts = {"rows": f"{len(table):,}", "runs": f"{len(groups):,}"}
    remark = note("rows_by_metric", column=named([column]), values=named([value]), **counts)
    return _replaced(table, groups, columns, notes=(*table.notes, remark))


def _with_accuracies(table: RunTable) -> RunTable:
    """The table of epochs that siffra exports, whose columns are called by the set alone."""
    columns = list(table.columns)
    if not {"key", "setting", "epoch", "seconds", "dataset"} <= set(columns):
        return table
    sets = columns[columns.index("seconds") + 1 : columns.index("dataset")]
    called = {name: f"{name}_accuracy" if name in sets else name for name in columns}
    return replace(
        table,
        columns={called[name]: cells for name, cells in table.columns.items()},
        steps={called[name]: step for name, step in table.steps.items()},
    )


def _by_set(table: RunTable) -> RunTable:
    """Rows that differ in nothing but the set they are measured on become one."""
    for column, cells in table.columns.items():
        if names.is_set(column) and names.are_sets(distinct(cells)):
            measured = _measured(table)
            groups = _groups(table, {column, *measured})
            sets = [[cells[row] for row in rows] for rows in groups]
            if max(map(len, sets)) > 1 and all(len(set(of)) == len(of) for of in sets):
                return _wide(table, groups, column, measured)
    return table


def _by_epoch(table: RunTable) -> RunTable:
    """Rows that are the steps of one run become its last values, and its curves."""
    steps = [n for n, of in table.columns.items() if names.is_step(n) and all(map(is_finite, of))]
    if not steps:
        return table
    column = max(steps, key=lambda name: len(distinct(table.columns[name])))  # the finest
    cells, measured = table.columns[column], _measured(table)
    groups = _named_groups(table, column) or _groups(table, {column, *measured})
    if not any(_starts_early([cells[row] for row in rows]) for rows in groups):
        return table
    _refuse_unclear(table, column, groups)
    return _folded(table, groups, column, measured)


def _measured(table: RunTable) -> list[str]:
    kinds = {name: kind_of(table, name, None) for name in table.columns}
    return [name for name, kind in kinds.items() if kind in ("metric", "measured", "spread")]


def _named_groups(table: RunTable, column: str) -> Groups | None:
    """The rows of each name, if there are names of runs: each has no step twice."""
    for name, cells in table.columns.items():
        names_runs = names.names_runs(name) or names.names_levels(name) or names.is_repeat(name)
        if names_runs and 1 < len(distinct(cells)) < len(table):
            groups: dict[Cell, list[int]] = {}
            for row, cell in enumerate(cells):
                groups.setdefault(cell, []).append(row)
            if not any(_doubled(table, column, rows) for rows in groups.values()):
                return list(groups.values())
    return None


def _groups(table: RunTable, apart_from: set[str], *, with_steps: bool = False) -> Groups:
    """The rows that have all other cells in common, in the order in which each run comes first.

    But for what numbers rows, or says when they were written; and for steps, unless `with_steps`.
    """
    shared = [
        cells
        for name, cells in table.columns.items()
        if name not in apart_from
        and (with_steps or not names.is_step(name))
        and names.context(name) != "time"
        and len(distinct(cells)) < len(table)
    ]
    groups: dict[object, list[int]] = {}
    for row in range(len(table)):
        groups.setdefault(tuple(str(cells[row]) for cells in shared), []).append(row)
    return list(groups.values())


def _starts_early(steps: Sequence[Cell]) -> bool:
    """Whether these are a run's steps from its start: not where several were stopped."""
    apart = sorted(set(filter(is_number, steps)))
    return len(apart) > 1 and apart[0] <= max(1, min(b - a for a, b in pairwise(apart)))


def _doubled(table: RunTable, column: str, rows: Sequence[int]) -> tuple[int, int] | None:
    """The first two of the rows that are the same step."""
    first: dict[Cell, int] = {}
    for row in rows:
        if (step := table.columns[column][row]) in first:
            return first[step], row
        first[step] = row
    return None


def _refuse_unclear(table: RunTable, column: str, groups: Groups) -> None:
    """Check that no run has two rows for the same step."""
    for rows in groups:
        if doubled := _doubled(table, column, rows):
            step = f"`{short(column)}` {table.columns[column][doubled[0]]}"
            first, other = (table.rows[row] for row in doubled)
            raise refused("same_step", source=table.source, first=first, other=other, step=step)


def _wide(table: RunTable, groups: Groups, column: str, measured: Sequence[str]) -> RunTable:
    sets = [value for value in distinct(table.columns[column]) if value is not None]
    columns: dict[str, tuple[Cell, ...]] = {}
    steps = dict(table.steps)
    of_sets = [row for row, value in enumerate(table.columns[column]) if value is not None]
    for name, cells in table.columns.items():
        is_of_none = all(cells[row] is None for row in of_sets)  # but of runs that have no sets
        # A run takes its time once.
        if name not in measured or names.is_time(name) or is_of_none:
            columns |= {name: tuple(cells[rows[0]] for rows in groups)} if name != column else {}
            continue
        for value in sets:
            by_run = [
                [cells[r] for r in rows if table.columns[column][r] == value] for rows in groups
            ]
            columns[f"{value}_{name}"] = tuple(of[0] if of else None for of in by_run)
            steps[f"{value}_{name}"] = table.steps.get(name, 0.0)
    remark = note(
        "rows_by_set", column=named([column]), rows=f"{len(table):,}", runs=f"{len(groups):,}"
    )
    return _replaced(table, groups, columns, steps=steps, notes=(*table.notes, remark))


def _folded(table: RunTable, groups: Groups, column: str, measured: Sequence[str]) -> RunTable:
    """One row for each group: its last values, and its curves of what was measured."""
    step_of = [float(step) if is_number(step) else 0.0 for step in table.columns[column]]
    ordered = [sorted(rows, key=step_of.__getitem__) for rows in groups]
    columns: dict[str, tuple[Cell, ...]] = {}
    curves: dict[str, tuple[Curve, ...]] = {}
    scheduled: list[str] = []
    for name, cells in table.columns.items():
        if name in measured:
            curves[name] = tuple(
                tuple((step_of[r], float(v)) for r in rows if is_number(v := cells[r]))
                for rows in ordered
            )
        elif not _says_progress(name) and any(
            len(distinct([cells[row] for row in rows])) > 1 for rows in groups
        ):
            scheduled.append(name)
            continue
        columns[name] = tuple(_last([cells[row] for row in rows]) for rows in ordered)
    counts = {"rows": f"{len(table):,}", "runs": f"{len(groups):,}"}
    remarks = [note("rows_by_step", column=named([column]), **counts)]
    remarks += [note("varies_in_run", columns=named(scheduled))] if scheduled else []
    return _replaced(table, ordered, columns, curves=curves, notes=(*table.notes, *remarks))


def _says_progress(name: str) -> bool:
    return names.is_step(name) or names.context(name) == "time"


def _last(cells: Sequence[Cell]) -> Cell:
    return next((cell for cell in reversed(cells) if cell is not None), None)


def _replaced(
    table: RunTable, groups: Groups, columns: Mapping[str, tuple[Cell, ...]], **changes: object
) -> RunTable:
    """The table with a row for each group."""
    rows = [
        table.rows[of[0]] if len(of) == 1 else f"{table.rows[min(of)]} to {table.rows[max(of)]}"
        for of in groups
    ]
    return replace(table, columns=columns, rows=tuple(rows), **changes)
