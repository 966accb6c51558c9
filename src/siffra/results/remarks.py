"""What runs are like that may mislead who compares them: failures, gaps, mixed machines."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from siffra.data.notes import Note, named, short
from siffra.results import names
from siffra.results.kinds import distinct
from siffra.results.roles import FOLDS, Roles
from siffra.results.rows import LevelKey, RunRow
from siffra.results.table import Cell, note, shown

ByLevel = Mapping[LevelKey, Sequence[RunRow]]

_BETWEEN = re.compile(r"[\s_-]+")
_TRUTH = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}
_WATCHED = ("commit", "machine", "software")
"""What of a run's surroundings can make its metrics differ."""


def remarks(roles: Roles, by_level: ByLevel) -> list[Note]:
    """Notes on the runs of a table, the gravest first."""
    rows = [run for runs in by_level.values() for run in runs]
    return [
        *_confounded(roles, by_level),
        *_moving_together(roles, tuple(by_level)),
        *_alike(roles, tuple(by_level)),
        *_mixed_scales(roles, rows),
        *_steps(roles, rows),
        *_failures(roles, rows),
        *_alone(roles, by_level),
        *_unshared_seeds(roles, by_level),
        *_folds(roles),
        *_never_varying(roles, by_level),
    ]


def level_text(roles: Roles, level: LevelKey) -> str:
    """A level in a line: `lr = 0.1, warmup = 0`."""
    return ", ".join(f"{n} = {shown(v)}" for n, v in zip(roles.by, level, strict=True))


def _confounded(roles: Roles, by_level: ByLevel) -> list[Note]:
    """Commits, machines and knobs that are not the same in all runs."""
    watched = [name for name, kind in roles.context.items() if kind in _WATCHED]
    watched += [name for name, kind in roles.others.items() if kind == "knob"]
    notes = []
    for name in watched:
        cells = roles.table.columns[name]
        of = [distinct([cells[run.row] for run in runs]) for runs in by_level.values()]
        if len(values := {value for cells_of in of for value in cells_of}) > 1:
            code = "differs_by_level" if max(map(len, of)) == 1 else "mixed"
            notes.append(
                note(code, column=named([name]), values=named(sorted(map(shown, values)), 3))
            )
    return notes


def _moving_together(roles: Roles, levels: Sequence[LevelKey]) -> list[Note]:
    """Knobs of which one says the others, so that their effects cannot be told apart."""
    together: defaultdict[tuple[int, ...], list[str]] = defaultdict(list)
    for number, name in enumerate(roles.by):
        values = [level[number] for level in levels]
        together[tuple(map(values.index, values))].append(name)
    return [
        note("knobs_together", columns=named(knobs))
        for pattern, knobs in together.items()
        if len(knobs) > 1 and len(set(pattern)) > 1
    ]


def _alike(roles: Roles, levels: Sequence[LevelKey]) -> list[Note]:
    """Values of knobs that differ in how they are written, and perhaps in nothing else."""
    notes = []
    for number, name in enumerate(roles.by):
        spellings: defaultdict[str, list[str]] = defaultdict(list)
        for value in distinct([level[number] for level in levels]):
            spellings[_spelling(value)].append(str(value))
        notes += [
            note("alike", column=named([name]), values=named(values))
            for values in spellings.values()
            if len(values) > 1
        ]
    return notes


def _spelling(value: Cell) -> str:
    if not isinstance(value, str | bool):
        return f"{value:.12g}" if isinstance(value, float) else str(value)  # 0.30000000000000004
    text = _BETWEEN.sub("", str(value).casefold())
    return _TRUTH.get(text, text)


def _mixed_scales(roles: Roles, rows: Sequence[RunRow]) -> list[Note]:
    """Metrics that seem to be a fraction in some runs, and in per cent in others."""
    mixed = [
        metric.name
        for metric in roles.metrics
        if names.is_share(metric.name)
        and len({value > 1 for run in rows if (value := run.metrics[metric.name])}) > 1
    ]
    return [note("mixed_scales", columns=named(mixed))] if mixed else []


def _steps(roles: Roles, rows: Sequence[RunRow]) -> list[Note]:
    """How far runs had come, where some had come farther."""
    notes = []
    for name in (name for name, kind in roles.others.items() if kind == "step"):
        cells = roles.table.columns[name]
        if len(values := distinct([cells[run.row] for run in rows if run.failed is None])) > 1:
            notes.append(
                note("steps_differ", column=named([name]), values=named(map(shown, values), 3))
            )
    return notes


def _failures(roles: Roles, rows: Sequence[RunRow]) -> list[Note]:
    metric = roles.main.name
    failed = [run for run in rows if run.failed is not None]
    ended = [run for run in rows if run.failed is None]
    lost = [run for run in ended if (v := run.metrics[metric]) is not None and not math.isfinite(v)]
    silent = [run for run in ended if run.metrics[metric] is None]
    return [
        _about(code, of, len(rows), metric)
        for code, of in (("failed", failed), ("diverged", lost), ("not_reported", silent))
        if of
    ]


def _about(code: str, of: Sequence[RunRow], rows: int, metric: str) -> Note:
    names = named(run.name for run in of)
    return note(code, count=f"{len(of):,}", of=f"{rows:,}", rows=names, metric=named([metric]))


def _alone(roles: Roles, by_level: ByLevel) -> list[Note]:
    few = [
        level_text(roles, level)
        for level, runs in by_level.items()
        if sum(run.has(roles.main.name) for run in runs) < 2
    ]
    return [note("few_runs", levels=named(few))] if few else []


def _unshared_seeds(roles: Roles, by_level: ByLevel) -> list[Note]:
    """Levels that lack what pairs the runs of others."""
    if not roles.unit:
        return []
    of = {
        level: {run.pair for run in runs if None not in run.pair}
        for level, runs in by_level.items()
    }
    every = set().union(*of.values())
    column = named(roles.unit)
    if len(every) == sum(map(len, of.values())):
        return [note("nothing_shared", column=column)]
    lacking = [
        f"{level_text(roles, level)}: {_pairs(every - seeds_of)}"
        for level, seeds_of in of.items()
        if every - seeds_of
    ]
    seeds = "; ".join(lacking[:3]) + _more(lacking, 3)
    return [note("not_shared", column=column, lacking=seeds)] if lacking else []


def _folds(roles: Roles) -> list[Note]:
    """What is no sample of independent runs, though it is all that there is."""
    folds = [name for name in roles.unit if names.plain(name) in FOLDS]
    return [note("folds", column=named(folds))] if folds else []


def _never_varying(roles: Roles, by_level: ByLevel) -> list[Note]:
    """Metrics with one value in all runs, or with one in each level though it has several runs."""
    constant, fixed = [], []
    for name in [metric.name for metric in roles.metrics]:
        of = [{run.metrics[name] for run in runs if run.has(name)} for runs in by_level.values()]
        if len(set().union(*of)) == 1:
            constant.append(name)
        elif max(map(len, of)) == 1 and any(len(runs) > 1 for runs in by_level.values()):
            fixed.append(name)
    columns_by_code = (("never_varies", constant), ("same_in_level", fixed))
    return [note(code, columns=named(columns)) for code, columns in columns_by_code if columns]


def _pairs(lost: Iterable[tuple[Cell, ...]]) -> str:
    texts = sorted((", ".join(map(str, pair)) for pair in lost), key=lambda t: (len(t), t))
    return ", ".join(short(text) for text in texts[:5]) + _more(texts, 5)


def _more(every: Sequence[str], most: int) -> str:
    return f", ... ({len(every):,})" if len(every) > most else ""
