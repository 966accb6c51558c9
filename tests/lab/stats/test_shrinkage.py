import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from siffra.lab.stats.comparison import Comparison
from siffra.lab.stats.decisions import moderate
from siffra.lab.stats.shrinkage import Prior, fit, learn

positive = st.floats(1e-6, 1e3)


class TestLearning:
    def test_by_hand(self):
        # Variances 1, 4, 16 with 4 degrees of freedom: log variances 0, log 4, 2 log 4, whose
        # variance log(4)² = 1.92 exceeds trigamma(2) = 0.645 by 1.277; trigamma(1.1936) = 1.277.
        excess = math.log(4) ** 2 - (math.pi**2 / 6 - 1)
        freedom = 2 * 1.19362
        found = fit([1.0, 2.0, 4.0], [4, 4, 4])

        assert special.polygamma(1, freedom / 2) == pytest.approx(excess, rel=1e-4)
        assert found.freedom == pytest.approx(freedom, rel=1e-4)
        centre = math.log(4) - special.digamma(2) + math.log(2)
        shift = special.digamma(freedom / 2) - math.log(freedom / 2)
        assert found.deviation == pytest.approx(math.exp((centre + shift) / 2), rel=1e-4)
        assert found.comparisons == 3

    def test_finds_the_prior_that_variances_were_drawn_from(self):
        rng = np.random.default_rng(1)
        freedom, deviation, own = 6.0, 0.02, 4
        variances = deviation**2 * freedom / rng.chisquare(freedom, 20_000)
        seen = variances * rng.chisquare(own, 20_000) / own

        found = learn(np.sqrt(seen).tolist(), [own] * 20_000)

        assert found.freedom == pytest.approx(freedom, rel=0.05)
        assert found.deviation == pytest.approx(deviation, rel=0.01)

    def test_finds_it_from_different_numbers_of_seeds(self):
        rng = np.random.default_rng(2)
        freedom, deviation = 6.0, 0.02
        own = rng.choice([4, 9, 19], 20_000)
        variances = deviation**2 * freedom / rng.chisquare(freedom, 20_000)
        seen = variances * rng.chisquare(own) / own

        found = learn(np.sqrt(seen).tolist(), own.tolist())

        assert found.freedom == pytest.approx(freedom, rel=0.05)
        assert found.deviation == pytest.approx(deviation, rel=0.01)

    def test_variances_more_alike_than_chance_are_one(self):
        assert learn([1.0, 1.0, 1.0], [4, 4, 4]).freedom == math.inf

    def test_spreads_that_have_little_in_common_teach_nothing(self):
        assert fit([1.0, 2.0, 4.0], [4, 4, 4]).freedom < 4
        assert learn([1.0, 2.0, 4.0], [4, 4, 4]) is None

    def test_with_few_seeds_they_give_a_hint_all_the_same(self):
        assert learn([1.0, 2.0, 40.0], [2, 2, 2]) == fit([1.0, 2.0, 40.0], [2, 2, 2])
        assert learn([1.0, 2.0, 40.0], [2, 2, 4]) is None

    def test_two_comparisons_say_nothing(self):
        assert learn([1.0, 2.0], [4, 4]) is None

    @given(st.lists(positive, min_size=3, max_size=10), positive)
    def test_units_do_not_matter(self, deviations, unit):
        found = fit(deviations, [4] * len(deviations))
        scaled = fit([unit * d for d in deviations], [4] * len(deviations))
        # Near infinity, where all vary alike, rounding makes much of the freedom and little of
        # what follows from it.
        assert 1 / scaled.freedom == pytest.approx(1 / found.freedom, rel=1e-4, abs=1e-6)
        assert scaled.deviation == pytest.approx(unit * found.deviation, rel=1e-5)


class TestModerating:
    def test_a_small_variance_is_drawn_to_its_kind(self):
        # Smyth 2004: (3 · 4 + 4 · 1) / 7.
        deviation, learned = Prior(3.0, 2.0, 9).moderate(1.0, 4)
        assert (deviation**2, learned) == pytest.approx((16 / 7, 3.0))

    def test_what_is_learned_counts_no_more_than_its_own_seeds(self):
        deviation, learned = Prior(math.inf, 2.0, 9).moderate(1.0, 4)
        assert (deviation**2, learned) == pytest.approx((2.5, 4.0))

    def test_with_few_seeds_it_only_widens_what_varies_far_less(self):
        # (0.05 · 4 + 2 · 0.01) / 2.05, and two degrees of freedom still.
        deviation, learned = Prior(math.inf, 2.0, 9).moderate(0.1, 2)
        assert (deviation**2, learned) == pytest.approx((0.22 / 2.05, 0.0))
        assert Prior(math.inf, 2.0, 9).moderate(3.0, 2) == (3.0, 0.0)

    def test_with_few_seeds_normal_differences_are_covered_a_little_more(self):
        rng = np.random.default_rng(0)
        spreads = np.sqrt(rng.chisquare(2, 20_000) / 2)  # of three seeds that truly vary by 1
        prior = Prior(math.inf, 1.0, 9)
        moderated = np.array([prior.moderate(spread, 2)[0] for spread in spreads])

        missed = 2 * stats.norm.sf(stats.t.ppf(0.975, 2) * moderated)

        # The mean of 20,000 chances to miss, none over 1, is known to within 0.005.
        assert 0.03 < missed.mean() < 0.05

    def test_a_large_variance_keeps_its_own_and_learns_less(self):
        deviation, learned = Prior(3.0, 1.0, 9).moderate(2.0, 4)
        assert (deviation, learned) == pytest.approx((2.0, 0.75))

    @given(positive, positive, st.floats(0.1, 100), st.integers(4, 50))
    def test_no_variance_shrinks_and_no_freedom_doubles(self, own, prior, freedom, seeds):
        deviation, learned = Prior(freedom, prior, 9).moderate(own, seeds)
        assert deviation >= own * (1 - 1e-12)
        assert 0 <= learned <= seeds


def comparison(differences, **fields):
    return Comparison(tuple(differences), "difference", **fields)


class TestKinds:
    ROWS = np.random.default_rng(5).normal(0, 0.01, (8, 5))

    def test_comparisons_learn_from_their_own_kind_only(self):
        found = moderate([comparison(row) for row in self.ROWS], ["test"] * 5 + ["moved"] * 3)
        assert [c.prior.comparisons for c in found] == [5] * 5 + [3] * 3

    @pytest.mark.parametrize(
        "odd",
        [
            comparison([0.0] * 5, floor=1e-4),
            comparison([0.01]),
            comparison([0.1, 0.2, 0.3, 0.1, 0.4], open_below=True, censored=1),
        ],
        ids=["nothing seen", "one seed", "bounds"],
    )
    def test_some_neither_teach_nor_learn(self, odd):
        *others, last = moderate([*(comparison(row) for row in self.ROWS), odd], ["a"] * 9)
        assert last.prior is None
        assert {c.prior.comparisons for c in others} == {8}

    def test_the_interval_is_the_moderated_t(self):
        first = moderate([comparison(row) for row in self.ROWS], ["a"] * 8)[0]
        deviation, learned = first.prior.moderate(float(np.std(self.ROWS[0], ddof=1)), 4)

        t = stats.t(4 + learned, loc=first.mean, scale=deviation / math.sqrt(5))

        assert first.interval(0.01) == pytest.approx((t.ppf(0.005), t.ppf(0.995)))
        assert first.p_outside() == pytest.approx(2 * min(t.cdf(0), t.sf(0)))
        assert first.estimate(0.01).freedom == pytest.approx(4 + learned)
        assert first.estimate(0.01).prior == first.prior
