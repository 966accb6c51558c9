"""Runs that a table has twice: copies count once, reruns replace failures, others are refused."""

from collections.abc import Iterable, Sequence

from siffra.data.notes import Note, named, short
from siffra.errors import ResultsError
from siffra.results.roles import Roles
from siffra.results.rows import RunRow
from siffra.results.table import note, refused, remedy, shown


def without_doubles(rows: Sequence[RunRow], roles: Roles) -> tuple[list[RunRow], list[Note]]:
    """The runs without copies and without failures that were made again, and what was left out.

    Raises:
        ResultsError: Two runs of one level and seed have different results.
    """
    kept: list[RunRow] = []
    copies: list[str] = []
    failures: list[str] = []
    for group in _alike(rows, roles):
        ended = [run for run in group if _has_result(run)] or group[-1:]
        failures += [run.name for run in group if run not in ended]
        first, *others = ended
        for other in others:
            if not _same(first.metrics.values(), other.metrics.values()):
                raise _two_results(first, other, roles)
        copies += [other.name for other in others]
        kept.append(first)
    left_out = [("copies", copies), ("made_again", failures)]
    return kept, [note(code, rows=named(of)) for code, of in left_out if of]


def _alike(rows: Sequence[RunRow], roles: Roles) -> Iterable[list[RunRow]]:
    """The runs of each level and seed, or that are the same in all cells where there is no seed."""
    groups: dict[object, list[RunRow]] = {}
    compares_cells = not roles.pair_by and _cells_tell_runs_apart(roles)
    for run in rows:
        key: object = run.row
        if roles.pair_by and None not in run.pair:
            key = (run.level, run.seed, run.pair)
        elif compares_cells:
            key = tuple(str(cells[run.row]) for cells in roles.table.columns.values())
        groups.setdefault(key, []).append(run)
    return groups.values()


def _cells_tell_runs_apart(roles: Roles) -> bool:
    """Whether two runs would differ in some cell: in their name, or in a metric with all digits."""
    names = [name for name, kind in roles.others.items() if kind == "identity"]
    return bool(names) or not roles.main.step


def _has_result(run: RunRow) -> bool:
    return run.failed is None and any(value is not None for value in run.metrics.values())


def _same(first: Iterable[float | None], second: Iterable[float | None]) -> bool:
    return all(a == b or (a != a and b != b) for a, b in zip(first, second, strict=True))


def _two_results(first: RunRow, other: RunRow, roles: Roles) -> ResultsError:
    columns = roles.table.columns
    differ = [
        name
        for name, kind in roles.others.items()
        if kind in ("knob", "unclear", "label", "derived", "measured")
        and columns[name][first.row] != columns[name][other.row]
    ]
    seed = (roles.seed,) if roles.seed else ()
    names = dict.fromkeys((*roles.by, *seed, *roles.pair_by))
    shared = ", ".join(
        f"{short(name)} = {short(shown(columns[name][first.row]))}" for name in names
    )
    metric = next(
        name for name, v in first.metrics.items() if not _same([v], [other.metrics[name]])
    )
    right = remedy("name_by", columns=named(differ)) if differ else remedy("remove_one")
    return refused(
        "two_results",
        source=roles.table.source,
        first=first.name,
        other=other.name,
        shared=shared,
        metric=short(metric),
        value=first.metrics[metric],
        other_value=other.metrics[metric],
        remedy=right,
    )
