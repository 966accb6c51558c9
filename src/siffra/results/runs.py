"""The runs of a table that count, by level, checked for what would mislead who compares them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum

from siffra.data.notes import Note, named, short
from siffra.results import names
from siffra.results.cells import is_finite, is_number
from siffra.results.doubles import without_doubles
from siffra.results.kinds import distinct
from siffra.results.remarks import remarks
from siffra.results.roles import Roles
from siffra.results.rows import LevelKey, RunRow, run_rows
from siffra.results.table import Cell, note, refused, shown


@dataclass(frozen=True, slots=True)
class Runs:
    """All runs of a table that count, by level.

    Attributes:
        roles: What its columns are.
        by_level: The runs of each level, in the order of the table. Levels are in their own order:
            numbers ascend, texts come as they first do in the table.
        notes: What the runs are like that may mislead, or could not be taken as it stood.
    """

    roles: Roles
    by_level: Mapping[LevelKey, tuple[RunRow, ...]]
    notes: tuple[Note, ...]

    @property
    def levels(self) -> tuple[LevelKey, ...]:
        """The levels in their order."""
        return tuple(self.by_level)

    @property
    def rows(self) -> tuple[RunRow, ...]:
        """All runs, level by level."""
        return tuple(run for runs in self.by_level.values() for run in runs)

    def knobs(self, level: LevelKey) -> dict[str, Cell]:
        """The values of a level by knob."""
        return dict(zip(self.roles.by, level, strict=True))

    def of(self, level: LevelKey) -> tuple[RunRow, ...]:
        """The runs of a level."""
        return self.by_level[level]


def runs_of(roles: Roles) -> Runs:
    """The runs of the table that `roles` is about.

    Identical copies of a run count once, and one that failed does not if it was made again.

    Raises:
        ResultsError: There is one run or one level, a metric has a text for a value, or two runs
            of one level and seed differ.
    """
    named_rows, nameless = _with_names(run_rows(roles), roles)
    rows, doubled = without_doubles(named_rows, roles)
    rows, averaged = _means_by_seed(rows, roles) if roles.repeats else (rows, [])
    levels = _levels([run.level for run in rows], len(roles.by))
    _refuse_too_little(roles, levels, rows)
    by_level: dict[LevelKey, list[RunRow]] = {level: [] for level in levels}
    for run in sorted(rows, key=lambda run: run.row):
        by_level[run.level].append(run)
    kept = {level: tuple(runs) for level, runs in by_level.items()}
    return Runs(roles, kept, (*nameless, *doubled, *averaged, *remarks(roles, kept)))


def _means_by_seed(rows: Sequence[RunRow], roles: Roles) -> tuple[list[RunRow], list[Note]]:
    """One run for each level and seed: the mean over the repeats that every level has of the seed.

    A repeat that a level lacks, or in which a run of its failed, is in no level's mean: otherwise
    an easy fold that is there for one of two levels would look like a difference. A run of which it
    is not known which repeat of which seed it is stays one, without a pair.
    """
    means = [replace(run, pair=(None,)) for run in rows if None in run.pair]
    left_out: list[str] = []
    by_seed: dict[Cell, dict[LevelKey, dict[tuple[Cell, ...], RunRow]]] = {}
    for run in rows:
        if None in run.pair:
            continue
        by_seed.setdefault(run.seed, {}).setdefault(run.level, {})[run.pair] = run
    for seed, of_level in by_seed.items():
        good = [{pair for pair, run in of.items() if _is_whole(run)} for of in of_level.values()]
        shared = set.intersection(*good)
        for of in of_level.values():
            # Where nothing is shared, each level's own repeats count, failed ones as well.
            kept = shared or of.keys()
            left_out += [run.name for pair, run in of.items() if pair not in kept]
            means.append(_mean_run(seed, [run for pair, run in of.items() if pair in kept]))
    notes = [note("repeats_left_out", rows=named(left_out))] if left_out else []
    return means, notes


def _is_whole(run: RunRow) -> bool:
    return run.failed is None and all(is_finite(value) for value in run.metrics.values())


def _mean_run(seed: Cell, runs: Sequence[RunRow]) -> RunRow:
    """The repeats of a seed as one run, of which a metric is missing or NaN if one repeat's is."""
    first = runs[0]
    metrics: dict[str, float | None] = {}
    for name in first.metrics:
        values = [value for run in runs if (value := run.metrics[name]) is not None]
        metrics[name] = fsum(values) / len(values) if len(values) == len(runs) else None
    failed = next((run.failed for run in runs if run.failed is not None), None)
    return replace(first, pair=(seed,), metrics=metrics, failed=failed, curves={})


def _with_names(rows: list[RunRow], roles: Roles) -> tuple[list[RunRow], list[Note]]:
    """The rows that say which run they are: a row with neither seed nor level sums up others.

    If there are as many as of another level, they may be runs that were left at the defaults.
    """
    nameless = [run for run in rows if run.seed is None and set(run.level) == {None}]
    fewest = min(Counter(run.level for run in rows if set(run.level) != {None}).values(), default=0)
    if not roles.seed or not 0 < len(nameless) < fewest:
        return rows, []
    kept = [run for run in rows if run.seed is not None or set(run.level) != {None}]
    return kept, [note("nameless_rows", rows=named(run.name for run in nameless))]


def _levels(keys: Sequence[LevelKey], width: int) -> tuple[LevelKey, ...]:
    """The different levels: by the first column, then the next; numbers before texts."""
    orders = [_order([key[number] for key in keys]) for number in range(width)]
    return tuple(
        sorted(
            dict.fromkeys(keys),
            key=lambda level: [order[value] for order, value in zip(orders, level, strict=True)],
        )
    )


def _order(cells: Sequence[Cell]) -> dict[Cell, int]:
    """Which place each value has: an empty one is first, numbers ascend, texts come as they do."""
    values = list(distinct(cells))
    numbers = sorted(value for value in values if is_number(value))
    texts = [value for value in values if isinstance(value, str)]
    empty: list[Cell] = [value for value in values if value is None]
    return {value: place for place, value in enumerate([*empty, *numbers, *texts])}


def _refuse_too_little(roles: Roles, levels: Sequence[LevelKey], rows: Sequence[RunRow]) -> None:
    """Check that there is something to compare, and something to tell noise by."""
    about = {"source": roles.table.source, "runs": f"{len(rows):,}", "by": named(roles.by, 10)}
    if len(rows) == 1:
        raise refused("one_run", **about)
    if len(levels) == 1:
        raise refused("one_level", values=", ".join(short(shown(v)) for v in levels[0]), **about)
    if len(levels) == len(rows):
        if columns := names.statistics(roles.table.columns):
            raise refused("sums_up", source=roles.table.source, columns=named(columns))
        raise refused("no_repeats", **about)
    if not any(run.has(roles.main.name) for run in rows):
        raise refused("no_values", columns=named([roles.main.name]), **about)
