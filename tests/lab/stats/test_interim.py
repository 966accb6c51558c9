import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import ONE_LOOK
from scipy import stats

from siffra.lab.stats.interim import Schedule, looks_to

SCHEDULE = Schedule(looks_to(40))
LABS = 200_000


@pytest.mark.parametrize(
    ("most", "looks"),
    [
        (5, (5,)),
        (7, (5, 7)),
        (12, (5, 7, 10, 12)),
        (30, (5, 7, 10, 14, 20, 30)),
        (40, (5, 7, 10, 14, 20, 28, 40)),
        (80, (5, 7, 10, 14, 20, 28, 40, 80)),
        (100, (5, 7, 10, 14, 20, 28, 40, 80, 100)),
    ],
)
def test_looks_are_fixed_beforehand_and_end_where_they_should(most, looks):
    assert looks_to(most) == looks


def drawn_scores(seeds):
    """Standard normal scores at each look of tests in which nothing differs."""
    steps = np.diff([0, *seeds])
    rng = np.random.default_rng(0)
    draws = rng.standard_normal((LABS, len(seeds))) * np.sqrt(steps)
    return draws.cumsum(axis=1) / np.sqrt(seeds)


class TestSpending:
    def test_is_a_power_of_the_share_of_seeds(self):
        assert [SCHEDULE.spent(look) for look in (0, 2, 6)] == pytest.approx(
            [(5 / 40) ** 1.5, (10 / 40) ** 1.5, 1.0]
        )

    @pytest.mark.parametrize("overall", [0.05, 0.05 / 10])
    def test_by_each_look_so_much_is_spent(self, overall):
        p_values = 2 * stats.norm.sf(np.abs(drawn_scores(SCHEDULE.seeds)))
        alphas = [SCHEDULE.alpha(look, overall) for look in range(7)]
        for look in range(7):
            rejected = (p_values[:, : look + 1] <= alphas[: look + 1]).any(axis=1).mean()
            spent = overall * SCHEDULE.spent(look)
            assert rejected == pytest.approx(spent, abs=4 * math.sqrt(spent / LABS))

    def test_a_smaller_alpha_has_smaller_alphas_at_every_look(self):
        # What sequential p-values rest on: what a small alpha rejects, a larger one does.
        for look in range(7):
            alphas = [SCHEDULE.alpha(look, 0.05 / m) for m in (1000, 60, 59, 10, 3, 2, 1)]
            assert all(np.diff(alphas) > 0)

    def test_one_look_has_it_all(self):
        assert (ONE_LOOK.alpha(0, 0.01), ONE_LOOK.spent(0)) == (0.01, 1.0)
        assert ONE_LOOK.sequential([0.3]) == [0.3]

    def test_nothing_is_rejected_at_an_alpha_of_nothing(self):
        assert SCHEDULE.alpha(2, 0.0) == 0.0


class TestSequentialPValues:
    @given(st.lists(st.floats(1e-9, 1), min_size=1, max_size=7), st.floats(1e-6, 0.2))
    def test_are_below_an_alpha_where_a_look_rejects_at_it(self, p_values, overall):
        by_looks = [p - SCHEDULE.alpha(look, overall) for look, p in enumerate(p_values)]
        # Four digits is what the interpolation is good for.
        if min(abs(gap) for gap in by_looks) < 1e-3 * overall:
            return
        rejects = min(by_looks) <= 0
        assert (SCHEDULE.sequential(p_values)[-1] <= overall) == rejects

    @given(st.lists(st.floats(0, 1), min_size=2, max_size=7))
    def test_only_fall(self, p_values):
        assert all(np.diff(SCHEDULE.sequential(p_values)) <= 0)

    def test_are_p_values_wherever_one_stops(self):
        scores = drawn_scores(SCHEDULE.seeds)[:20_000]
        rng = np.random.default_rng(1)
        stops = rng.integers(1, 8, len(scores))
        p_values = [
            SCHEDULE.sequential(list(2 * stats.norm.sf(np.abs(row[:stop]))))[-1]
            for row, stop in zip(scores, stops, strict=True)
        ]
        for level in (0.01, 0.05, 0.2):
            share = np.mean(np.array(p_values) <= level)
            assert share <= level + 3 * math.sqrt(level / len(scores))
