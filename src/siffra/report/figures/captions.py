"""Captions: how to read a figure, and what there is to see in this one."""

from siffra.lab.answers import LevelAnswer, QuestionAnswer
from siffra.lab.plan.plan import EXAMINED, Figure
from siffra.lab.stats.estimates import curve
from siffra.report.figures import confusion
from siffra.report.figures.captions_confusion import told_of_confusion
from siffra.report.figures.captions_networks import caption_of_networks
from siffra.report.figures.classes import by_class
from siffra.report.text import numbers
from siffra.report.text.labels import are_numbered, class_name, level_name, levels_name, sets_of
from siffra.report.text.messages import Words
from siffra.report.text.narrative import busy_sentence
from siffra.training.diagnostics import Examined
from siffra.training.scores import epochs_to

_NEAR = 0.01
"""A curve has arrived when it is within one percentage point of the best end."""


def caption(
    kind: Figure, answer: QuestionAnswer, words: Words, examined: Examined | None = None
) -> str:
    """The caption of one of a question's figures."""
    if kind in EXAMINED and examined:
        return caption_of_networks(kind, answer, words, examined)
    seen = [level for level in answer.levels if level.trained]
    runs = [len(level.trained) for level in seen]
    if not seen:
        return ""
    how = numbers.over_seeds(words, f"caption.{kind}", runs)
    return f"{how} {_SEE[kind](answer, seen, words)}".strip()


def _arrivals(answer: QuestionAnswer, seen: list[LevelAnswer], words: Words) -> str:
    paths = [curve(level.records, "test").mean for level in seen]
    target = max(path[-1] for path in paths) - _NEAR
    reached = [epochs_to(target, path.tolist()) for path in paths]
    arrived = [i for i, epoch in enumerate(reached) if epoch is not None]
    first = min(arrived, key=lambda i: reached[i] or 0)
    last = max(arrived, key=lambda i: reached[i] or 0)
    told = words.count(
        "caption.first", reached[first] or 0, level=level_name(words, seen[first].level)
    )
    if reached[last] != reached[first]:
        told += words.count(
            "caption.last", reached[last] or 0, level=level_name(words, seen[last].level)
        )
    never = [level.level for level, epoch in zip(seen, reached, strict=True) if epoch is None]
    if never:
        told += words("caption.never", levels=levels_name(words, never))
    return f"{told}."


def _ranges(answer: QuestionAnswer, seen: list[LevelAnswer], words: Words) -> str:
    low, *_, high = _at_least_two(sorted(seen, key=lambda level: level.accuracy["test"].mean))
    fast, *_, slow = _at_least_two(sorted(seen, key=lambda level: level.seconds.mean))
    told = words("caption.numbered") + " " if are_numbered(words, answer.question) else ""
    told += words(
        "caption.ranges",
        low=numbers.accuracy(words, low.accuracy["test"]),
        low_level=level_name(words, low.level),
        high=numbers.accuracy(words, high.accuracy["test"]),
        high_level=level_name(words, high.level),
        fast=numbers.seconds(words, fast.seconds),
        fast_level=level_name(words, fast.level),
        slow=numbers.seconds(words, slow.seconds),
        slow_level=level_name(words, slow.level),
    )
    return _with_load(words, told, seen)


def _with_load(words: Words, told: str, seen: list[LevelAnswer]) -> str:
    """`told` of times, and how many of them were taken on a busy machine."""
    busy = busy_sentence(words, [record for level in seen for record in level.records])
    return f"{told} {busy}" if busy else told


def _extremes(answer: QuestionAnswer, seen: list[LevelAnswer], words: Words) -> str:
    best = answer.levels[answer.best]
    worst = min(seen, key=lambda level: level.accuracy["test"].mean)
    told = words(
        "caption.framed",
        best=level_name(words, best.level),
        accuracy=numbers.accuracy(words, best.accuracy["test"]),
        worst=level_name(words, worst.level),
        lowest=numbers.accuracy(words, worst.accuracy["test"]),
    )
    return _with_load(words, told, seen)


def _mistakes(answer: QuestionAnswer, seen: list[LevelAnswer], words: Words) -> str:
    shown = confusion.shown(answer)
    told = told_of_confusion(shown, [level_name(words, level.level) for level in shown], words)
    if len(shown) < len(seen):
        told += f" {words('caption.some_levels', n=len(seen))}"
    return told


def _hardest(answer: QuestionAnswer, seen: list[LevelAnswer], words: Words) -> str:
    """The class that each level is worst at, on the test set and on the first shifted one."""
    told = []
    for name in sets_of(seen)[:2]:
        found = []
        for level in confusion.shown(answer):
            classes = by_class(level, name)
            worst = min(range(len(classes)), key=lambda i, seen=classes: seen[i].mean)
            text = numbers.accuracy(words, classes[worst])
            found.append(
                words(
                    "caption.hardest_of",
                    level=level_name(words, level.level),
                    cls=class_name(level.records, worst),
                    a=text,
                )
            )
        told.append(words("caption.hardest", on=words(f"on.{name}"), each=words.listing(found)))
    return " ".join(told)


def _at_least_two(levels: list[LevelAnswer]) -> list[LevelAnswer]:
    return levels if len(levels) > 1 else levels * 2


_SEE = {
    "curves": _arrivals,
    "levels": _ranges,
    "heatmap": _extremes,
    "confusion": _mistakes,
    "classes": _hardest,
}
