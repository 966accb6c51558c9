"""Made-up labs of real runs: what siffra's own judging makes of them.

A lab is drawn by resampling: each level gets as many runs as there are seeds, from the table, and
each claim compares a level with the first. All that comes after the runs is siffra's code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.method.runs import Runs
from siffra.config.metrics import METRICS, MetricName
from siffra.lab.plan.plan import Claim
from siffra.lab.stats.comparison import Comparison
from siffra.lab.stats.decisions import AlphaBudget, ClaimTest, Verdict, moderate
from siffra.lab.stats.interim import Schedule

IMAGE = 1e-4
"""One of the 10,000 test images, as accuracy."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something measured of every run of a configuration, on the scale on which effects add."""

    metric: MetricName
    on: str
    values: np.ndarray
    step: float = IMAGE

    @property
    def claim(self) -> Claim:
        """That a level is better in it than another, with siffra's usual margin."""
        shifted = self.on in ("moved", "rotated")
        margin = METRICS[self.metric].usual_margin(shifted=shifted)
        return Claim(
            id="",
            say={},
            metric=self.metric,
            on=self.on,
            target=None,
            level=(1,),
            against=(0,),
            direction="better",
            margin=margin,
            epochs=1,
            reported={},
        )

    def comparison(self, differences: np.ndarray) -> Comparison:
        """Paired differences as siffra compares them."""
        scale = "ratio" if self.metric == "seconds" else "difference"
        floor = self.step / np.sqrt(6)  # a rounding on either side
        return Comparison(tuple(differences.tolist()), scale, floor=float(floor))


def quantities(runs: Runs) -> dict[str, Quantity]:
    """What a lab's claims are about, by name."""
    found = {on: Quantity("accuracy", on, runs.accuracy[on]) for on in ("test", "moved", "rotated")}
    return found | {"seconds": Quantity("seconds", "test", np.log(runs.seconds), step=0.0)}


def draw(
    rng: np.random.Generator, measured: Sequence[Quantity], seeds: int, shift: float = 0.0
) -> np.ndarray:
    """Differences of one lab's claims, (claims, seeds): each quantity's level against a first one.

    Quantities of the same array share that first level, as claims of a question do. `shift` is
    added to all, in margins of the claim.
    """
    first: dict[int, np.ndarray] = {}
    rows = []
    for quantity in measured:
        base = first.setdefault(id(quantity.values), rng.choice(quantity.values, seeds))
        rows.append(rng.choice(quantity.values, seeds) - base + shift * quantity.claim.margin)
    return np.array(rows)


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim's verdict, and the seeds that it took."""

    verdict: Verdict
    seeds: int


def judge(
    measured: Sequence[Quantity],
    differences: np.ndarray,
    looks: Sequence[int],
    *,
    moderated: bool = True,
) -> list[Judged]:
    """The verdicts of one lab, as `siffra.lab.stats.rounds` comes to them, from differences."""
    claims = [quantity.claim for quantity in measured]
    kinds = [(claim.metric, claim.on) for claim in claims]
    budget = AlphaBudget(range(len(claims)), Schedule(tuple(looks)))
    found: dict[int, Judged] = {}
    heard: dict[int, Comparison] = {}
    for look, seeds in enumerate(looks):
        still = [i for i in range(len(claims)) if i not in found]
        heard |= {i: measured[i].comparison(differences[i, :seeds]) for i in still}
        comparisons = [heard[i] for i in range(len(claims))]
        if moderated:
            comparisons = moderate(comparisons, kinds)
        tests: Mapping[int, ClaimTest] = {i: ClaimTest(claims[i], comparisons[i]) for i in still}
        alphas = budget.share(look, tests)
        for i, test in tests.items():
            if alphas[i].decide(test):
                found[i] = Judged(test.judge(alphas[i]).verdict, seeds)
    return [found.get(i, Judged("inconclusive", looks[-1])) for i in range(len(claims))]
