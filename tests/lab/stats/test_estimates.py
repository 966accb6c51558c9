import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import IMAGES, SETS, make_claim, make_record
from scipy import stats

from siffra.config import Setting
from siffra.lab.stats.comparison import Comparison
from siffra.lab.stats.estimates import Time, compare, compare_times, measure
from siffra.lab.stats.summaries import curve, summarise, summarise_accuracy
from siffra.training.scored_sets import CURVE_IMAGES

FOUR = Setting.from_knobs({"epochs": 4})
TEN = Setting.from_knobs({"epochs": 10})
# Sums and t quantiles in float64 on either side of the comparison; no step loses more than this.
RTOL = 1e-9

accuracies = st.lists(st.integers(0, IMAGES), min_size=3, max_size=8).map(
    lambda counts: [count / IMAGES for count in counts]
)
times = st.lists(st.floats(0.1, 1000), min_size=3, max_size=8)


def pair(claim, level, against):
    """Compare one run of a level with one of the other, seed by seed."""
    return compare(claim, [[a] for a in level], [[b] for b in against])


def runs(values, setting=FOUR):
    return [make_record(setting, seed, accuracy=value) for seed, value in enumerate(values)]


def pair_times(level, against):
    """Compare the times of two settings, round by round."""
    return compare_times(make_claim("seconds"), timed(level), timed(against))


def timed(seconds):
    return [[Time(s)] for s in seconds]


def reaching(*epochs, setting=TEN):
    """Runs that reach 0.9 after so many epochs (None: never)."""
    last = int(setting.training.epochs)
    curves = [[0.5] * ((e or last + 1) - 1) + [0.95] * (last + 1 - (e or last + 1)) for e in epochs]
    return [make_record(setting, seed, curve=c) for seed, c in enumerate(curves)]


class TestMeasures:
    def test_accuracy_is_that_after_the_last_epoch(self):
        run = make_record(FOUR, curve=[0.1, 0.8, 0.9, 0.7])
        assert measure(run, make_claim("accuracy")).value == 0.7

    def test_drop_is_test_minus_shifted(self):
        run = make_record(FOUR, accuracy={"test": 0.98, "moved": 0.18})
        assert measure(run, make_claim("drop", on="moved")).value == pytest.approx(0.8)

    def test_decline_is_first_fifth_minus_last_fifth(self):
        run = make_record(TEN, curve=[0.9, 0.8, 0, 0, 1, 1, 1, 1, 0.5, 0.3])
        assert measure(run, make_claim("decline")).value == pytest.approx(0.85 - 0.4)

    def test_of_a_short_training_it_is_the_first_epoch_minus_the_last(self):
        run = make_record(FOUR, curve=[0.9, 0.1, 0.2, 0.6])
        assert measure(run, make_claim("decline")).value == pytest.approx(0.3)

    def test_noise_alone_is_no_decline(self):
        # Accuracies that vary about one value: within 5 standard errors the mean decline is 0.
        rng = np.random.default_rng(0)
        curves = rng.normal(0.5, 0.02, (400, 10))
        declines = [
            measure(make_record(TEN, curve=list(c)), make_claim("decline")).value for c in curves
        ]
        assert abs(np.mean(declines)) < 5 * 0.02 / np.sqrt(400)

    def test_epochs_to_a_target(self):
        (run,) = reaching(3)
        assert measure(run, make_claim("epochs_to")).value == 3

    def test_a_target_never_reached_counts_as_the_least_it_can_have_been(self):
        (run,) = reaching(None)
        epochs = measure(run, make_claim("epochs_to"))
        assert (epochs.value, epochs.reached) == (11, False)


class TestAgainstScipy:
    @given(accuracies, st.randoms(use_true_random=False), st.sampled_from([0.05, 0.01, 0.0017]))
    def test_paired_difference(self, level, random, alpha):
        against = random.sample(level, len(level))
        # Below a whole image of spread the floor takes over; that is tested by itself.
        if np.std(np.subtract(level, against), ddof=1) < 1 / IMAGES:
            return
        found = pair(make_claim(), runs(level), runs(against))

        expected = stats.ttest_rel(level, against)
        interval = expected.confidence_interval(1 - alpha)
        np.testing.assert_allclose(found.interval(alpha), interval, rtol=RTOL, atol=1e-12)
        assert found.p_outside() == pytest.approx(expected.pvalue, rel=1e-6)
        assert found.estimate(alpha).confidence == 1 - alpha

    @given(times, st.randoms(use_true_random=False))
    def test_paired_ratio(self, level, random):
        against = random.sample(level, len(level))
        # Below a spread of 0.1 % the floor takes over.
        if np.std(np.log(level) - np.log(against), ddof=1) < 1e-3:
            return
        found = pair_times(level, against).estimate(0.05)

        expected = stats.ttest_rel(np.log(level), np.log(against)).confidence_interval(0.95)
        np.testing.assert_allclose((found.low, found.high), np.exp(expected), rtol=1e-6)
        assert found.value == pytest.approx(stats.gmean(level) / stats.gmean(against))
        assert found.values == pytest.approx(np.divide(level, against))

    def test_against_a_number_it_is_the_median(self):
        values = [0.971, 0.975, 0.969, 0.974, 0.972]
        comparison = compare(make_claim(against=0.98), [[run] for run in runs(values)], 0.98)
        expected = stats.binomtest(0, 5).pvalue
        assert comparison.centre == pytest.approx(0.972 - 0.98)
        assert comparison.p_outside() == pytest.approx(expected)

    def test_a_time_against_a_number_too(self):
        comparison = compare_times(make_claim("seconds"), timed([20.0, 22.0, 25.0]), 40.0)
        assert comparison.estimate(0.1).value == pytest.approx(22 / 40)

    def test_a_run_that_diverged_is_below_any_number(self):
        sides = [[run] for run in (*runs([0.95, 0.96]), make_record(FOUR, 2, diverged=True))]
        assert compare(make_claim(against=0.9), sides, 0.9).differences[2] == -math.inf
        assert compare(make_claim("drop", against=0.1, on="moved"), sides, 0.1).differences[2] == (
            math.inf
        )

    def test_summaries(self):
        values = [0.971, 0.975, 0.969, 0.974]
        interval = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
        found = summarise(values)
        assert (found.low, found.mean, found.high) == pytest.approx(
            (interval[0], np.mean(values), interval[1])
        )
        found = summarise([10.0, 20.0, 40.0], "ratio")
        assert found.mean == pytest.approx(20.0)
        assert found.low * found.high == pytest.approx(20.0**2)

    def test_intervals_cover_the_truth_as_often_as_they_say(self):
        rng = np.random.default_rng(1)
        draws = rng.normal(0.3, 1.0, (2000, 5))
        intervals = [Comparison(tuple(d), "difference").interval(0.05) for d in draws]
        covered = np.mean([low < 0.3 < high for low, high in intervals])
        # Three standard errors of a share of 0.95 in 2,000.
        assert covered == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / 2000))


class TestAveraging:
    def test_levels_are_averaged_within_a_seed(self):
        sides = [[a, b] for a, b in zip(runs([0.8, 0.9]), runs([0.6, 0.5]), strict=True)]
        found = compare(make_claim(), sides, [[run] for run in runs([0.5, 0.5])])
        assert found.differences == pytest.approx([0.2, 0.2])

    def test_times_are_averaged_as_ratios(self):
        comparison = compare_times(
            make_claim("seconds"), [[Time(10.0), Time(40.0)]], [[Time(10.0)]]
        )
        assert comparison.estimate(0.05).value == pytest.approx(2.0)


class TestProperties:
    @given(accuracies, st.randoms(use_true_random=False))
    def test_swapping_the_sides_mirrors_the_interval(self, level, random):
        against = random.sample(level, len(level))
        one = pair(make_claim(), runs(level), runs(against))
        two = pair(make_claim(), runs(against), runs(level))
        low, high = one.interval(0.05)
        assert two.interval(0.05) == pytest.approx((-high, -low))

    @given(times, st.floats(0.01, 100))
    def test_a_slower_clock_leaves_ratios_alone(self, seconds, factor):
        others = seconds[1:] + seconds[:1]
        one = pair_times(seconds, others).estimate(0.05)
        two = pair_times(*([factor * s for s in side] for side in (seconds, others)))
        two = two.estimate(0.05)
        assert (two.value, two.low, two.high) == pytest.approx((one.value, one.low, one.high))

    @given(accuracies, st.floats(1e-6, 0.5))
    def test_the_levels_are_where_the_interval_touches(self, values, margin):
        found = Comparison(tuple(values), "difference", floor=1e-4)
        outside, inside = found.p_outside(margin), found.p_inside(margin)
        # A quantile at a level below what float64 can tell from 0 is infinite.
        if 1e-12 < outside < 1:
            assert found.interval(outside)[0] == pytest.approx(margin, abs=1e-3 * found.centre)
        if 1e-12 < inside < 0.5:
            assert found.interval(2 * inside)[1] == pytest.approx(margin, abs=1e-3 * margin)


class TestNoSpread:
    """Equal results in every seed, such as networks that all collapse to 11.35 %."""

    def test_the_spread_is_at_least_what_whole_images_can_hide(self):
        collapsed = runs([0.1135] * 5)
        found = pair(make_claim(), collapsed, collapsed)
        # Two counts, each rounded to a whole image, of which the variance is 1/12.
        error = math.sqrt(2 / 12) / IMAGES / math.sqrt(5)
        half = stats.t.ppf(0.975, 4) * error
        np.testing.assert_allclose(found.interval(0.05), (-half, half))

    def test_and_at_least_what_whole_epochs_can_hide(self):
        found = pair(make_claim("epochs_to"), reaching(2, 2, 2), reaching(4, 4, 4))
        error = math.sqrt((1 / 2**2 + 1 / 4**2) / 12) / math.sqrt(3)
        half = stats.t.ppf(0.975, 2) * error
        np.testing.assert_allclose(found.interval(0.05), math.log(0.5) + np.array([-half, half]))

    def test_a_decline_is_counted_in_the_fewer_images_of_the_curves(self):
        assert IMAGES > CURVE_IMAGES
        step = {on: measure(reaching(2)[0], make_claim("decline", on=on)).step for on in SETS}
        # After an epoch the training set is scored whole.
        assert step == dict.fromkeys(SETS, 1 / CURVE_IMAGES) | {"train": 1 / IMAGES}

    def test_a_decline_on_a_small_set_in_all_of_its_images(self):
        (run,) = reaching(2)
        small = run.model_copy(update={"confusion": {"test": [[30, 10], [20, 40]]}})
        assert measure(small, make_claim("decline")).step == 1 / 100

    def test_a_real_spread_is_left_alone(self):
        found = pair(make_claim(), runs([0.9, 0.91]), runs([0.9, 0.9]))
        assert found.deviation == pytest.approx(np.std([0, 0.01], ddof=1))

    def test_without_a_floor_the_interval_is_a_point(self):
        found = Comparison((0.5, 0.5), "difference")
        assert found.interval(0.05) == (0.5, 0.5)
        assert (found.p_outside(), found.p_inside(0.1), found.p_inside(1)) == (0, 1, 0)


class TestOneSeed:
    def test_has_a_value_and_no_interval(self):
        times = pair_times([3.0], [2.0]).estimate(0.05)
        found = pair(make_claim(), runs([0.9]), runs([0.8]))
        estimate = found.estimate(0.05)
        assert (estimate.value, times.value) == (pytest.approx(0.1), pytest.approx(1.5))
        assert [
            math.isnan(end) for end in (estimate.low, estimate.high, times.low, times.high)
        ] == [True] * 4
        assert found.p_outside() == found.p_inside(1.0) == 1.0

    @pytest.mark.parametrize("scale", ["difference", "ratio"])
    def test_summary_is_the_value_alone(self, scale):
        found = summarise([0.9], scale)
        assert found.mean == pytest.approx(0.9, rel=RTOL)
        assert math.isnan(found.low)
        assert math.isnan(found.high)

    def test_summary_of_nothing_is_not_a_number(self):
        assert math.isnan(summarise([]).mean)

    def test_an_accuracy_stays_an_accuracy(self):
        found = summarise([0.999, 0.9, 1.0])
        assert found.high == 1.0


class TestTargetsNeverReached:
    def test_by_the_other_side_leave_the_interval_open_below(self):
        found = pair(make_claim("epochs_to"), reaching(2, 3, 2), reaching(9, None, 8))
        estimate = found.estimate(0.05)
        assert estimate.values == pytest.approx([2 / 9, 3 / 11, 2 / 8])
        assert estimate.low == 0.0
        assert estimate.high < 1.0
        assert estimate.censored == 1

    def test_by_the_level_leave_it_open_above(self):
        estimate = pair(make_claim("epochs_to"), reaching(None, 3), reaching(2, 2)).estimate(0.05)
        assert estimate.high == math.inf

    def test_sameness_cannot_be_had_from_a_bound(self):
        # Reached at the very end against not at all: 10 and 11 are near, but 11 is a guess.
        found = pair(make_claim("epochs_to"), reaching(10, 10), reaching(None, None))
        assert found.p_inside(10.0) == 1.0

    def test_nor_a_difference_in_the_direction_that_is_open(self):
        found = Comparison((1.0, 1.1, 0.9), "ratio", open_below=True)
        assert found.p_outside() == 1.0
        assert Comparison((-1.0, -1.1, -0.9), "ratio", open_below=True).p_outside() < 0.05

    def test_by_one_of_several_levels_counts_for_their_mean(self):
        sides = [[a, b] for a, b in zip(reaching(2, 3), reaching(4, None), strict=True)]
        found = compare(make_claim("epochs_to"), sides, [[run] for run in reaching(2, 2)])
        assert found.open_above
        assert found.censored == 1

    def test_on_both_sides_in_one_seed_leave_the_interval_open_on_both(self):
        # Without that seed, two that happened to reach the target would decide.
        found = pair(make_claim("epochs_to"), reaching(2, None, 2), reaching(9, None, 9))
        assert found.seeds == 2
        assert (found.censored, found.silent) == (1, 1)
        assert found.interval(0.05) == (-math.inf, math.inf)
        assert found.p_outside() == found.p_inside(10.0) == 1.0
        estimate = found.estimate(0.05)
        assert (estimate.low, estimate.high) == (0.0, math.inf)


class TestCurve:
    def test_is_the_summary_of_each_epoch(self):
        records = [make_record(FOUR, s, curve=c) for s, c in enumerate([[0, 0.4, 1, 1], [0.5] * 4])]
        found = curve(records, "moved")
        np.testing.assert_allclose(found.mean, [0.25, 0.45, 0.75, 0.75])
        expected = summarise([0.4, 0.5])
        assert (found.low[1], found.high[1]) == (expected.low, expected.high)

    def test_of_nothing_is_empty(self):
        assert len(curve([], "test").mean) == 0


def test_accuracies_that_agree_are_known_to_what_counting_images_hides():
    """A spread below one image in 10,000 may be that of rounding, step / sqrt(12)."""
    records = [make_record(Setting.from_knobs({}), seed, accuracy=0.9338) for seed in (0, 1)]

    found = summarise_accuracy(records, "test")

    half = stats.t.ppf(0.975, 1) * 1e-4 / math.sqrt(12) / math.sqrt(2)
    assert found.mean == pytest.approx(0.9338)
    assert found.high - found.mean == pytest.approx(half)
    assert found.mean - found.low == pytest.approx(half)
    assert math.isnan(summarise_accuracy(records[:1], "test").high)
    assert math.isnan(summarise_accuracy([], "test").mean)
