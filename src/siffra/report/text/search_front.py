"""A search's front as a table: what stands on it, and what that changes of where it started."""

from collections.abc import Mapping, Sequence
from typing import Any

from siffra.config.recipes import find_recipe, shipped_names
from siffra.report.text import numbers
from siffra.report.text.labels import knobs_name
from siffra.report.text.messages import Words
from siffra.report.text.narrative import capital
from siffra.report.text.tables import Cell, Table
from siffra.search.answer import Finalist, Point, SearchAnswer
from siffra.search.changes import changes
from siffra.search.space import knob_of

MOST_CHANGES = 5
"""Changes that are named; of more, their number."""


def front_table(words: Words, answer: SearchAnswer) -> Table | None:
    """The points that no other beats in the mean over the sets, by seconds; None without any."""
    points = [answer.points[i] for i in answer.front]
    if not points:
        return None
    name, knobs = _reference(words, answer, points)
    sets = answer.asked.sets
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
        (*(Cell(text, "number") for text in texts), _named(words, answer, point, knobs))
        for *texts, point in zip(*aligned, points, strict=True)
    ]
    return Table(head, tuple(rows))


def candidate_name(words: Words, candidate: Point | Finalist) -> str:
    """`the recipe digits-5s`, with what was changed of it, if anything; `candidate 12`."""
    if not candidate.origin:
        return words("search.candidate", number=candidate.candidate)
    if told := _changes(words, changed_of_recipe(candidate)):
        return words("search.recipe_changed", name=candidate.origin, changes=told)
    return words("search.recipe", name=candidate.origin)


def changed_of_recipe(candidate: Point | Finalist) -> Mapping[str, Any]:
    """What is not as in the shipped recipe that a candidate started from, but for its length."""
    if candidate.origin not in shipped_names():
        return {}
    own = candidate.knobs if isinstance(candidate, Point) else candidate.setting.knobs()
    return changes(own, find_recipe(candidate.origin).knobs)


def _reference(
    words: Words, answer: SearchAnswer, points: Sequence[Point]
) -> tuple[str, Mapping[str, Any]]:
    """What all are set against, and its knobs: the first recipe, or the winner.

    That of the two which leaves less to tell; both at once would have to be kept apart.
    """
    recipes = [(candidate_name(words, p), p.knobs) for p in answer.points if p.origin]
    both = [*recipes[:1], (words("search.the_winner"), answer.winner.setting.knobs())]
    return min(both, key=lambda each: sum(len(changes(p.knobs, each[1])) for p in points))


def _named(words: Words, answer: SearchAnswer, point: Point, knobs: Mapping[str, Any]) -> Cell:
    name = candidate_name(words, point)
    if point.candidate == answer.winner.candidate:
        name = words("search.winner_row", name=name)
    if not point.is_whole:
        name = f"{name}, {words('search.part')}"
    return Cell(capital(name), "name", _changes(words, changes(point.knobs, knobs)))


def _changes(words: Words, changed: Mapping[str, Any]) -> str:
    told = [_change(words, *change) for change in changed.items()]
    if len(told) > MOST_CHANGES + 1:
        told[MOST_CHANGES:] = [words("search.more_changes", n=len(told) - MOST_CHANGES)]
    return "; ".join(told)


def _change(words: Words, parameter: str, value: Any) -> str:
    """`learning rate 0.1`; `filters_2` of 64 as `64 filters in layer 2`."""
    knob, of = knob_of(parameter)
    if of.isdecimal():
        return words("search.in_layer", knob=knobs_name(words, {knob: value}), n=of)
    return knobs_name(words, {parameter: value})
