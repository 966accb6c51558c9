"""Whether two reports' claims are about the same: their levels by knobs, and what was fixed."""

import json
from collections.abc import Mapping
from typing import Any

from siffra.report.model import Question
from siffra.report.model.claims import Claim
from siffra.report.model.measured import Level
from siffra.report.text.labels import knobs_name
from siffra.report.text.messages import Words

LENGTH = "epochs"
"""The one knob that presets set: what is fixed otherwise makes another claim, this does not."""

Both = tuple[Question, Question]


def differing(first: Claim, second: Claim, both: Both, words: Words) -> list[str]:
    """What of two claims is not the same, in words; nothing if they are one claim.

    Levels are the same if their knobs are, wherever they stand in their question.
    """
    ours, theirs = (
        _about(claim, question, _level_keys(question))
        for claim, question in zip((first, second), both, strict=True)
    )
    if 1 in (ours["epochs"], theirs["epochs"]):  # any length, which the other may well be
        ours["epochs"] = theirs["epochs"]
    parts = [name for name in ours if ours[name] != theirs[name]]
    if not {"level", "against"} & set(parts) and not _held_alike(first, second, both):
        parts.append("fixed")
    return [words(f"compare.part.{name}") for name in parts]


def meanings(question: Question) -> list[str]:
    """For each claim, the same text as for claims of other reports that are about the same.

    How long was trained, what claims are called, and where their levels stand, is no part of it; 1
    and 1.0 are one value.
    """
    keys = _level_keys(question)
    shared = {knob: value for knob, value in question.fixed.items() if knob != LENGTH}
    held = [_canonical(_without_length(level) or shared) for level in question.levels]
    texts = []
    for claim in question.claims:
        about = {k: v for k, v in _about(claim, question, keys).items() if k != LENGTH}
        levels = sorted(held[i] for i in levels_of(claim) if i < len(held))
        texts.append(_canonical([about, levels]))
    return texts


def fixed_words(both: Both, words: Words) -> str:
    """The knobs that all levels of a question share, if at other values in the other report."""
    return unlike_words(*_fixed(both), words)


def unlike_words(first: Mapping[str, object], second: Mapping[str, object], words: Words) -> str:
    """The knobs at which two differ, with both values: `learning rate 0.7 / learning rate 0.5`.

    A knob that is not said, since it is as usual, is a dash.
    """
    pairs = (
        " / ".join(
            knobs_name(words, {knob: held[knob]}) if knob in held else "–"
            for held in (first, second)
        )
        for knob in _unlike(first, second)
    )
    return "; ".join(pairs)


def level_key(level: Level) -> str:
    """The same text for levels with the same knobs; 1 and 1.0 are one value."""
    return _canonical(level.knobs)


def _canonical(value: object) -> str:
    as_floats = json.loads(json.dumps(value, default=sorted), parse_int=float)
    return json.dumps(as_floats, sort_keys=True)


def _unlike(first: Mapping[str, object], second: Mapping[str, object]) -> list[str]:
    known = dict.fromkeys((*first, *second))
    return [
        knob
        for knob in known
        if knob not in first or knob not in second or first[knob] != second[knob]
    ]


def _held_alike(first: Claim, second: Claim, both: Both) -> bool:
    """Whether two claims about the same levels are about the same settings, but for the length."""
    ours, theirs = _settings(first, both[0]), _settings(second, both[1])
    if ours is None or theirs is None:  # a report by a siffra that did not write them
        return set(_unlike(*_fixed(both))) <= {LENGTH}
    return ours == theirs


def _settings(claim: Claim, question: Question) -> dict[str, Any] | None:
    """All knobs of the levels that a claim is about, but for the length; None if not known."""
    levels = [question.levels[i] for i in levels_of(claim) if i < len(question.levels)]
    if not all(level.settings for level in levels):
        return None
    return {level_key(level): _without_length(level) for level in levels}


def _without_length(level: Level) -> list[dict[str, Any]]:
    """All knobs of each of a level's settings, but for the length."""
    return [{k: v for k, v in setting.items() if k != LENGTH} for setting in level.settings]


def levels_of(claim: Claim) -> tuple[int, ...]:
    """The indices of the levels on both sides of a claim."""
    return claim.level + (claim.against if isinstance(claim.against, tuple) else ())


def _level_keys(question: Question) -> dict[int, str]:
    return {i: level_key(level) for i, level in enumerate(question.levels)}


def _fixed(both: Both) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What each held fixed, as far as it can be compared.

    Which knobs all levels share depends on which levels there are.
    """
    first, second = (question.fixed for question in both)
    ours, theirs = ({level_key(level) for level in question.levels} for question in both)
    if ours == theirs:
        return first, second
    shared = first.keys() & second.keys()
    return {k: first[k] for k in first if k in shared}, {k: second[k] for k in first if k in shared}


def _about(claim: Claim, question: Question, keys: Mapping[int, str]) -> dict[str, Any]:
    """All that a claim is about, by the names under which the catalogue has them."""

    def meant(levels: tuple[int, ...]) -> set[str]:
        return {keys.get(i, str(i)) for i in levels}

    against, named = claim.against, claim.named
    return {
        "metric": (claim.metric, named and (named.better, named.scale, named.unit)),
        "on": claim.on,
        "target": claim.target,
        "level": meant(claim.level),
        "against": meant(against) if isinstance(against, tuple) else against,
        "times": claim.times,
        "plus": claim.plus,
        "direction": claim.direction,
        "margin": claim.margin,
        "epochs": claim.epochs,
        "retune": set(question.retune),
    }
