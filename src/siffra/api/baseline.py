"""A baseline that was judged before: is a change better than that, beyond the noise?

The runs of one level of an earlier report join those of a table, as a level of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from siffra.config.metrics import Metric
from siffra.data.notes import Note, named
from siffra.lab.plan.given import is_value
from siffra.report.model import Question, Report, read_report
from siffra.report.model.measured import Level
from siffra.results import RoleOptions, Roles, RunTable, find_roles
from siffra.results.table import Cell, refused, remedy

BASELINE, NEW = "baseline", "new"
_COLUMNS = ("version", "compared version", "version compared with the baseline")
"""What the column is called that tells the two apart; one that the table has not."""


def with_baseline(
    table: RunTable, options: RoleOptions, results: Path, chosen: Mapping[str, object]
) -> tuple[RunTable, RoleOptions, dict[str, Any]]:
    """A table with the runs of a baseline, what its columns are, and the level they are.

    Args:
        table: The new runs. Where their knobs vary, they are a level for each of the values.
        options: What is said of the table.
        results: The report, or its `results.json`, of the baseline.
        chosen: Values that tell the baseline from the report's other levels.

    Raises:
        SiffraError: There is no such report, or it does not fit: it has no such metric or level, or
            several levels of which none is chosen.
    """
    if options.pair_by:
        raise refused("baseline_file_pairs", source=results)
    version = next(name for name in _COLUMNS if name not in table.columns)
    versioned = replace(table, columns={version: (NEW,) * len(table), **table.columns})
    roles = find_roles(versioned, replace(options, by=(version,)))
    metrics = roles.metrics if options.metrics else roles.metrics[:1]
    question = _question(read_report(results), results, metrics)
    level = _level(question, results, chosen)
    joined = _joined(roles, version, _names(roles, options), metrics, level)
    values = {"file": str(results), "runs": str(level.n), "level": _spelled(level.knobs)}
    note = Note("baseline", values, "siffra.report.text")
    options = RoleOptions(
        by=(version,),
        seed=options.seed if roles.seed is None else roles.seed,
        metrics=tuple(metric.spelled() for metric in metrics),
    )
    return replace(joined, notes=(*joined.notes, note)), options, {version: BASELINE}


def _question(report: Report, results: Path, metrics: Sequence[Metric]) -> Question:
    """The one question that is about these metrics, with the same values as better ones."""
    wanted = [metric.name for metric in metrics]
    known = [{m.name: m.better for m in question.metrics} for question in report.questions]
    about = [n for n, names in enumerate(known) if set(wanted) <= set(names)]
    if len(about) != 1:
        every = named([name for names in known for name in names], 10) or remedy("none")
        code = "file_metrics" if about else "file_no_metric"
        counts = {"count": len(about), "metrics": named(wanted), "known": every}
        raise refused(code, source=results, **counts)
    for metric in metrics:
        if known[about[0]][metric.name] != metric.better:
            ways = {"there": known[about[0]][metric.name], "here": metric.better}
            raise refused("file_metric_direction", source=results, metric=metric.name, **ways)
    return report.questions[about[0]]


def _level(question: Question, results: Path, chosen: Mapping[str, object]) -> Level:
    levels = [
        level
        for level in question.levels
        if all(is_value(level.knobs.get(name), value) for name, value in chosen.items())
    ]
    if len(levels) == 1:
        return levels[0]
    known = "; ".join(_spelled(level.knobs) for level in question.levels[:8])
    code = "file_levels" if levels else "file_no_level"
    raise refused(code, source=results, count=len(levels), known=known)


def _spelled(knobs: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in knobs.items())


def _names(roles: Roles, options: RoleOptions) -> list[str]:
    """What each new run's level is called."""
    by = options.by or [name for name, kind in roles.others.items() if kind == "knob"]
    columns = [roles.table.columns[name] for name in by]
    return [
        ", ".join([NEW, *(f"{n} = {c[row]}" for n, c in zip(by, columns, strict=True))])
        for row in range(len(roles.table))
    ]


def _joined(
    roles: Roles, version: str, names: Sequence[str], metrics: Sequence[Metric], level: Level
) -> RunTable:
    """The columns that are judged, of the new runs and of the baseline's."""
    table, runs = roles.table, range(level.n)
    columns = {version: (*names, *(BASELINE for _ in runs))}
    columns |= {name: (*table.columns[name], *(None for _ in runs)) for name in roles.status}
    known = {metric.name: level.metrics[metric.name].values for metric in metrics}
    is_whole = all(len(values) == level.n for values in known.values())
    if roles.seed:
        # Of runs of which some failed, it is not known which have the values.
        seeds: Sequence[Cell] = level.seeds if is_whole else [None] * level.n
        columns[roles.seed] = (*table.columns[roles.seed], *seeds)
    for name, values in known.items():
        missing = (None,) * (level.n - len(values))
        columns[name] = (*table.columns[name], *values, *missing)
    return replace(
        table,
        columns=columns,
        rows=(*table.rows, *(f"{BASELINE} {run + 1}" for run in runs)),
        steps={name: table.steps[name] for name in columns if name in table.steps},
        curves={},
        origins={},
    )
