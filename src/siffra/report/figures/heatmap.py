"""Mean accuracy on each set, or other metrics, and training seconds over two knobs."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from siffra.config.metrics import Metric
from siffra.lab.answers import LevelAnswer, QuestionAnswer
from siffra.lab.stats.summaries import Summary
from siffra.report.figures import style
from siffra.report.figures.levels import few_words, ranges_of_metrics, runs_told
from siffra.report.figures.networks import clauses, joined
from siffra.report.text import numbers
from siffra.report.text.findings import is_judged
from siffra.report.text.labels import (
    knob_name,
    level_name,
    sets_of,
    value_name,
    varied_name,
)
from siffra.report.text.messages import Words, capital

_Few = Mapping[tuple[int, int], int]
"""Of cells that are not judged, how many runs they have: (row, column)."""
_BEST = style.OKABE_ITO[1]
_DIGITS, _MOST_DECIMALS = 3, 9
"""Of the greatest mean of a metric this many digits are shown, at most, beside its first."""


def draw(answer: QuestionAnswer, words: Words) -> Figure:
    """A panel a set or metric, and one of time; the best level on validation has a frame."""
    across, up = answer.question.vary
    columns, rows = _values(answer, across), _values(answer, up)
    sets, metrics = sets_of(answer.levels), answer.question.metrics
    any_time = any(any(level.seconds.values) for level in answer.levels)
    panels = len(sets) + len(metrics) + any_time
    figure, axes = style.pairs(panels, height=1.0 + 0.25 * max(len(rows), 4))
    few = {
        (rows.index(level.level.knobs[up]), columns.index(level.level.knobs[across])): len(
            level.records
        )
        for level in answer.levels
        if not is_judged(answer, level)
    }
    for axis, name in zip(axes, sets, strict=False):
        means, arms = _cells(answer, columns, rows, lambda level, name=name: level.accuracy[name])
        _panel(axis, 100 * means, 100 * arms, few, words, most=1, title=words("figure.accuracy"))
        axis.set_title(capital(words(f"set.{name}")))
    for axis, metric in zip(axes, metrics, strict=False):
        _metric_panel(axis, answer, metric, (columns, rows), few, words)
    if any_time:
        means, arms = _cells(answer, columns, rows, lambda level: level.seconds)
        most = 2 if np.nanmax(means) < 10 else 1 if np.nanmax(means) < 100 else 0
        # From zero: times that hardly differ should look alike.
        time = words("figure.seconds")
        _panel(axes[panels - 1], means, arms, few, words, most, lowest=0.0, title=time)
        axes[panels - 1].set_title(capital(words("figure.time")))
    is_framed = not answer.untrained and not metrics
    best = answer.levels[answer.best].level.knobs if is_framed else None
    knob_words = words.verbatim if answer.question.is_external else words
    names = [knob_name(knob_words, knob) for knob in (across, up)]
    if not knob_words.is_verbatim:
        names = [capital(name) for name in names]
    for axis in axes:
        axis.set_xticks(range(len(columns)), [value_name(knob_words, v) for v in columns])
        axis.set_yticks(range(len(rows)), [value_name(knob_words, v) for v in rows])
        axis.set_xlabel(names[0])
        axis.set_ylabel(names[1])
        if best:
            corner = columns.index(best[across]) - 0.5, rows.index(best[up]) - 0.5
            axis.add_patch(Rectangle(corner, 1, 1, fill=False, ec=_BEST, lw=2.4, zorder=5))
    return figure


def _metric_panel(
    axis: Axes,
    answer: QuestionAnswer,
    metric: Metric,
    values: tuple[list[Any], list[Any]],
    few: _Few,
    words: Words,
) -> None:
    means, arms = _cells(answer, *values, lambda level: level.metrics[metric.name])
    is_fraction = metric.unit == "fraction"
    scale, unit = (100, "%") if is_fraction else (1, metric.unit)
    axis.set_title(metric.name)
    if np.isnan(means).all():
        return
    greatest = scale * np.nanmax(np.abs(means))
    most = _DIGITS - math.floor(math.log10(greatest)) if greatest else 0
    decimals = min(max(most, 0), _MOST_DECIMALS)
    _panel(axis, scale * means, scale * arms, few, words, decimals, unit or metric.name)


def caption(answer: QuestionAnswer, words: Words) -> str:
    """The level that is best on validation, and the one that is worst on the test set.

    Of other metrics, the lowest and the highest mean.
    """
    levels = [level for level in answer.judged if level.trained]
    by = varied_name(words, answer.question)
    how = numbers.over_seeds(words, "caption.heatmap", runs_told(answer), by=by)
    how = clauses(how, few_words(answer, words, "caption.uncoloured"))
    if answer.question.metrics:
        return joined(how, ranges_of_metrics(answer, words))
    if answer.untrained:
        return how
    best = answer.levels[answer.best]
    worst = min(levels, key=lambda level: level.accuracy["test"].mean)
    extremes = words(
        "caption.framed",
        best=level_name(words, best.level),
        accuracy=numbers.accuracy(words, best.accuracy["test"]),
        worst=level_name(words, worst.level),
        lowest=numbers.accuracy(words, worst.accuracy["test"]),
    )
    return joined(how, extremes)


def _values(answer: QuestionAnswer, knob: str) -> list[Any]:
    """The values of a knob once each, numbers in their order."""
    values = []
    for level in answer.levels:
        if (value := level.level.knobs[knob]) not in values:
            values.append(value)
    are_numbers = all(isinstance(v, int | float) for v in values)
    return sorted(values) if are_numbers else values


def _cells(
    answer: QuestionAnswer,
    columns: list[object],
    rows: list[object],
    get: Callable[[LevelAnswer], Summary],
) -> tuple[np.ndarray, np.ndarray]:
    """Means and the lower arms of their intervals, (rows, columns); NaN where there is none."""
    across, up = answer.question.vary
    means, arms = np.full((2, len(rows), len(columns)), np.nan)
    for level in answer.levels:
        knobs = level.level.knobs
        if level.records and (summary := get(level)).values:
            cell = rows.index(knobs[up]), columns.index(knobs[across])
            means[cell], arms[cell] = summary.mean, summary.mean - summary.low
    return means, arms


def _panel(
    axis: Axes,
    cells: np.ndarray,
    arms: np.ndarray,
    few: _Few,
    words: Words,
    most: int,
    title: str,
    lowest: float | None = None,
) -> None:
    """Each cell's number has as many decimals as its interval supports, `most` at most.

    `title` is what the numbers, and the colours, are. The cells of `few` runs have none.
    """
    axis.grid(False)
    for spine in axis.spines.values():
        spine.set_visible(False)
    axis.tick_params(length=0)
    rows, columns = (np.arange(size + 1) - 0.5 for size in cells.shape)
    is_few = np.zeros(cells.shape, bool)
    for cell in few:
        is_few[cell] = True
    scale = cells if np.isnan(cells[~is_few]).all() else cells[~is_few]
    lowest, highest = np.nanmin(scale) if lowest is None else lowest, np.nanmax(scale)
    known = np.ma.masked_invalid(np.where(is_few, np.nan, cells))
    shown = axis.pcolormesh(
        columns, rows, known, cmap="cividis", vmin=lowest, vmax=highest, ec=style.PAPER, lw=1
    )
    style.colour_bar([shown], title, style.number_axis(words))
    middle = (lowest + highest) / 2
    for (row, column), cell in np.ndenumerate(cells):
        if not np.isnan(cell):
            text = words.number(cell, numbers.decimals_for(float(arms[row, column]), most))
            colour = "black" if cell > middle else "white"
            if is_few[row, column]:
                text, colour = words("figure.cell", value=text, n=few[row, column]), style.INK
            style.cell_text(axis, column, row, text, colour, size=6.5 if is_few[row, column] else 8)
