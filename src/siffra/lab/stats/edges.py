"""Values at the edge of what was tried: a better one may lie beyond them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

from siffra.config.metrics import is_number
from siffra.lab.plan.plan import Level, Question

FEWEST_WITH_AN_EDGE = 3
"""Values of a knob: of two, either is outermost, which says nothing."""

Side = Literal["smallest", "largest"]


@dataclass(frozen=True, slots=True)
class Edge:
    """A knob of which the outermost value on one side is the best of those tried."""

    knob: str
    side: Side


def edges_of_best(question: Question, best: Level) -> tuple[Edge, ...]:
    """The varied knobs of which the level `best` has an outermost value, with more beyond it.

    Of a grid, that is: levels that were picked by hand have no edge, and nor have two values.
    """
    tried: dict[str, dict[str, Any]] = {}
    for name in question.vary:
        if any(name not in level.knobs for level in question.levels):
            return ()
        tried[name] = {repr(level.knobs[name]): level.knobs[name] for level in question.levels}
    if prod(len(values) for values in tried.values()) != len(question.levels):
        return ()
    return tuple(
        Edge(name, side)
        for name, values in tried.items()
        if (side := _side(best.knobs[name], values.values()))
    )


def edges_of_choice(
    knobs: Sequence[str],
    tried: Sequence[Mapping[str, object]],
    chosen: Sequence[Mapping[str, object]],
) -> tuple[Edge, ...]:
    """Those of the retuned `knobs` of which every seed chose the same outermost value.

    `tried` has the knobs of each of a level's settings, and `chosen` those of each seed's run.
    """
    edges = []
    for name in knobs:
        if not chosen or any(name not in setting for setting in (*tried, *chosen)):
            continue
        first, *others = [setting[name] for setting in chosen]
        side = _side(first, [setting[name] for setting in tried])
        if side and all(value == first for value in others):
            edges.append(Edge(name, side))
    return tuple(edges)


def _side(best: object, tried: Iterable[object]) -> Side | None:
    """On which side `best` is outermost, if there is more to try beyond it."""
    numbers = {value for value in tried if is_number(value)}
    if len(numbers) < FEWEST_WITH_AN_EDGE or not is_number(best):
        return None
    # Nothing lies below 1 of a count, nor below 0 of the rest.
    least = 1 if all(isinstance(number, int) for number in numbers) else 0
    if best == max(numbers):
        return "largest"
    return "smallest" if best == min(numbers) > least else None
