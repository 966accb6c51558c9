"""Accuracy on each class, on the test set and the shifted ones, levels side by side."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from siffra.lab.answers import LevelAnswer, QuestionAnswer
from siffra.lab.stats.summaries import Summary, summarise
from siffra.report.figures import confusion, style
from siffra.report.figures.networks import clauses, joined
from siffra.report.text import numbers
from siffra.report.text.labels import (
    class_name,
    level_name,
    sets_of,
    short_level_name,
    varied_heading,
)
from siffra.report.text.messages import Words, capital


def draw(answer: QuestionAnswer, words: Words) -> Figure:
    """Means over seeds with their 95 % intervals."""
    levels = confusion.shown(answer)
    sets = sets_of(levels)
    figure, axes = style.row(len(sets), height=3.3)
    colours = style.colours(len(levels))
    for axis, name in zip(axes, sets, strict=True):
        for i, (level, colour) in enumerate(zip(levels, colours, strict=True)):
            marker = style.MARKERS[i % len(style.MARKERS)]
            aside = (i - (len(levels) - 1) / 2) * 0.7 / len(levels)
            for number, summary in enumerate(by_class(level, name)):
                arms = style.arms(summary)
                axis.errorbar(
                    number + aside, summary.mean, arms, fmt=marker, ms=3.5, color=colour, lw=1.0
                )
        axis.set_title(capital(words(f"set.{name}")))
        axis.set_xlabel(words("figure.true"))
        classes = len(levels[0].trained[0].confusion[name])
        if classes <= confusion.MOST_CLASSES:
            names = [class_name(levels[0].records, number) for number in range(classes)]
            axis.set_xticks(range(classes), names)
            style.fit_names(axis, names)
        axis.yaxis.set_major_formatter(style.percent_axis(words))
    style.name_accuracy(axes, words)
    handles = [
        Line2D([], [], ls="", marker=style.MARKERS[i % len(style.MARKERS)], color=colour, ms=4)
        for i, colour in enumerate(colours)
    ]
    names = [short_level_name(words, level.level) for level in levels]
    style.legend_below(figure, handles, names, varied_heading(words, answer.question))
    return figure


def caption(answer: QuestionAnswer, words: Words) -> str:
    """The class that each level is worst at, on the test set and on the first shifted one."""
    levels = [level for level in answer.judged if level.trained]
    runs = [len(level.trained) for level in levels]
    sentences = []
    for name in sets_of(levels)[:2]:
        hardest = []
        for level in confusion.shown(answer):
            classes = by_class(level, name)
            worst = min(range(len(classes)), key=lambda i, shares=classes: shares[i].mean)
            hardest.append(
                words(
                    "caption.hardest_of",
                    level=level_name(words, level.level),
                    cls=class_name(level.records, worst),
                    a=numbers.accuracy(words, classes[worst]),
                )
            )
        each = words.listing(hardest)
        sentences.append(words("caption.hardest", on=words(f"on.{name}"), each=each))
    return joined(numbers.over_seeds(words, "caption.classes", runs), clauses(*sentences))


def by_class(level: LevelAnswer, name: str) -> list[Summary]:
    """The share of each class's images of the set `name` that is right, over seeds."""
    runs = [np.array(record.confusion[name], float) for record in level.trained]
    shares = [np.diag(run) / np.maximum(run.sum(axis=1), 1) for run in runs]
    return [summarise(values) for values in zip(*(s.tolist() for s in shares), strict=True)]
