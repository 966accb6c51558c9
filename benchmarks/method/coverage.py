"""How often a 95 % interval covers the truth."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import binomtest

from benchmarks.method.draws import of_accuracy
from benchmarks.method.power import Judge
from benchmarks.method.runs import Runs
from benchmarks.method.twin import LOOKS, SAME
from siffra.lab.stats.collapse import Share
from siffra.lab.stats.comparison import Comparison, MedianComparison
from siffra.lab.stats.estimates import Side, paired
from siffra.training.scores import epochs_to

LEVEL = 0.05
SEEDS = (5, 10, 20)
IMAGE = 1e-4
"""One of the 10,000 test images, as accuracy."""
EARLY, LATE = 0.94, 0.95
"""Accuracies on test that dense networks reach after three epochs or so, and after five."""
CUTS: Sequence[tuple[str, float, int]] = (
    ("dense", EARLY, 10),
    *(("long", LATE, epochs) for epochs in (30, 12, 8, 5)),
)
"""Runs, the accuracy that they are to reach, and the epochs after which they are cut off."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """The share of `intervals` that cover the truth; of them a share `censored` are bounds."""

    what: str
    seeds: int
    intervals: int
    covered: float
    censored: float = 0.0

    def lies_beyond(self, low: float, high: float) -> tuple[bool, bool]:
        """Whether that share is below `low`, and above `high`, beyond chance."""
        covered = round(self.covered * self.intervals)
        found = binomtest(covered, self.intervals).proportion_ci(method="exact")
        return bool(found.high < low), bool(found.low > high)


PAIRS: Mapping[str, tuple[str, str]] = {
    "accuracy near 11 %, hardly trained (against itself)": ("hardly trained", "hardly trained"),
    "accuracy near 11 %, collapsed (batch of 6 against itself)": ("batch of 6", "batch of 6"),
    "accuracy near 50 % (four neurons against themselves)": ("four neurons", "four neurons"),
    "accuracy near 98.4 % (conv against itself)": ("conv", "conv"),
    "accuracy, 64 against 28 neurons": ("neurons = 64", "neurons = 28"),
    "accuracy, six layers, of those that train, against dense": ("six layers", "dense"),
}


def study_coverage(
    runs: Mapping[str, Runs], intervals: int, say: Callable[[str], None]
) -> list[Coverage]:
    """So many intervals in each case, at 5, 10 and 20 seeds."""
    rows = []
    for what, (a, b) in PAIRS.items():
        say(f"coverage: {what}")
        ours, theirs = runs[a].accuracy["test"], runs[b].accuracy["test"]
        if "that train" in what:
            ours, theirs = ours[~runs[a].collapsed], theirs[~runs[b].collapsed]
        rows += [_coverage(what, ours, theirs, seeds, intervals) for seeds in SEEDS]
    say("coverage: medians and shares")
    rows += [_median_coverage(seeds, intervals) for seeds in SEEDS]
    rows += [_share_coverage(share, n, intervals) for share in (0.05, 0.5) for n in SEEDS]
    for name, target, epochs in CUTS:
        say(f"coverage: epochs to {target:.1%}, training cut at {epochs}")
        rows += [_epochs_coverage(runs[name], target, epochs, seeds, intervals) for seeds in SEEDS]
    return rows


def _coverage(
    what: str, ours: np.ndarray, theirs: np.ndarray, seeds: int, intervals: int
) -> Coverage:
    rng = np.random.default_rng(2)
    truth = float(ours.mean() - theirs.mean())
    drawn = rng.choice(ours, (intervals, seeds)) - rng.choice(theirs, (intervals, seeds))
    floor = float(IMAGE / np.sqrt(6))  # a rounding on either side
    covered = [_covers(Comparison(tuple(d), "difference", floor), truth) for d in drawn.tolist()]
    return Coverage(what, seeds, intervals, float(np.mean(covered)))


def _median_coverage(seeds: int, intervals: int) -> Coverage:
    """Of the median of skewed values, 0.97 less an exponential one, by the sign test."""
    rng = np.random.default_rng(2)
    drawn = 0.97 - rng.exponential(0.01, (intervals, seeds))
    truth = 0.97 - 0.01 * float(np.log(2))
    covered = [_covers(MedianComparison(tuple(d), "difference"), truth) for d in drawn.tolist()]
    return Coverage("median against a number, skewed", seeds, intervals, float(np.mean(covered)))


def _share_coverage(share: float, runs: int, intervals: int) -> Coverage:
    """Of the share of runs that collapse."""
    failed = np.random.default_rng(2).binomial(runs, share, intervals)
    bounds = {k: Share(k, runs).interval() for k in range(runs + 1)}
    covered = [bounds[k][0] <= share <= bounds[k][1] for k in failed.tolist()]
    what = f"share of runs that collapse, {100 * share:g} %"
    return Coverage(what, runs, intervals, float(np.mean(covered)))


def _epochs_coverage(runs: Runs, target: float, cut: int, seeds: int, intervals: int) -> Coverage:
    """Epochs to the target, of runs against the same an epoch later; the truth is uncensored."""
    rng = np.random.default_rng(2)
    needed = np.array([epochs_to(target, curve.tolist()) or len(curve) + 1 for curve in runs.curve])
    truth = float(np.log(needed).mean() - np.log(needed + 1).mean())
    covered: list[bool] = []
    censored = 0
    for _ in range(intervals):
        ours, theirs = rng.choice(needed, seeds), rng.choice(needed, seeds) + 1
        found = paired(list(zip(_sides(ours, cut), _sides(theirs, cut), strict=True)), "ratio")
        censored += found.censored
        covered.append(_covers(found, truth))
    share = censored / (intervals * seeds)
    what = f"epochs to {100 * target:g} %, of training cut at {cut} epochs"
    return Coverage(what, seeds, intervals, float(np.mean(covered)), share)


def _sides(needed: Sequence[int] | np.ndarray, cut: int) -> list[Side]:
    """As `siffra.lab.stats.estimates` measures runs that reach the target then, or not."""
    sides = []
    for epochs in needed:
        value = min(int(epochs), cut + 1)
        sides.append(Side(float(np.log(value)), 1 / value, reached=epochs <= cut))
    return sides


def _covers(comparison: Comparison, truth: float) -> bool:
    if comparison.seeds < 2:
        return True  # no interval: nothing is said
    low, high = comparison.interval(LEVEL)
    return low <= truth <= high


@dataclass(frozen=True, slots=True)
class Bound:
    """Claims of two levels alike but for a `share` of runs of one that collapses.

    A share `same` of the claims gets "no difference", and a share `missed` with a bound on how
    many runs may collapse that lies below the truth.
    """

    share: float
    same: float
    missed: float


def study_bounds(judge: Judge, labs: int) -> list[Bound]:
    """How "no difference" stands beside its bound on collapse, in labs of ten claims with looks."""
    rows = []
    for share in (0.05, 0.1, 0.2, 0.5):
        rng = np.random.default_rng(9)
        shape = (labs, 10, LOOKS[-1])
        down = rng.random(shape) < share
        d = 0.0003 * rng.standard_normal(shape)
        made = replace(of_accuracy(d), down=down, down_against=np.zeros(shape, bool))
        judged = judge(made, LOOKS)
        same = judged.shown == SAME
        bound = np.vectorize(lambda n: Share(0, int(n)).interval()[1])(judged.look)
        rows.append(Bound(share, float(same.mean()), float((same & (bound < share)).mean())))
    return rows
