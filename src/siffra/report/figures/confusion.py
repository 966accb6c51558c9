"""What is taken for what: confusion matrices on shifted sets, one row of panels a level.

Of two levels the difference is shown as well.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure

from siffra.lab.answers import ExperimentAnswer, LevelAnswer, QuestionAnswer
from siffra.report.figures import style
from siffra.report.figures.networks import clauses, joined
from siffra.report.text import numbers
from siffra.report.text.labels import LONG_NAME, class_name, confused_sets
from siffra.report.text.messages import Words, capital
from siffra.training.run import Record

Seen = TypeVar("Seen", LevelAnswer, ExperimentAnswer)

MOST_LEVELS = 4
MOST_CLASSES = 12
# From nothing to blue, so that it suits light pages, dark ones and paper.
_SHARES = LinearSegmentedColormap.from_list(
    "shares", [to_rgba(style.OKABE_ITO[0], alpha) for alpha in (0.0, 1.0)]
)


def draw(levels: Sequence[Seen], names: Sequence[str], words: Words) -> Figure:
    """Rows are true classes, in per cent of their images, over all seeds; `names` of the levels."""
    rows = len(levels) + (len(levels) == 2)
    sets = confused_sets(levels)
    figure, axes = style.panels(rows, len(sets), height=1.0 + 3.75 * rows)
    axis = iter(axes)
    percent, shown = style.percent_axis(words), []
    for level, called in zip(levels, names, strict=True):
        for name in sets:
            panel = next(axis)
            shown.append(_panel(panel, shares(level.trained, name), words))
            comma = ",\n" if len(called) > LONG_NAME else ", "
            panel.set_title(f"{capital(called)}{comma}{words(f'set.{name}')}")
    style.colour_bar(shown, words("figure.share"), percent, "bottom")
    if len(levels) == 2:
        gaps = [difference(levels, name) for name in sets]
        largest = max(float(np.abs(gap).max()) for gap in gaps) or 1.0
        apart = []
        for panel, name, gap in zip(axis, sets, gaps, strict=True):
            apart.append(_difference(panel, gap, largest, words))
            panel.set_title(f"{capital(words('figure.difference'))}, {words(f'set.{name}')}")
        style.colour_bar(apart, capital(words("figure.points")), percent, "bottom")
    for panel in axes:
        _name_classes(panel, levels[0].trained)
        panel.set_xlabel(words("figure.predicted"))
        panel.set_ylabel(words("figure.true"))
    return figure


def caption(levels: Sequence[Seen], names: Sequence[str], words: Words, more: str = "") -> str:
    """The most common mistake of each, called as in `names`; or of two, how they differ most.

    That is on the first of the sets that are shown. `more` is what else is to be known.
    """
    how = numbers.over_seeds(words, "caption.confusion", [len(level.trained) for level in levels])
    if len(levels) == 2:
        row = words("caption.last_row", first=names[0], second=names[1])
        return joined(clauses(how, row, more), _largest_difference(levels, names, words))
    on = confused_sets(levels)[0]
    mistakes = "; ".join(
        _commonest(level, called, on, words) for level, called in zip(levels, names, strict=True)
    )
    commonest = words("caption.commonest", on=words(f"on.{on}"), mistakes=mistakes)
    return joined(clauses(how, more), commonest)


def _commonest(level: LevelAnswer | ExperimentAnswer, called: str, on: str, words: Words) -> str:
    mistakes = shares(level.trained, on)
    np.fill_diagonal(mistakes, 0.0)
    true, predicted = np.unravel_index(mistakes.argmax(), mistakes.shape)
    return words(
        "caption.mistake",
        level=called,
        true=class_name(level.records, int(true)),
        predicted=class_name(level.records, int(predicted)),
        share=numbers.share(words, mistakes.max(), 0),
    )


def _largest_difference(levels: Sequence[Seen], names: Sequence[str], words: Words) -> str:
    """Where two differ most in what they say, on the first of the sets that are shown."""
    on = confused_sets(levels)[0]
    gap = difference(levels, on)
    true, predicted = np.unravel_index(np.abs(gap).argmax(), gap.shape)
    cell = gap[true, predicted]
    return words(
        "caption.difference",
        more=names[1] if cell > 0 else names[0],
        on=words(f"on.{on}"),
        true=class_name(levels[0].records, int(true)),
        predicted=class_name(levels[0].records, int(predicted)),
        points=numbers.quantity(words, "points", words.number(100 * abs(cell))),
        n=gap.size,
    )


def shown(answer: QuestionAnswer) -> list[LevelAnswer]:
    """The judged levels with matrices: all, or, of many, the first ones and the best."""
    return few([level for level in answer.judged if level.trained], answer.levels[answer.best])


def few(seen: Sequence[Seen], best: Seen) -> list[Seen]:
    """All of them, or, of many, the first ones and the best."""
    if len(seen) <= MOST_LEVELS:
        return list(seen)
    first = [level for level in seen if level is not best][: MOST_LEVELS - 1]
    return [level for level in seen if level is best or level in first]


def shares(records: Sequence[Record], name: str) -> np.ndarray:
    """For each true class (row) the fractions of its images given each class, over all runs.

    None of the `records` may have diverged.
    """
    counts = np.sum([record.confusion[name] for record in records], axis=0, dtype=float)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def difference(levels: Sequence[Seen], name: str) -> np.ndarray:
    """The second of two levels' shares minus the first's."""
    first, second = (shares(level.trained, name) for level in levels)
    return second - first


def _panel(axis: Axes, cells: np.ndarray, words: Words) -> QuadMesh:
    mesh = _matrix(axis, cells, _SHARES, 0.0)
    if len(cells) > MOST_CLASSES:
        return mesh
    for (row, column), cell in np.ndenumerate(cells):
        # Shares below half a per cent would be written 0, and are left out.
        if cell >= 0.005:
            colour = "white" if cell > 0.55 else style.INK
            style.cell_text(axis, column, row, words.number(100 * cell), colour, size=7)
    return mesh


def _difference(axis: Axes, cells: np.ndarray, largest: float, words: Words) -> QuadMesh:
    mesh = _matrix(axis, cells, style.DIVERGING, -largest, largest)
    if len(cells) > MOST_CLASSES:
        return mesh
    for (row, column), cell in np.ndenumerate(cells):
        if abs(cell) >= 0.005:
            colour = "white" if abs(cell) > 0.7 * largest else style.INK
            text = words.number(100 * cell, signed=True)
            style.cell_text(axis, column, row, text, colour, size=6.5)
    return mesh


def _matrix(
    axis: Axes, cells: np.ndarray, colours: Colormap, lowest: float, highest: float = 1.0
) -> QuadMesh:
    classes = len(cells)
    edges = np.arange(classes + 1) - 0.5
    mesh = axis.pcolormesh(edges, edges, cells, cmap=colours, vmin=lowest, vmax=highest, lw=0)
    axis.set_aspect("equal")
    axis.invert_yaxis()
    axis.grid(False)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set(visible=True, color=style.FAINT)
    return mesh


def _name_classes(axis: Axes, records: Sequence[Record]) -> None:
    classes = len(records[0].confusion["test"])
    if classes <= MOST_CLASSES:
        names = [class_name(records, number) for number in range(classes)]
        axis.set_xticks(range(classes), names)
        axis.set_yticks(range(classes), names)
        style.fit_names(axis, names)
