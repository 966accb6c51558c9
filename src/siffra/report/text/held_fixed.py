"""What a question held fixed, in words: what all levels share, and what only some of them have."""

from collections.abc import Mapping, Sequence
from typing import Any

from siffra.lab.plan.plan import Level, Question
from siffra.report.text.labels import knob_name, knobs_name, levels_name
from siffra.report.text.messages import Words


def held_fixed(words: Words, question: Question) -> str:
    """`batch size 140, 3 epochs; with the dense model: 32 neurons; learning rate chosen anew …`."""
    parts = [knobs_name(words, question.fixed)]
    for inside, knobs in _by_levels(question).items():
        levels = _levels(words, question, inside)
        parts.append(words("claim.fixed_at", levels=levels, knobs=knobs_name(words, knobs)))
    told = [part for part in parts if part] or [words("claim.nothing")]
    if question.retune:
        retuned = words.listing(knob_name(words, knob) for knob in question.retune)
        told.append(words("claim.retuned", knobs=retuned))
    return "; ".join(told)


def _by_levels(question: Question) -> dict[tuple[int, ...], dict[str, Any]]:
    """The knobs that some levels hold fixed, by the indices of all levels that have them alike."""
    held: dict[tuple[str, str], tuple[Any, list[int]]] = {}
    for index, level in enumerate(question.levels):
        for knob, value in question.fixed_at(level).items():
            # By how it is spelled, since a list of widths is no key.
            held.setdefault((knob, repr(value)), (value, []))[1].append(index)
    found: dict[tuple[int, ...], dict[str, Any]] = {}
    for (knob, _), (value, inside) in held.items():
        found.setdefault(tuple(inside), {})[knob] = value
    return found


def _levels(words: Words, question: Question, inside: Sequence[int]) -> str:
    """The levels by what they have in common and others lack; else themselves, or the others."""
    if told := _theirs(question, inside):
        return knobs_name(words, told)
    outside = [index for index in range(len(question.levels)) if index not in inside]
    if 0 < len(outside) < len(inside):
        return words("claim.all_but", levels=_listed(words, question, outside))
    return _listed(words, question, inside)


def _listed(words: Words, question: Question, inside: Sequence[int]) -> str:
    levels = [question.levels[index] for index in inside]
    if len(question.vary) == 1:
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


def _has(level: Level, knob: str, value: Any) -> bool:
    return knob in level.knobs and level.knobs[knob] == value
