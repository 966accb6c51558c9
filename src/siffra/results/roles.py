"""Which columns of a table of runs are knobs, which is the seed, which are metrics, and the rest.

What the user says comes first, then what the source says, then names, then the cells. What stays
unclear is left out and said, or refused with the option that would say it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from siffra.config.metrics import Metric, SaidMetric, meant_direction
from siffra.data.notes import Note, named, short
from siffra.errors import ResultsError
from siffra.results import names
from siffra.results.kinds import (
    Kind,
    counts_as_levels,
    distinct,
    kind_of,
    looks_numeric,
    recurs,
    seed_columns,
)
from siffra.results.table import Cell, RunTable, no_column, note, refused, remedy
from siffra.results.where import rows_where

FOLDS = ("fold", "split")
"""What is paired by beside the seed: the part of the data that was left out."""
_OF_PROGRAMS = ("command", "function")
"""The engines of runs whose metrics are their own."""
_MOST_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleOptions:
    """What the user says of a table's columns; what is not said is worked out.

    Attributes:
        by: The columns whose values together are a level.
        seed: The column of seeds; `none` if there is none.
        metrics: What is judged, the main one first, as `SaidMetric` reads it: `val_loss:lower`.
        where: Conditions on rows, all of which must hold: `model = conv`.
        pair_by: The columns whose values pair runs of two levels, in place of the seed.
    """

    by: tuple[str, ...] = ()
    seed: str | None = None
    metrics: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    pair_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Roles:
    """What the columns of a table are.

    Attributes:
        table: The runs that are left by `where`.
        by: The knobs whose values together are a level.
        seed: The column of seeds, or what numbers repeats in its place.
        pair_by: The columns whose values pair runs of two levels; the seed unless said otherwise.
            Beside a seed, the others number its `repeats`.
        metrics: The main one first.
        constants: Columns that are the same in every run, with their value.
        context: Commits, machines, versions and times by column: `commit`, `machine`, ...
        status: Columns that say how a run ended.
        others: Every other column, with what it was taken for.
        notes: All of this in sentences.
    """

    table: RunTable
    by: tuple[str, ...]
    seed: str | None
    pair_by: tuple[str, ...]
    metrics: tuple[Metric, ...]
    constants: Mapping[str, Cell]
    context: Mapping[str, str]
    status: tuple[str, ...]
    others: Mapping[str, Kind]
    notes: tuple[Note, ...] = ()

    @property
    def main(self) -> Metric:
        """The metric that the runs are judged by."""
        return self.metrics[0]

    @property
    def repeats(self) -> tuple[str, ...]:
        """The columns that number what one seed has several runs of, as folds.

        Such runs are not independent: they share their seed, and the folds of a cross-validation
        most of what they are trained on. So the mean over them counts, once for each seed.
        """
        return tuple(n for n in self.pair_by if n != self.seed) if self.seed in self.pair_by else ()

    @property
    def unit(self) -> tuple[str, ...]:
        """The columns whose values pair what is independent: the seed where runs repeat it."""
        return tuple(name for name in self.pair_by if name not in self.repeats)


def find_roles(table: RunTable, options: RoleOptions | None = None) -> Roles:
    """What each column is, as far as it is said, named or seen.

    Raises:
        ResultsError: A column that is named is not there, a condition leaves no row, nothing varies
            or nothing is measured, or it is unclear what does or is.
    """
    options = options or RoleOptions()
    table = table.taken(rows_where(table, options.where)) if options.where else table
    said = [_said_metric(text, table) for text in options.metrics]
    _refuse_unknown(table, options)
    if measured := set(options.by) & {metric.name for metric in said}:
        raise refused("by_and_metric", source=table.source, columns=named(sorted(measured)))
    seed, paired = _seed(table, options)
    kinds: dict[str, Kind] = {name: kind_of(table, name, seed) for name in table.columns}
    _set(kinds, "knob", options.by)
    _set(kinds, "metric", [metric.name for metric in said])
    _set(kinds, "pair", paired)
    _set(kinds, "seed", [seed] if seed else [])
    if not options.by and not {"knob", "label"}.intersection(kinds.values()):
        _set(kinds, "knob", _counts(table, kinds, seed, [metric.name for metric in said]))
    metrics = _directed(table, said) if said else _metrics(table, kinds)
    if (alike := _of_one_kind(table, metrics[0].name)) is not table:
        return find_roles(alike, replace(options, where=()))
    by = options.by or _levels_by(table, kinds)
    beside = () if options.by else _beside_variant(table, by)
    by = tuple(name for name in by if name not in beside)
    roles = Roles(
        table=table,
        by=by,
        seed=seed,
        pair_by=paired,
        metrics=metrics,
        constants={n: table.columns[n][0] for n, kind in kinds.items() if kind == "constant"},
        context={n: names.context(n) or "other" for n, k in kinds.items() if k == "context"},
        status=tuple(n for n, kind in kinds.items() if kind == "status"),
        others=_others(kinds, {*by, *beside, *(metric.name for metric in metrics)}),
    )
    notes = _notes(roles, is_said=bool(said))
    if beside:
        notes.insert(1, note("names_levels", column=named(by), columns=named(beside)))
    return replace(roles, notes=tuple(notes))


def _of_one_kind(table: RunTable, metric: str) -> RunTable:
    """Of the runs that siffra exports, those of a kind that has the metric.

    A store may have runs of networks and of programs, which measure nothing alike.
    """
    if not {"key", "setting", "engine"} <= table.columns.keys():
        return table
    has: dict[bool, list[int]] = {True: [], False: []}
    of_programs = [engine in _OF_PROGRAMS for engine in table.columns["engine"]]
    measured = {
        kind
        for kind, cell in zip(of_programs, table.columns[metric], strict=True)
        if cell is not None
    }
    for row, kind in enumerate(of_programs):
        has[kind in measured].append(row)
    if not has[True] or not has[False]:
        return table
    remark = note("other_kind", metric=named([metric]), runs=f"{len(has[False]):,}")
    kept = table.taken(has[True])
    return replace(kept, notes=(*kept.notes, remark))


def _set(kinds: dict[str, Kind], kind: Kind, columns: Iterable[str]) -> None:
    kinds.update(dict.fromkeys(columns, kind))


def _counts(
    table: RunTable, kinds: Mapping[str, Kind], seed: str | None, said: Sequence[str]
) -> list[str]:
    """The only column called as a metric whose numbers may be levels, beside other metrics."""
    measured = [name for name, kind in kinds.items() if kind == "metric" and name not in said]
    counts = [name for name in measured if counts_as_levels(table, name, seed)]
    return counts if len(counts) == 1 and (said or len(measured) > 1) else []


def _others(kinds: Mapping[str, Kind], taken: set[str]) -> dict[str, Kind]:
    placed = ("constant", "context", "status", "seed", "pair")
    return {name: kind for name, kind in kinds.items() if name not in taken and kind not in placed}


def _refuse_unknown(table: RunTable, options: RoleOptions) -> None:
    """Check that the columns which the user names are there, and none is named twice."""
    seed = () if _is_none(options.seed, table) else (options.seed,)
    for option, columns in (("by", options.by), ("seed", seed), ("pair-by", options.pair_by)):
        for column in columns:
            if column is not None and column not in table.columns:
                raise no_column(table, f"--{option}", column)
    if doubled := set(options.by) & {options.seed, *options.pair_by}:
        columns = named(sorted(map(str, doubled)))
        raise refused("by_and_pair", source=table.source, columns=columns)


def _is_none(seed: str | None, table: RunTable) -> bool:
    return seed == "none" and seed not in table.columns


def _seed(table: RunTable, options: RoleOptions) -> tuple[str | None, tuple[str, ...]]:
    """The column of seeds, and all that pair runs."""
    free = [name for name in table.columns if name not in {*options.by, *options.pair_by}]
    if options.seed is not None:
        seed = None if _is_none(options.seed, table) else options.seed
    else:
        seed = _only_seed(table, [n for n in seed_columns(table, names.SEEDS) if n in free])
    repeats = [n for n in seed_columns(table, names.REPEATS) if n in free and n != seed]
    repeats = [name for name in repeats if recurs(table.columns[name])]
    if seed is None and options.seed is None and not options.pair_by and repeats:
        return repeats[0], (repeats[0],)
    if options.pair_by:
        return seed, options.pair_by
    folds = [name for name in repeats if names.plain(name) in FOLDS]
    return seed, (seed, *folds) if seed else tuple(folds)


def _only_seed(table: RunTable, columns: Sequence[str]) -> str | None:
    """The first of the columns called seeds, unless another varies on its own."""
    for other in columns[1:]:
        pairs = set(zip(table.columns[columns[0]], table.columns[other], strict=True))
        if len(pairs) > len(distinct(table.columns[columns[0]])):
            both = {"column": named(columns[:1]), "other": named([other])}
            raise refused("two_seeds", source=table.source, **both)
    return columns[0] if columns else None


def _levels_by(table: RunTable, kinds: Mapping[str, Kind]) -> tuple[str, ...]:
    """The knobs, or what levels are called where there are none."""
    if knobs := tuple(name for name, kind in kinds.items() if kind == "knob"):
        return knobs
    for kind in ("label", "unclear", "derived", "context"):
        candidates = [n for n, k in kinds.items() if k == kind and recurs(table.columns[n])]
        candidates = [name for name in candidates if len(distinct(table.columns[name])) > 1]
        if kind == "label" and candidates:
            return (min(candidates, key=lambda name: len(distinct(table.columns[name]))),)
        if candidates:
            raise refused("no_knob", source=table.source, columns=named(candidates))
    if len(table) == 1:
        raise refused("one_run", source=table.source)
    raise refused("nothing_varies", source=table.source, columns=named(table.columns, 10))


def _beside_variant(table: RunTable, by: Sequence[str]) -> tuple[str, ...]:
    """The other knobs, if one says which `variant` a level is, and so what all of them are."""
    for name in by if len(by) > 1 else ():
        cells = table.columns[name]
        if names.names_variants(name) and all(isinstance(cell, str) for cell in cells):
            every = set(zip(*(table.columns[knob] for knob in by), strict=True))
            if len(every) == len(set(cells)):
                return tuple(knob for knob in by if knob != name)
    return ()


def _said_metric(text: str, table: RunTable) -> SaidMetric:
    """What is said of a column, as `val_loss:lower`."""
    if text in table.columns:
        return SaidMetric(text)
    said = SaidMetric.parse(text)
    if said.name in table.columns:
        return said
    for column in sorted(table.columns, key=len, reverse=True):
        word = text.removeprefix(column)
        if word != text and word.startswith((":", "=", ",", " ")):
            raise _bad_direction(table.source, text, column, word)
    raise no_column(table, "--metric", said.name)


def _bad_direction(source: str, text: str, column: str, word: str) -> ResultsError:
    """The refusal of a metric of which a column is there, and not what is said behind it."""
    meant = meant_direction(word)
    right = remedy("write", text=f"{column}:{meant}") if meant else remedy("form", column=column)
    return refused("bad_direction", source=source, metric=short(text), remedy=right)


def _directed(table: RunTable, metrics: Iterable[SaidMetric]) -> tuple[Metric, ...]:
    directed = []
    for said in metrics:
        name = said.name
        way = said.better or names.direction(name)
        if way is None:
            raise refused("no_direction", source=table.source, metric=short(name))
        directed.append(Metric(name, way, step=table.steps.get(name, 0.0), **said.more))
    return tuple(directed)


def _metrics(table: RunTable, kinds: Mapping[str, Kind]) -> tuple[Metric, ...]:
    """The metrics whose name says which values are better, the most usual one first."""
    metrics = sorted(
        (n for n, k in kinds.items() if k == "metric"), key=lambda n: (names.rank(n), n)
    )
    if metrics:
        plain = [name for name in metrics if looks_numeric(distinct(table.columns[name]))]
        return _directed(table, map(SaidMetric, plain or metrics))
    measured = [name for name, kind in kinds.items() if kind in ("measured", "unclear")]
    _refuse_shapes(table, kinds, measured)
    if len(measured) == 1:
        return _directed(table, [SaidMetric(measured[0])])
    empty = [n for n, kind in kinds.items() if kind == "empty" and names.direction(n)]
    if empty and not measured:
        raise refused("no_values", source=table.source, columns=named(empty))
    which = remedy("which_of", columns=named(measured)) if measured else remedy("which")
    raise refused("no_metric", source=table.source, remedy=which)


def _refuse_shapes(table: RunTable, kinds: Mapping[str, Kind], measured: Sequence[str]) -> None:
    """Check that it is no table of statistics, and none with a column for each level or seed."""
    of_levels = ("knob", "label", "unclear", "derived")
    levels = [table.columns[name] for name, kind in kinds.items() if kind in of_levels]
    is_unrepeated = len(set(zip(*levels, strict=True))) == len(table) if levels else False
    if is_unrepeated and (columns := names.statistics(table.columns)):
        raise refused("sums_up", source=table.source, columns=named(columns))
    if len(measured) > 1 and (not levels or all(map(str.isdecimal, measured))):
        raise refused("wide", source=table.source, columns=named(measured))


def _pairs_note(roles: Roles) -> Note:
    """What the seed is, and what runs are paired by."""
    if not roles.pair_by:
        return note("no_seed")
    if roles.pair_by == (roles.seed,):
        return note("seed_is", column=named(roles.pair_by))
    if roles.repeats:
        return note("seed_repeats", column=named(roles.unit), repeats=named(roles.repeats))
    return note("paired_by", columns=named(roles.pair_by))


def _notes(roles: Roles, *, is_said: bool) -> list[Note]:
    """What the columns were taken for, in sentences; `is_said`: the metrics are the user's."""
    table, judged = roles.table, roles.metrics if is_said else roles.metrics[:1]
    notes = [note("levels_by", columns=named(roles.by, _MOST_SHOWN), runs=f"{len(table):,}")]
    notes.append(_pairs_note(roles))
    notes += [note(f"metric_{metric.better}", metric=named([metric.name])) for metric in judged]
    if len(roles.metrics) > len(judged):
        others = named((metric.name for metric in roles.metrics[1:]), _MOST_SHOWN)
        notes.append(note("other_metrics", metrics=others))
    if roles.constants:
        held = (f"{name} = {value}" for name, value in roles.constants.items())
        notes.append(note("held_constant", columns=named(held, _MOST_SHOWN)))
    left = [name for name, kind in roles.others.items() if kind == "metric"]
    plain = [name for name in left if looks_numeric(distinct(table.columns[name]))]
    unread = [name for name in left if name not in plain]
    for code, columns in (("not_asked", plain), ("no_plain_numbers", unread)):
        if columns:
            notes.append(note(code, columns=named(columns, _MOST_SHOWN)))
    for code, kinds in (
        ("direction_unknown", ("measured",)),
        ("unclear", ("unclear",)),
        ("other_knobs", ("knob",)),
        ("not_used", ("identity", "label", "derived", "spread", "step")),
    ):
        if columns := [name for name, kind in roles.others.items() if kind in kinds]:
            notes.append(note(code, columns=named(columns, _MOST_SHOWN)))
    return notes
