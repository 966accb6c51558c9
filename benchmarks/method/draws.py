"""What draws made-up labs: generators of their own, of which siffra's code knows nothing.

A cell is a kind of lab whose truth is known. Its runs are drawn independently, or from levels that
several claims share; `Truth` says what may be shown of each claim.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.method.twin import GREATER, LOOKS, OPEN, SAME, Judged, Labs

SEEDS = LOOKS[-1]
TRAINED, DOWN = 0.97, 0.1135
"""Accuracy of a run that trains, and of one that gives every image the most frequent class."""
HALF_TRAINED = 0.45
SPREAD = 0.003
"""Of accuracy over seeds, of a usual level."""
MARGIN, SHIFTED_MARGIN, TIME_MARGIN = 0.002, 0.01, float(np.log(1.05))

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of each claim, (claims,) or (labs, claims).

    `effect` is the difference in the mean of the runs that train (of the median, against a
    number), `share` that in the share of runs that train; 0 where nothing differs.
    """

    effect: np.ndarray
    share: np.ndarray


@dataclass(frozen=True, slots=True)
class Drawn:
    """Labs with what is true of them."""

    labs: Labs
    truth: Truth

    def wrong(self, verdicts: np.ndarray, judged: Judged) -> np.ndarray:
        """Which of the `verdicts` are wrong, (labs, claims): a verdict speaks of what it rests on.

        A difference is wrong where nothing differs, or where the other level is ahead; sameness
        where the runs that train differ by the margin or more.
        """
        ahead = np.where(judged.by_share, np.sign(self.truth.share), np.sign(self.truth.effect))
        said = np.where(verdicts == GREATER, 1, -1)
        is_far = np.abs(self.truth.effect) > self.labs.margin * (1 - 1e-9)
        return np.where(verdicts == SAME, is_far, (verdicts != OPEN) & (said != ahead))


Cell = Callable[[Rng, int], Drawn]


def pairs(rng: Rng, labs: int, groups: Sequence[int], level: Callable[..., np.ndarray]) -> tuple:
    """Both sides, (labs, claims, seeds): the claims of a group share the level they are against."""
    ours = level(rng, (labs, sum(groups), SEEDS))
    first = level(rng, (labs, len(groups), SEEDS))
    return ours, np.repeat(first, groups, axis=1)


APART_AND_SHARED = (*[1] * 10, 5, 5)
"""Twenty claims: ten pairs of their own, two levels that five others are compared with."""


def of_accuracy(differences: np.ndarray, step: float = 1e-4) -> Labs:
    """Labs of claims about accuracy, measured in steps of one image."""
    m = differences.shape[1]
    return Labs(
        differences=differences,
        margin=np.full(m, MARGIN),
        floor=np.full(m, step / np.sqrt(6)),
        accuracy=np.ones(m, bool),
        number=np.zeros(m, bool),
    )


def of_time(differences: np.ndarray) -> Labs:
    """Labs of claims about times: logarithms of ratios."""
    m = differences.shape[1]
    return replace(
        of_accuracy(differences, 0.0), margin=np.full(m, TIME_MARGIN), accuracy=np.zeros(m, bool)
    )


def nothing_differs(labs: Labs) -> Drawn:
    """With the truth of labs in which nothing does."""
    zero = np.zeros(labs.differences.shape[1])
    return Drawn(labs, Truth(zero, zero))


def alike(
    level: Callable[..., np.ndarray],
    groups: Sequence[int] = APART_AND_SHARED,
    make: Callable[[np.ndarray], Labs] = of_accuracy,
) -> Cell:
    """All levels are drawn alike, without collapse."""

    def cell(rng: Rng, labs: int) -> Drawn:
        ours, theirs = pairs(rng, labs, groups, level)
        return nothing_differs(make(ours - theirs))

    return cell


def normal(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    """Accuracies with normal errors."""
    return TRAINED + SPREAD * rng.standard_normal(shape)


def student(freedom: float) -> Callable[..., np.ndarray]:
    """Accuracies with heavy tails."""
    return lambda rng, shape: TRAINED + SPREAD * rng.standard_t(freedom, shape)


def images(count: int) -> Callable[..., np.ndarray]:
    """Accuracies that are shares of so many images, with ties."""
    return lambda rng, shape: np.round(normal(rng, shape) * count) / count


def constant(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    """All runs alike."""
    return np.full(shape, TRAINED)


def busy_times(share: float) -> Callable[..., np.ndarray]:
    """Logarithms of times, of which a share is half as long again or more."""

    def level(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
        slow = rng.random(shape) < share
        return 0.03 * rng.standard_normal(shape) + slow * (0.4 + rng.exponential(0.4, shape))

    return level


def half_trained(share: float) -> Callable[..., np.ndarray]:
    """A share of the runs stops halfway, and counts as trained."""
    return lambda rng, shape: (
        normal(rng, shape) - (rng.random(shape) < share) * (TRAINED - HALF_TRAINED)
    )


def spreads(factor: float) -> Cell:
    """Claims whose spreads differ, log-normally, by so much in one standard deviation."""

    def cell(rng: Rng, labs: int) -> Drawn:
        m = sum(APART_AND_SHARED)
        spread = SPREAD * factor ** rng.standard_normal((labs, m, 1))
        ours = spread * rng.standard_normal((labs, m, SEEDS))
        first = normal(rng, (labs, len(APART_AND_SHARED), SEEDS)) - TRAINED
        return nothing_differs(of_accuracy(ours - np.repeat(first, APART_AND_SHARED, axis=1)))

    return cell


def kinds(rng: Rng, labs: int) -> Drawn:
    """Sixty claims, fifteen of each of four kinds: test, rotated, moved, seconds."""
    groups = (5, 5, *[1] * 5) * 4
    ours, theirs = pairs(rng, labs, groups, normal)
    d = (ours - theirs) * np.repeat([1.0, 3.0, 10.0, 0.05 / SPREAD], 15)[:, None]
    margin = np.repeat([MARGIN, SHIFTED_MARGIN, SHIFTED_MARGIN, TIME_MARGIN], 15)
    accuracy = np.repeat([True, True, True, False], 15)
    return nothing_differs(replace(of_accuracy(d), margin=margin, accuracy=accuracy))


def shared(kinds: int, noise: float) -> Cell:
    """Three claims against one level, in each of so many kinds; the level is noisier by `noise`."""

    def cell(rng: Rng, labs: int) -> Drawn:
        groups = [3] * kinds
        ours = normal(rng, (labs, 3 * kinds, SEEDS))
        first = TRAINED + noise * SPREAD * rng.standard_normal((labs, kinds, SEEDS))
        return nothing_differs(of_accuracy(ours - np.repeat(first, groups, axis=1)))

    return cell


def collapsing(
    shares: np.ndarray,
    shares_against: np.ndarray,
    groups: Sequence[int],
    lead: np.ndarray | float = 0.0,
) -> Cell:
    """Claims of which so large a share of the runs collapses, on either side.

    Those that train lead by `lead`. `shares_against` has one for each group.
    """

    def cell(rng: Rng, labs: int) -> Drawn:
        m = sum(groups)
        ours, theirs = pairs(rng, labs, groups, normal)
        down = rng.random((labs, m, SEEDS)) < shares[:, None]
        first = rng.random((labs, len(groups), SEEDS)) < shares_against[:, None]
        against = np.repeat(first, groups, axis=1)
        led = ours + np.broadcast_to(lead, (m,))[:, None]
        d = np.where(down, DOWN, led) - np.where(against, DOWN, theirs)
        made = replace(of_accuracy(d), down=down, down_against=against)
        effect = np.broadcast_to(lead, (m,)).astype(float)
        return Drawn(made, Truth(effect, np.repeat(shares_against, groups) - shares))

    return cell


def collapse(share: float, claims: int, of: float = 1.0) -> Cell:
    """The same share of runs collapses everywhere, or in the first `of` the claims.

    Half of the claims are pairs of their own; the rest are five to a level.
    """
    groups = [*[1] * (claims // 2), *[5] * (claims // 10)]
    by_group = np.where(np.arange(len(groups)) % 2 < 2 * of, share, 0.0)
    return collapsing(np.repeat(by_group, groups), by_group, groups)


def of_shares(cell: Cell) -> Cell:
    """The same labs, with claims about the shares of runs that collapse."""

    def about_shares(rng: Rng, labs: int) -> Drawn:
        drawn = cell(rng, labs)
        return Drawn(replace(drawn.labs, by_shares=True), drawn.truth)

    return about_shares


def rare_collapse(share: float, claims: int, *, equal_means: bool) -> Cell:
    """A share of runs collapses on one side alone; those that train are as good, or better."""
    lead = share * (TRAINED - DOWN) / (1 - share) if equal_means else 0.0
    return collapsing(np.full(claims, share), np.zeros(claims), [1] * claims, lead)


def any_class(rng: Rng, labs: int) -> Drawn:
    """All runs collapse, into one class or another."""
    by_class = np.array([0.098, 0.1135, 0.1032, 0.101, 0.0982, 0.0892, 0.0958, 0.1028, 0.0974])
    ours, theirs = pairs(rng, labs, APART_AND_SHARED, lambda rng, s: rng.choice(by_class, s))
    all_down = np.ones(ours.shape, bool)
    return nothing_differs(
        replace(of_accuracy(ours - theirs), down=all_down, down_against=all_down)
    )


def rarely_half_trained(share: float, *, equal_means: bool) -> Cell:
    """A share of the runs of one side stops halfway, unseen; else alike, or with equal means."""

    def cell(rng: Rng, labs: int) -> Drawn:
        gap = share * (TRAINED - HALF_TRAINED)
        ours = half_trained(share)(rng, (labs, 20, SEEDS)) + (gap if equal_means else 0.0)
        theirs = normal(rng, (labs, 20, SEEDS))
        effect = np.full(20, 0.0 if equal_means else -gap)
        return Drawn(of_accuracy(ours - theirs), Truth(effect, np.zeros(20)))

    return cell


def margin_and_zero(claims: int) -> Cell:
    """Half of the claims lie exactly at the margin, half at zero."""

    def cell(rng: Rng, labs: int) -> Drawn:
        effect = np.where(np.arange(claims) % 2, MARGIN, 0.0)
        ours, theirs = pairs(rng, labs, [1] * claims, normal)
        d = (ours - theirs) / 4 + effect[:, None]  # close enough for sameness to be shown
        return Drawn(of_accuracy(d), Truth(effect, np.zeros(claims)))

    return cell


def numbers(rng: Rng, labs: int) -> Drawn:
    """Sixty levels against a number: skewed, half with that median, half a margin above it."""
    effect = np.where(np.arange(60) % 2, MARGIN, 0.0)
    d = 0.01 * np.log(2) - rng.exponential(0.01, (labs, 60, SEEDS)) + effect[:, None]
    made = replace(of_accuracy(d), number=np.ones(60, bool))
    return Drawn(made, Truth(effect, np.zeros(60)))


def mixed(differing: float, same: float, *, down: float = 0.0) -> Cell:
    """Sixty claims: a share differs, a share is exactly alike, the rest is at the margin.

    Effects are log-normal about twice the margin, spreads as a student's levels have them.
    """

    def cell(rng: Rng, labs: int) -> Drawn:
        m = 60
        kind = rng.random((labs, m))
        size = 2 * MARGIN * np.exp(rng.standard_normal((labs, m)))
        size *= rng.choice([-1.0, 1.0], (labs, m))
        effect = np.where(kind < differing, size, np.where(kind < differing + same, 0.0, MARGIN))
        spread = SPREAD * np.exp(0.7 * rng.standard_normal((labs, m, 1)))
        ours, theirs = pairs(
            rng, labs, [*[1] * 30, *[5] * 6], lambda rng, s: rng.standard_normal(s)
        )
        d = spread * (ours - theirs) / np.sqrt(2) + effect[..., None]
        made = of_accuracy(d)
        if down:
            fails = [rng.random((labs, m, SEEDS)) < down for _ in range(2)]
            made = replace(made, down=fails[0], down_against=fails[1])
        return Drawn(made, Truth(effect, np.zeros((labs, m))))

    return cell


def retuned(quantity: str) -> Cell:
    """Twenty questions of two levels that are the same candidates, one of which each level takes.

    It is chosen by validation on five seeds that are not judged. The verdict is about the values
    chosen: where these differ in what is claimed, there is a difference.
    """
    candidates = {
        "test": np.zeros(4),
        "moved": np.array([0.0, 0.05]),
        "seconds": np.log([1.0, 2.0]),
    }[quantity]
    spread = 0.05 if quantity == "seconds" else SPREAD
    make = of_time if quantity == "seconds" else of_accuracy

    def side(rng: Rng, labs: int) -> tuple[np.ndarray, np.ndarray]:
        tuning = rng.standard_normal((labs, 20, len(candidates), 5))
        chosen = candidates[tuning.mean(axis=-1).argmax(axis=-1)]
        return chosen, chosen[..., None] + spread * rng.standard_normal((labs, 20, SEEDS))

    def cell(rng: Rng, labs: int) -> Drawn:
        (chosen, ours), (chosen_against, theirs) = side(rng, labs), side(rng, labs)
        effect = chosen - chosen_against
        return Drawn(make(ours - theirs), Truth(effect, np.zeros(effect.shape)))

    return cell
