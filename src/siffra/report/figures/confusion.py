"""What is taken for what: confusion matrices on the shifted sets, one row of panels a level."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure

from siffra.lab.verdicts import LevelAnswer, QuestionAnswer
from siffra.report.figures import style
from siffra.report.labels import level_name
from siffra.report.sentences import capital
from siffra.report.words import Words
from siffra.run import Record

SETS = ("moved", "rotated")
MOST_LEVELS = 4
_MOST_CLASSES = 12
# From nothing to blue, so that it suits light pages, dark ones and paper.
_SHARES = LinearSegmentedColormap.from_list(
    "shares", [to_rgba(style.OKABE_ITO[0], alpha) for alpha in (0.0, 1.0)]
)


def draw(answer: QuestionAnswer, words: Words) -> Figure:
    """Rows are true classes, in per cent of their images, over all seeds."""
    levels = shown(answer)
    figure, axes = style.panels(len(levels), len(SETS), height=0.4 + 3.75 * len(levels))
    axis = iter(axes)
    for level in levels:
        for name in SETS:
            panel = next(axis)
            _panel(panel, shares(level.records, name), words)
            panel.set_title(f"{capital(level_name(words, level.level))}, {words(f'set.{name}')}")
            panel.set_xlabel(words("figure.predicted"))
            panel.set_ylabel(words("figure.true"))
    return figure


def shown(answer: QuestionAnswer) -> list[LevelAnswer]:
    """The levels with matrices: all, or, of many, the first ones and the best."""
    seen = [level for level in answer.levels if level.records]
    if len(seen) <= MOST_LEVELS:
        return seen
    best = answer.levels[answer.best]
    first = [level for level in seen if level is not best][: MOST_LEVELS - 1]
    return [level for level in seen if level is best or level in first]


def shares(records: Sequence[Record], name: str) -> np.ndarray:
    """For each true class (row) the fractions of its images given each class, over all runs."""
    counts = np.sum([record.confusion[name] for record in records], axis=0, dtype=float)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _panel(axis: Axes, cells: np.ndarray, words: Words) -> None:
    classes = len(cells)
    edges = np.arange(classes + 1) - 0.5
    axis.pcolormesh(edges, edges, cells, cmap=_SHARES, vmin=0, vmax=1, lw=0)
    axis.set_aspect("equal")
    axis.invert_yaxis()
    axis.grid(False)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set(visible=True, color=style.FAINT)
    if classes > _MOST_CLASSES:
        return
    axis.set_xticks(range(classes))
    axis.set_yticks(range(classes))
    for (row, column), cell in np.ndenumerate(cells):
        # Shares below half a per cent would be written 0, and are left out.
        if cell >= 0.005:
            colour = "white" if cell > 0.55 else style.INK
            style.cell_text(axis, column, row, words.number(100 * cell), colour, size=7)
