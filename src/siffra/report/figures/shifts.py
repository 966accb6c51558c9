"""Accuracy on test images that are moved and turned by more and more, one line a level."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from siffra.lab.stats.diagnostics import (
    WAYS,
    BySeed,
    Lead,
    Way,
    half_at,
    leads,
    places,
    shift_curve,
)
from siffra.report.figures import style
from siffra.report.figures.networks import Named, clauses, how_to_read, joined
from siffra.report.text.messages import Words, capital


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
    style.legend_of_lines(figure, [name for name, _ in levels], title)
    return figure


def caption(levels: Named, words: Words) -> str:
    """Which level is ahead where; of one alone, where half of the images are misread."""
    findings = crossings(levels, words) or _halves(levels, words)
    return joined(how_to_read("shifts", levels, words), clauses(*findings))


def crossings(levels: Named, words: Words) -> list[str]:
    """Of two levels: which is ahead where, as images are moved and turned.

    Of more, the two whose accuracy is the highest over all curves.
    """
    if len(levels) < 2:
        return []
    sentences = []
    if len(levels) > 2:
        levels = _best_two(levels)
        names = words.listing(name for name, _ in levels)
        sentences.append(words("caption.apart.best", names=names))
    ways: dict[str, list[str]] = {}
    for way in WAYS:
        ways.setdefault(_compared(levels, way, words), []).append(words(f"shift.{way}"))
    moves = {words(f"shift.{way}") for way in ("x", "y", "any")}
    for comparison, alike in ways.items():
        if moves <= set(alike):
            alike = [words("shift.all"), *alike[3:]]
        sentences.append(words("caption.apart.when", ways=words.listing(alike), found=comparison))
    (_, a), (_, b) = levels
    if any((stretches := leads(a, b, way)) and not _whole(stretches, way) for way in WAYS):
        sentences.append(words("caption.apart.rest"))
    return sentences


def _halves(levels: Named, words: Words) -> list[str]:
    """How far images may be moved, or turned, until half are misread."""
    sentences = []
    for way in ("any", "turned"):
        by_level = {name: half_at(seen, way) for name, seen in levels}
        each = [
            words("caption.half_at", level=name, far=_far(way, far, words))
            for name, far in by_level.items()
            if far is not None
        ]
        sentences += [words(f"caption.half.{way}", each=words.listing(each))] if each else []
    return sentences


def _far(way: Way, far: float, words: Words) -> str:
    steps = places(way)[1] - places(way)[0]
    return words(f"caption.far.{way}", far=words.number(far, 0 if steps > 1 else 1))


def _best_two(levels: Named) -> Named:
    """The two in their order."""

    def mean(examinations: BySeed) -> float:
        return float(np.mean([shift_curve(examinations, way).mean.mean() for way in WAYS]))

    best = sorted(range(len(levels)), key=lambda i: -mean(levels[i][1]))[:2]
    return [levels[i] for i in sorted(best)]


def _compared(levels: Named, way: Way, words: Words) -> str:
    """`A is ahead up to 2 pixels, B from 5 pixels on; elsewhere it cannot be told`."""
    (first, a), (second, b) = levels
    names = {1: first, -1: second}
    stretches = leads(a, b, way)
    if not stretches:
        return words("caption.apart.equal")
    sides = list(dict.fromkeys(lead.side for lead in stretches))
    spans = {
        side: words.listing(_span(lead, way, words) for lead in stretches if lead.side == side)
        for side in sides
    }
    if len(sides) == 1:
        (side,) = sides
        text = words("caption.apart.one", above=names[side], spans=spans[side])
    else:
        above, below = sides
        text = words(
            "caption.apart.cross",
            above=names[above],
            spans=spans[above],
            below=names[below],
            others=spans[below],
        )
    return text


def _whole(stretches: Sequence[Lead], way: Way) -> bool:
    """Whether every point of the curve lies in one of the stretches."""
    return all(any(lead.first <= x <= lead.last for lead in stretches) for x in places(way))


def _span(lead: Lead, way: Way, words: Words) -> str:
    """`up to 2 pixels`, `from 5 pixels on`, `up to 45 degrees either way`."""
    unit = "degrees" if way == "turned" else "pixels"
    first, last = (
        words.count(f"caption.size.{unit}", abs(end), size=words.number(end))
        for end in (lead.first, lead.last)
    )
    text = words(
        f"caption.span.{_kind(lead, way)}",
        start=words.number(lead.first),
        first=first,
        last=last,
    )
    return words("caption.span.gaps", span=text) if lead.gaps else text


def _kind(lead: Lead, way: Way) -> str:
    start, end = places(way)[0], places(way)[-1]
    if (lead.first, lead.last) == (start, end):
        return "all"
    if lead.first == lead.last:
        return "one"
    if lead.first == -lead.last:
        return "both"
    if lead.first == start == 0:
        return "start"
    # A turn by 180 degrees is no end: the curve goes on from its other side.
    return "end" if lead.last == end and way != "turned" else "some"


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
