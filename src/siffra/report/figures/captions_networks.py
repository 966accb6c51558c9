"""Captions of the figures that rest on examined networks: what there is to see in them."""

from collections.abc import Sequence

import numpy as np

from siffra.lab.answers import QuestionAnswer
from siffra.lab.plan.plan import Figure
from siffra.lab.stats.diagnostics import BySeed, Way, by_seed, half_at, places, trust
from siffra.report.figures import confusion, mistakes, shift_map
from siffra.report.figures.shifts import Named, examined_sets
from siffra.report.text import numbers
from siffra.report.text.crossings import crossings
from siffra.report.text.labels import level_name
from siffra.report.text.messages import Words
from siffra.training.diagnostics import MAP_PIXELS, Examined

_MOST_LEVELS = 4
"""More levels than this are told of by the first and the last alone."""


def caption_of_networks(
    kind: Figure, answer: QuestionAnswer, words: Words, examined: Examined
) -> str:
    """What the figure shows of the levels whose networks were examined."""
    levels = confusion.shown(answer) if kind in ("map", "mistakes", "weights") else answer.levels
    found = [(level_name(words, x.level), by_seed(x.records, examined)) for x in levels]
    return caption_of_named(kind, [(n, e) for n, e in found if e], words)


def caption_of_named(kind: Figure, levels: Named, words: Words) -> str:
    """How to read the figure, and what there is to see."""
    runs = [len(examinations) for _, examinations in levels]
    told = [numbers.over_seeds(words, f"caption.{kind}", runs)]
    few = [words("caption.few", n=len(levels))] if len(levels) > _MOST_LEVELS else []
    match kind:
        case "shifts":
            halves = _halves(levels, words)
            told += [halves, *(few if halves else []), *crossings(levels, words)]
        case "map":
            told += _gap(levels, words)
        case "mistakes":
            told += _repeated(levels, words)
        case "calibration":
            told += _gaps(levels, words) + few
    return " ".join(part for part in told if part)


def _halves(levels: Named, words: Words) -> str:
    """How far images may be moved, or turned, until half are misread."""
    told = []
    for way in ("any", "turned"):
        found = {name: half_at(seen, way) for name, seen in _few(levels)}
        each = [
            words("caption.half_at", level=name, far=_far(way, far, words))
            for name, far in found.items()
            if far is not None
        ]
        if each:
            told.append(words(f"caption.half.{way}", each=words.listing(each)))
    return " ".join(told)


def _gap(levels: Named, words: Words) -> list[str]:
    if len(levels) != 2:
        return []
    (first, a), (second, b) = levels
    gap = shift_map.mean_map(b) - shift_map.mean_map(a)
    row, column = np.unravel_index(np.abs(gap).argmax(), gap.shape)
    above, below = (second, first) if gap[row, column] > 0 else (first, second)
    return [
        words(
            "caption.gap",
            above=above,
            below=below,
            points=words.number(100 * abs(gap[row, column])),
            n=gap.size,
            where=_where(MAP_PIXELS[column], MAP_PIXELS[row], words),
        )
    ]


def _where(dx: int, dy: int, words: Words) -> str:
    """`2 pixels to the left and 4 pixels up`."""
    ways = [("left" if dx < 0 else "right", abs(dx)), ("up" if dy < 0 else "down", abs(dy))]
    told = [words(f"caption.{way}", n=pixels) for way, pixels in ways if pixels]
    return words.listing(told) if told else words("caption.nowhere")


def _repeated(levels: Named, words: Words) -> list[str]:
    """On the test set: mistakes that every run is sure of, and those that levels share."""
    told = []
    shared: list[set[int]] = []
    runs: set[int] = set()
    for name, seen in levels:
        found = mistakes.surest(seen, "test")
        everywhere = sum(m.runs == len(seen) for m in found)
        shared.append({m.image for m in found})
        if found and len(seen) > 1:
            told.append(words("caption.everywhere_of", level=name, n=everywhere, of=len(found)))
            runs.add(len(seen))
    sentences = []
    if told and len(runs) == 1:
        each = words.listing(told)
        sentences.append(words("caption.everywhere", each=each, runs=runs.pop()))
    if len(levels) == 2:
        sentences.append(words.count("caption.shared", len(shared[0] & shared[1])))
    return sentences


def _gaps(levels: Named, words: Words) -> list[str]:
    told = []
    for name in examined_sets(levels):
        each = [
            words("caption.gap_of", level=level, gap=numbers.accuracy_number(words, gap))
            for level, gap in ((level, trust(seen, name).gap) for level, seen in _few(levels))
        ]
        told.append(words("caption.gaps_on", on=words(f"on.{name}"), each=words.listing(each)))
    return [words("caption.gaps", told="; ".join(told))]


def _few(levels: Named) -> Sequence[tuple[str, BySeed]]:
    return levels if len(levels) <= _MOST_LEVELS else (levels[0], levels[-1])


def _far(way: Way, far: float, words: Words) -> str:
    steps = places(way)[1] - places(way)[0]
    decimals = 0 if steps > 1 else 1
    return words(f"caption.far.{way}", far=words.number(far, decimals))
