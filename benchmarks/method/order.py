"""(iv) How often one run of each of two levels puts them in the wrong order."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from benchmarks.method.labs import Quantity, judge
from benchmarks.method.runs import Runs

REPEATS = 400
SEEDS = 5


@dataclass(frozen=True, slots=True)
class Pair:
    """Two configurations on one set: how far apart they are, and what one run of each says.

    `gap` is the difference of the means, in accuracy; `wrong` the share of pairs of single runs
    that have it the other way round (ties count half); `claimed` the share of labs with five
    seeds in which siffra gives the wrong one of the verdicts supported and refuted.
    """

    names: tuple[str, str]
    on: str
    gap: float
    wrong: float
    claimed: float


def study_order(runs: Mapping[str, Runs]) -> list[Pair]:
    """All pairs of widths, after three epochs, on every set."""
    rng = np.random.default_rng(4)
    widths = [name for name in runs if name.startswith("neurons")]
    return [
        _pair(rng, runs[a], runs[b], on)
        for a, b in combinations(widths, 2)
        for on in ("test", "rotated", "moved")
    ]


def _pair(rng: np.random.Generator, a: Runs, b: Runs, on: str) -> Pair:
    ours, theirs = b.accuracy[on], a.accuracy[on]
    gap = float(ours.mean() - theirs.mean())
    differences = ours[:, None] - theirs[None, :]
    against = (np.sign(differences) == -np.sign(gap)).mean() + (differences == 0).mean() / 2
    quantity = Quantity("accuracy", on, ours)
    claimed = 0
    for _ in range(REPEATS):
        drawn = rng.choice(ours, SEEDS) - rng.choice(theirs, SEEDS)
        (found,) = judge([quantity], drawn[None], [SEEDS])
        claimed += found.verdict == ("refuted" if gap > 0 else "supported")
    return Pair((a.name, b.name), on, abs(gap), float(against), claimed / REPEATS)
