"""What figures of examined networks have in common: whom they show, and how they are read."""

from collections.abc import Sequence

from siffra.lab.stats.diagnostics import BySeed
from siffra.report.text import numbers
from siffra.report.text.labels import SETS
from siffra.report.text.messages import Words

Named = Sequence[tuple[str, BySeed]]
"""Names of levels or experiments, and the examinations that each rests on."""

_MOST_LEVELS = 4
"""Captions describe the first and the last of more levels than this."""


def examined_sets(levels: Named) -> tuple[str, ...]:
    """The sets that all of these examinations looked at."""
    known = [set(e.confidence) for _, examinations in levels for e in examinations.values()]
    return tuple(name for name in SETS if all(name in sets for sets in known))


def how_to_read(kind: str, levels: Named, words: Words) -> str:
    """The first sentence of a caption."""
    runs = [len(examinations) for _, examinations in levels]
    return numbers.over_seeds(words, f"caption.{kind}", runs)


def described(levels: Named) -> Named:
    """The levels that a caption describes: all, or of many the first and the last."""
    return levels if len(levels) <= _MOST_LEVELS else (levels[0], levels[-1])


def only_described(levels: Named, words: Words) -> str:
    """That a caption describes the first and the last; empty if it describes all."""
    return words("caption.few", n=len(levels)) if len(levels) > _MOST_LEVELS else ""


def clauses(*sentences: str) -> str:
    """One sentence of those that are not empty, with semicolons between what they say."""
    first, *others = [sentence.removesuffix(".") for sentence in sentences if sentence] or [""]
    text = "; ".join([first, *(f"{other[:1].lower()}{other[1:]}" for other in others)])
    return f"{text}." if text else ""


def joined(*sentences: str) -> str:
    """The sentences that are not empty."""
    return " ".join(sentence for sentence in sentences if sentence)
