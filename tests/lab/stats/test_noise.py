"""How much seeds change a metric, and how many a difference takes: beside SciPy and simulations."""

import math

import numpy as np
import pytest
from scipy import stats

from siffra.lab.stats.noise import (
    POWER,
    difference_deviation,
    noise_of,
    power,
    seeds_needed,
    smallest_effect,
)

VALUES = (0.81, 0.84, 0.79, 0.85, 0.80, 0.83)


class TestSpread:
    def test_mean_and_deviation_are_scipys(self):
        noise = noise_of(VALUES)
        array = np.array(VALUES)

        assert noise.mean == pytest.approx(array.mean())
        assert noise.deviation == pytest.approx(array.std(ddof=1))
        t = stats.ttest_1samp(array, 0).confidence_interval(0.95)
        assert noise.mean_interval == pytest.approx((t.low, t.high))

    def test_the_interval_of_the_deviation_is_that_of_chi_square(self):
        noise = noise_of(VALUES)
        low, high = stats.chi2(5).ppf([0.025, 0.975])
        squares = 5 * noise.deviation**2

        ends = math.sqrt(squares / high), math.sqrt(squares / low)
        assert noise.deviation_interval == pytest.approx(ends)

    def test_it_holds_in_95_of_100_cases(self):
        rng = np.random.default_rng(5)
        intervals = [noise_of(tuple(rng.normal(3, 2, 6))).deviation_interval for _ in range(2000)]

        held = np.mean([low <= 2 <= high for low, high in intervals])
        assert held == pytest.approx(0.95, abs=0.015)

    def test_equal_values_vary_by_less_than_their_decimals_show(self):
        noise = noise_of((0.5, 0.5, 0.5), step=0.1)
        assert noise.deviation == pytest.approx(0.1 / math.sqrt(12))


class TestSeeds:
    @pytest.mark.parametrize("seeds", [5, 9, 30])
    @pytest.mark.parametrize("effect", [0.2, 0.7, 1.5])
    def test_the_power_is_that_of_the_noncentral_t(self, seeds, effect):
        test = stats.nct(seeds - 1, effect * math.sqrt(seeds))
        critical = stats.t(seeds - 1).isf(0.02)

        assert power(seeds, effect) == pytest.approx(test.sf(critical) + test.cdf(-critical))

    def test_so_often_a_difference_is_shown(self):
        rng = np.random.default_rng(6)
        differences = rng.normal(0.8, 1, (4000, 12))

        t = differences.mean(axis=1) / stats.sem(differences, axis=1)
        shown = np.abs(t) > stats.t(11).isf(0.02)
        assert np.mean(shown) == pytest.approx(power(12, 0.8), abs=0.02)

    @pytest.mark.parametrize("effect", [3.0, 1.0, 0.5, 0.1, 0.02])
    def test_one_seed_less_would_be_too_few(self, effect):
        seeds = seeds_needed(effect)

        assert seeds is not None
        assert power(seeds, effect) >= POWER
        assert seeds == 5 or power(seeds - 1, effect) < POWER

    def test_nothing_is_decided_by_fewer_than_five(self):
        assert seeds_needed(1e6) == 5

    def test_what_no_number_shows(self):
        assert seeds_needed(0.0) is None

    @pytest.mark.parametrize("seeds", [5, 10, 40])
    def test_the_smallest_effect_takes_so_many(self, seeds):
        effect = smallest_effect(seeds)
        assert power(seeds, effect) == pytest.approx(POWER, abs=1e-3)

    def test_runs_that_have_much_in_common_differ_by_less(self):
        rng = np.random.default_rng(7)
        pairs = rng.multivariate_normal([0, 0], [[4, 2], [2, 4]], 20_000)  # correlation 0.5

        spread = np.std(pairs[:, 0] - pairs[:, 1])
        assert difference_deviation(2, 0.5) == pytest.approx(spread, rel=0.02)
        assert difference_deviation(2) == pytest.approx(2 * math.sqrt(2))
