"""A plan whose runs are made already: one question, about the levels of a table of runs."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from siffra.config import Setting
from siffra.config.metrics import Metric
from siffra.errors import ConfigError
from siffra.lab.plan.plan import Claim, Figure, Level, Plan, Question
from siffra.results import Runs
from siffra.results.rows import LevelKey, RunRow
from siffra.training.run import Machine, Record

Given = tuple[Plan, dict[tuple[Setting, int], Record]]
"""A plan with the records of its runs."""

_NO_MACHINE = Machine(cpu="", cores=0, threads=0, system="", versions={})
_FEWEST_PAIRS = 5
"""Fewer pairs decide nothing, where the same runs as two groups may."""


def plan_given(
    runs: Runs, metrics: Sequence[Metric], baseline: Mapping[str, Any] | None = None
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
        ConfigError: No level, or more than one, has the values of the baseline.
    """
    first = _baseline(runs, baseline or {})
    order = [first, *(level for level in runs.levels if level != first)]
    names = {level: runs.knobs(level) for level in order}
    levels = tuple(Level(names[level], (_setting(names[level]),), {}) for level in order)
    seeds, paired = _seeds(runs, first)
    records = {
        (level.settings[0], seeds[run.row]): _record(run, level, seeds[run.row], metrics)
        for key, level in zip(order, levels, strict=True)
        for run in runs.of(key)
    }
    claims = [
        _better(levels, index, metric, f"{metric.name}-" * (len(metrics) > 1) + str(index + 1))
        for metric in metrics
        for index in range(1, len(levels))
    ]
    ask = " and ".join(runs.roles.by)
    any_curve = any(record.curves for record in records.values())
    figures: tuple[Figure, ...] = ("curves", "levels") if any_curve else ("levels",)
    question = Question(
        id="judge",
        ask={"en": f"What does {ask} do?", "sv": f"Vad gör {ask.replace(' and ', ' och ')}?"},
        note={},
        vary=runs.roles.by,
        retune=(),
        fixed=dict(runs.roles.constants),
        levels=levels,
        claims=tuple(claims),
        figures=figures,
        metrics=tuple(metrics),
    )
    source = runs.roles.table.source
    described = json.dumps([source, sorted(map(repr, runs.rows))])
    plan = Plan(
        title=question.ask,
        source=source,
        digest=hashlib.sha256(described.encode()).hexdigest(),
        preset="judge",
        ad_hoc=True,
        epochs=None,
        seeds=tuple(sorted(set(seeds.values()))),
        questions=(question,),
        experiments=(),
        paired=paired,
        given=True,
    )
    return plan, records


def _baseline(runs: Runs, wanted: Mapping[str, Any]) -> LevelKey:
    source = runs.roles.table.source
    for name in wanted:
        if name not in runs.roles.by:
            raise ConfigError(
                f"{source}: baseline: levels do not differ in `{name}`; they do in "
                f"{', '.join(runs.roles.by)}."
            )
    matching = [
        level
        for level in runs.levels
        if all(runs.knobs(level)[name] == value for name, value in wanted.items())
    ]
    if len(matching) == 1 or not wanted:
        return matching[0]
    spelled = ", ".join(f"{name} = {value}" for name, value in wanted.items())
    many = "no level has" if not matching else f"{len(matching)} levels have"
    known = "; ".join(
        ", ".join(f"{n} = {v}" for n, v in runs.knobs(level).items()) for level in runs.levels[:8]
    )
    raise ConfigError(f"{source}: baseline: {many} {spelled}; it must be one of: {known}.")


def _setting(knobs: Mapping[str, Any]) -> Setting:
    return Setting.external(knobs)


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


def _record(run: RunRow, level: Level, seed: int, metrics: Sequence[Metric]) -> Record:
    setting, main = level.settings[0], metrics[0].name
    # None is a metric that was not reported, NaN one of a run that diverged.
    failure = run.failed or ("no value" if run.metrics[main] is None else "")
    return Record(
        key=f"{run.row:012d}",
        model=setting.model,
        training=setting.training,
        seed=seed,
        dataset="",
        fingerprint="",
        engine="",
        engine_version=0,
        parameters=0,
        epochs=(),
        accuracy={},
        confusion={},
        seconds=0.0,
        compile_seconds=0.0,
        scoring_seconds=0.0,
        diverged=not failure and run.metrics[main] != run.metrics[main],
        machine=_NO_MACHINE,
        finished=datetime.now(UTC),
        metrics={} if failure else {m.name: _finite(run.metrics[m.name]) for m in metrics},
        curves=dict(run.curves),
        failure=failure,
    )


def _finite(value: float | None) -> float | None:
    return None if value != value else value


def _better(levels: Sequence[Level], index: int, metric: Metric, name: str) -> Claim:
    ours, first = (
        ", ".join(f"{knob} = {value}" for knob, value in levels[i].knobs.items())
        for i in (index, 0)
    )
    return Claim(
        id=name,
        say={
            "en": f"{ours} is better than {first} in {metric.name}.",
            "sv": f"{ours} är bättre än {first} i {metric.name}.",
        },
        metric=metric.name,
        on="",
        target=None,
        level=(index,),
        against=(0,),
        direction="better",
        margin=metric.margin or 0.0,
        epochs=1,
        reported={},
        named=metric,
    )
