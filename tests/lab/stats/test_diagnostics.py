"""What is said of a level's networks, against hand-computed cases and SciPy."""

import math
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from scipy import stats

from siffra.data.dataset import Dataset
from siffra.lab.stats.diagnostics import (
    Lead,
    apart,
    by_seed,
    half_at,
    leads,
    places,
    shift_curve,
    trust,
)
from siffra.training.examination import BINS, DEGREES, PIXELS, Confidence, Examination, Examined
from siffra.training.run import Record


def examination(any_way: Any = 0.9, turned: Any = 0.9, confidence: Any = None) -> Examination:
    """Equal everywhere but for what is given: a number, or one for each point."""
    flat = (0.9,) * len(PIXELS)
    points = tuple(np.broadcast_to(any_way, len(PIXELS)).tolist())
    angles = tuple(np.broadcast_to(turned, len(DEGREES)).tolist())
    return Examination(
        moved={"x": flat, "y": flat, "any": points},
        turned=angles,
        map=((0.9,),),
        mistakes={},
        confidence={"test": confidence} if confidence else {},
        features=None,
    )


def test_a_curve_has_the_t_interval_of_its_seeds():
    values = (0.5, 0.6, 0.64)
    curve = shift_curve({i: examination(v) for i, v in enumerate(values)}, "any")

    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert curve.mean == pytest.approx(np.full(len(PIXELS), np.mean(values)))
    assert curve.low[3] == pytest.approx(low)
    assert curve.high[3] == pytest.approx(high)


def test_half_is_where_a_straight_line_crosses_it():
    falling = [0.9 - 0.1 * size for size in PIXELS]  # 0.5 at 4 pixels
    steep = [0.9, 0.9, 0.7, 0.2, *[0.1] * 7]  # 0.5 at 2 + 0.2/0.5

    assert half_at({0: examination(falling)}, "any") == pytest.approx(4.0)
    assert half_at({0: examination(steep)}, "any") == pytest.approx(2.4)
    assert half_at({0: examination(0.9)}, "any") is None
    assert half_at({0: examination(0.3)}, "any") is None


def test_turns_to_both_sides_are_averaged():
    """Half at 30 degrees to one side, at 60 to the other: a straight fall has it at 45 together."""
    turned = [1 - abs(a) / (120 if a > 0 else 60) for a in DEGREES]

    expected = 40.0  # (1 - a/60 + 1 - a/120) / 2 = 1/2
    assert half_at({0: examination(turned=turned)}, "turned") == pytest.approx(expected)


def test_curves_are_apart_where_all_seeds_agree_and_not_where_they_do_not():
    better = {s: examination([0.9] * 6 + [0.5] * 5) for s in range(5)}
    worse = {s: examination([0.9] * 3 + [0.7] * 3 + [0.6] * 5) for s in range(5)}

    assert apart(better, worse, "any") == (0,) * 3 + (1,) * 3 + (-1,) * 5
    noisy = {s: examination(0.9 + 0.05 * (-1) ** s) for s in range(4)}
    assert apart(noisy, {s: examination(0.9) for s in range(4)}, "any") == (0,) * 11


def test_leads_are_the_stretches_on_which_one_is_above():
    high = [0.9] * 4 + [0.5] * 7
    low = [0.8, 0.8, 0.9, 0.8, 0.5, 0.6, 0.6, 0.5, 0.5, 0.6, 0.6]
    a, b = ({s: examination(values) for s in range(5)} for values in (high, low))

    assert apart(a, b, "any") == (1, 1, 0, 1, 0, -1, -1, 0, 0, -1, -1)
    assert leads(a, b, "any") == (Lead(1, 0, 3, gaps=True), Lead(-1, 5, 10, gaps=True))
    assert leads(b, a, "any") == (Lead(-1, 0, 3, gaps=True), Lead(1, 5, 10, gaps=True))
    assert leads(a, a, "turned") == ()


def test_a_single_seed_tells_nothing_apart():
    assert set(apart({0: examination(0.9)}, {0: examination(0.1)}, "any")) == {0}


def test_all_points_share_one_error():
    """A p-value of 0.02 at every point is not enough for eleven of them."""
    gaps = np.array([0.0, 1.0, 2.0, 3.0])
    shift = stats.t.isf(0.01, 3) * stats.sem(gaps) - gaps.mean()
    a = {s: examination((g + shift) / 10) for s, g in enumerate(gaps)}
    b = {s: examination(0.0) for s in range(4)}

    _, p_value = stats.ttest_1samp((gaps + shift) / 10, 0)
    assert p_value == pytest.approx(0.02)
    assert set(apart(a, b, "any")) == {0}


def test_trust_is_the_expected_calibration_error():
    """100 images at 0.95, 90 right; 50 at 0.55, 20 right: (|90 - 95| + |20 - 27.5|) / 150."""
    images, right, sure = [0] * BINS, [0] * BINS, [0.0] * BINS
    images[9], right[9], sure[9] = 100, 90, 95.0
    images[5], right[5], sure[5] = 50, 20, 27.5
    seen = Confidence(images=tuple(images), right=tuple(right), confidence=tuple(sure))

    found = trust({s: examination(confidence=seen) for s in (0, 1)}, "test")

    assert found.gap.mean == pytest.approx(12.5 / 150)
    assert found.confidence == pytest.approx([0.55, 0.95])
    assert found.accuracy == pytest.approx([0.4, 0.9])
    assert found.images == pytest.approx([1 / 3, 2 / 3])


def test_runs_without_an_examination_are_left_out():
    records = cast(
        list[Record], [SimpleNamespace(seed=s, key=str(s), diverged=False) for s in range(3)]
    )
    known = Examined(cast(Dataset, None), {"1": examination()})

    assert list(by_seed(records, known)) == [1]
    assert by_seed(records, None) == {}


def test_every_way_has_its_places():
    assert places("any") == PIXELS
    assert places("turned") == DEGREES
    assert math.isclose(sum(DEGREES), 0)
