"""What kind of thing a column of a table of runs is, by its name and by what is in it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

from siffra.data.csv_file import NUMBER
from siffra.data.labels import MISSING
from siffra.results import names
from siffra.results.cells import is_grouped, is_number, starts_as_number
from siffra.results.table import Cell, Origin, RunTable

Kind = Literal[
    "knob", "seed", "pair", "metric", "measured", "spread", "status", "step", "context",
    "constant", "derived", "identity", "label", "unclear", "empty",
]  # fmt: skip
"""`measured` is a metric whose name does not say which values are better, `label` what levels or
runs may be called, `derived` what follows from the knobs, `unclear` a knob or a metric."""

_FEWEST_NAMED_APART = 4
"""In a shorter table every text may be one of a kind, though it is that of a knob."""


def distinct(cells: Sequence[Cell]) -> dict[Cell, None]:
    """The different cells in the order in which each first comes; NaN is an empty one."""
    return dict.fromkeys(None if cell != cell else cell for cell in cells)


def kind_of(table: RunTable, name: str, seed: str | None) -> Kind:
    """What a column is that the user says nothing of."""
    cells = table.columns[name]
    values = distinct(cells)
    if not values.keys() - {None}:
        return "empty"
    if names.is_status(name) and _tells_end(name, values):
        return "status"
    if (kind := _by_origin(table.origins.get(name), name, values)) is not None:
        return kind
    if name not in table.origins and (kind := _by_name(table, name, values, seed)) is not None:
        return kind
    if len(values) == 1:
        return "constant"
    if name in table.origins:
        return "knob"
    if names.counts_steps(name) and 2 * len(values) > len(cells):
        return "step"  # how far each run came, and not how far it was to go
    return "knob" if names.is_knob(name) else _by_cells(table, name, values, seed)


def counts_as_levels(table: RunTable, name: str, seed: str | None) -> bool:
    """Whether whole numbers of a column called as a metric may be levels: `precision` 16 and 32."""
    cells = table.columns[name]
    are_whole = all(type(cell) is int for cell in cells)
    return are_whole and len(set(cells) - {0, 1}) > 1 and _are_levels(table, name, seed)


def seed_columns(table: RunTable, known: Sequence[str]) -> list[str]:
    """The columns called as `known` or ending so, which vary and were not measured.

    In the order of `known`, and then in that of the table.
    """
    rank_of: dict[str, int] = {}
    for name, cells in table.columns.items():
        words = names.words(name)
        ranks = [n for n, seed in enumerate(known) if names.plain(name) == seed]
        ranks += [len(known)] if words and words[-1] in known[:1] else []
        if ranks and table.origins.get(name) != "metric" and len(distinct(cells)) > 1:
            rank_of[name] = ranks[0]
    return sorted(rank_of, key=rank_of.__getitem__)


def recurs(cells: Sequence[Cell]) -> bool:
    """Whether a column can number the repeats of levels: its values come again and again."""
    return 2 * len(distinct(cells)) <= len(cells)


def looks_numeric(cells: Mapping[Cell, None]) -> bool:
    """Whether most of the distinct cells are numbers, though some are texts."""
    texts = [c for c in cells if isinstance(c, str) and c.casefold() not in MISSING]
    numbers = sum(map(is_number, cells))
    written = sum(bool(NUMBER.fullmatch(text)) or is_grouped(text) for text in texts)
    return 2 * (numbers + written) > numbers + len(texts)


def _are_numbers(cells: Mapping[Cell, None]) -> bool:
    """Whether all of the distinct cells are numbers, but those where a run has none."""
    texts = [cell for cell in cells if isinstance(cell, str) and not NUMBER.fullmatch(cell)]
    return all(t.casefold() in MISSING or t.casefold() in names.ENDINGS["failed"] for t in texts)


def _has_quantities(cells: Mapping[Cell, None]) -> bool:
    """Whether most of the distinct cells are numbers, or start as one: `10 ms`, `97 %`."""
    filled = [cell for cell in cells if cell is not None]
    many = sum(is_number(c) or starts_as_number(str(c)) for c in filled)
    return looks_numeric(cells) or 2 * many > len(filled)


def _tells_end(name: str, values: Mapping[Cell, None]) -> bool:
    """Whether these say how a run ended: truth values, exit codes, words, or texts of errors."""
    filled = [value for value in values if value is not None]
    if all(isinstance(value, bool) for value in filled):
        return True
    if all(isinstance(value, int) for value in filled):
        return "code" in name.casefold()
    known = frozenset().union(*names.ENDINGS.values())
    if not all(isinstance(value, str) for value in filled):
        return False
    return names.tells_error(name) or any(str(value).casefold() in known for value in filled)


def _by_origin(origin: Origin | None, name: str, values: Mapping[Cell, None]) -> Kind | None:
    """What a column is by what its source says, if that is enough."""
    if origin == "context":
        return "context"
    if origin == "knob":
        return "identity" if names.names_runs(name) else _derived(name)
    if origin is None:
        return None
    if (kind := _of_progress(name)) is not None:
        return kind
    if not looks_numeric(values):
        return "identity"
    if names.is_spread(name):
        return "spread"
    return "metric" if names.direction(name) else "measured"


def _by_name(
    table: RunTable, name: str, values: Mapping[Cell, None], seed: str | None
) -> Kind | None:
    """What a column is by its name, if that is enough."""
    cells = table.columns[name]
    rows = len(cells)
    if (kind := _of_progress(name)) is not None:
        return kind
    # `10 ms` is measured; 16, `bf16` and 32 of a column `precision` are levels
    is_measured = _has_quantities(values) and (
        _are_numbers(values) or not _are_levels(table, name, seed)
    )
    if is_measured and names.direction(name) and not names.is_knob(name):
        return "metric"
    if looks_numeric(values) and names.is_spread(name):
        return "spread"
    if names.names_runs(name) or (names.is_repeat(name) and looks_numeric(values)):
        return "identity"
    if names.context(name) and not _is_reading(values, rows):
        return "context"
    if names.names_levels(name):
        return "identity" if len(values) == rows >= _FEWEST_NAMED_APART else "label"
    return _derived(name)


def _is_reading(values: Mapping[Cell, None], rows: int) -> bool:
    """Whether these are numbers that nearly all differ: `gpu_memory` names no machine."""
    return looks_numeric(values) and 2 * len(values) > rows


def _derived(name: str) -> Kind | None:
    return "derived" if names.is_derived(name) else None


def _of_progress(name: str) -> Kind | None:
    """Whether a column says when a run was made, or how far it had come."""
    if names.context(name) == "time":
        return "context"
    return "step" if names.is_step(name) else None


def _by_cells(table: RunTable, name: str, values: Mapping[Cell, None], seed: str | None) -> Kind:
    """What a column is whose name says nothing."""
    cells = table.columns[name]
    if not any(is_number(value) and not isinstance(value, bool) for value in values):
        if len(values) == len(cells) >= _FEWEST_NAMED_APART:
            return "identity"
    elif 2 * len(values) > len(cells):
        return "measured"
    return "knob" if seed is None or _is_crossed(cells, table.columns[seed]) else "unclear"


def _are_levels(table: RunTable, name: str, seed: str | None) -> bool:
    """Whether the values of a column come again and again, each with most seeds."""
    cells = table.columns[name]
    return recurs(cells) and (seed is None or _is_crossed(cells, table.columns[seed]))


def _is_crossed(cells: Sequence[Cell], seeds: Sequence[Cell]) -> bool:
    """Whether each value comes with at least half of all seeds, as what was set does.

    Seeds that are drawn anew for each run tell nothing.
    """
    if not recurs(seeds):
        return True
    of: defaultdict[Cell, set[Cell]] = defaultdict(set)
    for cell, seed in zip(cells, seeds, strict=True):
        of[cell].add(seed)
    return all(2 * len(with_it) >= len(set(seeds)) for with_it in of.values())
