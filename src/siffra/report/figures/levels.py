"""Accuracy on each set, or other metrics, and training seconds against the varied knob."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullFormatter, NullLocator

from siffra.lab.answers import LevelAnswer, QuestionAnswer
from siffra.lab.plan.plan import Question
from siffra.lab.stats.summaries import Summary
from siffra.report.figures import style
from siffra.report.figures.networks import clauses, joined
from siffra.report.text import numbers
from siffra.report.text.findings import is_judged
from siffra.report.text.labels import (
    are_numbered,
    knob_axis_name,
    level_name,
    numbers_of,
    on_a_scale,
    one_number_each,
    places_of,
    sets_of,
    short_level_name,
    spans_decades,
)
from siffra.report.text.messages import Words, capital
from siffra.training.run import Record

_COLOUR, _REPORTED = style.OKABE_ITO[0], style.OKABE_ITO[1]
_HOLLOW = 3.0
"""How large the points are of levels that are not judged."""
_DOTS, _DOT = 46, 0.013
"""How many points fit under each other in a panel, and how much of its width one takes."""
_AXIS = 44
"""About how many characters of tick labels fit under a panel."""
_SQUASHED = 3
"""Runs near chance leave the axis where they would make it this many times as long."""
_NEAR_CHANCE = 0.15
"""Of the way from chance to all images right."""


def draw(answer: QuestionAnswer, words: Words) -> Figure:
    """A panel a set or metric and one of time; every seed a point, the mean with its interval.

    What was reported stands beside it.
    """
    sets, metrics = sets_of(answer.levels), answer.question.metrics
    any_time = any(_all_times(answer))
    figure, axes = style.pairs(len(sets) + len(metrics) + any_time, height=2.7)
    places = _places(answer)
    for axis, name in zip(axes, sets, strict=False):
        _panel(axis, answer, places, name, lambda level, name=name: level.accuracy.get(name))
        axis.set_title(capital(words(f"set.{name}")))
        axis.set_ylabel(words("figure.accuracy"))
        axis.yaxis.set_major_formatter(style.percent_axis(words))
        _leave_out_those_near_chance(axis, answer, places, name)
    for axis, metric in zip(axes, metrics, strict=False):
        name = metric.name
        _panel(axis, answer, places, name, lambda level, name=name: level.metrics[name])
        style.name_metric(axis, metric, words)
    if any_time:
        times = axes[len(sets) + len(metrics)]
        _panel(times, answer, places, "seconds", lambda level: level.seconds)
        times.set_title(capital(words("figure.time")))
        times.set_ylabel(words("figure.seconds"))
        if spans_decades(_all_times(answer)):
            times.set_yscale("log")
            times.yaxis.set_minor_formatter(NullFormatter())
        else:
            times.set_ylim(bottom=0)
        times.yaxis.set_major_formatter(style.number_axis(words))
    for axis in axes:
        _knob_axis(axis, answer, words, places)
    _legend(figure, answer, words)
    return figure


def caption(answer: QuestionAnswer, words: Words) -> str:
    """The lowest and the highest accuracy (or metric), and the shortest and the longest time."""
    how = numbers.over_seeds(words, "caption.levels", runs_told(answer))
    numbered = words("caption.numbered") if are_numbered(words, answer.question) else ""
    return joined(
        clauses(how, numbered, few_words(answer, words, "caption.hollow")),
        ranges_of_metrics(answer, words) if answer.question.metrics else _ranges(answer, words),
    )


def ranges_of_metrics(answer: QuestionAnswer, words: Words) -> str:
    """From which mean to which each metric ranges, and at which levels."""
    sentences = []
    for metric in answer.question.metrics:
        levels = [level for level in answer.judged if level.metrics[metric.name].values]
        by_mean = sorted(levels, key=lambda level: level.metrics[metric.name].mean)
        for low, high in [(by_mean[0], by_mean[-1])] if by_mean else []:
            sentences.append(
                words(
                    "caption.metric_ranges",
                    metric=metric.name,
                    low=numbers.metric_number(words, low.metrics[metric.name], metric),
                    low_level=level_name(words, low.level),
                    high=numbers.metric_number(words, high.metrics[metric.name], metric),
                    high_level=level_name(words, high.level),
                )
            )
    return clauses(*sentences)


def runs_told(answer: QuestionAnswer) -> list[int]:
    """The runs of each judged level, or of all where none is, of those with any that trained."""
    counts = [len(level.trained) for level in answer.judged if level.trained]
    return counts or [len(level.trained) for level in answer.levels if level.trained]


def with_runs(
    words: Words, answer: QuestionAnswer, level: LevelAnswer, name: str, key: str = "figure.runs_of"
) -> str:
    """A level's name; of one with runs that is not judged, also how many they are."""
    if is_judged(answer, level) or not level.records:
        return name
    return words(key, value=name, n=len(level.records))


def few_words(answer: QuestionAnswer, words: Words, key: str) -> str:
    """What is said of levels with runs that are too few for their first look; "" without any."""
    if not any(level.records and not is_judged(answer, level) for level in answer.levels):
        return ""
    return words(key, of=answer.first_runs)


def _ranges(answer: QuestionAnswer, words: Words) -> str:
    levels = [level for level in answer.judged if level.trained]
    if len(levels) < min(2, len(answer.levels)):
        return ""
    by_accuracy = sorted(levels, key=lambda level: level.accuracy["test"].mean)
    by_time = sorted(levels, key=lambda level: level.seconds.mean)
    low, high, fast, slow = by_accuracy[0], by_accuracy[-1], by_time[0], by_time[-1]
    is_busy = any(record.is_busy for level in levels for record in level.records)
    return words(
        "caption.ranges_busy" if is_busy else "caption.ranges",
        low=numbers.accuracy(words, low.accuracy["test"]),
        low_level=level_name(words, low.level),
        high=numbers.accuracy(words, high.accuracy["test"]),
        high_level=level_name(words, high.level),
        fast=numbers.seconds(words, fast.seconds),
        fast_level=level_name(words, fast.level),
        slow=numbers.seconds(words, slow.seconds),
        slow_level=level_name(words, slow.level),
    )


def _places(answer: QuestionAnswer) -> list[float]:
    """Where each level stands on the axis: at its number, or one after the other."""
    if on_a_scale(answer.question):
        return places_of(answer.question)
    return [float(i) for i in range(len(answer.levels))]


def _all_times(answer: QuestionAnswer) -> list[float]:
    ours = [second for level in answer.levels for second in level.seconds.values]
    return ours + [
        level.level.reported["seconds"]
        for level in answer.levels
        if "seconds" in level.level.reported
    ]


def _panel(
    axis: Axes,
    answer: QuestionAnswer,
    places: Sequence[float],
    reported: str,
    get: Callable[[LevelAnswer], Summary | None],
) -> None:
    is_scale = on_a_scale(answer.question)
    span = (max(places) - min(places) or 1.0) if is_scale else float(len(places))
    gaps = [b - a for a, b in itertools.pairwise(sorted(places))]
    room = 0.45 * min(gaps, default=span)
    aside = 0.02 * span if is_scale else 0.1
    heights = _heights([summary for level in answer.levels if (summary := get(level))], reported)
    means = []
    for place, level in zip(places, answer.levels, strict=True):
        summary, is_few = get(level), not is_judged(answer, level)
        if reported != "seconds":
            # Without an accuracy, a diverged run stands below all that have one.
            at_bottom = {"transform": axis.get_xaxis_transform(), "clip_on": False}
            for _ in range(level.diverged):
                axis.plot(place + aside, 0.01, "x", color=_COLOUR, ms=4.5, mew=0.8, **at_bottom)
        if summary and summary.values:
            if not is_few:
                means.append((place, summary.mean))
            # Only of its time is anything known of a run that diverged.
            crosses = [record.diverged for record in level.records] if reported == "seconds" else []
            slots = beside(heights(summary.values))
            step = min(_DOT * span, room / max(*slots, 1))
            _points(
                axis,
                [place + aside + step * slot for slot in slots],
                summary.values,
                crosses,
                is_few,
            )
            if not is_few:
                _mean(axis, place, summary)
        if reported in level.level.reported:
            figure = level.level.reported[reported]
            axis.plot(
                place - aside, figure, "D", mfc="none", mec=_REPORTED, ms=5.5, mew=1.3, zorder=5
            )
    if is_scale:
        means.sort()
        axis.plot(*np.array(means).T.reshape(2, -1), color=_COLOUR, lw=1.0, alpha=0.55, zorder=2)


def lowest_shown(answer: QuestionAnswer, name: str) -> float | None:
    """Where the axis of accuracy on a set begins, above runs near chance; None if it shows all.

    It follows the runs that train, where the others would squash them.
    """
    runs = [
        (accuracy, _is_near_chance(run))
        for level in answer.levels
        for run in level.trained
        if (accuracy := run.accuracy.get(name)) is not None
    ]
    trains = [accuracy for accuracy, is_near_chance in runs if not is_near_chance]
    theirs = [level.level.reported[name] for level in answer.levels if name in level.level.reported]
    if not trains:
        return None
    low, high = min(trains + theirs), max(trains + theirs)
    lowest, below = min(accuracy for accuracy, _ in runs), low - 0.1 * (high - low)
    return below if high - lowest > _SQUASHED * (high - low) and lowest < below else None


def _is_near_chance(run: Record) -> bool:
    if "test" not in run.confusion:
        return run.collapsed
    chance = 1 / len(run.confusion["test"])
    return (run.accuracy["test"] or 0.0) < chance + _NEAR_CHANCE * (1 - chance)


def _leave_out_those_near_chance(
    axis: Axes, answer: QuestionAnswer, places: Sequence[float], name: str
) -> None:
    """Begin the axis above runs near chance; an arrow at its lower edge has their number."""
    bottom = lowest_shown(answer, name)
    if bottom is None:
        return
    axis.set_ylim(bottom=bottom)
    at_edge = axis.get_xaxis_transform()
    for place, level in zip(places, answer.levels, strict=True):
        if below := sum((run.accuracy.get(name) or bottom) < bottom for run in level.trained):
            axis.plot(place, 0.03, "v", color=_COLOUR, ms=5, transform=at_edge, clip_on=False)
            axis.text(place, 0.06, str(below), ha="center", fontsize=7, transform=at_edge)


def _heights(
    summaries: Sequence[Summary], reported: str
) -> Callable[[Sequence[float]], list[float]]:
    """How high values stand in their panel, counted in points; times stand on 0 or on a log."""
    shown = [x for s in summaries for x in (*s.values, s.low, s.high) if math.isfinite(x)]
    low, high = min(shown, default=0.0), max(shown, default=1.0)
    is_time = reported == "seconds"
    scale = math.log if is_time and shown and spans_decades(shown) else float
    bottom = 0.0 if is_time and scale is float else scale(low)
    dot = (scale(high) - bottom) / _DOTS or 1.0
    return lambda values: [(scale(value) - bottom) / dot for value in values]


def beside(heights: Sequence[float]) -> list[int]:
    """In which place beside each other points stand, so that none hides another: 0 is the first.

    `heights` are in points. In the order of seeds: in that of heights, rows would look like slopes.
    """
    columns: list[list[float]] = []
    slots = []
    for height in heights:
        free = (k for k, c in enumerate(columns) if all(abs(height - other) >= 1 for other in c))
        slot = next(free, len(columns))
        if slot == len(columns):
            columns.append([])
        columns[slot].append(height)
        slots.append(slot)
    return slots


def _points(
    axis: Axes,
    places: Sequence[float],
    values: Sequence[float],
    crosses: Sequence[bool],
    is_few: bool,
) -> None:
    """Every run, a little to the right of their mean; `crosses` says which get one.

    Those of a level that is not judged are hollow.
    """
    marked = list(itertools.zip_longest(places, values, crosses, fillvalue=False))
    for cross, marker, size in (
        (False, "o" if is_few else ".", _HOLLOW if is_few else 5.5),
        (True, "x", 4.5),
    ):
        points = [(x, y) for x, y, is_cross in marked if is_cross == cross]
        if points:  # one artist for all: making and drawing one takes as long as a hundred points
            look: dict[str, Any] = {"color": _COLOUR, "alpha": 0.6, "mew": 0.8, "zorder": 3}
            look |= {"mfc": "none"} if is_few else {}
            axis.plot(*zip(*points, strict=True), marker, ms=size, **look)


def _mean(axis: Axes, place: float, summary: Summary) -> None:
    if arms := style.arms(summary):
        axis.errorbar(place, summary.mean, arms, color=_COLOUR, capsize=3, lw=1.4, zorder=4)
    axis.plot(place, summary.mean, "_", color=_COLOUR, ms=9, mew=2, zorder=4)


def _knob_axis(axis: Axes, answer: QuestionAnswer, words: Words, places: Sequence[float]) -> None:
    labels = [short_level_name(words, level.level) for level in answer.levels]
    if are_numbered(words, answer.question):
        labels = [str(number) for number in range(1, len(labels) + 1)]
    labels = [
        with_runs(words, answer, level, label, "figure.cell")
        for level, label in zip(answer.levels, labels, strict=True)
    ]
    categories = not on_a_scale(answer.question)
    shown = list(range(len(labels))) if categories else _room_for(places, labels)
    axis.xaxis.set_major_locator(FixedLocator([places[i] for i in shown]))
    axis.xaxis.set_major_formatter(FixedFormatter([labels[i] for i in shown]))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel(_axis_name(words, answer.question))
    if categories:
        axis.set_xlim(-0.6, len(labels) - 0.4)
        if sum(map(len, labels)) > _AXIS:
            axis.tick_params(axis="x", rotation=35)
            for label in axis.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")


def _axis_name(words: Words, question: Question) -> str:
    """What is on the axis; of numbers that do not stand at their distances, also that."""
    name = knob_axis_name(words, question)
    if not one_number_each(question):
        return name
    if not on_a_scale(question):
        return words("figure.not_to_scale", name=name)
    is_log = spans_decades(numbers_of(question))
    return words("figure.log_scale", name=name) if is_log else name


def _room_for(places: Sequence[float], labels: Sequence[str]) -> list[int]:
    """The labels to be shown so that none runs into the next: the outermost, then from below."""
    order = sorted(range(len(places)), key=places.__getitem__)
    scale = _AXIS / ((places[order[-1]] - places[order[0]]) or 1.0)
    widths = [max(map(len, label.split("\n"))) for label in labels]

    def apart(i: int, j: int) -> bool:
        return abs(places[i] - places[j]) * scale >= (widths[i] + widths[j]) / 2 + 1

    shown = [order[0]]
    last = order[-1]
    shown += [last] if last != order[0] else []
    for i in order[1:-1]:
        if all(apart(i, j) for j in shown):
            shown.append(i)
    return sorted(shown)


def _legend(figure: Figure, answer: QuestionAnswer, words: Words) -> None:
    dot = Line2D([], [], ls="", marker=".", color=_COLOUR, ms=5.5, alpha=0.6)
    bar = Line2D([], [], ls="", marker="_", color=_COLOUR, ms=9, mew=2)
    handles, labels = [dot, bar], [words("figure.each_seed"), words("figure.mean_interval")]
    if few := few_words(answer, words, "figure.few"):
        handles.append(Line2D([], [], ls="", marker="o", mfc="none", color=_COLOUR, ms=_HOLLOW))
        labels.append(few)
    if any(level.diverged for level in answer.levels):
        handles.append(Line2D([], [], ls="", marker="x", color=_COLOUR, ms=4.5))
        labels.append(words("figure.diverged"))
    if any(lowest_shown(answer, name) is not None for name in sets_of(answer.levels)):
        handles.append(Line2D([], [], ls="", marker="v", color=_COLOUR, ms=5))
        labels.append(words("figure.near_chance"))
    if any(level.level.reported for level in answer.levels):
        handles.append(Line2D([], [], ls="", marker="D", mfc="none", mec=_REPORTED, ms=5.5))
        labels.append(words("figure.reported"))
    style.legend_below(figure, handles, labels)
