"""Accuracy on test images that are moved and turned by more and more, one line a level."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from siffra.lab.stats.diagnostics import WAYS, BySeed, Way, places, shift_curve
from siffra.report.figures import style
from siffra.report.text.labels import SETS
from siffra.report.text.messages import Words
from siffra.report.text.narrative import capital

Named = Sequence[tuple[str, BySeed]]
"""What the lines are called, and the examinations that each rests on."""


def examined_sets(levels: Named) -> tuple[str, ...]:
    """The sets that all of these examinations looked at."""
    found = [set(e.confidence) for _, examinations in levels for e in examinations.values()]
    return tuple(name for name in SETS if all(name in sets for sets in found))


def draw(levels: Named, words: Words, title: str) -> Figure:
    """Means over seeds with their 95 % intervals as bands; `title` heads the legend."""
    figure, axes = style.panels(2, 2, height=5.4)
    colours = style.colours(len(levels))
    for axis, way in zip(axes, WAYS, strict=True):
        for i, ((_, examinations), colour) in enumerate(zip(levels, colours, strict=True)):
            _line(axis, examinations, way, colour, i)
        _dress(axis, way, words)
    for axis in axes[::2]:
        axis.set_ylabel(words("figure.accuracy"))
    handles = [
        Line2D([], [], color=colour, linestyle=style.dashes(i)) for i, colour in enumerate(colours)
    ]
    style.legend_below(figure, handles, [name for name, _ in levels], title)
    return figure


def _line(axis: Axes, examinations: BySeed, way: Way, colour: str, number: int) -> None:
    path = shift_curve(examinations, way)
    dash = style.dashes(number)
    marker = style.MARKERS[number % len(style.MARKERS)]
    axis.plot(places(way), path.mean, dash, marker=marker, ms=2.8, color=colour, zorder=3)
    axis.fill_between(places(way), path.low, path.high, color=colour, alpha=0.18, lw=0)


def _dress(axis: Axes, way: Way, words: Words) -> None:
    axis.set_title(capital(words(f"shift.{way}")))
    axis.set_xlabel(words("figure.degrees" if way == "turned" else "figure.pixels"))
    axis.set_ylim(0, 1.02)
    axis.yaxis.set_major_formatter(style.percent_axis(words))
    axis.xaxis.set_major_formatter(style.number_axis(words))
    if way == "turned":
        axis.xaxis.set_major_locator(FixedLocator(range(-180, 181, 60)))
