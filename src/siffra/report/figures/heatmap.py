"""Mean accuracy on each set and training seconds over two knobs, as a heat map."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from siffra.lab.answers import LevelAnswer, QuestionAnswer
from siffra.lab.stats.summaries import Summary
from siffra.report.figures import style
from siffra.report.figures.networks import joined
from siffra.report.text import numbers
from siffra.report.text.labels import knob_name, level_name, sets_of, value_name
from siffra.report.text.messages import Words, capital

_BEST = style.OKABE_ITO[1]


def draw(answer: QuestionAnswer, words: Words) -> Figure:
    """A panel a set and one of time; the level that is best on validation has a frame."""
    across, up = answer.question.vary
    columns, rows = _values(answer, across), _values(answer, up)
    sets = sets_of(answer.levels)
    figure, axes = style.pairs(len(sets) + 1, height=1.0 + 0.25 * max(len(rows), 4))
    for axis, name in zip(axes, sets, strict=False):
        means, arms = _cells(answer, columns, rows, lambda level, name=name: level.accuracy[name])
        _panel(axis, 100 * means, 100 * arms, words, most=1)
        axis.set_title(f"{capital(words(f'set.{name}'))}, {words('figure.accuracy_short')}")
    means, arms = _cells(answer, columns, rows, lambda level: level.seconds)
    most = 2 if np.nanmax(means) < 10 else 1 if np.nanmax(means) < 100 else 0
    # From zero: times that hardly differ should look alike.
    _panel(axes[len(sets)], means, arms, words, most, lowest=0.0)
    axes[len(sets)].set_title(words("figure.seconds"))
    best = None if answer.untrained else answer.levels[answer.best].level.knobs
    for axis in axes:
        axis.set_xticks(range(len(columns)), [value_name(words, v) for v in columns])
        axis.set_yticks(range(len(rows)), [value_name(words, v) for v in rows])
        axis.set_xlabel(capital(knob_name(words, across)))
        axis.set_ylabel(capital(knob_name(words, up)))
        if best:
            corner = columns.index(best[across]) - 0.5, rows.index(best[up]) - 0.5
            axis.add_patch(Rectangle(corner, 1, 1, fill=False, ec=_BEST, lw=2.4, zorder=5))
    return figure


def caption(answer: QuestionAnswer, words: Words) -> str:
    """The level that is best on validation, and the one that is worst on the test set."""
    levels = [level for level in answer.levels if level.trained]
    best = answer.levels[answer.best]
    worst = min(levels, key=lambda level: level.accuracy["test"].mean)
    extremes = (
        ""
        if answer.untrained
        else words(
            "caption.framed",
            best=level_name(words, best.level),
            accuracy=numbers.accuracy(words, best.accuracy["test"]),
            worst=level_name(words, worst.level),
            lowest=numbers.accuracy(words, worst.accuracy["test"]),
        )
    )
    return joined(
        numbers.over_seeds(words, "caption.heatmap", [len(level.trained) for level in levels]),
        extremes,
    )


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
    columns: list[Any],
    rows: list[Any],
    get: Callable[[LevelAnswer], Summary],
) -> tuple[np.ndarray, np.ndarray]:
    """Means and the lower arms of their intervals, (rows, columns); NaN where there is none."""
    across, up = answer.question.vary
    means, arms = np.full((2, len(rows), len(columns)), np.nan)
    for level in answer.levels:
        knobs = level.level.knobs
        if level.records:
            cell = rows.index(knobs[up]), columns.index(knobs[across])
            means[cell], arms[cell] = get(level).mean, get(level).mean - get(level).low
    return means, arms


def _panel(
    axis: Axes,
    cells: np.ndarray,
    arms: np.ndarray,
    words: Words,
    most: int,
    lowest: float | None = None,
) -> None:
    """Each cell's number has as many decimals as its interval supports, `most` at most."""
    axis.grid(False)
    for spine in axis.spines.values():
        spine.set_visible(False)
    axis.tick_params(length=0)
    rows, columns = (np.arange(size + 1) - 0.5 for size in cells.shape)
    lowest, highest = np.nanmin(cells) if lowest is None else lowest, np.nanmax(cells)
    known = np.ma.masked_invalid(cells)
    axis.pcolormesh(
        columns, rows, known, cmap="cividis", vmin=lowest, vmax=highest, ec=style.PAPER, lw=1
    )
    middle = (lowest + highest) / 2
    for (row, column), cell in np.ndenumerate(cells):
        if not np.isnan(cell):
            text = words.number(cell, numbers.decimals_for(float(arms[row, column]), most))
            colour = "black" if cell > middle else "white"
            style.cell_text(axis, column, row, text, colour)
