"""The figures of a question: which its data allows, and which it has by default."""

import math
from collections.abc import Sequence

from siffra.config import SteplessModel
from siffra.data.dataset import Dataset
from siffra.data.shifted import SHIFTED
from siffra.errors import LabFileError
from siffra.lab.plan.format import QuestionTable
from siffra.lab.plan.plan import Figure, Level

MOST_EXAMINED = 6
"""Settings of a question whose networks are looked into without being asked to.

It takes about a second a run, and more lines are hard to tell apart.
"""

OF_IMAGES: frozenset[Figure] = frozenset({"shifts", "map", "mistakes", "weights"})
"""The figures that show images, or what becomes of them."""


def default_figures(
    vary: Sequence[str], levels: Sequence[Level], dataset: Dataset, *, examines: bool
) -> tuple[Figure, ...]:
    """A heat map for two knobs that span a plane, else accuracy against epochs and the levels.

    If it `examines`, few levels on images also have their shift curves and surest mistakes.
    """
    are_named = any(level.name for level in levels)  # kinds, wherever their numbers lie
    are_plane = _are_numbers(vary, levels) or _are_grid(vary, levels)
    if len(vary) == 2 and are_plane and not are_named:
        return ("heatmap",)
    settings = [setting for level in levels for setting in level.settings]
    # An estimator of scikit-learn's may take minutes for as many predictions.
    slow = any(isinstance(setting.model, SteplessModel) for setting in settings)
    if not examines or slow or dataset.features or len(settings) > MOST_EXAMINED:
        return ("curves", "levels")
    return ("curves", "levels", "shifts", "mistakes")


def figures_of_metrics(
    vary: Sequence[str], levels: Sequence[Level], *, curves: bool = True
) -> tuple[Figure, ...]:
    """As `default_figures`, of trainings that siffra does not do itself, with their `curves`."""
    are_named = any(level.name for level in levels)
    is_grid = len(vary) == 2 and _are_grid(vary, levels) and not are_named
    of_levels: Figure = "heatmap" if is_grid else "levels"
    return ("curves", of_levels) if curves else (of_levels,)


def _are_numbers(vary: Sequence[str], levels: Sequence[Level]) -> bool:
    return all(isinstance(level.knobs.get(knob), int | float) for level in levels for knob in vary)


def _are_grid(vary: Sequence[str], levels: Sequence[Level]) -> bool:
    """Whether every value of one knob was tried with every value of the other."""
    if not all(knob in level.knobs for level in levels for knob in vary):
        return False
    # By how they are spelled, since a list of widths is no key.
    values = [{repr(level.knobs[knob]) for level in levels} for knob in vary]
    return math.prod(map(len, values)) == len(levels)


def check_demands(table: QuestionTable, where: str, dataset: Dataset) -> None:
    """Check that the data set has what a question's claims and figures are about.

    Raises:
        LabFileError: It has not; the text names the key in `where`.
    """
    for number, claim in enumerate(table.claims, start=1):
        if claim.on not in dataset.sets:
            sets = ", ".join(dataset.sets)
            shift = SHIFTED.get(claim.on)
            hint = f"; `{shift.key}` in `[shifts]` makes it" if shift else ""
            raise LabFileError(
                f"{where}.claims[{number}].on: found `{claim.on}`, but the data has {sets}{hint}."
            )
    for figure in table.figures or ():
        if dataset.features and figure in OF_IMAGES:
            raise LabFileError(
                f"{where}.figures: `{figure}` needs images, but the data has rows of "
                f"{len(dataset.features)} features."
            )
