"""The figures of a question that asks for none."""

import math
from collections.abc import Sequence

from siffra.lab.plan import Figure, Level


def default_figures(vary: Sequence[str], levels: Sequence[Level]) -> tuple[Figure, ...]:
    """A heat map for two knobs that span a plane, else accuracy against epochs and the levels."""
    spanned = len(vary) == 2 and (_are_numbers(vary, levels) or _are_grid(vary, levels))
    return ("heatmap",) if spanned else ("curves", "levels")


def _are_numbers(vary: Sequence[str], levels: Sequence[Level]) -> bool:
    return all(isinstance(level.knobs.get(knob), int | float) for level in levels for knob in vary)


def _are_grid(vary: Sequence[str], levels: Sequence[Level]) -> bool:
    """Whether every value of one knob was tried with every value of the other."""
    if not all(knob in level.knobs for level in levels for knob in vary):
        return False
    # By how they are spelled, since a list of widths is no key.
    values = [{repr(level.knobs[knob]) for level in levels} for knob in vary]
    return math.prod(map(len, values)) == len(levels)
