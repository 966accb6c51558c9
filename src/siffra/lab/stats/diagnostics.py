"""From examinations to estimates: accuracy against shifts over seeds, and how far to trust it.

An examination is of one run's network; what is said of a level rests on those of all its seeds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from siffra.lab.stats.comparison import Comparison
from siffra.lab.stats.summaries import Curve, Summary, summarise
from siffra.training.examination import BINS, CURVE_IMAGES, DEGREES, PIXELS, Examination, Examined
from siffra.training.run import Record

Way = Literal["x", "y", "any", "turned"]
WAYS: tuple[Way, ...] = ("x", "y", "any", "turned")
"""Moved sideways, up or down, in any direction; and turned."""

BySeed = Mapping[int, Examination]

FEWEST = 20
"""Images in a bin of confidence; of fewer, nothing is said."""

ERROR = 0.05
"""How often two curves that do not differ may be told apart anywhere."""


@dataclass(frozen=True, slots=True)
class Lead:
    """A stretch of two shift curves on which one is above: `side` 1 if the first, -1 if the second.

    It goes from the point `first` to `last`, in pixels or degrees, both of them in it. `gaps` says
    that there are points in between at which it cannot be told.
    """

    side: int
    first: int
    last: int
    gaps: bool = False


@dataclass(frozen=True, slots=True)
class Trust:
    """How often a level was right where it was so sure, over all its runs together.

    `confidence` and `accuracy` are means by bin of confidence, without those of fewer than
    `FEWEST` images; `images` the share of images in each. `gap` is the expected calibration
    error by seed: the mean distance between the two, weighted by images (Guo et al. 2017,
    equation 3).
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    images: np.ndarray
    gap: Summary


def by_seed(records: Sequence[Record], examined: Examined | None) -> dict[int, Examination]:
    """The examinations that there are of these runs; of one that diverged there is nothing."""
    known = examined.by_key if examined else {}
    trained = [record for record in records if not record.diverged]
    return {record.seed: known[record.key] for record in trained if record.key in known}


def places(way: Way) -> tuple[int, ...]:
    """Where a curve has its points: pixels or degrees."""
    return DEGREES if way == "turned" else PIXELS


def shift_curve(examinations: BySeed, way: Way) -> Curve:
    """Mean accuracy at each of `places(way)` with its 95 % interval over seeds."""
    return Curve.of([summarise(values) for values in _by_place(examinations, way)])


def half_at(examinations: BySeed, way: Way) -> float | None:
    """How far images can be shifted until half are misread: pixels, or degrees either way.

    Between two points the curve is taken as straight. None if it never falls so low, or is
    there from the start.
    """
    curve = dict(zip(places(way), shift_curve(examinations, way).mean, strict=True))
    sizes = [size for size in curve if size >= 0]
    means = [(curve[size] + curve[-size]) / 2 if -size in curve else curve[size] for size in sizes]
    for i in range(1, len(sizes)):
        if means[i] < 0.5 <= means[i - 1]:
            share = (means[i - 1] - 0.5) / (means[i - 1] - means[i])
            return sizes[i - 1] + share * (sizes[i] - sizes[i - 1])
    return None


def apart(a: BySeed, b: BySeed, way: Way) -> tuple[int, ...]:
    """At each of `places(way)`: 1 where `a` is above `b`, -1 where it is below, 0 undecided.

    By their differences seed by seed, at an error that all points of the curve share.
    """
    seeds = [seed for seed in a if seed in b]
    ours, theirs = (_by_place({s: side[s] for s in seeds}, way) for side in (a, b))
    error = ERROR / len(places(way))
    # Two accuracies, each counted in whole images: what that rounding alone can hide.
    floor = (2 / 12) ** 0.5 / CURVE_IMAGES
    signs = []
    for x, y in zip(ours, theirs, strict=True):
        differences = tuple(p - q for p, q in zip(x, y, strict=True))
        gap = Comparison(differences, "difference", floor)
        signs.append(int(np.sign(gap.centre)) if gap.p_outside() <= error else 0)
    return tuple(signs)


def leads(a: BySeed, b: BySeed, way: Way) -> tuple[Lead, ...]:
    """The stretches on which `a` or `b` is above the other, by `apart`, along the curve.

    Each goes on over points at which it cannot be told, as far as the next that is not its own.
    """
    stretches: list[Lead] = []
    gap = False
    for place, sign in zip(places(way), apart(a, b, way), strict=True):
        if sign and stretches and stretches[-1].side == sign:
            stretches[-1] = replace(stretches[-1], last=place, gaps=stretches[-1].gaps or gap)
        elif sign:
            stretches.append(Lead(sign, place, place))
        gap = not sign
    return tuple(stretches)


def trust(examinations: BySeed, name: str) -> Trust:
    """How far the confidence on the set `name` can be trusted."""
    seen = [e.confidence[name] for e in examinations.values()]
    sums = {
        key: np.sum([getattr(c, key) for c in seen], axis=0, dtype=float)
        for key in ("images", "right", "confidence")
    }
    full = sums["images"] >= FEWEST
    images = sums["images"][full]
    gaps = [
        sum(abs(c.right[i] - c.confidence[i]) for i in range(BINS)) / sum(c.images) for c in seen
    ]
    return Trust(
        confidence=sums["confidence"][full] / images,
        accuracy=sums["right"][full] / images,
        images=images / sums["images"].sum(),
        gap=summarise(gaps),
    )


def _by_place(examinations: BySeed, way: Way) -> Iterator[tuple[float, ...]]:
    """For each point of the curve, the accuracies of all seeds."""
    runs = [e.turned if way == "turned" else e.moved[way] for e in examinations.values()]
    return (tuple(run[i] for run in runs) for i in range(len(places(way))))
