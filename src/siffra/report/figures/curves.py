"""Accuracy against epochs, one line a level, on the test set and the shifted ones; or metrics."""

import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from siffra.lab.answers import QuestionAnswer
from siffra.lab.stats.summaries import Curve, curve, metric_curve
from siffra.report.figures import style
from siffra.report.figures.levels import few_words, runs_told, with_runs
from siffra.report.figures.networks import clauses
from siffra.report.text import numbers
from siffra.report.text.findings import is_judged
from siffra.report.text.labels import (
    level_name,
    levels_name,
    sets_of,
    short_level_name,
    varied_heading,
    varied_name,
    with_curves,
)
from siffra.report.text.messages import Words, capital
from siffra.training.scored_sets import CURVE_IMAGES
from siffra.training.scores import epochs_to

_MANY = 7
_NEAR = 0.01
"""A curve has arrived when it is within one percentage point of the best end."""
_PALE = 0.5
"""How opaque the curves are of levels that are not judged."""
_SHORT = 10
"""Characters of names that stand at the ends of their curves; longer ones make a legend."""


def draw(answer: QuestionAnswer, words: Words) -> Figure:
    """Mean over seeds with its 95 % interval as a band; its name at its end, or in a legend."""
    sets, metrics = sets_of(answer.levels), with_curves(answer)
    figure, axes = style.row(len(sets) + len(metrics), height=3.3)
    seen = [level for level in answer.levels if level.trained]
    colours = style.colours(len(seen))
    band = 0.18 if len(seen) < _MANY else 0.05
    names = [
        with_runs(words, answer, level, short_level_name(words, level.level)) for level in seen
    ]
    is_few = [not is_judged(answer, level) for level in seen]
    paths = [
        *([_numbered(curve(level.records, name)) for level in seen] for name in sets),
        *([metric_curve(level.records, metric) for level in seen] for metric in metrics),
    ]
    lasts = {epochs[-1] for each in paths for epochs, _ in each if len(epochs)}
    at_ends = len(seen) < _MANY and len(lasts) == 1 and max(map(len, names)) <= _SHORT
    for axis, each in zip(axes, paths, strict=True):
        for i, ((epochs, path), colour) in enumerate(zip(each, colours, strict=True)):
            pale: dict[str, Any] = {"alpha": _PALE, "lw": 1.0} if is_few[i] else {}
            axis.plot(epochs, path.mean, color=colour, linestyle=style.dashes(i), zorder=3, **pale)
            if is_few[i]:
                continue
            axis.fill_between(epochs, path.low, path.high, color=colour, alpha=band, lw=0)
        if at_ends:
            ends = [path.mean[-1] if len(epochs) else math.nan for epochs, path in each]
            style.name_ends(axis, max(lasts), ends, names)
        axis.set_xlabel(words("figure.epochs"))
        axis.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
    for axis, name in zip(axes, sets, strict=False):
        axis.set_title(capital(words(f"set.{name}")))
        axis.yaxis.set_major_formatter(style.percent_axis(words))
    for axis, metric in zip(axes[len(sets) :], metrics, strict=True):
        style.name_metric(axis, metric, words)
    if sets:
        style.name_accuracy(axes, words)
    if not at_ends:
        style.legend_of_lines(figure, names, varied_heading(words, answer.question))
    return figure


def _numbered(path: Curve) -> tuple[np.ndarray, Curve]:
    """A curve behind its epochs."""
    return np.arange(1, len(path.mean) + 1), path


def has_any(answer: QuestionAnswer) -> bool:
    """Whether there are curves: a single epoch is none."""
    if answer.question.metrics:
        return bool(with_curves(answer))
    return any(len(record.epochs) > 1 for level in answer.levels for record in level.trained)


def caption(answer: QuestionAnswer, words: Words) -> str:
    """Which level comes first near the best accuracy, and which last."""
    levels = [level for level in answer.judged if level.trained]
    few = few_words(answer, words, "caption.pale")
    by = varied_name(words, answer.question)
    if answer.question.metrics:
        names = words.listing(metric.name for metric in with_curves(answer))
        key = "caption.metric_curves"
        how = numbers.over_seeds(words, key, runs_told(answer), of=names, by=by)
        return clauses(how, few)
    images = words.exact(CURVE_IMAGES)
    how = numbers.over_seeds(words, "caption.curves", runs_told(answer), by=by, images=images)
    how = clauses(how, few)
    if len(levels) < min(2, len(answer.levels)):
        return how
    paths = [curve(level.records, "test").mean for level in levels]
    target = max(path[-1] for path in paths) - _NEAR
    reached = [epochs_to(target, path.tolist()) for path in paths]
    arrived = [(epoch, i) for i, epoch in enumerate(reached) if epoch is not None]
    first = min(arrived, key=lambda pair: pair[0])
    last = max(arrived, key=lambda pair: pair[0])
    text = words.count("caption.first", first[0], level=level_name(words, levels[first[1]].level))
    if last[0] != first[0]:
        text += words.count("caption.last", last[0], level=level_name(words, levels[last[1]].level))
    never = [level.level for level, epoch in zip(levels, reached, strict=True) if epoch is None]
    if never:
        text += words("caption.never", levels=levels_name(words, never))
    return f"{how} {text}."
