"""Judging runs that siffra did not make: from a table of results to an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from siffra.api.baseline import with_baseline
from siffra.api.results import LabResult
from siffra.config.metrics import Metric, SaidMetric
from siffra.errors import ConfigError
from siffra.lab.answers import answer
from siffra.lab.plan.given import plan_given, spell
from siffra.report.text.messages import words_in
from siffra.results import RoleOptions, RunTable, find_roles, read_frame, read_results, runs_of

MetricLike = Metric | str
"""A `Metric`, or a text: its name, the direction in which it is better, and what else is said of
it, as `val_loss:lower` or `throughput:higher,scale=ratio,margin=0.02,unit=images/s`."""


def judge(
    runs: Any,
    *,
    by: str | Sequence[str] = (),
    metric: MetricLike | Sequence[MetricLike] = (),
    margin: float | None = None,
    seed: str | None = None,
    pair_by: str | Sequence[str] = (),
    where: str | Sequence[str] = (),
    baseline: Mapping[str, Any] | None = None,
    baseline_results: Path | str | None = None,
    language: str = "en",
) -> LabResult:
    """Judge training runs that are done: is a level better than the baseline, beyond the noise?

    What is not said of the table is worked out from it, and noted in the answer. Runs with the
    same seed are compared in pairs; where seeds are not shared, levels are compared as groups.

    Args:
        runs: A file of results (CSV, TSV, Parquet, JSON lines, an export of W&B's, MLflow's or
            siffra's own), a data frame, or dicts, one a run.
        by: The column, or columns, whose values are compared.
        metric: What is judged, the main one first; by default the most usual one of the table.
        margin: The smallest difference that matters, for metrics that have none of their own.
            Without one, nothing is ever shown to make no difference.
        seed: The column of seeds; `none` if there is none.
        pair_by: The columns whose values pair runs of two levels, in the place of the seed.
        where: Conditions on rows, as `model = conv`, all of which must hold.
        baseline: What every level is compared with, as `{"learning_rate": 0.1}`; by default the
            first level.
        baseline_results: A report, or its `results.json`, of which a level is the baseline instead;
            `baseline` says which, if it has several.
        language: Of the answer: `en` or `sv`.

    Raises:
        SiffraError: The table cannot be read, or it is not clear what to make of it; the text
            says what would be right.
    """
    words_in(language)
    metrics = [metric] if isinstance(metric, Metric | str) else _listed("metric", metric)
    _refuse_misfits(seed, baseline, baseline_results)
    options = RoleOptions(
        by=_several("by", by),
        seed=seed,
        metrics=_once(tuple(map(_spelled, metrics))),
        where=_several("where", where),
        pair_by=_several("pair_by", pair_by),
    )
    table, again = _table(runs), None
    if baseline_results is not None:
        again = _again(options, baseline or {}, baseline_results)
        results = Path(baseline_results)
        table, options, baseline = with_baseline(table, options, results, baseline or {})
    of_table = runs_of(find_roles(table, options))
    roles = of_table.roles
    judged = roles.metrics if metrics else roles.metrics[:1]
    by_name = {each.name: each for each in metrics if isinstance(each, Metric)}
    chosen = [_with_margin(by_name.get(m.name, m), m.step, margin) for m in judged]
    plan, records = plan_given(of_table, chosen, baseline)
    if again is None:
        first = plan.questions[0].levels[0].knobs
        again = _again(replace(options, by=roles.by), first)
    notes = (*roles.table.notes, *roles.notes)
    plan = replace(plan, notes=notes, caveats=of_table.notes, again=again)
    return LabResult(answer(plan, records), language=language)


def _table(runs: Any) -> RunTable:
    if isinstance(runs, RunTable):
        return runs
    return read_results(runs) if isinstance(runs, str | Path) else read_frame(runs)


def _several(option: str, names: str | Sequence[str]) -> tuple[str, ...]:
    """Each of the names once."""
    listed = [names] if isinstance(names, str) else _listed(option, names)
    for name in listed:
        if not isinstance(name, str):
            raise ConfigError(f"{option}: found {name!r}; it must be a text, or a list of texts.")
    return tuple(dict.fromkeys(listed))


def _listed(option: str, values: Any) -> list[Any]:
    if not isinstance(values, list | tuple):
        raise ConfigError(f"{option}: found {values!r}; give one, or a list.")
    return list(values)


def _once(metrics: tuple[str, ...]) -> tuple[str, ...]:
    """Each of the metrics once."""
    by_name: dict[str, str] = {}
    for text in metrics:
        name = SaidMetric.parse(text).name
        if by_name.setdefault(name, text) != text:
            raise ConfigError(
                f"metric: found {by_name[name]!r} and {text!r}; a metric is judged once."
            )
    return tuple(by_name.values())


def _refuse_misfits(seed: Any, baseline: Any, results: Any) -> None:
    """Check the types of single arguments."""
    for option, value, kinds, wanted in (
        ("seed", seed, str, "a column's name"),
        ("baseline", baseline, Mapping, "values by column, as {'lr': 0.1}"),
        ("baseline_results", results, str | Path, "the path of a report"),
    ):
        if value is not None and not isinstance(value, kinds):
            raise ConfigError(f"{option}: found {value!r}; it must be {wanted}.")


def _again(
    options: RoleOptions, baseline: Mapping[str, Any], results: Path | str | None = None
) -> tuple[str, ...]:
    """The options that say the same of the table again, beside its metrics."""
    words = [f"--by={','.join(options.by)}"] if options.by else []
    words += [f"--baseline={results}"] if results is not None else []
    words += [f"--baseline={name}={spell(value)}" for name, value in baseline.items()]
    words += [f"--seed={options.seed}"] if options.seed is not None else []
    words += [f"--pair-by={','.join(options.pair_by)}"] if options.pair_by else []
    return (*words, *(f"--where={condition}" for condition in options.where))


def _spelled(metric: MetricLike) -> str:
    if isinstance(metric, Metric):
        return metric.spelled()
    if not isinstance(metric, str):
        raise ConfigError(
            f"metric: found {metric!r}; give a name, as 'val_loss:lower', or a siffra.Metric."
        )
    return metric


def _with_margin(metric: Metric, step: float, margin: float | None) -> Metric:
    """With the margin that all metrics get, and the step in which its values are printed."""
    if metric.margin is None and margin is not None:
        metric = replace(metric, margin=margin)
    return metric if metric.step else replace(metric, step=step)
