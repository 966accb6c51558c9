"""Which of several levels is the best, shown at one error for whichever the runs point to.

That level `i` is above every other is the intersection of "above `j`", each tested one-sided by
the runs of both that train, paired by seed. Which `i` is tested is seen from the results, so that
all levels share the error (Bonferroni): a level of `k` is tested at `error / k`. Its comparisons
with the others are stepped up after Y. Hochberg, A sharper Bonferroni procedure for multiple
tests of significance, 1988, which holds for them, since they share the runs of `i` and depend on
each other positively. If the largest of the p-values is at most `error / k`, `i` is the best.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from siffra.lab.stats.comparison import LARGE, Comparison
from siffra.lab.stats.decisions import FEWEST_IF_LARGE, FEWEST_SEEDS


@dataclass(frozen=True, slots=True)
class Ranking:
    """The levels by their mean, the highest first, and which of them the first is shown above.

    Levels are called by their place in the sequence that was ranked.
    """

    order: tuple[int, ...]
    below: frozenset[int]

    @property
    def first(self) -> int:
        """The level with the highest mean."""
        return self.order[0]

    @property
    def is_best(self) -> bool:
        """Whether the first is shown above every other."""
        return len(self.order) > 1 and len(self.below) == len(self.order) - 1

    @property
    def leaders(self) -> tuple[int, ...]:
        """The first, and those that it is not shown above."""
        return tuple(i for i in self.order if i not in self.below)


def rank(means: Sequence[float], p_above: Callable[[int, int], float], error: float) -> Ranking:
    """Rank levels by their `means`.

    Args:
        means: One a level; all are known.
        p_above: The one-sided p-value of "the first is not above the second", of two levels.
        error: The share of rankings that may show anything that is not so.
    """
    order = tuple(sorted(range(len(means)), key=lambda i: -means[i]))
    others = order[1:]
    shown = step_up([p_above(order[0], other) for other in others], error / max(1, len(means)))
    return Ranking(
        order, frozenset(j for j, is_shown in zip(others, shown, strict=True) if is_shown)
    )


def step_up(p_values: Sequence[float], error: float) -> list[bool]:
    """Which hypotheses are rejected, by Hochberg's procedure."""
    threshold = -math.inf
    for above, p in enumerate(sorted(p_values, reverse=True)):
        if p < error / (above + 1):
            threshold = p
            break
    return [p <= threshold for p in p_values]


def p_greater(comparison: Comparison) -> float:
    """The one-sided p-value of "the mean difference is not positive"; 1 if nothing can be said.

    What is not a ratio (of times) is a difference of accuracies: see `LARGE` for those.
    """
    differences = comparison.differences
    if len(differences) < FEWEST_SEEDS:
        return 1.0
    least = 0.0
    if comparison.scale == "difference" and max(map(abs, differences)) > LARGE:
        if len(differences) < FEWEST_IF_LARGE:
            if min(differences) <= LARGE:
                return 1.0
            # Of two levels that vary alike, so many pairs are all of a good run before a bad one.
            least = 0.25 ** len(differences)
        comparison = comparison.cautious
    return max(least, comparison.p_above(0.0))


def p_different(comparison: Comparison) -> float:
    """The two-sided p-value of "the mean difference is zero"."""
    return min(1.0, 2 * min(p_greater(comparison), p_greater(comparison.reversed())))
