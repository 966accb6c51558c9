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
CONTRADICTION = 0.05
"""The level at which "trains better" and "fails more often" leave a claim open."""

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
    the level is compared with a number: the differences are then from that. `by_shares` says that
    all claims are about the shares of runs that collapse, and nothing else.
    """

    differences: np.ndarray
    margin: np.ndarray
    floor: np.ndarray
    accuracy: np.ndarray
    number: np.ndarray
    down: np.ndarray | None = None
    down_against: np.ndarray | None = None
    by_shares: bool = False


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
    if labs.by_shares:
        fisher, every = fisher_p(seeds)[down, down_against], np.ones(down.shape, bool)
        return fisher, np.ones(down.shape), np.sign(down_against - down), every
    some_down = (down + down_against > 0) & ~number
    by_share = np.zeros(some_down.shape, bool)
    if some_down.any():
        fisher = fisher_p(seeds)[down, down_against]
        by_share = some_down & (fisher < out)
        by_shares = np.sign(down_against - down)
        contradict = some_down & (np.maximum(out, fisher) <= CONTRADICTION) & (sign != by_shares)
        sign = np.where(by_share, by_shares, sign)
        out = np.where(some_down, np.minimum(1.0, 2 * np.minimum(out, fisher)), out)
        out = np.where(contradict, 1.0, out)
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
    # Values of two kinds, far apart: t errs more often than it says, and not with a pair of 0 more.
    spread = np.where(trained, d, -np.inf).max(-1) - np.where(trained, d, np.inf).min(-1)
    more = labs.accuracy & (spread > WIDE)
    with np.errstate(divide="ignore", invalid="ignore"):
        squares_about_zero = squares + n * mean**2
        lower = mean * n / (n + 1)
        deviation = np.sqrt((squares_about_zero - (n + 1) * lower**2) / np.maximum(n, 1))
        careful = 2 * stdtr(np.maximum(n, 1), -np.abs(lower) / deviation * np.sqrt(n + 1))
        out = np.where(more, careful, 2 * stdtr(freedom, -np.abs(mean) / error))
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
    seen = np.zeros(found.out.shape[1:], int)
    for look in range(1, len(looks)):
        seen = np.where(_is_shown(found.at(seen)), seen, look)
    return decide(found, seen, looks)


def judge_cheapest_first(
    labs: Labs, seconds: np.ndarray, budget: np.ndarray, looks: tuple[int, ...] = LOOKS
) -> Judged:
    """The open claim whose next look costs least goes on to it, until a lab's budget is spent.

    `seconds` (labs, claims) is what a seed of the claim costs, `budget` (labs,) is for what comes
    after the first look.
    """
    found = sequential(labs, looks)
    more = np.append(np.diff(looks), np.inf)
    seen = np.zeros(seconds.shape, int)
    left = budget.astype(float)
    every = np.arange(len(left))
    while True:
        is_open = ~_is_shown(found.at(seen))
        costs = np.where(is_open, seconds * more[seen], np.inf)
        cheapest = costs.argmin(axis=1)
        cost = costs[every, cheapest]
        goes_on = cost <= left
        if not goes_on.any():
            return decide(found, seen, looks)
        left = np.where(goes_on, left - cost, left)
        seen[every[goes_on], cheapest[goes_on]] += 1


def judge_never_stopping(labs: Labs, looks: tuple[int, ...] = LOOKS) -> tuple[Judged, Judged]:
    """All claims take all looks, decided or not: the differences shown, and the samenesses.

    p-values only fall, and Holm's procedure rejects no less where they are lower: whatever the
    order and the stop, no lab shows a difference, or a sameness, that is not among these.
    """
    found = sequential(labs, looks)
    last = np.full(found.out.shape[1:], len(looks) - 1)
    now, seeds = found.at(last), np.array(looks)[last]
    same = np.where(now.within <= holm(now.within, SAMENESS), SAME, OPEN)
    direction = np.where(now.sign > 0, GREATER, SMALLER)
    differs = np.where(now.out <= holm(now.out, DIFFERENCES), direction, OPEN)
    return Judged(differs, differs, now.by_share, seeds), Judged(same, same, now.by_share, seeds)


def decide(found: Sequential, seen: np.ndarray, looks: tuple[int, ...]) -> Judged:
    """What is shown, and what is likely, of claims that have each `seen` so many looks.

    A claim was decided at the first look at which either hypothesis was rejected, at the level
    that it has in the end; sameness goes first.
    """
    now = found.at(seen)
    same, differs = holm(now.within, SAMENESS), holm(now.out, DIFFERENCES)
    likely = benjamini_hochberg(np.minimum(now.out, now.within))[:, None]
    shown, by_share, look = _first(found, seen, same, differs)
    besides, likely_by_share, likely_look = _first(found, seen, likely, likely)
    is_open = shown == OPEN
    return Judged(
        shown=shown,
        likely=np.where(is_open, besides, shown),
        by_share=np.where(is_open, likely_by_share, by_share),
        look=np.array(looks)[np.where(is_open, likely_look, look)],
    )


def _first(
    found: Sequential, seen: np.ndarray, same: np.ndarray, differs: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The verdict at the first look at which a hypothesis was rejected, its basis, and the look."""
    verdict = np.zeros(seen.shape, int)
    by_share = np.zeros(seen.shape, bool)
    look = seen.copy()
    for k in reversed(range(len(found.out))):
        made = k <= seen
        is_same = made & (found.within[k] <= same)
        is_other = made & (found.out[k] <= differs) & ~is_same
        verdict = np.where(is_same, SAME, verdict)
        verdict = np.where(is_other, np.where(found.sign[k] > 0, GREATER, SMALLER), verdict)
        by_share = np.where(is_same | is_other, is_other & found.by_share[k], by_share)
        look = np.where(is_same | is_other, k, look)
    return verdict, by_share, look


def _is_shown(now: Sequential) -> np.ndarray:
    same, differs = holm(now.within, SAMENESS), holm(now.out, DIFFERENCES)
    return (now.within <= same) | (now.out <= differs)


def holm(p: np.ndarray, level: float) -> np.ndarray:
    """The level at which each hypothesis of a row is tested (Holm 1979)."""
    m = p.shape[-1]
    order = np.argsort(p, axis=-1, kind="stable")
    steps = level / np.arange(m, 0, -1)
    ordered = np.take_along_axis(p, order, -1)
    passes = np.logical_and.accumulate(ordered <= steps, axis=-1)
    # The first that is not rejected has its own step, and all the rest share it.
    failed = np.minimum(passes.sum(-1), m - 1)
    levels = np.where(passes, steps, steps[failed][..., None])
    found = np.empty(p.shape)
    np.put_along_axis(found, order, levels, -1)
    return found


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """The level up to which each row's hypotheses are rejected (-1: none is)."""
    m = p.shape[-1]
    levels = LIKELY * np.arange(1, m + 1) / m
    passes = np.sort(p, axis=-1) <= levels
    return np.where(passes, levels, -1.0).max(-1)
