"""The figures of a question that asks for none."""

import math
from collections.abc import Sequence

from siffra.config import EstimatorModel
from siffra.data.dataset import Dataset
from siffra.lab.plan.plan import Figure, Level

MOST_EXAMINED = 6
"""Settings of a question whose networks are looked into without being asked to.

It takes about a second a run, and more lines are hard to tell apart.
"""


def default_figures(
    vary: Sequence[str], levels: Sequence[Level], dataset: Dataset, *, examines: bool
) -> tuple[Figure, ...]:
    """A heat map for two knobs that span a plane, else accuracy against epochs and the levels.

    If it `examines`, few levels on images also have their shift curves and surest mistakes.
    """
    if len(vary) == 2 and (_are_numbers(vary, levels) or _are_grid(vary, levels)):
        return ("heatmap",)
    settings = [setting for level in levels for setting in level.settings]
    # An estimator of scikit-learn's may take minutes for as many predictions.
    slow = any(isinstance(setting.model, EstimatorModel) for setting in settings)
    if not examines or slow or dataset.features or len(settings) > MOST_EXAMINED:
        return ("curves", "levels")
    return ("curves", "levels", "shifts", "mistakes")


def _are_numbers(vary: Sequence[str], levels: Sequence[Level]) -> bool:
    return all(isinstance(level.knobs.get(knob), int | float) for level in levels for knob in vary)


def _are_grid(vary: Sequence[str], levels: Sequence[Level]) -> bool:
    """Whether every value of one knob was tried with every value of the other."""
    if not all(knob in level.knobs for level in levels for knob in vary):
        return False
    # By how they are spelled, since a list of widths is no key.
    values = [{repr(level.knobs[knob]) for level in levels} for knob in vary]
    return math.prod(map(len, values)) == len(levels)
