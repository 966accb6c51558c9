"""How far confidence can be trusted: how often a level is right where it is so sure."""

from matplotlib.figure import Figure

from siffra.lab.stats.diagnostics import trust
from siffra.report.figures import style
from siffra.report.figures.networks import (
    Named,
    clauses,
    described,
    examined_sets,
    how_to_read,
    joined,
    only_described,
)
from siffra.report.text import numbers
from siffra.report.text.messages import Words, capital


def draw(levels: Named, words: Words, title: str) -> Figure:
    """A panel a set; the size of a point is the share of images that it stands for."""
    sets = examined_sets(levels)
    figure, axes = style.row(len(sets), height=3.3)
    colours = style.colours(len(levels))
    for axis, name in zip(axes, sets, strict=True):
        axis.plot([0, 1], [0, 1], color=style.INK, lw=0.8, ls=":", zorder=2)
        for i, ((_, examinations), colour) in enumerate(zip(levels, colours, strict=True)):
            seen = trust(examinations, name)
            if not len(seen.accuracy):
                continue
            dash = style.dashes(i)
            axis.plot(seen.confidence, seen.accuracy, dash, color=colour, lw=1.2, zorder=3)
            sizes = 4 + 60 * seen.images
            axis.scatter(seen.confidence, seen.accuracy, sizes, color=colour, lw=0, zorder=4)
        axis.set_title(capital(words(f"set.{name}")))
        axis.set_xlabel(words("figure.confidence"))
        axis.set_aspect("equal")
        axis.set_xlim(0, 1.03)
        axis.set_ylim(0, 1.03)
        for ticks in (axis.xaxis, axis.yaxis):
            ticks.set_major_formatter(style.percent_axis(words))
    style.name_accuracy(axes, words)
    style.legend_of_lines(figure, [name for name, _ in levels], title, marker="o")
    return figure


def caption(levels: Named, words: Words) -> str:
    """By how much confidence and accuracy differ, on each set."""
    by_set = []
    for name in examined_sets(levels):
        gaps = [
            words("caption.gap_of", level=level, gap=numbers.accuracy_number(words, gap))
            for level, gap in ((level, trust(seen, name).gap) for level, seen in described(levels))
        ]
        by_set.append(words("caption.gaps_on", on=words(f"on.{name}"), each=words.listing(gaps)))
    return joined(
        how_to_read("calibration", levels, words),
        clauses(words("caption.gaps", told="; ".join(by_set)), only_described(levels, words)),
    )
