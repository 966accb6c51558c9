"""AdaStop on made-up labs, in an environment of its own: `adastop_labs.py IN.npz OUT.npz`.

`IN` has `values`, (labs, levels, seeds): every level is compared with the first. `OUT` gets, of
each lab, `shown` (labs, levels - 1), 1 where a level is said to be above the first and -1 where it
is said to be below, and `runs`, how many were needed.

Nothing of siffra is imported: the environment has AdaStop alone.
"""

import sys

import numpy as np
from adastop import MultipleAgentsComparator  # pyright: ignore[reportMissingImports]

ALPHA, BLOCK, PERMUTATIONS = 0.05, 5, 1000
SIGNS = {"larger": -1, "smaller": 1, "equal": 0}


def one_lab(values: np.ndarray, seed: int) -> tuple[list[int], int]:
    """What is shown of one lab, and the runs it took."""
    levels, seeds = values.shape
    comparisons = np.array([(0, level) for level in range(1, levels)])
    stages = seeds // BLOCK
    comparator = MultipleAgentsComparator(
        BLOCK, stages, PERMUTATIONS, comparisons, alpha=ALPHA, seed=seed
    )
    runs = dict.fromkeys(range(levels), 0)
    for stage in range(stages):
        for level in np.unique(comparator.current_comparisons if stage else comparisons):
            runs[level] = (stage + 1) * BLOCK
        known = {str(i): values[i, : (stage + 1) * BLOCK] for i in range(levels)}
        comparator.partial_compare(known, verbose=False)
        if comparator.is_finished:
            break
    shown = [SIGNS[comparator.decisions[str(pair)]] for pair in comparisons]
    return shown, sum(runs.values())


def main(source: str, target: str) -> None:
    """Judge all labs of a file."""
    with np.load(source) as file:
        values = file["values"]
    found = [one_lab(lab, seed) for seed, lab in enumerate(values)]
    np.savez(target, shown=[shown for shown, _ in found], runs=[runs for _, runs in found])


if __name__ == "__main__":
    main(*sys.argv[1:])
