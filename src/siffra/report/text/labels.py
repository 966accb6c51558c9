"""What levels, knobs and sets are called, and what a question held fixed."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from siffra.config.metrics import Metric, is_number
from siffra.data.shifted import SHIFTED
from siffra.lab.answers import ExperimentAnswer, LevelAnswer, QuestionAnswer
from siffra.lab.plan.plan import Level, Question
from siffra.report.model.measured import Measured
from siffra.report.text.messages import Words, capital
from siffra.training.run import Record

LONG_NAME = 28
"""Characters; longer names of levels do not fit under an axis."""
MOST_PLACES = 12
"""Levels nearer to each other than one part in this many of the axis are set apart evenly."""
_TYPED = 6
"""Digits; a number with more of them was not typed by anybody."""
SETS = ("test", *SHIFTED)
"""The sets that a report shows, in this order, of those that there are.

The others are in its data files.
"""
MOST_CONFUSED = 2
"""Sets of which confusion matrices are shown."""


def sets_of(measured: Iterable[LevelAnswer | ExperimentAnswer | Measured]) -> tuple[str, ...]:
    """The sets that a report on these shows."""
    known = {name for each in measured for name in each.accuracy}
    return tuple(name for name in SETS if name in known)


def with_curves(answer: QuestionAnswer) -> list[Metric]:
    """Those of the question's own metrics of which there are curves."""
    records = [record for level in answer.levels for record in level.trained]
    return [
        m
        for m in answer.question.metrics
        if any(len(r.curves.get(m.name, ())) > 1 for r in records)
    ]


def confused_sets(levels: Sequence[LevelAnswer | ExperimentAnswer]) -> tuple[str, ...]:
    """The sets of which confusion matrices are shown: the first shifted ones, or the test set."""
    return sets_of(levels)[1:][:MOST_CONFUSED] or ("test",)


def class_name(records: Sequence[Record], number: int) -> str:
    """`7`, or what the data calls that class."""
    names = records[0].class_names
    return names[number] if names else str(number)


def knob_name(words: Words, knob: str) -> str:
    """`learning rate`; a knob that the catalogue lacks keeps its own name."""
    if words.is_verbatim:
        return knob
    key = f"knob.{knob}"
    return words(key) if key in words else knob.replace("_", " ")


def value_name(words: Words, value: object) -> str:
    """`0.02`, `64, 32`, `dense`."""
    if isinstance(value, list | tuple):
        return ", ".join(value_name(words, v) for v in value)
    if words.is_verbatim:
        return _as_written(words, value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        text = str(value)
        if text.startswith("sklearn.") and ":" in text:
            return text.partition(":")[2]
        return words(key) if (key := f"value.{value}") in words else text
    # Digits that nobody typed, as of a length in steps that is told in epochs.
    drawn = isinstance(value, float) and len(f"{value:.10g}".replace(".", "").lstrip("0")) > _TYPED
    return words.exact(float(f"{value:.3g}") if drawn else value)


def _as_written(words: Words, value: object) -> str:
    """A value of a knob that is none of siffra's."""
    if value is None:
        return words("value.nothing")
    if not isinstance(value, float):
        return str(value)
    text = f"{value:.10g}"
    return words.exact(value) if float(text) == value else str(value).replace(".", words("decimal"))


def level_name(words: Words, level: Level) -> str:
    """`learning rate 0.02`, `kernel size 8, strides 3`, `dense model`; or its own name."""
    return words.say(level.name) or knobs_name(_of(words, level), level.knobs)


def _of(words: Words, named: Level | Question) -> Words:
    return words.verbatim if named.is_external else words


def short_level_name(words: Words, level: Level) -> str:
    """`0.02`, or the same as `level_name`: for legends and axes.

    That is with several knobs, a name, or a recipe, which is called the same everywhere.
    """
    if len(level.knobs) == 1 and not level.name and "recipe" not in level.knobs:
        return value_name(_of(words, level), next(iter(level.knobs.values())))
    return level_name(words, level)


def levels_name(words: Words, levels: Sequence[Level]) -> str:
    """`4 layers`, or `learning rate 0.02, 0.7 and 1`."""
    knobs, words = levels[0].knobs, _of(words, levels[0])
    are_models = "model" in knobs and not words.is_verbatim
    if len(levels) == 1 or len(knobs) > 1 or are_models or any(level.name for level in levels):
        return words.listing(level_name(words, level) for level in levels)
    (knob,) = knobs
    return _named(words, knob, words.listing(short_level_name(words, level) for level in levels))


def knobs_name(words: Words, knobs: Mapping[str, Any]) -> str:
    """`learning rate 0.7, 4 layers`."""
    return ", ".join(
        _model_name(words, value)
        if knob == "model" and not words.is_verbatim
        else _named(words, knob, value_name(words, value), one=value == 1)
        for knob, value in knobs.items()
    )


def _model_name(words: Words, model: str) -> str:
    """`dense model`, `model my_models:make`; a class of scikit-learn's is known by its own name."""
    if f"model.{model}" in words:
        return words(f"model.{model}")
    name = value_name(words, model)
    return name if name != model else _named(words, "model", name)


def _named(words: Words, knob: str, value: str, *, one: bool = False) -> str:
    key = f"counted.{knob}.{'one' if one else 'other'}"
    is_counted = key in words and not words.is_verbatim
    return words(key, n=value) if is_counted else f"{knob_name(words, knob)} {value}"


def varied_name(words: Words, question: Question) -> str:
    """`kernel size and strides`; `level` where levels have names of their own."""
    if are_named(question):
        return words("figure.level")
    return words.listing(knob_name(_of(words, question), knob) for knob in question.vary)


def compared_name(words: Words, question: Question) -> str:
    """What a question compares: `Learning rate: 0.02, 0.7 and 1`."""
    named = words.verbatim if question.is_external else words
    if question.search:
        return words("searched.title", knobs=words.listing(question.vary))
    compared = []
    for knob in question.vary:
        values = dict.fromkeys(value_name(named, level.knobs[knob]) for level in question.levels)
        compared.append(f"{knob_name(named, knob)}: {words.listing(values)}")
    text = "; ".join(compared)
    return text if question.is_external else capital(text)


def varied_heading(words: Words, question: Question) -> str:
    """The same as a heading; names that are none of siffra's stay as they are: `lr`."""
    name = varied_name(words, question)
    return name if question.is_external else capital(name)


def are_named(question: Question) -> bool:
    """Whether levels have names of their own."""
    return any(level.name for level in question.levels)


def one_number_each(question: Question) -> bool:
    """Whether the levels are numbers on one axis."""
    return (
        len(question.vary) == 1
        and not are_named(question)
        and all(is_number(next(iter(level.knobs.values()))) for level in question.levels)
    )


def numbers_of(question: Question) -> list[float]:
    """The levels' numbers, when `one_number_each`."""
    return [float(next(iter(level.knobs.values()))) for level in question.levels]


def on_a_scale(question: Question) -> bool:
    """Whether the levels can stand at their numbers without crowding each other."""
    if not one_number_each(question):
        return False
    places = sorted(places_of(question))
    gaps = [b - a for a, b in itertools.pairwise(places)]
    return min(gaps, default=1.0) >= (places[-1] - places[0]) / MOST_PLACES


def places_of(question: Question) -> list[float]:
    """The levels' numbers, or their logarithms where those show them better."""
    values = numbers_of(question)
    return [math.log(v) for v in values] if spans_decades(values) else values


def are_numbered(words: Words, question: Question) -> bool:
    """Whether the levels' names are so long that figures show their numbers, from 1, instead."""
    return max(len(short_level_name(words, level)) for level in question.levels) > LONG_NAME


def knob_axis_name(words: Words, question: Question) -> str:
    """What the levels are called on an axis: the knobs, or, for numbered levels, the levels."""
    if are_numbered(words, question):
        return capital(words("figure.level"))
    return varied_heading(words, question)


def spans_decades(values: Sequence[float]) -> bool:
    """Whether positive values are spread so widely that a log axis shows them better."""
    return min(values) > 0 and max(values) / min(values) >= 8


def held_fixed(words: Words, question: Question) -> str:
    """`batch size 140, 3 epochs; with the dense model: 32 neurons; learning rate chosen anew …`."""
    words = _of(words, question)
    parts = [knobs_name(words, question.fixed)]
    for inside, knobs in _by_levels(question).items():
        levels = _which_levels(words, question, inside)
        parts.append(words("claim.fixed_at", levels=levels, knobs=knobs_name(words, knobs)))
    parts += [
        words("claim.fixed_at", levels=words.say(level.name), knobs=knobs_name(words, level.knobs))
        for level in question.levels
        if level.name  # which says nothing of its knobs
    ]
    nothing = words("claim.not_known" if question.is_external else "claim.nothing")
    parts = [part for part in parts if part] or [nothing]
    if question.retune:
        retuned = words.listing(knob_name(words, knob) for knob in question.retune)
        parts.append(words("claim.retuned", knobs=retuned))
    return "; ".join(parts)


def _by_levels(question: Question) -> dict[tuple[int, ...], dict[str, Any]]:
    """The knobs that some levels hold fixed, by the indices of all levels that have them alike."""
    held: dict[tuple[str, str], tuple[Any, list[int]]] = {}
    for index, level in enumerate(question.levels):
        for knob, value in question.fixed_at(level).items():
            # By how it is spelled, since a list of widths is no key.
            held.setdefault((knob, repr(value)), (value, []))[1].append(index)
    by_levels: dict[tuple[int, ...], dict[str, Any]] = {}
    for (knob, _), (value, inside) in held.items():
        by_levels.setdefault(tuple(inside), {})[knob] = value
    return by_levels


def _which_levels(words: Words, question: Question, inside: Sequence[int]) -> str:
    """The levels by what they have in common and others lack; else themselves, or the others."""
    knobs = {} if are_named(question) else _theirs(question, inside)
    if knobs:
        return knobs_name(words, knobs)
    outside = [index for index in range(len(question.levels)) if index not in inside]
    if 0 < len(outside) < len(inside):
        return words("claim.all_but", levels=_listed(words, question, outside))
    return _listed(words, question, inside)


def _listed(words: Words, question: Question, inside: Sequence[int]) -> str:
    levels = [question.levels[index] for index in inside]
    if len(question.vary) == 1 or are_named(question):
        return levels_name(words, levels)
    names = (_theirs(question, [index]) or question.levels[index].knobs for index in inside)
    return words.listing(knobs_name(words, name) for name in names)


def _theirs(question: Question, inside: Sequence[int]) -> Mapping[str, Any]:
    """The varied knobs that tell these levels from all others; none if it takes more than those."""
    ours = [question.levels[index] for index in inside]
    common = {
        knob: value
        for knob, value in ours[0].knobs.items()
        if all(_has(level, knob, value) for level in ours)
        and not all(_has(level, knob, value) for level in question.levels)
    }
    others = (level for index, level in enumerate(question.levels) if index not in inside)
    is_shared = any(all(_has(level, *pair) for pair in common.items()) for level in others)
    return {} if is_shared else common


def _has(level: Level, knob: str, value: object) -> bool:
    return knob in level.knobs and level.knobs[knob] == value
