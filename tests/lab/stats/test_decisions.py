import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import ONE_LOOK, make_claim
from scipy import stats

from siffra.lab.stats.collapse import compare_failures
from siffra.lab.stats.comparison import Comparison, MedianComparison
from siffra.lab.stats.decisions import ClaimTest
from siffra.lab.stats.families import decide

DIRECTIONS = ("better", "worse", "same", "not better", "not worse")
MIRROR = {"supported": "refuted", "refuted": "supported"}


def around(mean, spread=0.0005, seeds=6):
    """Differences with this mean and standard deviation."""
    pattern = stats.zscore(np.arange(seeds), ddof=1)
    return tuple(mean + spread * pattern)


def compared(differences, **fields):
    return Comparison(tuple(differences), "difference", floor=1e-5, **fields)


def judged(*tests):
    family = {i: [test] for i, test in enumerate(tests)}
    schedules = dict.fromkeys(family, ONE_LOOK)
    decisions = decide(family, schedules)
    return [test.answer(decisions[i], ONE_LOOK) for i, test in enumerate(tests)]


def judge(claim, comparison, failures=None):
    return judged(ClaimTest(claim, comparison, failures))[0]


def failing(ours, theirs, seeds=10):
    """So many of the seeds fail on either side, from the first on."""
    return compare_failures(*([i < k for i in range(seeds)] for k in (ours, theirs)))


class TestDirections:
    """Accuracy with a margin of 0.002, by a standard error of 0.0002."""

    @pytest.mark.parametrize(
        ("mean", "verdicts"),
        [
            (0.010, ("supported", "refuted", "refuted", "refuted", "supported")),
            (-0.010, ("refuted", "supported", "refuted", "supported", "refuted")),
            (0.0, ("no difference", "no difference", "supported", "supported", "supported")),
            (0.002, ("supported", "refuted", "inconclusive", "inconclusive", "supported")),
            (-0.002, ("refuted", "supported", "inconclusive", "supported", "inconclusive")),
        ],
    )
    def test_of_accuracy(self, mean, verdicts):
        for direction, verdict in zip(DIRECTIONS, verdicts, strict=True):
            answer = judge(make_claim(direction=direction), compared(around(mean)))
            assert (direction, answer.verdict) == (direction, verdict)

    @pytest.mark.parametrize("metric", ["drop", "decline", "seconds", "seconds_to", "epochs_to"])
    def test_less_is_better_for_all_else(self, metric):
        less = compared(around(-0.15))
        assert judge(make_claim(metric), less).verdict == "supported"
        assert judge(make_claim(metric, "worse"), less).verdict == "refuted"
        assert judge(make_claim(metric, "not worse"), less).verdict == "supported"
        assert judge(make_claim(metric, "not better"), less).verdict == "refuted"

    def test_the_margin_of_times_is_a_share(self):
        ratios = Comparison(around(math.log(1.03), 0.001), "ratio")
        assert judge(make_claim("seconds", "same", margin=0.05), ratios).verdict == "supported"
        assert judge(make_claim("seconds", "same", margin=0.02), ratios).verdict == "refuted"

    @given(
        st.lists(st.floats(-0.02, 0.02), min_size=5, max_size=8),
        st.sampled_from(["better", "worse", "same"]),
        st.floats(1e-4, 0.02),
    )
    def test_swapping_the_levels_mirrors_everything(self, differences, direction, margin):
        claim = make_claim(direction=direction, margin=margin)
        one, two = (judge(claim, compared([s * d for d in differences])) for s in (1, -1))
        mirrored = one.verdict if direction == "same" else MIRROR.get(one.verdict, one.verdict)
        assert two.verdict == mirrored
        assert two.estimate.value == -one.estimate.value
        ends = (-one.estimate.high, -one.estimate.low)
        assert (two.estimate.low, two.estimate.high) == pytest.approx(ends)


class TestIntervals:
    def test_a_lone_difference_has_that_of_four_percent(self):
        differences = (0.004, 0.006, 0.009, 0.005, 0.006)
        answer = judge(make_claim(), compared(differences))
        interval = stats.ttest_1samp(differences, 0).confidence_interval(0.96)
        assert (answer.verdict, answer.grade) == ("supported", "shown")
        assert (answer.estimate.low, answer.estimate.high) == pytest.approx(tuple(interval))

    def test_a_sameness_that_of_two_one_sided_tests(self):
        answer = judge(make_claim(direction="same"), compared(around(0.0)))
        assert answer.estimate.confidence == pytest.approx(1 - 2 * 0.01)

    @given(
        st.lists(
            st.tuples(
                st.lists(st.floats(-0.02, 0.02), min_size=5, max_size=8),
                st.sampled_from(["better", "worse", "same"]),
            ),
            min_size=1,
            max_size=6,
        )
    )
    def test_show_every_verdict(self, lab):
        """A difference lies beyond zero (or the margin), a sameness within the margin."""
        tests = [ClaimTest(make_claim(direction=d), compared(values)) for values, d in lab]
        for answer in judged(*tests):
            low, high = answer.estimate.low, answer.estimate.high
            is_same = answer.claim.direction == "same"
            outside = 0.002 if is_same else 0.0
            if answer.verdict == ("supported" if is_same else "no difference"):
                assert low >= -0.002
                assert high <= 0.002
            elif answer.verdict in MIRROR:
                assert low >= outside or high <= -outside


class TestFewSeeds:
    def test_four_decide_nothing(self):
        answer = judge(make_claim(), compared((0.5, 0.51, 0.5, 0.51)))
        assert (answer.verdict, answer.reason) == ("inconclusive", "too few seeds")

    def test_large_differences_take_seven(self):
        few = judge(make_claim(), compared(around(0.5, seeds=6)))
        assert (few.verdict, few.reason) == ("inconclusive", "large")
        assert judge(make_claim(), compared(around(0.5, seeds=7))).verdict == "supported"
        assert judge(make_claim(), compared(around(0.1, seeds=6))).verdict == "supported"

    def test_of_ratios_none_is_too_large(self):
        ratios = Comparison(around(1.0, seeds=5), "ratio")
        assert judge(make_claim("seconds", "worse"), ratios).verdict == "supported"

    def test_labs_whose_networks_train_or_do_not_by_chance(self):
        """Bimodal accuracies on both sides alike: 5 % of labs of 60 claims may err."""
        rng, labs, wrong = np.random.default_rng(3), 300, 0
        for _ in range(labs):
            sides = np.where(rng.random((2, 60, 10)) < 0.5, 0.45, 0.97)
            noise = rng.normal(0, 0.003, (60, 10))
            rows = sides[0] - sides[1] + noise
            answers = judged(*[ClaimTest(make_claim(), compared(row)) for row in rows])
            wrong += any(a.verdict in MIRROR and a.grade == "shown" for a in answers)
        assert wrong / labs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / labs)


class TestFailures:
    """Accuracies are of the runs that train; the shares that fail are compared beside them."""

    def test_where_all_of_one_side_collapse_that_decides(self):
        nothing = compared([], failed=10)
        worse = judge(make_claim(direction="worse"), nothing, failing(10, 0))
        assert (worse.verdict, worse.grade, worse.basis) == ("supported", "shown", "collapse")
        assert worse.collapsed == ((10, 10), (0, 10))
        assert worse.estimate is None
        assert judge(make_claim(), nothing, failing(10, 0)).verdict == "refuted"
        assert judge(make_claim(direction="same"), nothing, failing(0, 10)).verdict == "refuted"
        assert (
            judge(make_claim(direction="not worse"), nothing, failing(10, 0)).verdict == "refuted"
        )
        fewer = judge(make_claim(direction="not worse"), nothing, failing(0, 10))
        assert fewer.verdict == "inconclusive"

    def test_a_few_leave_it_to_those_that_train_at_half_the_alpha(self):
        eight = compared(around(0.01, seeds=8), failed=2)
        answer = judge(make_claim(), eight, failing(1, 1))
        assert (answer.verdict, answer.basis) == ("supported", "difference")
        test = ClaimTest(make_claim(), eight, failing(1, 1))
        assert test.p_outside == pytest.approx(2 * eight.p_outside())

    def test_no_difference_is_not_said_where_some_fail(self):
        nine = compared(around(0.0, seeds=9), failed=1)
        assert judge(make_claim(), nine, failing(0, 1)).verdict == "inconclusive"
        assert (
            judge(make_claim(), compared(around(0.0)), failing(0, 0, 6)).verdict == "no difference"
        )

    def test_a_level_that_trains_better_and_fails_more_often_is_neither(self):
        six = compared(around(0.02, seeds=8), failed=12)
        answer = judge(make_claim(), six, failing(12, 0, seeds=20))
        assert (answer.verdict, answer.reason) == ("inconclusive", "mixed")

    def test_a_drop_is_of_the_runs_that_train_alone(self):
        nothing = compared([], failed=10)
        assert judge(make_claim("drop"), nothing, failing(10, 0)).verdict == "inconclusive"

    def test_the_metric_collapse_is_the_share_itself(self):
        claim = make_claim("collapse", "worse")
        answer = judge(claim, failing(10, 0))
        assert (answer.verdict, answer.basis, answer.estimate.value) == ("supported", "collapse", 1)
        assert answer.collapsed == ((10, 10), (0, 10))
        assert judge(claim, failing(0, 10)).verdict == "refuted"
        assert judge(claim, failing(0, 0)).verdict == "inconclusive"


class TestAgainstANumber:
    def test_the_median_run_is_judged(self):
        runs = MedianComparison(tuple(0.001 * k for k in range(1, 13)), "difference")
        answer = judge(make_claim(against=0.97), runs)
        assert (answer.verdict, answer.basis) == ("supported", "median")

    def test_fewer_than_ten_seldom_decide_anything(self):
        tests = [
            ClaimTest(
                make_claim(against=0.9), MedianComparison(around(0.05, seeds=9), "difference")
            )
            for _ in range(20)
        ]
        assert {a.grade for a in judged(*tests)} <= {"likely", None}


class TestSeedsNeeded:
    DIFFERENCES = (-0.004, 0.006, 0.005, -0.001, 0.003)

    def test_is_the_first_number_whose_p_value_would_decide(self):
        mean, deviation = np.mean(self.DIFFERENCES), np.std(self.DIFFERENCES, ddof=1)
        n = np.arange(6, 1001)
        error = deviation / np.sqrt(n)
        differs = 2 * stats.t.sf(mean / error, n - 1) <= 0.04
        same = stats.t.sf((0.002 - mean) / error, n - 1) <= 0.01

        answer = judge(make_claim(), compared(self.DIFFERENCES))

        assert answer.verdict == "inconclusive"
        assert answer.seeds_needed == n[differs | same][0]

    def test_is_not_said_beyond_a_thousand(self):
        zero = compared((-0.01, 0.01, 0.0001, 0.01, -0.01))
        assert judge(make_claim(margin=1e-9), zero).seeds_needed is None

    def test_is_not_said_of_what_is_shown(self):
        assert judge(make_claim(), compared(around(0.1))).seeds_needed is None

    def test_a_sameness_at_its_margin_stays_open(self):
        at_it = compared((0.001, 0.003, 0.0015, 0.0025, 0.002))
        answer = judge(make_claim(direction="same"), at_it)
        assert (answer.seeds_needed, answer.reason) == (None, "at the margin")

    def test_a_side_that_never_reached_its_target_is_the_reason_where_it_leaves_that_open(self):
        # One of five runs of the second side never got there: it may be any distance below.
        ahead = compared((1.0, 1.1, 0.9, 1.0, 1.1), open_below=True, censored=1)
        answer = judge(make_claim("epochs_to"), ahead)
        assert (answer.verdict, answer.reason) == ("inconclusive", "unreached")
        behind = compared((-0.1, 0.04, -0.11, -0.05, 0.0), open_below=True, censored=1)
        assert (judge(make_claim("epochs_to"), behind).seeds_needed or 0) > 5
        decided = compared((-1.0, -1.1, -1.0, -1.1, -1.0), open_below=True, censored=1)
        claim = make_claim("seconds_to")
        ratios = Comparison(decided.differences, "ratio", open_below=True, censored=1)
        assert judge(claim, ratios).verdict == "supported"
