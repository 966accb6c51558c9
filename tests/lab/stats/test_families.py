import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import ONE_LOOK
from scipy import stats

from siffra.lab.stats.families import (
    INSIDE_ALPHA,
    OUTSIDE_ALPHA,
    benjamini_hochberg,
    decide,
    holm,
)
from siffra.lab.stats.interim import Schedule, looks_to

p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=12)
SCHEDULE = Schedule(looks_to(40))


@dataclass(frozen=True)
class Known:
    """A test by its two p-values."""

    p_outside: float = 1.0
    p_inside: float = 1.0


def decide_once(*tests):
    family = {i: [test] for i, test in enumerate(tests)}
    return list(decide(family, dict.fromkeys(family, ONE_LOOK)).values())


class TestHolm:
    def test_by_hand(self):
        # Sorted: 0.001 at 0.05/4, 0.012 at 0.05/3, 0.03 at 0.05/2 fails; 0.04 shares its alpha.
        alphas = holm([0.04, 0.001, 0.03, 0.012])
        assert alphas == pytest.approx([0.05 / 2, 0.05 / 4, 0.05 / 2, 0.05 / 3])

    def test_a_failure_stops_it(self):
        # 0.03 would pass at 0.05, its own step, but 0.026 has failed at 0.025 before.
        assert holm([0.03, 0.026]) == pytest.approx([0.025, 0.025])

    def test_one_hypothesis_has_it_all(self):
        assert holm([0.2]) == [0.05]
        assert holm([]) == []

    def test_what_is_not_a_number_is_no_rejection(self):
        assert holm([math.nan, 0.04]) == holm([1.0, 0.04])
        assert holm([0.04, math.nan, 0.001]) == holm([0.04, 1.0, 0.001])

    @given(p_lists)
    def test_one_hopeless_claim_more_raises_no_level(self, p_values):
        before, after = holm(p_values), holm([*p_values, 1.0])
        assert all(b <= a for a, b in zip(before, after, strict=False))


class TestBenjaminiHochberg:
    @given(p_lists)
    def test_rejects_as_scipy_does(self, p_values):
        alpha = benjamini_hochberg(p_values)
        adjusted = stats.false_discovery_control(p_values)
        # A p-value at its own bound is rounded to either side.
        clear = np.abs(adjusted - 0.05) > 1e-12
        assert ((np.array(p_values) <= alpha) == (adjusted <= 0.05))[clear].all()

    def test_what_is_not_a_number_is_no_rejection(self):
        assert benjamini_hochberg([math.nan, 0.03]) == 0.0
        assert benjamini_hochberg([math.nan, 0.02]) == pytest.approx(0.025)


class TestGrades:
    def test_a_difference_is_shown_by_its_share_of_four_percent(self):
        (found,) = decide_once(Known(p_outside=0.039))
        assert (found.kind, found.grade, found.outside) == ("outside", "shown", OUTSIDE_ALPHA)

    def test_a_sameness_by_its_share_of_one(self):
        (found,) = decide_once(Known(p_inside=0.009))
        assert (found.kind, found.grade) == ("inside", "shown")
        assert found.inside == pytest.approx(INSIDE_ALPHA)

    def test_what_is_rejected_by_false_discovery_alone_is_likely(self):
        strong, weak, open_ = decide_once(Known(1e-6), Known(0.03), Known(0.5))
        assert [strong.grade, weak.grade, open_.grade] == ["shown", "likely", None]
        # Two of three are rejected: at two thirds of 5 %.
        assert weak.outside == pytest.approx(0.05 * 2 / 3)
        assert open_.kind is None

    def test_samenesses_that_are_shown_leave_no_more_to_differences(self):
        same = [Known(p_inside=1e-9)] * 9
        *_, last = decide_once(*same, Known(p_outside=0.01))
        assert last.grade == "likely"
        assert last.overall[1] == pytest.approx(0.05)
        assert decide_once(*same, Known(p_outside=0.06))[-1].outside == pytest.approx(0.004)


class TestLooks:
    def test_a_decision_stays_whatever_comes_later(self):
        looks = [Known(1e-9), Known(0.5), Known(0.9)]
        found = decide({"claim": looks}, {"claim": SCHEDULE})["claim"]
        assert (found.look, found.kind, found.grade) == (0, "outside", "shown")

    def test_a_test_without_a_look_is_open_and_has_its_share(self):
        found = decide(
            {"early": [], "late": [Known(0.5)]}, dict.fromkeys(("early", "late"), SCHEDULE)
        )
        assert found["early"].grade is None
        assert found["late"].overall == pytest.approx((INSIDE_ALPHA / 2, OUTSIDE_ALPHA / 2))

    def test_what_one_test_shows_the_others_may_use_at_once(self):
        weak = [Known(SCHEDULE.alpha(0, 0.03))]
        schedules: dict[str, Schedule] = dict.fromkeys(("weak", "strong"), SCHEDULE)
        alone = decide({"weak": weak, "strong": [Known(0.9)]}, schedules)
        together = decide({"weak": weak, "strong": [Known(1e-9)]}, schedules)
        assert (alone["weak"].grade, together["weak"].grade) == (None, "shown")


@pytest.mark.parametrize("claims", [10, 60])
def test_where_nothing_differs_five_percent_of_labs_err_wherever_they_stop(claims):
    """Normal differences, sameness within reach: any verdict but `inside` is an error."""
    rng, labs, wrong, margin = np.random.default_rng(2), 300, 0, 1.5
    for _ in range(labs):
        draws = rng.standard_normal((claims, 40))
        looks = []
        for n in SCHEDULE.seeds:
            means = np.abs(draws[:, :n].mean(1))
            errors = draws[:, :n].std(1, ddof=1) / math.sqrt(n)
            outside, inside = stats.t.sf([means / errors, (margin - means) / errors], n - 1)
            looks.append([*map(Known, 2 * outside, inside)])
        stops = rng.integers(1, 8, claims)
        family = {
            claim: tests[: stops[claim]] for claim, tests in enumerate(zip(*looks, strict=True))
        }
        found = decide(family, dict.fromkeys(family, SCHEDULE)).values()
        wrong += any(d.grade == "shown" and d.kind == "outside" for d in found)
    assert wrong / labs <= 0.04 + 3 * math.sqrt(0.04 * 0.96 / labs)
