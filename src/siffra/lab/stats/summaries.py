"""Summaries: the mean of a quantity over seeds, and its course over epochs, with t intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from siffra.config.metrics import Metric
from siffra.lab.stats.comparison import Comparison, Scale
from siffra.training.run import Record
from siffra.training.scores import known

CONFIDENCE = 0.95
"""Of every summary and curve. A claim's own confidence is higher: see `siffra.lab.answers`."""

TICK = 1e-9
"""Seconds; no clock shows less, and no time counts as less."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The mean of a quantity over seeds with its t interval (low and high NaN for one seed).

    The mean of accuracies is the plain one, with its interval cut to [0, 1]; that of times is
    the geometric one, so that a paired ratio is exactly the ratio of the two means. Without
    any value all three are NaN.
    """

    mean: float
    low: float
    high: float
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """Mean accuracy after each epoch over seeds, with its t interval; arrays of (epochs,)."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, points: Sequence[Summary]) -> Self:
        """The curve through what is known of each of its points."""
        return cls(
            mean=np.array([point.mean for point in points]),
            low=np.array([point.low for point in points]),
            high=np.array([point.high for point in points]),
        )


def summarise_accuracy(records: Sequence[Record], on: str) -> Summary:
    """Accuracy on the set `on` over those of the `records` that did not diverge.

    Runs that happen to agree do not make it exact: see `Comparison` on what counting hides.
    """
    trained = [record for record in records if not record.diverged]
    floor = hidden_by([one_image(record, on) for record in trained])
    return summarise(known(record.accuracy[on] for record in trained), floor=floor)


def summarise_metric(records: Sequence[Record], metric: Metric) -> Summary:
    """A metric of trainings that siffra does not do itself, over those of the runs that have it."""
    values = known(record.metrics.get(metric.name) for record in records)
    return _summary(values, metric.scale, metric.step / math.sqrt(12))


def summarise(values: Sequence[float], scale: Scale = "difference", floor: float = 0.0) -> Summary:
    """The mean of accuracies (`difference`) or of times (`ratio`) with its 95 % interval.

    `floor` is the least standard deviation to be believed, on the scale on which effects add.
    """
    summary = _summary(values, scale, floor)
    if scale == "ratio" or len(values) < 2:
        return summary
    return Summary(summary.mean, max(summary.low, 0.0), min(summary.high, 1.0), summary.values)


def _summary(values: Sequence[float], scale: Scale, floor: float = 0.0) -> Summary:
    if not values:
        return Summary(math.nan, math.nan, math.nan, ())
    on_scale = tuple(log_time(v) for v in values) if scale == "ratio" else tuple(values)
    estimate = Comparison(on_scale, scale, floor).estimate(1 - CONFIDENCE)
    return Summary(estimate.value, estimate.low, estimate.high, tuple(values))


def curve(records: Sequence[Record], on: str) -> Curve:
    """Accuracy on the set `on` after each epoch, as long as the shortest of the runs.

    Over the runs that have not diverged by then; NaN where all have.
    """
    epochs = min((len(record.epochs) for record in records), default=0)
    return Curve.of(
        [summarise(known(run.epochs[i].accuracy[on] for run in records)) for i in range(epochs)]
    )


def metric_curve(records: Sequence[Record], metric: Metric) -> tuple[np.ndarray, Curve]:
    """The epochs that all curves of the metric have, (epochs,), and its means over the runs."""
    paths = [dict(record.curves[metric.name]) for record in records if metric.name in record.curves]
    epochs = sorted(set.intersection(*map(set, paths))) if paths else []
    points = [_summary([path[epoch] for path in paths], "difference") for epoch in epochs]
    return np.array(epochs), Curve.of(points)


def hidden_by(steps: Sequence[float]) -> float:
    """The spread that steps of measuring can hide: the variance of a rounding is step² / 12."""
    return math.sqrt(math.fsum(step**2 for step in steps) / len(steps) / 12) if steps else 0.0


def one_image(record: Record, on: str) -> float:
    """The accuracy that one image of the set `on` makes."""
    return 1 / sum(map(sum, record.confusion[on]))  # lists: NumPy would copy them first


def log_time(time: float) -> float:
    """On the scale on which times are compared."""
    return math.log(max(time, TICK))
