"""(i) How many labs find something where nothing differs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from benchmarks.method.labs import Quantity, draw, judge, quantities
from benchmarks.method.runs import Runs

LOOKS: Mapping[str, tuple[int, ...]] = {
    "3 seeds": (3,),
    "5 seeds": (5,),
    "10 seeds": (10,),
    "until decided, 5 to 20": (5, 10, 20),
}
CLAIMS: Mapping[str, int] = {"test": 10, "moved": 5, "seconds": 5}
"""Of each quantity, in a lab of 20."""

MIXED = "all of them mixed"


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """Of labs from the runs of one configuration: in how many any verdict was wrong.

    `missed` is the same for labs in which all differ by exactly the margin, and the mistake is
    "no difference".
    """

    runs: str
    looks: str
    moderated: bool
    labs: int
    wrong: int
    missed: int | None

    def share(self, count: int) -> tuple[float, float, float]:
        """`count` as a share of the labs, with Clopper and Pearson's 95 % interval."""
        found = binomtest(count, self.labs).proportion_ci(method="exact")
        return count / self.labs, float(found.low), float(found.high)


def study_errors(
    runs: Mapping[str, Runs], labs: int, say: Callable[[str], None]
) -> list[ErrorRate]:
    """Labs of 20 claims at 3, 5 and 10 seeds and until decided, for each configuration."""
    kinds = ("dense", "conv", "four neurons", "batch of 6", "six layers")
    rows = []
    for name in (*kinds, MIXED):
        measured = lab([runs[kind] for kind in (kinds if name == MIXED else [name])])
        for looks_name, looks in LOOKS.items():
            say(f"mistakes: {name}, {looks_name}")
            rows.append(_rate(name, looks_name, measured, looks, labs=labs, moderated=True))
            if len(looks) == 1:
                rows.append(_rate(name, looks_name, measured, looks, labs=labs, moderated=False))
    return rows


def lab(runs: Sequence[Runs]) -> list[Quantity]:
    """The claims of one lab, by turns about each of the `runs`."""
    found = [quantities(one) for one in runs]
    return [found[i % len(found)][name] for name, count in CLAIMS.items() for i in range(count)]


def _rate(
    name: str,
    looks_name: str,
    measured: Sequence[Quantity],
    looks: Sequence[int],
    *,
    labs: int,
    moderated: bool,
) -> ErrorRate:
    wrong = missed = 0
    rng = np.random.default_rng(1)
    margins = np.array([[_margin(quantity)] for quantity in measured])
    for _ in range(labs):
        differences = draw(rng, measured, looks[-1])
        found = judge(measured, differences, looks, moderated=moderated)
        wrong += any(claim.verdict in ("supported", "refuted") for claim in found)
        if moderated:
            found = judge(measured, differences + margins, looks)
            missed += any(claim.verdict == "no difference" for claim in found)
    return ErrorRate(name, looks_name, moderated, labs, wrong, missed if moderated else None)


def _margin(quantity: Quantity) -> float:
    margin = quantity.claim.margin
    return float(np.log1p(margin)) if quantity.metric == "seconds" else margin
