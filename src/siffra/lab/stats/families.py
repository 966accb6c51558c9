"""Families of tests: what of many sequential tests is shown, and what is likely.

A test has two hypotheses, of which at most one is true: that nothing differs (rejected by an
effect *outside*), and that something differs by the margin (rejected by one *inside*). Each has
a sequential p-value at each of the test's looks (`siffra.lab.stats.interim`).

*Shown* is what is rejected by Holm's procedure (S. Holm, A simple sequentially rejective multiple
test procedure, 1979) over the tests of a family, one for each kind of hypothesis. One for both
would not do: Holm's alpha rises with every hypothesis that is found false, and a claim that was
rightly found to make no difference has left its hypothesis "nothing differs" true. The two share
the 5 % of labs in which any verdict may be wrong, so that those hold for both kinds together; by
sequential p-values a test that is decided leaves its share to the others at all of their looks
(W. Maurer and F. Bretz, Multiple testing in group sequential trials using graphical approaches,
2013).

*Likely* is what the procedure of Y. Benjamini and Y. Hochberg, Controlling the false discovery
rate, 1995, rejects besides, by the smaller of a test's two p-values: as only one of its two
hypotheses can be true, at most 5 % of all verdicts are expected to be wrong.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from siffra.lab.stats.interim import LAB_ALPHA, Schedule

Id = TypeVar("Id", bound=Hashable)
Grade = Literal["shown", "likely"]
Kind = Literal["inside", "outside"]

OUTSIDE_ALPHA = 0.04
"""The share of labs in which any difference that is shown may be none."""
INSIDE_ALPHA = LAB_ALPHA - OUTSIDE_ALPHA
"""The share of labs in which any sameness that is shown may be a difference."""


class Test(Protocol):
    """Something to be judged, as it stands at one look."""

    @property
    def p_inside(self) -> float:
        """The one-sided p-value of the effect being inside the margin."""
        ...

    @property
    def p_outside(self) -> float:
        """The two-sided p-value of there being an effect."""
        ...


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a test.

    Attributes:
        look: The look by which it was decided, or the last one made, counted from 0.
        kind: What was rejected (None: nothing).
        grade: How sure that is.
        inside: The one-sided alpha at which the look was judged for an effect inside the margin.
        outside: The two-sided alpha at which it was judged for one outside.
        overall: The alphas over all looks that these two are of, in the same order.
    """

    look: int
    kind: Kind | None
    grade: Grade | None
    inside: float
    outside: float
    overall: tuple[float, float]


def decide(
    family: Mapping[Id, Sequence[Test]], schedules: Mapping[Id, Schedule]
) -> dict[Id, Decision]:
    """Judge a family of tests by all the looks that each has made.

    Args:
        family: For each test how it stood at its looks so far, the first one first.
        schedules: The looks of each test.
    """
    p_values = {id_: _sequential(looks, schedules[id_]) for id_, looks in family.items()}
    ends = [
        (inside[-1], outside[-1]) if inside else (1.0, 1.0) for inside, outside in p_values.values()
    ]
    alphas_inside = holm([inside for inside, _ in ends], INSIDE_ALPHA)
    alphas_outside = holm([outside for _, outside in ends], OUTSIDE_ALPHA)
    likely = benjamini_hochberg([min(end) for end in ends])
    return {
        id_: _decision(schedules[id_], (inside, outside), (alpha_inside, alpha_outside), likely)
        for (id_, (inside, outside)), alpha_inside, alpha_outside in zip(
            p_values.items(), alphas_inside, alphas_outside, strict=True
        )
    }


def _decision(
    schedule: Schedule,
    p_values: tuple[Sequence[float], Sequence[float]],
    shown: tuple[float, float],
    likely: float,
) -> Decision:
    overall, grade = shown, "shown"
    rejected = _first(p_values, shown)
    if rejected is None and (rejected := _first(p_values, (likely, likely))):
        overall, grade = (likely, likely), "likely"
    look, kind = rejected or (max(0, len(p_values[0]) - 1), None)
    return Decision(
        look=look,
        kind=kind,
        grade=grade if kind else None,
        inside=schedule.alpha(look, 2 * overall[0]) / 2,
        outside=schedule.alpha(look, overall[1]),
        overall=overall,
    )


def holm(p_values: Sequence[float], overall: float = LAB_ALPHA) -> list[float]:
    """The alpha at which each hypothesis is tested; it is rejected if its p-value is no higher.

    The smallest of m p-values is tested at overall / m, the next at overall / (m - 1), and so on
    until the first that is not rejected, whose alpha all the rest share. A p-value that is NaN
    counts as 1: it says nothing, and has no place in an order.
    """
    known = [1.0 if math.isnan(p) else p for p in p_values]
    left = len(known)
    alphas = [overall] * left
    failed = False
    for i in sorted(range(len(known)), key=known.__getitem__):
        alphas[i] = overall / left
        failed = failed or known[i] > alphas[i]
        left -= not failed
    return alphas


def benjamini_hochberg(p_values: Sequence[float]) -> float:
    """The alpha at which hypotheses are rejected, so that of these a share `LAB_ALPHA` is true.

    It is `LAB_ALPHA` times the share of hypotheses that it rejects; 0 if it rejects none.
    """
    known = sorted(p for p in p_values if not math.isnan(p))
    m = len(p_values)
    rejected = max((i for i, p in enumerate(known, start=1) if p <= LAB_ALPHA * i / m), default=0)
    return LAB_ALPHA * rejected / m if rejected else 0.0


def _sequential(looks: Sequence[Test], schedule: Schedule) -> tuple[list[float], list[float]]:
    """The sequential p-values of the two hypotheses, by look."""
    # One-sided bounds are, but for what is out of reach, those of one side of two-sided ones.
    inside = schedule.sequential([min(1.0, 2 * test.p_inside) for test in looks])
    return [p / 2 for p in inside], schedule.sequential([test.p_outside for test in looks])


def _first(
    p_values: tuple[Sequence[float], Sequence[float]], alphas: tuple[float, float]
) -> tuple[int, Kind] | None:
    """The first look at which one of the two hypotheses is rejected, and which."""
    for look, (inside, outside) in enumerate(zip(*p_values, strict=True)):
        if inside <= alphas[0]:
            return look, "inside"
        if outside <= alphas[1]:
            return look, "outside"
    return None
