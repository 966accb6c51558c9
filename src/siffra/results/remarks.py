"""What runs are like that may mislead who compares them: failures, gaps, mixed machines."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from siffra.data.notes import Note, named, short
from siffra.results.cells import is_finite
from siffra.results.roles import Roles
from siffra.results.rows import LevelKey, RunRow
from siffra.results.table import Cell, note

_WATCHED = ("commit", "machine", "software")
"""What of a run's surroundings can make its metrics differ."""


def remarks(roles: Roles, levels: Sequence[LevelKey], rows: Sequence[RunRow]) -> list[Note]:
    """Notes on the runs of a table, the gravest first."""
    return [
        *_confounded(roles, rows),
        *_moving_together(roles, levels),
        *_failures(roles, rows),
        *_alone(roles, levels, rows),
        *_unshared_seeds(roles, levels, rows),
        *_never_varying(roles, rows),
    ]


def level_text(roles: Roles, level: LevelKey) -> str:
    """A level in a line: `lr = 0.1, warmup = 0`."""
    return ", ".join(
        f"{n} = {'none' if v is None else v}" for n, v in zip(roles.by, level, strict=True)
    )


def _confounded(roles: Roles, rows: Sequence[RunRow]) -> list[Note]:
    """Commits, machines and knobs that are not the same in all runs."""
    columns = roles.table.columns
    watched = [name for name, kind in roles.context.items() if kind in _WATCHED]
    watched += [name for name, kind in roles.others.items() if kind == "knob"]
    told = []
    for name in watched:
        of: defaultdict[LevelKey, set[Cell]] = defaultdict(set)
        for run in rows:
            of[run.level].add(columns[name][run.row])
        if len(values := set().union(*of.values())) > 1:
            is_split = all(len(found) == 1 for found in of.values())
            code = "differs_by_level" if is_split else "mixed"
            told.append(note(code, column=named([name]), values=named(sorted(map(str, values)), 3)))
    return told


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


def _alone(roles: Roles, levels: Sequence[LevelKey], rows: Sequence[RunRow]) -> list[Note]:
    counts = dict.fromkeys(levels, 0)
    for run in rows:
        counts[run.level] += run.has(roles.main.name)
    few = [level_text(roles, level) for level, count in counts.items() if count < 2]
    return [note("few_runs", levels=named(few))] if few else []


def _unshared_seeds(roles: Roles, levels: Sequence[LevelKey], rows: Sequence[RunRow]) -> list[Note]:
    """Levels that lack what pairs the runs of others."""
    if not roles.pair_by:
        return []
    of: dict[LevelKey, set[tuple[Cell, ...]]] = {level: set() for level in levels}
    for run in rows:
        of[run.level].add(run.pair)
    every = set().union(*of.values())
    column = named(roles.pair_by)
    if all(not one & other for one, other in combinations(of.values(), 2)):
        return [note("nothing_shared", column=column)]
    lacking = {level: every - found for level, found in of.items() if every - found}
    if not lacking:
        return []
    told = (f"{level_text(roles, level)}: {_pairs(lost)}" for level, lost in lacking.items())
    return [
        note("not_shared", column=column, lacking="; ".join(list(told)[:3]) + _more(lacking, 3))
    ]


def _never_varying(roles: Roles, rows: Sequence[RunRow]) -> list[Note]:
    ended = [run.metrics for run in rows if run.failed is None]
    values = {m.name: {metrics[m.name] for metrics in ended} for m in roles.metrics}
    lone = {name: list(filter(is_finite, found)) for name, found in values.items()}
    same = [name for name, found in lone.items() if len(found) == 1]
    return [note("never_varies", columns=named(same))] if same else []


def _pairs(lost: Iterable[tuple[Cell, ...]]) -> str:
    texts = sorted((", ".join(map(str, pair)) for pair in lost), key=lambda t: (len(t), t))
    return ", ".join(short(text) for text in texts[:5]) + _more(texts, 5)


def _more(every: Sequence[str] | Mapping[LevelKey, object], most: int) -> str:
    return f", ... ({len(every):,})" if len(every) > most else ""
