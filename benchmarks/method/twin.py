"""The design in NumPy, all labs of a cell at once: written apart from siffra's own functions.

It takes what was drawn (`benchmarks.method.draws`) and gives what a lab shows, and when. The
study judges the same labs with siffra's functions and with these, and compares the verdicts.

Boundaries: P. Armitage, C. K. McPherson, B. C. Rowe, Repeated significance tests on accumulating
data, 1969, on a fixed grid (C. Jennison, B. W. Turnbull, Group Sequential Methods, 2000, ch. 19).
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
from scipy import stats
from scipy.optimize import brentq
from scipy.special import ndtr, stdtr

LOOKS = (5, 7, 10, 14, 20, 28, 40)
DIFFERENCES, SAMENESS, LIKELY = 0.04, 0.01, 0.05
"""The shares of labs that may show a false difference and a false sameness, and BH's level."""
FEWEST, FEWEST_IF_WIDE, WIDE = 5, 7, 0.2
"""No verdict from fewer pairs; or from fewer than seven, where any of them differs by so much."""

OPEN, GREATER, SMALLER, SAME = 0, 1, 2, 3
"""What is shown of a claim: nothing yet, its level has more, less, or no difference that matters.

Of a share of collapsed runs, the level that collapses less often has more.
"""

_LEVELS = np.geomspace(1e-14, 1.0, 113)


@lru_cache
def nominal(looks: tuple[int, ...]) -> np.ndarray:
    """The two-sided level of each look, (levels, looks), if `_LEVELS` are spent over all."""
    times = np.array(looks) / looks[-1]
    return np.array([_nominal(level * times**1.5, times) for level in _LEVELS])


def _nominal(spent: np.ndarray, times: np.ndarray) -> list[float]:
    """The levels at which a Brownian motion is stopped with probability `spent` by `times`."""
    places, mass = np.zeros(1), np.ones(1)
    levels = []
    for i, time in enumerate(times):
        step = math.sqrt(time - (times[i - 1] if i else 0.0))
        target = spent[i] - (spent[i - 1] if i else 0.0)

        def excess(z: float, *, places=places, mass=mass, step=step, time=time, target=target):
            bound = z * math.sqrt(time)
            out = ndtr((places - bound) / step) + ndtr((-places - bound) / step)
            return float(out @ mass) - target

        z = cast(float, brentq(excess, 0.0, 40.0, xtol=1e-13)) if excess(0.0) > 0 else 0.0
        levels.append(2 * float(ndtr(-z)))
        bound = z * math.sqrt(time)
        # Simpson's rule on an odd number of points.
        grid, width = np.linspace(-bound, bound, 601, retstep=True)
        weights = np.full(601, 2.0)
        weights[1::2], weights[0], weights[-1] = 4.0, 1.0, 1.0
        density = np.exp(-(((grid[:, None] - places) / step) ** 2) / 2) @ mass
        mass = density / (step * math.sqrt(2 * math.pi)) * weights * width / 3
        places = grid
    return levels


def overall(p: np.ndarray, look: int, looks: tuple[int, ...]) -> np.ndarray:
    """The level over all looks that gives a look the two-sided level `p`."""
    if len(looks) == 1:
        return p
    with np.errstate(divide="ignore"):
        at_look = np.log(np.maximum(nominal(looks)[:, look], 1e-300))
        found = np.exp(np.interp(np.log(p), at_look, np.log(_LEVELS)))
    # Below the table both fall in proportion, near enough.
    least = nominal(looks)[0, look]
    return np.where(p < least, p * _LEVELS[0] / least, found)


@dataclass(frozen=True, slots=True)
class Labs:
    """Made-up labs, to be judged: everything is (labs, claims, seeds) or (claims,).

    `differences` of pairs, on the scale on which effects add: level minus what it is compared
    with. `down` and `down_against` say which runs collapsed (None: none can). `floor` is the least
    standard deviation to be believed, `accuracy` whether the claim is about one; `number` whether
    the level is compared with a number: the differences are then from that.
    """

    differences: np.ndarray
    margin: np.ndarray
    floor: np.ndarray
    accuracy: np.ndarray
    number: np.ndarray
    down: np.ndarray | None = None
    down_against: np.ndarray | None = None


def stage_p_values(labs: Labs, seeds: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The p-values of a look: of "nothing differs" and of "differs by the margin".

    Then the sign of the difference that the first would show, and whether that is in the shares
    of runs that collapse.
    """
    d = labs.differences[..., :seeds]
    number = np.broadcast_to(labs.number, d.shape[:2])
    if labs.down is None or labs.down_against is None:
        trained = np.ones(d.shape, bool)
        down = down_against = np.zeros(d.shape[:2], int)
    else:
        trained = ~(labs.down[..., :seeds] | labs.down_against[..., :seeds])
        down = labs.down[..., :seeds].sum(-1)
        down_against = labs.down_against[..., :seeds].sum(-1)
    out, within, sign = _t_tests(d, trained, labs)
    if number.any():
        by_sign = _sign_tests(d, labs)
        out, within, sign = (
            np.where(number, a, b) for a, b in zip(by_sign, (out, within, sign), strict=True)
        )
    some_down = (down + down_against > 0) & ~number
    by_share = np.zeros(some_down.shape, bool)
    if some_down.any():
        fisher = fisher_p(seeds)[down, down_against]
        by_share = some_down & (fisher < out)
        sign = np.where(by_share, np.sign(down_against - down), sign)
        out = np.where(some_down, np.minimum(1.0, 2 * np.minimum(out, fisher)), out)
        within = np.where(some_down, 1.0, within)
    return out, within, sign, by_share


def _t_tests(
    d: np.ndarray, trained: np.ndarray, labs: Labs
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = trained.sum(-1)
    kept = np.where(trained, d, 0.0)
    mean = kept.sum(-1) / np.maximum(n, 1)
    squares = (np.where(trained, d - mean[..., None], 0.0) ** 2).sum(-1)
    deviation = np.sqrt(squares / np.maximum(n - 1, 1))
    error = np.maximum(deviation, labs.floor) / np.sqrt(np.maximum(n, 1))
    wide = labs.accuracy & (np.abs(kept).max(-1) > WIDE)
    enough = n >= np.where(wide, FEWEST_IF_WIDE, FEWEST)
    freedom = np.maximum(n - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        out = 2 * stdtr(freedom, -np.abs(mean) / error)
        within = stdtr(freedom, -(labs.margin - np.abs(mean)) / error)
    out = np.where(mean == 0, 1.0, out)
    return np.where(enough, out, 1.0), np.where(enough, within, 1.0), np.sign(mean)


def _sign_tests(d: np.ndarray, labs: Labs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Exact sign tests on the median; what is equal to a bound speaks for neither side."""
    margin = labs.margin[:, None]

    def above(bound: np.ndarray | float) -> np.ndarray:
        """One-sided p-value of "the median is at most `bound`"."""
        return stats.binom.sf((d > bound).sum(-1) - 1, d.shape[-1], 0.5)

    def below(bound: np.ndarray | float) -> np.ndarray:
        return stats.binom.sf((d < bound).sum(-1) - 1, d.shape[-1], 0.5)

    up, down = above(0.0), below(0.0)
    out = np.minimum(1.0, 2 * np.minimum(up, down))
    return out, np.maximum(above(-margin), below(margin)), np.where(up < down, 1.0, -1.0)


@lru_cache
def fisher_p(n: int) -> np.ndarray:
    """Fisher's exact two-sided p-value, for all k and l of `n` and `n`: (n + 1, n + 1)."""
    table = np.ones((n + 1, n + 1))
    for k in range(n + 1):
        for m in range(n + 1):
            total = k + m
            support = np.arange(max(0, total - n), min(n, total) + 1)
            mass = stats.hypergeom.pmf(support, 2 * n, total, n)
            own = mass[support == k][0]
            table[k, m] = min(1.0, mass[mass <= own * (1 + 1e-7)].sum())
    return table


@dataclass(frozen=True, slots=True)
class Sequential:
    """P-values over the looks, (looks, labs, claims), which only fall, and what they stand for."""

    out: np.ndarray
    within: np.ndarray
    sign: np.ndarray
    by_share: np.ndarray

    def at(self, look: np.ndarray) -> "Sequential":
        """Those of each claim's own look, (labs, claims)."""
        fields = (self.out, self.within, self.sign, self.by_share)
        return Sequential(*(np.take_along_axis(f, look[None], axis=0)[0] for f in fields))


@dataclass(frozen=True, slots=True)
class Judged:
    """What is made of the labs: (labs, claims) each.

    `shown` and `likely` hold the codes above, `likely` those of the shown ones as well; `look`
    the number of seeds at which a claim was decided, or the most that it took.
    """

    shown: np.ndarray
    likely: np.ndarray
    by_share: np.ndarray
    look: np.ndarray


def sequential(labs: Labs, looks: tuple[int, ...] = LOOKS) -> Sequential:
    """The p-values of all looks, as if no claim were ever decided."""
    stages = []
    for look, seeds in enumerate(looks):
        out, within, sign, by_share = stage_p_values(labs, seeds)
        out = overall(out, look, looks)
        within = overall(np.minimum(1.0, 2 * within), look, looks) / 2
        if stages:
            before = stages[-1]
            lower = out < before.out
            out = np.where(lower, out, before.out)
            within = np.minimum(within, before.within)
            sign = np.where(lower, sign, before.sign)
            by_share = np.where(lower, by_share, before.by_share)
        stages.append(Sequential(out, within, sign, by_share))
    return Sequential(
        out=np.array([stage.out for stage in stages]),
        within=np.array([stage.within for stage in stages]),
        sign=np.array([stage.sign for stage in stages]),
        by_share=np.array([stage.by_share for stage in stages]),
    )


def judge(labs: Labs, looks: tuple[int, ...] = LOOKS) -> Judged:
    """All claims go on to the next look, in step, until they are decided."""
    found = sequential(labs, looks)
    shown = np.zeros(found.out.shape[1:], int)
    seen = np.zeros(shown.shape, int)
    for look in range(len(looks)):
        seen = np.where(shown == OPEN, look, seen)
        shown = decide(found.at(seen), shown)
    now = found.at(seen)
    return Judged(shown, likely(now, shown), now.by_share, np.array(looks)[seen])


def decide(now: Sequential, shown: np.ndarray) -> np.ndarray:
    """What is shown by these p-values, and what was before."""
    same, differs = holm(now.within, SAMENESS), holm(now.out, DIFFERENCES)
    direction = np.where(now.sign > 0, GREATER, SMALLER)
    found = np.where(same, SAME, np.where(differs, direction, OPEN))
    return np.where(shown == OPEN, found, shown)


def likely(now: Sequential, shown: np.ndarray) -> np.ndarray:
    """Benjamini and Hochberg's procedure on the smaller of a claim's two p-values."""
    p = np.minimum(now.out, now.within)
    m = p.shape[-1]
    ordered = np.sort(p, axis=-1)
    passes = ordered <= LIKELY * np.arange(1, m + 1) / m
    last = np.where(passes.any(-1), m - 1 - np.argmax(passes[..., ::-1], axis=-1), -1)
    highest = np.take_along_axis(ordered, np.maximum(last, 0)[:, None], 1)[:, 0]
    bound = np.where(last >= 0, highest, -1.0)
    verdict = np.where(now.within < now.out, SAME, np.where(now.sign > 0, GREATER, SMALLER))
    return np.where(shown != OPEN, shown, np.where(p <= bound[:, None], verdict, OPEN))


def holm(p: np.ndarray, level: float) -> np.ndarray:
    """Which hypotheses of each row are rejected (Holm 1979)."""
    m = p.shape[-1]
    order = np.argsort(p, axis=-1, kind="stable")
    passes = np.take_along_axis(p, order, -1) <= level / np.arange(m, 0, -1)
    rejected = np.logical_and.accumulate(passes, axis=-1)
    found = np.zeros(p.shape, bool)
    np.put_along_axis(found, order, rejected, -1)
    return found
