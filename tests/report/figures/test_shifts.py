"""What is said of where shift curves cross, of curves whose crossings are known."""

from typing import Any

import numpy as np
import pytest

from siffra.report.figures.shifts import crossings
from siffra.report.text.messages import words_in
from siffra.training.examination import DEGREES, PIXELS, Examination

WORDS = words_in("en")
FLAT = [0.5] * len(PIXELS)


def level(any_way: Any = FLAT, turned: Any = 0.5, seeds: int = 5):
    """The same in every seed: accuracies by pixels moved in any direction, and by degrees."""
    angles = tuple(np.broadcast_to(turned, len(DEGREES)).tolist())
    moved = {"x": tuple(FLAT), "y": tuple(FLAT), "any": tuple(any_way)}
    found = Examination(
        moved=moved, turned=angles, map=((0.5,),), mistakes={}, confidence={}, features=None
    )
    return dict.fromkeys(range(seeds), found)


def told(a, b, language="en"):
    return " ".join(crossings([("A", a), ("B", b)], words_in(language)))


def test_two_that_cross_have_a_stretch_each():
    steep = [0.9, 0.8, 0.7, 0.5, 0.5, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2]

    assert (
        "When moved in any direction, the curves cross: A is ahead up to 2 pixels, B from 5 "
        in (told(level(steep), level()))
    )
    assert (
        "När bilderna är förflyttade i valfri riktning korsas kurvorna: A ligger före upp till "
        in (told(level(steep), level(), "sv"))
    )


def test_what_is_between_cannot_be_told():
    crossing = [0.9, 0.5, 0.5, *[0.2] * 8]
    meeting = [0.9, 0.9, *[0.2] * 9]

    assert told(level(crossing), level()).count("Elsewhere no difference is shown.") == 1
    assert "A is ahead at 0 pixels, B from 3 pixels on. Elsewhere" in told(level(crossing), level())
    assert "A is ahead up to 1 pixel, B from 2 pixels on." in told(level(meeting), level())


def test_ways_of_which_the_same_is_to_be_said_share_a_sentence():
    assert told(level(), level()) == "When moved and rotated, no difference is shown."
    ahead = [0.9] * len(PIXELS)
    assert told(level(), level(ahead)) == (
        "When moved horizontally, moved vertically and rotated, no difference is shown. "
        "When moved in any direction, B is ahead everywhere."
    )


def test_a_stretch_with_points_that_are_open_has_gaps():
    ahead = [0.5, 0.9, 0.5, 0.9, *[0.5] * 7]

    assert "A is ahead from 1 to 3 pixels (with gaps). Elsewhere" in told(level(ahead), level())


@pytest.mark.parametrize(
    ("least", "most", "said"),
    [
        (-45, 45, "A is ahead up to 45 degrees either way"),
        (-60, 45, "A is ahead from −60 to 45 degrees"),
        (90, 180, "A is ahead from 90 to 180 degrees"),
        (-180, 180, "A is ahead everywhere."),
    ],
)
def test_turns_are_in_degrees_to_both_sides(least, most, said):
    turned = [0.9 if least <= angle <= most else 0.5 for angle in DEGREES]

    assert said in told(level(turned=turned), level())


def test_of_more_than_two_the_best_are_compared():
    levels = [("A", level()), ("B", level([0.1] * 11)), ("C", level([0.9] * 11))]

    said = crossings(levels, WORDS)

    assert said[0].endswith("are compared: A and C.")
    assert "C is ahead everywhere" in said[-1]
    assert "B" not in " ".join(said)


def test_one_alone_is_compared_with_none():
    assert crossings([("A", level())], WORDS) == []
