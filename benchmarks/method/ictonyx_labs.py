"""Ictonyx on labs of runs, in an environment of its own: `ictonyx_labs.py IN.npz OUT.npz`.

`IN` has `values`, (labs, levels, seeds). `OUT` gets, of each lab, `shown` (labs, levels - 1), 1
where a level is said to be above the first and -1 where it is said to be below, and `runs`: Ictonyx
makes as many as it is told, and then compares every pair of levels by ranks, after Kruskal and
Wallis's test of all, with Holm's correction.

Nothing of siffra is imported: the environment has Ictonyx alone.
"""

import sys

import numpy as np
import pandas as pd
from ictonyx import analysis  # pyright: ignore[reportMissingImports]

ALPHA = 0.05


def one_lab(values: np.ndarray) -> list[int]:
    """What is shown of one lab."""
    levels = {str(i): pd.Series(runs) for i, runs in enumerate(values)}
    compared = analysis.compare_multiple_models(levels, alpha=ALPHA)
    means = values.mean(axis=1)
    return [
        int(np.sign(means[i] - means[0])) * (f"0_vs_{i}" in compared.significant_comparisons)
        for i in range(1, len(values))
    ]


def main(source: str, target: str) -> None:
    """Judge all labs of a file."""
    with np.load(source) as file:
        values = file["values"]
    shown = [one_lab(lab) for lab in values]
    np.savez(target, shown=shown, runs=[lab.size for lab in values])


if __name__ == "__main__":
    main(*sys.argv[1:])
