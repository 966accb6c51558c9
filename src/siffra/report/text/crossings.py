"""Where shift curves cross or do not: which of two is ahead, and from where to where, in words."""

from collections.abc import Sequence

import numpy as np

from siffra.lab.stats.diagnostics import WAYS, BySeed, Lead, Way, leads, places, shift_curve
from siffra.report.figures.shifts import Named
from siffra.report.text.messages import Words


def crossings(levels: Named, words: Words) -> list[str]:
    """Of two levels: when images are moved and turned, where which is ahead.

    Of more, the two whose accuracy is the highest over all curves.
    """
    if len(levels) < 2:
        return []
    told = []
    if len(levels) > 2:
        levels = _best_two(levels)
        names = words.listing(name for name, _ in levels)
        told.append(words("caption.apart.best", names=names))
    ways: dict[str, list[str]] = {}
    for way in WAYS:
        ways.setdefault(_compared(levels, way, words), []).append(words(f"shift.{way}"))
    moves = {words(f"shift.{way}") for way in ("x", "y", "any")}
    for found, which in ways.items():
        if moves <= set(which):
            which = [words("shift.all"), *which[3:]]
        told.append(words("caption.apart.when", ways=words.listing(which), found=found))
    return told


def _best_two(levels: Named) -> Named:
    """In their order."""

    def mean(examinations: BySeed) -> float:
        return float(np.mean([shift_curve(examinations, way).mean.mean() for way in WAYS]))

    best = sorted(range(len(levels)), key=lambda i: -mean(levels[i][1]))[:2]
    return [levels[i] for i in sorted(best)]


def _compared(levels: Named, way: Way, words: Words) -> str:
    """`A is ahead up to 2 pixels, B from 5 pixels on; elsewhere it cannot be told`."""
    (first, a), (second, b) = levels
    names = {1: first, -1: second}
    found = leads(a, b, way)
    if not found:
        return words("caption.apart.equal")
    sides = list(dict.fromkeys(lead.side for lead in found))
    spans = {
        side: words.listing(_span(lead, way, words) for lead in found if lead.side == side)
        for side in sides
    }
    if len(sides) == 1:
        (side,) = sides
        told = words("caption.apart.one", above=names[side], spans=spans[side])
    else:
        above, below = sides
        told = words(
            "caption.apart.cross",
            above=names[above],
            spans=spans[above],
            below=names[below],
            others=spans[below],
        )
    return told + ("" if _whole(found, way) else words("caption.apart.rest"))


def _whole(found: Sequence[Lead], way: Way) -> bool:
    """Whether every point of the curve lies in one of the stretches."""
    return all(any(lead.first <= at <= lead.last for lead in found) for at in places(way))


def _span(lead: Lead, way: Way, words: Words) -> str:
    """`up to 2 pixels`, `from 5 pixels on`, `up to 45 degrees either way`."""
    unit = "degrees" if way == "turned" else "pixels"
    first, last = (
        words.count(f"caption.size.{unit}", abs(end), size=words.number(end))
        for end in (lead.first, lead.last)
    )
    told = words(
        f"caption.span.{_kind(lead, way)}",
        start=words.number(lead.first),
        first=first,
        last=last,
    )
    return words("caption.span.gaps", span=told) if lead.gaps else told


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
