"""The cells of the study: made-up labs by name, and labs of real runs, resampled."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.method.draws import (
    MARGIN,
    SEEDS,
    SHIFTED_MARGIN,
    Cell,
    Drawn,
    Rng,
    Truth,
    alike,
    any_class,
    busy_times,
    collapse,
    constant,
    half_trained,
    images,
    kinds,
    margin_and_zero,
    mixed,
    normal,
    numbers,
    of_accuracy,
    of_shares,
    of_time,
    rare_collapse,
    rarely_half_trained,
    retuned,
    shared,
    spreads,
    student,
)
from benchmarks.method.runs import Runs

LIMITS: Mapping[str, Cell] = {
    f"{100 * share:g} % stop at 45 % on one side, {truth} (20)": rarely_half_trained(
        share, equal_means=truth == "equal means"
    )
    for truth in ("equal means", "else alike")
    for share in (0.05, 0.2)
}
"""Labs of which no method can be right, as long as what is rare has not been seen."""

MIXED: Mapping[str, Cell] = {
    "5 % differ, 90 % are alike": mixed(0.05, 0.9),
    "20 % differ, 40 % are alike": mixed(0.2, 0.4),
    "50 % differ, 25 % are alike": mixed(0.5, 0.25),
    "80 % differ, 10 % are alike": mixed(0.8, 0.1),
    "50 % differ, 25 % are alike, 20 % of runs collapse": mixed(0.5, 0.25, down=0.2),
}
"""Labs of sixty claims; those that neither differ nor are alike differ by exactly the margin."""

CELLS: Mapping[str, Cell] = {
    "normal (20)": alike(normal),
    "Student's t, 3 degrees of freedom (20)": alike(student(3)),
    "Student's t, 1.5 degrees of freedom (20)": alike(student(1.5)),
    "5 % collapse (20)": collapse(0.05, 20),
    "20 % collapse (20)": collapse(0.2, 20),
    "50 % collapse (20)": collapse(0.5, 20),
    "5 % collapse (60)": collapse(0.05, 60),
    "20 % collapse (60)": collapse(0.2, 60),
    "50 % collapse (60)": collapse(0.5, 60),
    "50 % collapse in half of the claims (60)": collapse(0.5, 60, of=0.5),
    "20 % collapse, claims about that share (20)": of_shares(collapse(0.2, 20)),
    "50 % collapse, claims about that share (20)": of_shares(collapse(0.5, 20)),
    "all collapse, into any class (20)": any_class,
    "no variance (20)": alike(constant),
    "ties: 100 images (20)": alike(images(100), make=lambda d: of_accuracy(d, 0.01)),
    "ties: 10,000 images (20)": alike(images(10_000)),
    "times, 5 % of runs slow (20)": alike(busy_times(0.05), make=of_time),
    "times, 10 % of runs slow (20)": alike(busy_times(0.1), make=of_time),
    "spreads differ by a factor of e (20)": spreads(np.e),
    "spreads differ by a factor of e² (20)": spreads(np.e**2),
    "four kinds (60)": kinds,
    "three claims against one level, 5 kinds (15)": shared(5, 1.0),
    "the same, 8 kinds, the level twice as noisy (24)": shared(8, 2.0),
    "half at the margin, half at zero (20)": margin_and_zero(20),
    "half at the margin, half at zero (60)": margin_and_zero(60),
    "5 % stop at 45 %, which is no collapse (60)": alike(half_trained(0.05), [1] * 60),
    "20 % stop at 45 % (60)": alike(half_trained(0.2), [1] * 60),
    "50 % stop at 45 % (60)": alike(half_trained(0.5), [1] * 60),
    "5 % collapse on one side, equal means (20)": rare_collapse(0.05, 20, equal_means=True),
    "20 % collapse on one side, equal means (20)": rare_collapse(0.2, 20, equal_means=True),
    "5 % collapse on one side, else alike (20)": rare_collapse(0.05, 20, equal_means=False),
    "20 % collapse on one side, else alike (20)": rare_collapse(0.2, 20, equal_means=False),
    "retuned among 4 equal candidates, test (20)": retuned("test"),
    "retuned, candidates 5 points apart on moved (20)": retuned("moved"),
    "retuned, one candidate takes twice as long, seconds (20)": retuned("seconds"),
    "against a number, skewed (60)": numbers,
}


def resampled(runs: Sequence[Runs], *, at_margin: bool = False) -> Cell:
    """Twenty claims whose runs are drawn from tables of real ones, by turns: 10 on test, 5 on each
    of the others. Every level of a set is against the first; `at_margin` all are ahead by that.
    """
    sets = ("test",) * 10 + ("moved",) * 5 + ("rotated",) * 5
    margin = np.where(np.array(sets) == "test", MARGIN, SHIFTED_MARGIN)

    def cell(rng: Rng, labs: int) -> Drawn:
        first: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {}
        shape = (labs, SEEDS)
        differences, down, against = [], [], []
        for i, on in enumerate(sets):
            one = runs[i % len(runs)]
            base, base_down = first.setdefault((one.name, on), _picked(rng, one, on, shape))
            ours, ours_down = _picked(rng, one, on, shape)
            differences.append(ours - base)
            down.append(ours_down)
            against.append(base_down)
        effect = margin if at_margin else np.zeros(20)
        made = replace(
            of_accuracy(np.stack(differences, axis=1) + effect[:, None]),
            margin=margin,
            down=np.stack(down, axis=1),
            down_against=np.stack(against, axis=1),
        )
        return Drawn(made, Truth(effect, np.zeros(20)))

    return cell


def _picked(rng: Rng, runs: Runs, on: str, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Some of the runs, with replacement: their accuracy, and which of them collapsed."""
    picked = rng.integers(len(runs.accuracy[on]), size=shape)
    return runs.accuracy[on][picked], runs.collapsed[picked]


def real(runs: Mapping[str, Runs]) -> dict[str, Cell]:
    """Cells of real runs: of each kind, and of all by turns."""
    kinds = ("dense", "conv", "four neurons", "batch of 6", "six layers")
    by_name = {name: [runs[name]] for name in kinds}
    by_name["all of them by turns"] = [runs[name] for name in kinds]
    return {
        f"{name}{tail} (20)": resampled(own, at_margin=at_margin)
        for at_margin, tail in ((False, ""), (True, ", all at the margin"))
        for name, own in by_name.items()
    }
