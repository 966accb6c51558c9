"""What a level's first layer has learned: its largest weights as pictures, of one run."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from siffra.report.figures import style
from siffra.report.figures.networks import Named, how_to_read
from siffra.report.text.messages import Words, capital

_COLUMNS = 8
_SPACE = 0.12


def with_pictures(levels: Named) -> Named:
    """The levels whose weights lie on an image."""
    return [(name, seen) for name, seen in levels if next(iter(seen.values())).features]


def draw(levels: Named, words: Words) -> Figure:
    """A block of pictures a level: blue for what speaks for a unit, orange for what against."""
    shown = [(name, next(iter(seen.values())).features) for name, seen in levels]
    drawn = [(name, features.pictures()) for name, features in shown if features]
    rows = [math.ceil(len(pictures) / _COLUMNS) for _, pictures in drawn]
    step = 1 + _SPACE
    across = (style.WIDTH - 0.4) / (_COLUMNS * step)
    heights = [0.3 + across * step * n for n in rows]
    figure, axes = style.panels(len(drawn), 1, height=0.2 + sum(heights), heights=heights)
    for axis, (name, pictures), n in zip(axes, drawn, rows, strict=True):
        axis.set_xlim(0, _COLUMNS * step)
        axis.set_ylim(n * step, 0)
        axis.set_aspect("equal")
        axis.set_axis_off()
        axis.set_title(capital(name))
        for i, picture in enumerate(pictures):
            _place(axis, picture, (i % _COLUMNS) * step, (i // _COLUMNS) * step)
    return figure


def caption(levels: Named, words: Words) -> str:
    """How to read it."""
    return how_to_read("weights", levels, words)


def _place(axis: Axes, picture: np.ndarray, left: float, top: float) -> None:
    axis.imshow(
        np.sign(picture) * np.sqrt(np.abs(picture)),  # else most is paper, above all a dark one's
        cmap=style.DIVERGING,
        vmin=-1,
        vmax=1,
        interpolation="none",
        extent=(left, left + 1, top + 1, top),
        zorder=2,
    )
    axis.add_patch(style.frame((left, top)))
