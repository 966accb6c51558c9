"""Intervals of claims on one line each, as numbers for small pictures."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from siffra.lab.stats.comparison import Estimate
from siffra.lab.stats.estimates import margin_of
from siffra.report.model.claims import Claim

WIDTH = 200.0
"""Of the picture; all its numbers are between 0 and this."""

MOST_MARGINS = 100
"""At the ends of a `glance`."""


@dataclass(frozen=True, slots=True)
class Bar:
    """An interval with its estimate."""

    low: float
    value: float
    high: float


@dataclass(frozen=True, slots=True)
class Picture:
    """Where no difference is (`zero`), the margin around it, and the intervals (None: unknown)."""

    zero: float
    margin_low: float
    margin_high: float
    bars: tuple[Bar | None, Bar | None]
    claimed: tuple[float, float] | None = None
    """Where the interval lies if the claim is right, on one that shows it."""
    beyond: tuple[bool, bool] = (False, False)
    """Whether the interval reaches farther than the picture, to the left and to the right."""


def picture(first: Claim, second: Claim) -> Picture | None:
    """The picture of a claim's estimates in two reports; None if neither has an interval."""
    ends = [_ends(claim.as_estimated()) for claim in (first, second)]
    known = [end for pair in ends if pair for end in pair if math.isfinite(end)]
    if not known:
        return None
    margin = margin_of(first.as_planned())
    # Equally far to both sides, so that zero is always in the middle.
    reach = 1.08 * max(1.5 * margin, *map(abs, known)) or 1.0

    def place(value: float) -> float:
        inside = min(max(value, -reach), reach)
        return round(WIDTH * (inside + reach) / (2 * reach), 2)

    return Picture(
        zero=place(0.0),
        margin_low=place(-margin),
        margin_high=place(margin),
        bars=(_bar(ends[0], place), _bar(ends[1], place)),
    )


def glance(claim: Claim) -> Picture | None:
    """A claim's interval beside the zone that was claimed; None if it has none, or no margin.

    A claimed direction is to the right. A claimed sameness, or size, is the margin in the middle,
    and more of the metric is to the right.

    There is none either where the share of runs that collapse has decided, not the difference.

    All claims have one scale: margins, on a scale that is linear about zero and logarithmic beyond
    (log(1 + x)), up to `MOST_MARGINS` to either side.
    """
    planned = claim.as_planned()
    ends, margin = _ends(claim.as_estimated()), margin_of(planned)
    if ends is None or not margin or claim.basis == "collapse":
        return None
    claims_more = (claim.direction in ("better", "not worse")) == planned.measured.higher_is_better
    if claim.direction != "same" and not claims_more:
        low, value, high = ends
        ends = -high, -value, -low

    def place(value: float) -> float:
        size = math.log1p(min(abs(value) / margin, MOST_MARGINS)) / math.log1p(MOST_MARGINS)
        return round(WIDTH / 2 * (1 + math.copysign(size, value)), 2)

    low = {"same": -margin, "better": 0.0, "worse": 0.0}.get(claim.direction, -margin)
    high = margin if claim.direction == "same" else math.inf
    reach = MOST_MARGINS * margin
    return Picture(
        zero=place(0.0),
        margin_low=place(-margin),
        margin_high=place(margin),
        bars=(_bar(ends, place), None),
        claimed=(place(low), place(high)),
        beyond=(ends[0] < -reach, ends[2] > reach),
    )


def _bar(ends: tuple[float, float, float] | None, place: Callable[[float], float]) -> Bar | None:
    return Bar(*map(place, ends)) if ends else None


def _ends(estimate: Estimate | None) -> tuple[float, float, float] | None:
    """Low end, estimate and high end on the scale on which effects add."""
    if estimate is None or math.isnan(estimate.low) or math.isnan(estimate.high):
        return None
    if estimate.scale == "ratio":
        return _log(estimate.low), _log(estimate.value), _log(estimate.high)
    return estimate.low, estimate.value, estimate.high


def _log(ratio: float) -> float:
    return math.log(ratio) if ratio > 0 else -math.inf
