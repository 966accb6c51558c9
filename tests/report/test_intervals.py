"""Where a claim's interval lies in its small picture, worked out by hand."""

import math
from typing import Any

import pytest

from siffra.report.intervals import MOST_MARGINS, WIDTH, Bar, glance
from siffra.report.model.claims import Claim


def claim(**changes: Any) -> Claim:
    """A claim of 4 margins more accuracy, with an interval from 1 to 7 of them."""
    fields: dict[str, Any] = {
        "id": "a", "say": "", "verdict": "supported", "metric": "accuracy", "on": "test",
        "target": None, "level": (0,), "against": (1,), "direction": "better", "margin": 0.01,
        "epochs": 1, "estimate": 0.04, "interval": (0.01, 0.07), "n": 5, "confidence": 0.99,
        "scale": "difference",
    }  # fmt: skip
    return Claim(**fields | changes)


def at(margins: float) -> Any:
    size = math.log(1 + abs(margins)) / math.log(1 + MOST_MARGINS)
    return pytest.approx(WIDTH / 2 + math.copysign(WIDTH / 2 * size, margins), abs=0.01)


def test_an_interval_lies_where_its_ends_are_in_margins():
    line = glance(claim())

    assert line is not None
    assert line.bars[0] == Bar(at(1), at(4), at(7))
    assert (line.zero, line.margin_low, line.margin_high) == (at(0), at(-1), at(1))


@pytest.mark.parametrize(
    "changes",
    [
        {"direction": "worse", "estimate": -0.04, "interval": (-0.07, -0.01)},
        {"metric": "drop", "on": "moved", "estimate": -0.04, "interval": (-0.07, -0.01)},
        {"direction": "not better", "estimate": -0.04, "interval": (-0.07, -0.01)},
    ],
    ids=str,
)
def test_what_was_claimed_lies_to_the_right(changes: dict[str, Any]):
    line = glance(claim(**changes))

    assert line is not None
    assert line.bars[0] == Bar(at(1), at(4), at(7))


def test_ratios_are_laid_out_by_their_logarithms():
    seconds = {"metric": "seconds", "scale": "ratio", "margin": 0.05, "direction": "worse"}
    ends = {"estimate": 1.05**2, "interval": (1.05, 1.05**3)}
    line = glance(claim(**seconds, **ends))

    assert line is not None
    assert line.bars[0] == Bar(at(1), at(2), at(3))


def test_what_is_farther_than_the_picture_ends_at_its_edge():
    line = glance(claim(interval=(0.01, 99)))

    assert line is not None
    assert line.bars[0] == Bar(at(1), at(4), WIDTH)


@pytest.mark.parametrize(
    ("direction", "zone"),
    [
        ("better", (0, MOST_MARGINS)),
        ("worse", (0, MOST_MARGINS)),
        ("not worse", (-1, MOST_MARGINS)),
        ("not better", (-1, MOST_MARGINS)),
        ("same", (-1, 1)),
    ],
)
def test_the_zone_is_where_an_interval_bears_the_claim_out(direction, zone):
    line = glance(claim(direction=direction))

    assert line is not None
    assert line.claimed == tuple(map(at, zone))


def test_a_refuted_sameness_lies_outside_its_zone_on_either_side():
    less = {"estimate": -0.04, "interval": (-0.07, -0.02)}
    for ends in ({}, less):
        line = glance(claim(direction="same", verdict="refuted", **ends))
        assert line is not None
        assert line.bars[0] is not None
        assert line.claimed is not None
        assert not line.claimed[0] <= line.bars[0].value <= line.claimed[1]


def test_what_is_beyond_the_picture_is_pointed_at():
    ends = [(0.01, 0.07), (0.01, 99.0), (-99.0, 0.07)]
    lines = [glance(claim(interval=interval)) for interval in ends]

    assert [line and line.beyond for line in lines] == [
        (False, False), (False, True), (True, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "changes", [{"interval": None}, {"n": 1, "interval": (None, None)}, {"margin": 0}], ids=str
)
def test_without_an_interval_or_a_margin_there_is_no_picture(changes: dict[str, Any]):
    assert glance(claim(**changes)) is None


def test_where_the_share_of_collapsed_runs_decided_there_is_no_interval():
    assert glance(claim(basis="collapse")) is None
