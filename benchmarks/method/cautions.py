"""What the cautions of siffra's moderated t are for: Smyth's as it stands, on made-up spreads.

The runs are normal here, so that the plain t interval is exact and only the spreads are at fault.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from siffra.lab.stats.comparison import Comparison
from siffra.lab.stats.decisions import moderate
from siffra.lab.stats.shrinkage import Prior, fit

CLAIMS = 10
SPREADS: Mapping[str, Callable[[np.random.Generator], np.ndarray]] = {
    "all alike": lambda rng: np.ones(CLAIMS),
    "log-normal, by a factor of e": lambda rng: np.exp(rng.standard_normal(CLAIMS)),
    "one 30 times the others": lambda rng: np.array([30.0] + [1.0] * (CLAIMS - 1)),
    "two a thirtieth of the others": lambda rng: np.array([1 / 30] * 2 + [1.0] * (CLAIMS - 2)),
    "half of them 50 times the others": lambda rng: np.repeat([1.0, 50.0], CLAIMS // 2),
}
SEEDS = (3, 5, 10)
METHODS = ("plain t", "Smyth's moderated t", "siffra's")


@dataclass(frozen=True, slots=True)
class Caution:
    """The share of labs that found a difference where there was none."""

    spreads: str
    seeds: int
    method: str
    wrong: float


class _Uncautious(Prior):
    """Smyth 2004, section 4, as it stands."""

    def moderate(self, deviation: float, freedom: int) -> tuple[float, float]:
        """Drawn to the prior by its degrees of freedom, up or down."""
        counts = min(self.freedom, freedom * (self.comparisons - 1))  # limma's limit
        own, prior = deviation**2, self.deviation**2
        pooled = (counts * prior + freedom * own) / (counts + freedom)
        return math.sqrt(pooled), counts


def study_cautions(labs: int, say: Callable[[str], None]) -> list[Caution]:
    """Labs of ten claims that share a level, by spreads, seeds and method."""
    rows = []
    for name, spreads in SPREADS.items():
        for seeds in SEEDS:
            say(f"cautions: {name}, {seeds} seeds")
            rng = np.random.default_rng(6)
            wrong = dict.fromkeys(METHODS, 0)
            for _ in range(labs):
                noise = rng.standard_normal((CLAIMS, seeds)) * spreads(rng)[:, None]
                noise -= rng.standard_normal(seeds)
                plain = [Comparison(tuple(row), "difference") for row in noise.tolist()]
                for method, found in zip(
                    METHODS, (plain, _smyth(plain), _siffra(plain)), strict=True
                ):
                    smallest = min(comparison.p_outside() for comparison in found)
                    wrong[method] += smallest <= 0.05 / CLAIMS
            rows += [Caution(name, seeds, method, n / labs) for method, n in wrong.items()]
    return rows


def _siffra(plain: list[Comparison]) -> list[Comparison]:
    return moderate(plain, [0] * CLAIMS)


def _smyth(plain: list[Comparison]) -> list[Comparison]:
    prior = fit([c.deviation for c in plain], [c.seeds - 1 for c in plain])
    uncautious = _Uncautious(prior.freedom, prior.deviation, prior.comparisons)
    return [replace(comparison, prior=uncautious) for comparison in plain]
