import math

import numpy as np
import pytest
from scipy import stats

from siffra.lab.stats.interim import ONE_LOOK, Schedule, looks_to


class TestSpending:
    def test_is_lan_and_demets_resembling_obrien_and_fleming(self):
        # Their alpha-one-star, two-sided 5 %, at five equal looks.
        schedule = Schedule((1, 2, 3, 4, 5))
        spent = [0.05 * schedule.spent(look) for look in range(5)]
        time = np.arange(1, 6) / 5
        assert spent == pytest.approx(
            4 * stats.norm.sf(stats.norm.isf(0.05 / 4) / np.sqrt(time)), rel=1e-9
        )
        assert spent[-1] == pytest.approx(0.05)

    def test_the_levels_are_the_published_ones(self):
        # Critical values of five equal looks, as in Reboussin, DeMets, Kim and Lan 2000.
        schedule = Schedule((1, 2, 3, 4, 5))
        scores = [-stats.norm.ppf(schedule.alpha(look, 0.05) / 2) for look in range(5)]
        assert scores == pytest.approx([4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=2e-4)

    @pytest.mark.parametrize("error", [0.05, 0.05 / 10])
    def test_in_all_so_much_is_spent(self, error):
        rng = np.random.default_rng(0)
        schedule = Schedule((5, 10, 20))
        steps = rng.standard_normal((200_000, 3)) * np.sqrt([5, 5, 10])
        scores = steps.cumsum(axis=1) / np.sqrt([5, 10, 20])
        bounds = [-stats.norm.ppf(schedule.alpha(look, error) / 2) for look in range(3)]
        crossed = (np.abs(scores) > bounds).any(axis=1).mean()
        assert crossed == pytest.approx(error, abs=4 * math.sqrt(error / 200_000))

    def test_a_smaller_error_has_smaller_levels_at_every_look(self):
        # What the joint use with Holm's procedure rests on (Maurer and Bretz 2013).
        schedule = Schedule((5, 10, 20))
        for look in range(3):
            levels = [schedule.alpha(look, 0.05 / m) for m in (60, 59, 30, 10, 3, 2, 1)]
            assert all(np.diff(levels) > 0)

    def test_one_look_has_it_all(self):
        assert (ONE_LOOK.alpha(0, 0.01), ONE_LOOK.spent(0)) == (0.01, pytest.approx(1.0))


@pytest.mark.parametrize(
    ("most", "seeds"),
    [
        (10, (5, 7, 10)),
        (12, (5, 7, 12)),
        (40, (5, 7, 10, 14, 20, 28, 40)),
        (80, (5, 7, 10, 14, 20, 28, 40, 80)),
        (90, (5, 7, 10, 14, 20, 28, 40, 90)),
        (1000, (5, 7, 10, 14, 20, 28, 40, 80, 160, 320, 640, 1000)),
    ],
)
def test_looks_grow_by_the_square_root_of_two_to_40_and_double_beyond(most, seeds):
    assert looks_to(most) == seeds
