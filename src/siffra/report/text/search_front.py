"""A search's front as a table: what stands on it, and what that changes of where it started."""

from collections.abc import Mapping, Sequence
from typing import Any

from siffra.config import Setting
from siffra.config.recipes import find_recipe, shipped_names
from siffra.config.training import has_use
from siffra.report.text import numbers
from siffra.report.text.labels import knobs_name
from siffra.report.text.messages import Words, capital
from siffra.report.text.tables import Cell, Table
from siffra.search.result import Finalist, Point, SearchResult
from siffra.search.space import knob_of

MOST_CHANGES = 5
"""Changes that are named; of more, their number."""


def front_table(words: Words, result: SearchResult) -> Table | None:
    """The points that no other beats in the mean over the sets, by seconds; None without any."""
    points = [result.points[i] for i in result.front]
    if not points:
        return None
    name, knobs = _reference(words, result, points)
    sets = result.spec.sets
    mean = words(f"set.{sets[0]}" if len(sets) == 1 else "search.mean")
    head = (
        Cell(capital(words("table.seconds")), "number"),
        Cell(f"{capital(mean)} (%)", "number"),
        Cell("n", "number"),
        Cell(words("search.front_name", reference=name), "name"),
    )
    columns = (
        [words.number(p.seconds, numbers.decimals_of_seconds(p.seconds)) for p in points],
        [words.number(100 * p.score, 2) for p in points],
        [str(p.seeds) for p in points],
    )
    aligned = [numbers.align(texts, words("decimal")) for texts in columns]
    rows = [
        (*(Cell(text, "number") for text in texts), _named(words, result, point, knobs))
        for *texts, point in zip(*aligned, points, strict=True)
    ]
    return Table(head, tuple(rows))


def candidate_name(words: Words, candidate: Point | Finalist) -> str:
    """`the recipe digits-5s`, with what was changed of it, if anything; `candidate 12`."""
    if not candidate.origin:
        return words("search.candidate", number=candidate.candidate)
    if changed := _changes(words, changed_of_recipe(candidate)):
        return words("search.recipe_changed", name=candidate.origin, changes=changed)
    return words("search.recipe", name=candidate.origin)


def changed_of_recipe(candidate: Point | Finalist) -> Mapping[str, Any]:
    """What is not as in the shipped recipe that a candidate started from, but for its length."""
    if candidate.origin not in shipped_names():
        return {}
    knobs = candidate.knobs if isinstance(candidate, Point) else candidate.setting.knobs()
    return changes(knobs, find_recipe(candidate.origin).knobs)


def _reference(
    words: Words, result: SearchResult, points: Sequence[Point]
) -> tuple[str, Mapping[str, Any]]:
    """What all are set against, and its knobs: the first recipe, or the winner.

    That of the two which leaves less to tell; both at once would have to be kept apart.
    """
    recipes = [(candidate_name(words, p), p.knobs) for p in result.points if p.origin]
    both = [*recipes[:1], (words("search.the_winner"), result.winner.setting.knobs())]
    return min(both, key=lambda each: sum(len(changes(p.knobs, each[1])) for p in points))


def _named(words: Words, result: SearchResult, point: Point, knobs: Mapping[str, object]) -> Cell:
    name = candidate_name(words, point)
    if point.candidate == result.winner.candidate:
        name = words("search.winner_row", name=name)
    if not point.is_whole:
        name = f"{name}, {words('search.part')}"
    return Cell(capital(name), "name", _changes(words, changes(point.knobs, knobs)))


def _changes(words: Words, changed: Mapping[str, object]) -> str:
    texts = [_change(words, *change) for change in changed.items()]
    if len(texts) > MOST_CHANGES + 1:
        texts[MOST_CHANGES:] = [words("search.more_changes", n=len(texts) - MOST_CHANGES)]
    return "; ".join(texts)


def _change(words: Words, parameter: str, value: object) -> str:
    """`learning rate 0.1`; `filters_2` of 64 as `64 filters in layer 2`."""
    knob, layer = knob_of(parameter)
    if layer.isdecimal():
        return words("search.in_layer", knob=knobs_name(words, {knob: value}), n=layer)
    return knobs_name(words, {parameter: value})


def changes(knobs: Mapping[str, object], reference: Mapping[str, object]) -> dict[str, Any]:
    """What `knobs` have otherwise than `reference`, by parameter: `learning_rate`, `filters_2`.

    Whole settings are compared, with what they leave unsaid, but not `epochs`, which follow from
    a budget. What other knobs have no use for is no change: a momentum that went with its
    optimizer. Of as many layers of which one differs, that one is told.
    """
    described, others = _described(knobs), _described(reference)
    different: dict[str, Any] = {}
    for name, value in described.items():
        is_same = name in others and _collapsed(value) == _collapsed(others[name])
        if not is_same and value != () and has_use(name, described):
            different |= _by_layer(name, value, others.get(name))
    return different


def _described(knobs: Mapping[str, object]) -> dict[str, Any]:
    """All of a setting, with a tuple of values where each layer has its own."""
    setting = Setting.from_knobs(knobs)
    model, training = dict(setting.model), dict(setting.training)
    described = {"model": model.pop("kind")}
    if "filters" in model:
        described["conv_layers"] = len(model["filters"])
    described["layers"] = len(model["neurons"])
    del training["epochs"]
    return described | model | training


def _by_layer(name: str, value: object, other: object) -> dict[str, Any]:
    if isinstance(value, tuple) and isinstance(other, tuple) and len(value) == len(other) > 1:
        different = [n for n, pair in enumerate(zip(value, other, strict=True)) if len({*pair}) > 1]
        if len(different) == 1:
            (n,) = different
            return {f"{name}_{n + 1}": value[n]}
    return {name: _collapsed(value)}


def _collapsed(value: object) -> Any:
    """One value where all layers agree."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value
