"""(ii) How often a 95 % interval covers the truth."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from benchmarks.method.labs import Quantity, quantities
from benchmarks.method.runs import Runs
from siffra.lab.stats.comparison import Comparison
from siffra.lab.stats.decisions import moderate
from siffra.lab.stats.estimates import Side, paired
from siffra.training.scores import epochs_to

LEVEL = 0.05
TOGETHER = 10
"""Comparisons in a lab whose variances are moderated."""
EARLY, LATE = 0.94, 0.95
"""Accuracies on test that dense networks reach after three epochs or so, and after five."""
CUTS: Sequence[tuple[str, float, int]] = (
    ("dense", EARLY, 10),
    *(("long", LATE, epochs) for epochs in (30, 12, 8, 5)),
)
"""Runs, the accuracy that they are to reach, and the epochs after which they are cut off."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """The share of `intervals` that cover the truth, plain and moderated (None: never is)."""

    what: str
    seeds: int
    intervals: int
    plain: float
    moderated: float | None
    censored: float = 0.0

    @property
    def used(self) -> float:
        """The share of the intervals that siffra uses."""
        return self.plain if self.moderated is None else self.moderated

    def lies_beyond(self, low: float, high: float) -> tuple[bool, bool]:
        """Whether that share is below `low`, and above `high`, beyond chance."""
        covered = round(self.used * self.intervals)
        found = binomtest(covered, self.intervals).proportion_ci(method="exact")
        return bool(found.high < low), bool(found.low > high)


def study_coverage(
    runs: Mapping[str, Runs], labs: int, say: Callable[[str], None]
) -> list[Coverage]:
    """Intervals at 3, 5 and 10 seeds; `labs` labs of ten comparisons each."""
    cases = {
        "accuracy near 11 %, hardly trained (against itself)": (
            "hardly trained",
            "hardly trained",
            "test",
        ),
        "accuracy near 11 %, collapsed (batch of 6 against itself)": (
            "batch of 6",
            "batch of 6",
            "test",
        ),
        "accuracy near 50 % (four neurons against themselves)": (
            "four neurons",
            "four neurons",
            "test",
        ),
        "accuracy near 98.4 % (conv against itself)": ("conv", "conv", "test"),
        "accuracy, 64 against 28 neurons": ("neurons = 64", "neurons = 28", "test"),
        "accuracy, six layers, some of which collapse, against dense": (
            "six layers",
            "dense",
            "test",
        ),
        "seconds, 64 against 28 neurons, with outliers": (
            "neurons = 64",
            "neurons = 28",
            "seconds",
        ),
    }
    rows = []
    for what, (a, b, name) in cases.items():
        say(f"coverage: {what}")
        ours, theirs = quantities(runs[a])[name], quantities(runs[b])[name]
        rows += [_coverage(what, ours, theirs, seeds, labs) for seeds in (3, 5, 10)]
    for name, target, epochs in CUTS:
        say(f"coverage: epochs to {target:.1%}, training cut at {epochs}")
        rows += [_epochs_coverage(runs[name], target, epochs, seeds, labs) for seeds in (3, 5, 10)]
    return rows


def _coverage(what: str, ours: Quantity, theirs: Quantity, seeds: int, labs: int) -> Coverage:
    rng = np.random.default_rng(2)
    truth = float(ours.values.mean() - theirs.values.mean())
    plain: list[bool] = []
    moderated: list[bool] = []

    def differences() -> np.ndarray:
        own = rng.choice(len(ours.values), seeds)
        # In a lab both runs of a seed are made about the same time, by a machine as fast.
        other = own if ours.metric == "seconds" else rng.choice(len(theirs.values), seeds)
        return ours.values[own] - theirs.values[other]

    for _ in range(labs):
        comparisons = [ours.comparison(differences()) for _ in range(TOGETHER)]
        plain += [_covers(c, truth) for c in comparisons]
        moderated += [_covers(c, truth) for c in moderate(comparisons, [0] * TOGETHER)]
    return Coverage(what, seeds, len(plain), float(np.mean(plain)), float(np.mean(moderated)))


def _epochs_coverage(runs: Runs, target: float, cut: int, seeds: int, labs: int) -> Coverage:
    """Epochs to the target, of runs against the same an epoch later; the truth is uncensored."""
    rng = np.random.default_rng(2)
    needed = np.array([epochs_to(target, curve.tolist()) or len(curve) + 1 for curve in runs.curve])
    truth = float(np.log(needed).mean() - np.log(needed + 1).mean())
    covered: list[bool] = []
    censored = 0
    for _ in range(labs * TOGETHER):
        ours, theirs = rng.choice(needed, seeds), rng.choice(needed, seeds) + 1
        found = paired(list(zip(_sides(ours, cut), _sides(theirs, cut), strict=True)), "ratio")
        censored += found.censored
        covered.append(_covers(found, truth))
    share = censored / (labs * TOGETHER * seeds)
    what = f"epochs to {100 * target:g} %, of training cut at {cut} epochs"
    return Coverage(what, seeds, len(covered), float(np.mean(covered)), None, share)


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
