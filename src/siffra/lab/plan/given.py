"""A plan whose runs are made already: one question, about the levels of a table of runs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from siffra.config import Setting
from siffra.config.metrics import Metric
from siffra.engine.command.metrics import ExternalResult
from siffra.lab.plan.ad_hoc import plan_of, question_of
from siffra.lab.plan.figures import figures_of_metrics
from siffra.lab.plan.plan import Level, Plan
from siffra.lab.plan.presets import Sampling
from siffra.results import Runs
from siffra.results.rows import LevelKey, RunRow
from siffra.results.table import Cell, refused
from siffra.training.external import external_record, given_record
from siffra.training.run import Record

Given = tuple[Plan, dict[tuple[Setting, int], Record]]
"""A plan with the records of its runs."""

_FEWEST_PAIRS = 5
"""Fewer pairs decide nothing, where the same runs as two groups may."""


def plan_given(
    runs: Runs, metrics: Sequence[Metric], baseline: Mapping[str, object] | None = None
) -> Given:
    """The plan that asks what the levels of `runs` differ in, with the records to answer it.

    Every level is claimed to be better than the baseline in each of the `metrics`, of which those
    are judged that have a claim: all that are given here.

    Args:
        runs: The runs of a table.
        metrics: What is judged, the main one first.
        baseline: Values that tell the level from others with which they are compared; none: the
            first one.

    Raises:
        ResultsError: No level, or more than one, has the values of the baseline; or a metric that
            is compared as a ratio has a value that is not above 0.
    """
    _refuse_ratios(runs, metrics)
    first = _baseline(runs, baseline or {})
    order = [first, *(level for level in runs.levels if level != first)]
    names = {level: runs.knobs(level) for level in order}
    levels = [Level(names[level], (Setting.external(names[level]),), {}) for level in order]
    seeds, paired = _seeds(runs, first)
    records: dict[tuple[Setting, int], Record] = {}
    for key, level in zip(order, levels, strict=True):
        (setting,) = level.settings
        blank = external_record("", setting, 0, ExternalResult(metrics={}), main=metrics[0].name)
        for run in runs.of(key):
            seed = seeds[run.row]
            records[setting, seed] = _record(blank, run, seed, metrics)
    any_curve = any(record.curves for record in records.values())
    figures = figures_of_metrics(runs.roles.by, levels, curves=any_curve)
    question = question_of("judge", runs.roles.by, levels, runs.roles.constants, metrics, figures)
    source = runs.roles.table.source
    described = json.dumps([source, sorted(map(repr, runs.rows))])
    plan = plan_of(question, described, Sampling(tuple(sorted(set(seeds.values())))))
    return replace(plan, source=source, paired=paired, given=True), records


def _baseline(runs: Runs, wanted: Mapping[str, object]) -> LevelKey:
    source = runs.roles.table.source
    for name in wanted:
        if name not in runs.roles.by:
            columns = ", ".join(runs.roles.by)
            raise refused("baseline_knob", source=source, column=name, columns=columns)
    matching = [
        level
        for level in runs.levels
        if all(is_value(runs.knobs(level)[name], value) for name, value in wanted.items())
    ]
    if len(matching) == 1 or not wanted:
        return matching[0]
    raise refused(
        "baseline_levels" if matching else "baseline_no_level",
        source=source,
        count=len(matching),
        level=_spelled(wanted),
        known="; ".join(_spelled(runs.knobs(level)) for level in runs.levels[:8]),
    )


def is_value(value: Cell, wanted: object) -> bool:
    """Whether a level has the value, which may be spelled as the table spells it."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return str(value).casefold() == str(wanted).casefold()
    return value == wanted or spell(value) == spell(wanted)


def spell(value: object) -> str:
    """A value as a table has it."""
    return "" if value is None else str(value)


def _spelled(knobs: Mapping[str, object]) -> str:
    return ", ".join(f"{name} = {spell(value) or '(empty)'}" for name, value in knobs.items())


def _refuse_ratios(runs: Runs, metrics: Sequence[Metric]) -> None:
    """Check that what is compared as a ratio is above 0."""
    for metric in metrics:
        for run in runs.rows if metric.is_ratio else ():
            value = run.metrics[metric.name]
            if value is not None and value <= 0:
                about = {"row": run.name, "metric": metric.name, "value": f"{value:g}"}
                raise refused("ratio", source=runs.roles.table.source, **about)


def _seeds(runs: Runs, first: LevelKey) -> tuple[dict[int, int], bool]:
    """A seed for each row, the same for runs that are a pair, and whether pairs are compared.

    Runs without a shared value of what pairs them are two groups, and just numbered.
    """
    by_level = {level: runs.of(level) for level in runs.levels}
    pairs = {level: {run.pair for run in of if _is_known(run)} for level, of in by_level.items()}
    shared = [len(pairs[first] & pairs[level]) for level in runs.levels if level != first]
    groups = [
        min(len(by_level[first]), len(of)) for level, of in by_level.items() if level != first
    ]
    paired = bool(runs.roles.pair_by) and all(
        common >= min(_FEWEST_PAIRS, group) and 2 * common >= group
        for common, group in zip(shared, groups, strict=True)
    )
    if not paired:
        return {run.row: n for of in by_level.values() for n, run in enumerate(of)}, False
    numbers = _numbered([run for run in runs.rows if _is_known(run)])
    free = iter(range(max(numbers.values(), default=0) + 1, 10**18))
    return {r.row: numbers[r.pair] if _is_known(r) else next(free) for r in runs.rows}, True


def _is_known(run: RunRow) -> bool:
    return bool(run.pair) and None not in run.pair


def _numbered(runs: Sequence[RunRow]) -> dict[tuple[Any, ...], int]:
    """What pairs runs as a number: the seed itself, where that is one."""
    distinct = list(dict.fromkeys(run.pair for run in runs))
    seeds = [p[0] for p in distinct if len(p) == 1 and type(p[0]) is int and 0 <= p[0] < 10**17]
    are_seeds = len(seeds) == len(distinct)
    return dict(zip(distinct, seeds if are_seeds else range(len(distinct)), strict=True))


def _record(blank: Record, run: RunRow, seed: int, metrics: Sequence[Metric]) -> Record:
    # None is a metric that was not reported, NaN one of a run that diverged.
    values = {m.name: value for m in metrics if (value := run.metrics[m.name]) is not None}
    result = ExternalResult(metrics=values, curves=run.curves, failure=run.failed or "")
    key = f"{run.row:012d}"
    return given_record(blank, key, seed, result, main=metrics[0].name)
