"""How often one run of each of two levels puts them in the wrong order."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from benchmarks.method.draws import of_accuracy
from benchmarks.method.power import Judge
from benchmarks.method.runs import Runs
from benchmarks.method.twin import GREATER, SMALLER

REPEATS = 400
SEEDS = 5


@dataclass(frozen=True, slots=True)
class Pair:
    """Two configurations on one set: how far apart they are, and what one run of each says.

    `gap` is the difference of the means, in accuracy; `wrong` the share of pairs of single runs
    that have it the other way round (ties count half); `claimed` the share of labs of that one
    claim, with five seeds, in which siffra shows the wrong one of the two to be better.
    """

    names: tuple[str, str]
    on: str
    gap: float
    wrong: float
    claimed: float


def study_order(runs: Mapping[str, Runs], judge: Judge) -> list[Pair]:
    """All pairs of widths, after three epochs, on every set."""
    rng = np.random.default_rng(4)
    widths = [name for name in runs if name.startswith("neurons")]
    return [
        _pair(rng, judge, runs[a], runs[b], on)
        for a, b in combinations(widths, 2)
        for on in ("test", "rotated", "moved")
    ]


def _pair(rng: np.random.Generator, judge: Judge, a: Runs, b: Runs, on: str) -> Pair:
    ours, theirs = b.accuracy[on], a.accuracy[on]
    gap = float(ours.mean() - theirs.mean())
    differences = ours[:, None] - theirs[None, :]
    against = (np.sign(differences) == -np.sign(gap)).mean() + (differences == 0).mean() / 2
    shape = (REPEATS, 1, SEEDS)
    judged = judge(of_accuracy(rng.choice(ours, shape) - rng.choice(theirs, shape)), (SEEDS,))
    claimed = (judged.shown == (SMALLER if gap > 0 else GREATER)).mean()
    return Pair((a.name, b.name), on, abs(gap), float(against), float(claimed))
