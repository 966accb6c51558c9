"""Accuracy over every move of the test images, right and left, down and up: one map a level."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from siffra.lab.stats.diagnostics import BySeed
from siffra.report.figures import style
from siffra.report.figures.networks import Named, how_to_read, joined
from siffra.report.text import numbers
from siffra.report.text.messages import Words, capital
from siffra.training.examination import MAP_PIXELS

_COLUMNS = 3
_CONTOURS = (0.25, 0.5, 0.9)


def draw(levels: Named, words: Words) -> Figure:
    """Means over seeds, with lines of equal accuracy; of two levels also the difference."""
    panels = len(levels) + (len(levels) == 2)
    columns = min(max(panels, 2), _COLUMNS)  # a lone map is no larger than one of two
    rows = -(-panels // columns)
    figure, axes = style.panels(rows, columns, height=0.35 + rows * (8.6 / columns))
    means = [mean_map(examinations) for _, examinations in levels]
    where = "bottom" if rows == 1 else "right"
    maps = [
        _panel(axis, cells, words, "cividis", 0.0) for axis, cells in zip(axes, means, strict=False)
    ]
    for axis, (name, _), cells in zip(axes, levels, means, strict=False):
        lines = axis.contour(
            MAP_PIXELS, MAP_PIXELS, cells, _CONTOURS, colors="white", linewidths=0.9
        )
        labels = {level: words.exact(100 * level) for level in _CONTOURS}
        for text in axis.clabel(lines, fmt=labels, fontsize=6.5):
            text.set_in_layout(False)
        axis.set_title(capital(name))
    accuracy = words("figure.accuracy"), style.percent_axis(words), where
    style.colour_bar(maps, *accuracy)
    if len(levels) == 2:
        difference, axis = means[1] - means[0], axes[2]
        largest = float(np.abs(difference).max()) or 1.0
        gaps = _panel(axis, difference, words, style.DIVERGING, -largest, largest)
        points = capital(words("figure.points")), style.percent_axis(words), where
        style.colour_bar([gaps], *points)
        axis.set_title(capital(words("figure.difference")))
        _extreme(axis, difference, words)
    for axis in axes[panels:]:
        axis.remove()
    return figure


def caption(levels: Named, words: Words) -> str:
    """How to read it; of two levels also where they differ most."""
    return joined(how_to_read("map", levels, words), _largest_gap(levels, words))


def _largest_gap(levels: Named, words: Words) -> str:
    if len(levels) != 2:
        return ""
    (first, a), (second, b) = levels
    gap = mean_map(b) - mean_map(a)
    row, column = np.unravel_index(np.abs(gap).argmax(), gap.shape)
    above, below = (second, first) if gap[row, column] > 0 else (first, second)
    return words(
        "caption.gap",
        above=above,
        below=below,
        points=numbers.quantity(words, "points", words.number(100 * abs(gap[row, column]))),
        n=gap.size,
        where=_where(MAP_PIXELS[column], MAP_PIXELS[row], words),
    )


def _where(dx: int, dy: int, words: Words) -> str:
    """`2 pixels to the left and 4 pixels up`."""
    ways = [("left" if dx < 0 else "right", abs(dx)), ("up" if dy < 0 else "down", abs(dy))]
    moves = [words(f"caption.{way}", n=pixels) for way, pixels in ways if pixels]
    return words.listing(moves) if moves else words("caption.nowhere")


def mean_map(examinations: BySeed) -> np.ndarray:
    """Mean accuracy over seeds: rows are dy, downwards, and columns dx, to the right."""
    return np.mean([e.map for e in examinations.values()], axis=0)


def _panel(
    axis: Axes,
    cells: np.ndarray,
    words: Words,
    colours: str | Colormap,
    lowest: float,
    highest: float = 1.0,
) -> AxesImage:
    half = (MAP_PIXELS[1] - MAP_PIXELS[0]) / 2
    low, high = MAP_PIXELS[0] - half, MAP_PIXELS[-1] + half
    image = axis.imshow(
        cells,
        cmap=colours,
        vmin=lowest,
        vmax=highest,
        extent=(low, high, high, low),
        interpolation="none",
    )
    axis.grid(False)
    axis.tick_params(length=2)
    at = (-10, -5, 0, 5, 10)
    labels = [words.exact(tick) for tick in at]
    axis.set_xticks(at, labels)
    axis.set_yticks(at, labels)
    axis.set_xlabel(words("figure.right"))
    axis.set_ylabel(words("figure.down"))
    return image


def _extreme(axis: Axes, difference: np.ndarray, words: Words) -> None:
    """Write down the largest difference where it is."""
    row, column = np.unravel_index(np.abs(difference).argmax(), difference.shape)
    largest = difference[row, column]
    text = words.number(100 * largest, 0, signed=True)
    style.cell_text(axis, MAP_PIXELS[column], MAP_PIXELS[row], text, "white", size=7)
