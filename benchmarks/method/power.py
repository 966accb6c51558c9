"""How many true differences are found, and with how many seeds."""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.method.draws import SEEDS, SPREAD, Drawn, Rng, Truth, of_accuracy
from benchmarks.method.twin import LOOKS, OPEN, Judged, Labs

EFFECTS = Path(__file__).with_name("effects.csv")
"""Mean and standard deviation of the pairs' differences, five seeds, of a student's claims."""
SIZES = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""True differences, in standard deviations of the difference of a pair."""
DESIGNS: Mapping[str, tuple[int, ...]] = {
    "5 seeds": (5,),
    "10 seeds": (10,),
    "20 seeds": (20,),
    "40 seeds": (40,),
    "looks at 5 to 40": LOOKS,
}

Judge = Callable[[Labs, tuple[int, ...]], Judged]


@dataclass(frozen=True, slots=True)
class Power:
    """Claims with a true difference of `size`: shares found, and the seeds that they took."""

    design: str
    size: float
    shown: float
    likely: float
    seeds: float


@dataclass(frozen=True, slots=True)
class Decided:
    """Of the `claims` of a lab like a student's, how many are decided: means over the labs.

    With `seeds` seeds of everything (one look), and by that look of a lab with looks, whose claims
    have taken `taken` seeds on average by then. `wrong` is the share of wrong verdicts, likely
    ones included, among all.
    """

    seeds: int
    claims: int
    shown: float
    likely: float
    wrong: float
    by_looks: float
    taken: float


def study_power(judge: Judge, labs: int, say: Callable[[str], None]) -> list[Power]:
    """Labs of twenty claims, half of which differ by so much; the rest do not."""
    rows = []
    for design, looks in DESIGNS.items():
        say(f"power: {design}")
        for size in SIZES:
            rng = np.random.default_rng(3)
            effect = np.where(np.arange(20) < 10, size * SPREAD, 0.0)
            noise = SPREAD * rng.standard_normal((labs, 20, SEEDS))
            judged = judge(of_accuracy(effect[:, None] + noise), looks)
            shown, found = judged.shown[:, :10] != OPEN, judged.likely[:, :10] != OPEN
            seeds = float(judged.look[:, :10].mean())
            rows.append(Power(design, size, float(shown.mean()), float(found.mean()), seeds))
    return rows


def study_decided(judge: Judge, labs: int, say: Callable[[str], None]) -> list[Decided]:
    """Labs like a student's: with so many seeds of everything, or by looks."""
    drawn = students(np.random.default_rng(4), labs)
    say("decided: looks")
    by_looks = judge(drawn.labs, LOOKS)
    rows = []
    for seeds in LOOKS:
        say(f"decided: {seeds} seeds")
        judged = judge(drawn.labs, (seeds,))
        verdicts = judged.likely != OPEN
        rows.append(
            Decided(
                seeds=seeds,
                claims=verdicts.shape[1],
                shown=_count(judged.shown != OPEN),
                likely=_count(verdicts),
                wrong=float(drawn.wrong(judged.likely, judged).sum() / verdicts.sum()),
                by_looks=_count((by_looks.shown != OPEN) & (by_looks.look <= seeds)),
                taken=float(np.minimum(by_looks.look, seeds).mean()),
            )
        )
    return rows


def _count(decided: np.ndarray) -> float:
    return float(decided.sum(axis=1).mean())


def students(rng: Rng, labs: int) -> Drawn:
    """Labs with the claims of a student's study, whose truth is drawn as five seeds leave it.

    The variance is the one seen times 4 / chi squared with 4 degrees of freedom, the effect is
    normal about the mean seen: the posterior of a normal sample.
    """
    with EFFECTS.open(encoding="utf-8", newline="") as file:
        seen = list(csv.DictReader(file))
    mean, deviation, margin = (
        np.array([float(row[name]) for row in seen]) for name in ("mean", "deviation", "margin")
    )
    shape = (labs, len(seen))
    spread = deviation * np.sqrt(4 / rng.chisquare(4, shape))
    effect = mean + spread / np.sqrt(5) * rng.standard_normal(shape)
    runs = effect[..., None] + spread[..., None] * rng.standard_normal((*shape, SEEDS))
    return Drawn(replace(of_accuracy(runs), margin=margin), Truth(effect, np.zeros(shape)))
