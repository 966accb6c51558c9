"""The curves of a question's levels, as the page draws them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from siffra.config.metrics import Metric
from siffra.lab.answers import LevelAnswer, QuestionAnswer
from siffra.lab.stats.summaries import Curve, curve, metric_curve
from siffra.report.text.labels import short_level_name, with_curves
from siffra.report.text.messages import Words, capital
from siffra.training.run import Record
from siffra.training.scored_sets import CURVE_IMAGES

MOST_POINTS = 500
"""Points of a curve: as many as a chart has room for."""


def curves_of(answered: QuestionAnswer, words: Words) -> dict[str, Any]:
    """The curves of a question's levels, each with the band that the report draws.

    That is the mean, and where each run ended. Of accuracy, by `sets`, these are what the table
    says; a `note` says so where that is not what was scored after the last epoch. Of a program's
    own `metrics`, the mean at the epochs that all runs of a level have.
    """
    metrics = with_curves(answered)
    if answered.question.metrics:
        levels = [_of_metrics(level, metrics, words) for level in answered.levels]
    else:
        levels = [_of_sets(level, words) for level in answered.levels]
    return {
        "note": words("ui.question.ends", n=CURVE_IMAGES) if _is_sampled(answered) else "",
        "sets": list(answered.levels[0].accuracy),
        "metrics": [metric.name for metric in metrics],
        "levels": levels,
    }


def _of_sets(level: LevelAnswer, words: Words) -> dict[str, Any]:
    return {
        "name": capital(short_level_name(words, level.level)),
        "knobs": dict(level.level.knobs),
        "band": {name: _accuracy_band(level, name) for name in level.accuracy},
        "ends": {name: list(_ends_of_runs(level, name)) for name in level.accuracy},
        "seeds": [record.seed for record in level.records],
    }


def _ends_of_runs(level: LevelAnswer, name: str) -> Iterable[tuple[int, float]]:
    """The last epoch of each run that has an accuracy; the last of all has it on all images."""
    for record in level.records:
        path = [*(epoch.accuracy[name] for epoch in record.epochs[:-1]), record.accuracy[name]]
        known = [(epoch, value) for epoch, value in enumerate(path, 1) if value is not None]
        yield from known[-1:]


def _is_sampled(answered: QuestionAnswer) -> bool:
    records = [record for level in answered.levels for record in level.records]
    return any(
        record.epochs[-1].accuracy[name] != record.accuracy[name]
        for record in records
        for name in record.accuracy
        if record.epochs
    )


def _accuracy_band(level: LevelAnswer, name: str) -> dict[str, list[float | None]]:
    band = _band(curve(level.records, name))
    # Where runs are of unequal lengths, the last epoch that all have is the end of few.
    if band["mean"] and len({len(record.epochs) for record in level.records}) == 1:
        end = level.accuracy[name]
        for key, value in (("mean", end.mean), ("low", end.low), ("high", end.high)):
            band[key][-1] = value if math.isfinite(value) else None
    return band


def _of_metrics(level: LevelAnswer, metrics: Sequence[Metric], words: Words) -> dict[str, Any]:
    return {
        "name": short_level_name(words, level.level),
        "knobs": dict(level.level.knobs),
        "band": {metric.name: _metric_band(level.records, metric) for metric in metrics},
        "ends": {metric.name: list(_ends(level.records, metric)) for metric in metrics},
    }


def _metric_band(records: tuple[Record, ...], metric: Metric) -> Mapping[str, list[float | None]]:
    epochs, path = metric_curve(records, metric)
    step = max(1, -(-len(epochs) // MOST_POINTS))
    kept = [*range(0, len(epochs), step)]
    if kept and kept[-1] != len(epochs) - 1:
        kept.append(len(epochs) - 1)
    points = {"epochs": _finite(epochs), **_band(path)}
    return {name: [values[i] for i in kept] for name, values in points.items()}


def _ends(records: tuple[Record, ...], metric: Metric) -> Iterable[tuple[float, float]]:
    """The last epoch and value of each run's curve."""
    return (record.curves[metric.name][-1] for record in records if metric.name in record.curves)


def _band(path: Curve) -> dict[str, list[float | None]]:
    return {"mean": _finite(path.mean), "low": _finite(path.low), "high": _finite(path.high)}


def _finite(values: np.ndarray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
