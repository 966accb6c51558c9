"""(iii) How often a true difference is found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.method.errors import lab
from benchmarks.method.labs import draw, judge
from benchmarks.method.runs import Runs

SHIFTS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""True differences, in points of accuracy on test."""
DESIGNS: Mapping[str, tuple[tuple[int, ...], bool]] = {
    "5 seeds, plain t": ((5,), False),
    "5 seeds, moderated t": ((5,), True),
    "10 seeds, plain t": ((10,), False),
    "10 seeds, moderated t": ((10,), True),
    "until decided, 5 to 20": ((5, 10, 20), True),
}


@dataclass(frozen=True, slots=True)
class Power:
    """The share of claims that are found, at a true difference in points, and their seeds."""

    design: str
    shift: float
    found: float
    seeds: float


def study_power(runs: Mapping[str, Runs], labs: int, say: Callable[[str], None]) -> list[Power]:
    """Labs of 20 claims about dense networks, of which those on test differ by so much."""
    measured = lab([runs["dense"]])
    about_test = [i for i, quantity in enumerate(measured) if quantity.on == "test"][:10]
    rows = []
    for design, (looks, moderated) in DESIGNS.items():
        say(f"power: {design}")
        for shift in SHIFTS:
            rng = np.random.default_rng(3)
            found: list[bool] = []
            seeds: list[int] = []
            for _ in range(labs):
                differences = draw(rng, measured, looks[-1])
                differences[about_test] += shift / 100
                judged = judge(measured, differences, looks, moderated=moderated)
                found += [judged[i].verdict == "supported" for i in about_test]
                seeds += [judged[i].seeds for i in about_test]
            rows.append(Power(design, shift, float(np.mean(found)), float(np.mean(seeds))))
    return rows
