import math
from dataclasses import replace

import numpy as np
import pytest
from estimators import Nearest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import make_claim, make_level, make_plan, make_question, make_record
from scipy import stats

from siffra.config import Estimator, Setting
from siffra.lab.answers import answer
from siffra.lab.plan.plan import Experiment
from siffra.lab.stats.decisions import holm, judge, verdict
from siffra.lab.stats.edges import Edge, edges_of_choice
from siffra.lab.stats.estimates import Comparison
from siffra.system.load import Load

DECIDED = {"supported", "refuted", "no difference"}
MIRROR = {"supported": "refuted", "refuted": "supported"}

spreads = st.lists(st.floats(-0.02, 0.02), min_size=2, max_size=8)
directions = st.sampled_from(["better", "worse", "same"])


def comparison(differences, **fields):
    return Comparison(tuple(differences), "difference", floor=1e-5, **fields)


def judge_one(claim, found):
    return judge([(claim, found)])[0]


class TestRule:
    """Accuracy with a margin of 0.002."""

    @pytest.mark.parametrize(
        ("low", "high", "better", "worse", "same"),
        [
            (0.001, 0.005, "supported", "refuted", "inconclusive"),
            (-0.005, -0.001, "refuted", "supported", "inconclusive"),
            (0.003, 0.005, "supported", "refuted", "refuted"),
            (-0.005, -0.003, "refuted", "supported", "refuted"),
            (-0.001, 0.001, "no difference", "no difference", "supported"),
            (0.0005, 0.0015, "no difference", "no difference", "supported"),
            (-0.001, 0.003, "inconclusive", "inconclusive", "inconclusive"),
            (-0.003, 0.003, "inconclusive", "inconclusive", "inconclusive"),
            (-math.inf, -0.003, "refuted", "supported", "refuted"),
            (math.nan, math.nan, "inconclusive", "inconclusive", "inconclusive"),
        ],
    )
    def test_on_accuracy(self, low, high, better, worse, same):
        expected = {"better": better, "worse": worse, "same": same}
        for direction, wanted in expected.items():
            assert verdict(make_claim(direction=direction), low, high) == wanted

    @pytest.mark.parametrize("metric", ["drop", "decline", "seconds", "seconds_to", "epochs_to"])
    def test_less_is_better_for_all_else(self, metric):
        assert verdict(make_claim(metric), -0.9, -0.5) == "supported"
        assert verdict(make_claim(metric, "worse"), -0.9, -0.5) == "refuted"

    def test_the_margin_of_times_is_a_share(self):
        claim = make_claim("seconds", margin=0.05)
        assert verdict(claim, math.log(1 / 1.04), math.log(1.04)) == "no difference"
        assert verdict(claim, math.log(1 / 1.04), math.log(1.06)) == "inconclusive"
        assert verdict(make_claim("seconds", margin=1.0), math.log(0.9), math.log(2.1)) != (
            "no difference"
        )


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

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
    def test_one_hopeless_claim_more_raises_no_level(self, p_values):
        before, after = holm(p_values), holm([*p_values, 1.0])
        assert all(b <= a for a, b in zip(before, after, strict=False))


class TestJudging:
    def test_alone_a_claim_is_judged_at_five_percent(self):
        differences = (0.004, 0.006, 0.009, 0.005)
        found = judge_one(make_claim(), comparison(differences))

        interval = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
        assert found.verdict == "supported"
        assert found.estimate.confidence == pytest.approx(0.95)
        assert (found.estimate.low, found.estimate.high) == pytest.approx(tuple(interval))

    def test_among_others_it_needs_more(self):
        shaky = comparison((0.001, 0.009, 0.007, 0.006))
        hopeless = comparison((-0.01, 0.01))
        assert judge_one(make_claim(), shaky).verdict == "supported"
        (found, *_) = judge([(make_claim(), shaky)] + 4 * [(make_claim(), hopeless)])
        assert found.verdict == "inconclusive"
        assert found.estimate.confidence == pytest.approx(0.99)

    def test_claims_that_make_no_difference_do_not_help_one_that_might(self):
        # With a single Holm sequence the nine would leave all of 5 % to the last.
        shaky = comparison((0.001, 0.009, 0.007, 0.006))
        equal = comparison((0.0001, -0.0001, 0.0, 0.0001, -0.0001))
        (found, *others) = judge([(make_claim(), shaky)] + 9 * [(make_claim(), equal)])
        assert {other.verdict for other in others} == {"no difference"}
        assert found.verdict == "inconclusive"
        assert found.estimate.confidence == pytest.approx(0.995)

    def test_a_claim_of_sameness_is_not_refuted_by_a_difference_within_the_margin(self):
        shaky = comparison((0.001, 0.009, 0.007, 0.006))
        across = comparison((0.0019, 0.0021, 0.0020, 0.0022, 0.0018))
        found, same = judge([(make_claim(), shaky), (make_claim(direction="same"), across)])
        assert same.verdict == "inconclusive"
        assert (found.verdict, found.estimate.confidence) == ("inconclusive", 0.975)

    def test_a_claim_that_was_not_tested_costs_the_others_nothing(self):
        shaky = comparison((0.001, 0.009, 0.007, 0.006))
        found, skipped = judge([(make_claim(), shaky), (make_claim(), None)])
        assert found.verdict == "supported"
        assert (skipped.verdict, skipped.reason) == ("not tested", "too short")
        assert skipped.estimate is None

    def test_one_seed_decides_nothing(self):
        found = judge_one(make_claim(), comparison([0.5]))
        assert (found.verdict, found.reason) == ("inconclusive", "too few seeds")
        assert found.estimate.value == 0.5
        assert found.seeds_needed is None

    def test_two_seeds_that_agree_by_chance_decide_nothing_in_a_lab(self):
        lab = [(make_claim(), comparison([0.0, 0.0]))] * 30
        assert {found.verdict for found in judge(lab)} == {"inconclusive"}

    def test_five_seeds_that_collapse_alike_make_no_difference(self):
        lab = [(make_claim(), comparison([0.0] * 5))] * 30
        assert {found.verdict for found in judge(lab)} == {"no difference"}

    @given(spreads, directions, st.floats(1e-4, 0.02))
    def test_swapping_the_levels_mirrors_everything(self, differences, direction, margin):
        claim = make_claim(direction=direction, margin=margin)
        one = judge_one(claim, comparison(differences))
        two = judge_one(claim, comparison([-d for d in differences]))

        mirrored = one.verdict if direction == "same" else MIRROR.get(one.verdict, one.verdict)
        assert two.verdict == mirrored
        assert two.estimate.value == -one.estimate.value
        assert (two.estimate.low, two.estimate.high) == pytest.approx(
            (-one.estimate.high, -one.estimate.low)
        )

    @given(spreads, st.floats(1e-4, 0.02), st.floats(1, 10))
    def test_widening_the_margin_keeps_no_difference(self, differences, margin, factor):
        found = comparison(differences)
        if judge_one(make_claim(margin=margin), found).verdict == "no difference":
            wider = judge_one(make_claim(margin=margin * factor), found)
            assert wider.verdict == "no difference"

    def test_no_difference_needs_the_level_of_its_own_sequence(self):
        # At 5 %, the last step among ten that differ, the interval lies within the margin and
        # above zero; at 0.5 %, the first step of the other sequence, it does neither.
        close = comparison(0.001 + 0.0003 * stats.zscore([1, 2, 3, 4, 5], ddof=1) * 5**0.5)
        plain = comparison([0.10, 0.11, 0.10, 0.11, 0.10])
        assert judge_one(make_claim(), close).verdict == "no difference"
        (found, *others) = judge([(make_claim(), close)] + 9 * [(make_claim(), plain)])
        assert {other.verdict for other in others} == {"supported"}
        assert found.verdict == "inconclusive"
        assert found.estimate.confidence == pytest.approx(0.995)

    @given(st.lists(st.tuples(spreads, directions), min_size=1, max_size=6))
    def test_every_verdict_can_be_read_off_the_interval_shown(self, lab):
        tests = [(make_claim(direction=d), comparison(differences)) for differences, d in lab]
        for found in judge(tests):
            low, high = found.estimate.low, found.estimate.high
            assert verdict(found.claim, low, high) == found.verdict


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_decides_nothing_and_leaves_the_others_alone(value):
    """Such a difference must not come about; if it does, it is worth as much as none."""
    sound = (make_claim(id="sound"), comparison((0.004, 0.006, 0.009, 0.005)))
    broken = (make_claim(id="broken"), comparison((0.01, value, 0.01)))

    found = judge([broken, sound])

    assert found[0].verdict == "inconclusive"
    assert found[1].estimate.confidence == pytest.approx(1 - 0.05 / 2)


class TestSeedsNeeded:
    DIFFERENCES = (-0.004, 0.006, 0.005, -0.001)

    def test_is_the_first_number_whose_interval_would_decide(self):
        mean, deviation = np.mean(self.DIFFERENCES), np.std(self.DIFFERENCES, ddof=1)
        n = np.arange(2, 1001)
        half = stats.t.ppf(0.975, n - 1) * deviation / np.sqrt(n)
        decides = (mean > half) | (mean + half < 0.002)

        found = judge_one(make_claim(), comparison(self.DIFFERENCES))

        assert found.verdict == "inconclusive"
        assert found.seeds_needed == n[decides][0]

    def test_is_not_said_beyond_a_thousand(self):
        found = judge_one(make_claim(margin=0.0), comparison((-0.01, 0.01, 0.0001)))
        assert found.seeds_needed is None

    def test_is_not_said_of_what_is_decided(self):
        assert judge_one(make_claim(), comparison((0.5, 0.51))).seeds_needed is None

    def test_is_not_said_where_more_seeds_would_not_help(self):
        found = judge_one(make_claim(), comparison((1.0, 1.1, 0.9), open_below=True))
        assert (found.verdict, found.seeds_needed) == ("inconclusive", None)

    def test_a_side_that_never_reached_its_target_is_the_reason_where_it_leaves_that_open(self):
        # One of three runs of the second side never got there: it may be any distance below.
        ahead = comparison((1.0, 1.1, 0.9), open_below=True, censored=1)
        behind = comparison((-1.0, 0.4, -1.1), open_below=True, censored=1)
        first, second = judge_one(make_claim(), ahead), judge_one(make_claim(), behind)
        assert (first.verdict, first.reason) == ("inconclusive", "unreached")
        assert (second.verdict, second.reason) == ("inconclusive", "")
        assert (second.seeds_needed or 0) > 3

    def test_runs_that_never_reached_a_target_are_no_reason_where_the_rest_decides(self):
        found = judge_one(make_claim(), comparison((-1.0, -1.1), open_below=True, censored=1))
        assert (found.verdict, found.reason) == ("refuted", "")


class TestMethod:
    """The promise: where nothing differs, at most 5 % of labs say that something does."""

    LABS, CLAIMS = 1000, 10

    # The second is where one Holm sequence for both kinds of mistake makes 7.5 %.
    @pytest.mark.parametrize(("seeds", "margin"), [(5, 0.5), (10, 1.5)])
    def test_labs_in_which_nothing_differs(self, seeds, margin):
        rng = np.random.default_rng(7)
        claim = make_claim(margin=margin)

        wrong = 0
        for lab in rng.standard_normal((self.LABS, self.CLAIMS, seeds)):
            answers = judge([(claim, Comparison(tuple(row), "difference")) for row in lab])
            wrong += any(found.verdict in MIRROR for found in answers)

        # Three standard errors of a share of 0.05.
        assert wrong / self.LABS <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / self.LABS)

    def test_labs_in_which_everything_differs_by_the_margin(self):
        rng = np.random.default_rng(8)
        claim = make_claim(margin=3.0)

        missed = 0
        for lab in 3.0 + rng.standard_normal((self.LABS, self.CLAIMS, 5)):
            answers = judge([(claim, Comparison(tuple(row), "difference")) for row in lab])
            missed += any(found.verdict == "no difference" for found in answers)

        assert missed / self.LABS <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / self.LABS)


LEVELS = [make_level({"neurons": n}) for n in (4, 8, 16)]


def records_of(levels, seeds, accuracy):
    """A record of every setting and seed; `accuracy(setting, seed)` on every set."""
    wanted = [(setting, seed) for level in levels for setting in level.settings for seed in seeds]
    return {
        (setting, seed): make_record(
            setting, seed, accuracy=dict.fromkeys(("val", "test"), accuracy(setting, seed))
        )
        for setting, seed in wanted
    }


def by_neurons(setting, seed):
    return {4: 0.7, 8: 0.9, 16: 0.8}[setting.model.neurons[0]] + 0.001 * seed


class TestAnswers:
    def test_a_plan_is_answered(self):
        claims = [make_claim(), make_claim(level=(1, 2), against=0.75), make_claim(epochs=100)]
        plan = make_plan(make_question(LEVELS, claims), make_question(LEVELS[:2], [make_claim()]))
        answers = answer(plan, records_of(LEVELS, plan.seeds, by_neurons))

        first, second = answers.questions
        assert [c.verdict for c in first.claims] == ["refuted", "supported", "not tested"]
        assert first.claims[0].estimate.value == pytest.approx(-0.2)
        assert first.claims[1].estimate.value == pytest.approx(0.85 + 0.002 - 0.75)
        assert [c.verdict for c in second.claims] == ["refuted"]
        assert len(first.levels[0].records) == 5
        assert first.levels[0].accuracy["val"].mean == pytest.approx(0.702)
        assert first.levels[0].seconds.mean == pytest.approx(20.0)

    def test_claims_of_all_questions_share_one_allowance(self):
        plan = make_plan(*[make_question(LEVELS, [make_claim(direction="same")])] * 4)
        noise = np.random.default_rng(0).normal(0.9, 0.01, (3, 5))
        levels = [level.settings[0] for level in LEVELS]
        records = records_of(LEVELS, plan.seeds, lambda s, seed: noise[levels.index(s), seed])
        answers = answer(plan, records)
        shown = {q.claims[0].estimate.confidence for q in answers.questions}
        assert shown == {1 - 0.05 / 4}

    def test_best_level_is_chosen_on_validation(self):
        plan = make_plan(make_question(LEVELS))
        records = {
            key: make_record(*key, accuracy={"val": by_neurons(*key), "test": 1 - by_neurons(*key)})
            for key in records_of(LEVELS, plan.seeds, by_neurons)
        }
        (found,) = answer(plan, records).questions
        assert found.best == 1

    @pytest.mark.parametrize(
        ("knob", "values", "best", "side"),
        [
            ("neurons", (4, 8, 16), 8, None),
            ("neurons", (4, 8, 16), 16, "largest"),
            ("neurons", (4, 8, 16), 4, "smallest"),
            ("neurons", (1, 8, 16), 1, None),
            ("dropout", (0.0, 0.1, 0.2), 0.0, None),
            ("dropout", (0.1, 0.2, 0.3), 0.1, "smallest"),
            ("neurons", (4, 16), 16, None),
            ("activation", ("relu", "gelu", "tanh"), "tanh", None),
        ],
    )
    def test_a_best_value_with_more_to_try_beyond_it_is_flagged(self, knob, values, best, side):
        levels = [make_level({knob: value}) for value in values]
        winner = levels[values.index(best)].settings[0]
        plan = make_plan(make_question(levels))
        records = records_of(levels, plan.seeds, lambda s, seed: 0.8 + 0.1 * (s == winner))
        (found,) = answer(plan, records).questions
        assert found.edge == ((Edge(knob, side),) if side else ())

    def test_levels_picked_by_hand_have_no_edge(self):
        picked = ((4, 0.1), (8, 0.2), (16, 0.3))
        levels = [make_level({"neurons": n, "dropout": d}) for n, d in picked]
        plan = make_plan(make_question(levels))
        wide = levels[2].settings[0]
        records = records_of(levels, plan.seeds, lambda s, seed: 0.8 + 0.1 * (s == wide))
        (found,) = answer(plan, records).questions
        assert (found.best, found.edge) == (2, ())

    def test_names_have_no_edge(self):
        levels = [make_level({"model": "dense"}), make_level({"model": "conv"})]
        plan = make_plan(make_question(levels))
        (found,) = answer(plan, records_of(levels, plan.seeds, lambda *_: 0.9)).questions
        assert found.edge == ()

    def test_a_decline_needs_two_epochs(self):
        levels = [make_level({"neurons": n, "epochs": 1}) for n in (4, 8)]
        plan = make_plan(make_question(levels, [make_claim("decline")]))
        (found,) = answer(plan, records_of(levels, plan.seeds, lambda *_: 0.9)).questions
        assert (found.claims[0].verdict, found.claims[0].reason) == ("not tested", "too few epochs")

    def test_a_decline_needs_them_on_both_sides(self):
        tree = {"model": Estimator.of_class(Nearest, "estimators:Nearest")}
        levels = [make_level(tree), make_level({"neurons": 4, "epochs": 10})]
        claims = [make_claim("decline"), make_claim("decline", level=(1,), against=0.1)]
        plan = make_plan(make_question(levels, claims))

        (found,) = answer(plan, records_of(levels, plan.seeds, lambda *_: 0.9)).questions

        assert [claim.verdict for claim in found.claims] == ["not tested", "supported"]

    def test_diverged_runs_are_counted_and_kept(self):
        setting = LEVELS[0].settings[0]
        experiment = Experiment(id="e", name={}, note={}, setting=setting, reported={})
        plan = replace(
            make_plan(make_question(LEVELS[:1]), seeds=(0, 1)), experiments=(experiment,)
        )
        records = {
            (setting, 0): make_record(setting, 0, accuracy=0.098, diverged=True),
            (setting, 1): make_record(setting, 1, accuracy=0.95),
        }
        answers = answer(plan, records)
        for found in (answers.questions[0].levels[0], answers.experiments[0]):
            assert (len(found.records), found.diverged) == (2, 1)
            assert found.accuracy["test"].values == (0.95,)
            assert [run.seed for run in found.trained] == [1]

    def test_a_level_of_which_runs_diverge_is_not_the_best_for_those_that_did_not(self):
        plan = make_plan(make_question(LEVELS[:2]))
        (steady,), (wild,) = LEVELS[0].settings, LEVELS[1].settings
        records = {(steady, seed): make_record(steady, seed, accuracy=0.8) for seed in plan.seeds}
        records |= {
            (wild, seed): make_record(wild, seed, accuracy=0.95, diverged=seed > 0)
            for seed in plan.seeds
        }

        assert answer(plan, records).questions[0].best == 0

    @pytest.mark.parametrize(
        ("diverged", "accuracies", "metric", "expected"),
        [
            # Level 0 is better where both trained, and where level 1 diverged all the more.
            ({1: [3, 4]}, (0.95, 0.90), "accuracy", ("supported", "", 2)),
            # It is worse where both trained, but level 1 may be the worse for its failures.
            ({1: [3, 4]}, (0.90, 0.95), "accuracy", ("inconclusive", "diverged", 2)),
            # Where both trained nothing differs, which says nothing of the other seeds.
            ({1: [4]}, (0.90, 0.90), "accuracy", ("inconclusive", "diverged", 1)),
            ({0: [3, 4]}, (0.90, 0.95), "accuracy", ("refuted", "", 2)),
            ({0: [3], 1: [4]}, (0.95, 0.90), "accuracy", ("inconclusive", "diverged", 2)),
            ({1: range(5)}, (0.95, 0.90), "accuracy", ("inconclusive", "diverged", 5)),
            # What is lost from test to shifted images is nothing that a failure has more of.
            ({1: [4]}, (0.95, 0.90), "drop", ("inconclusive", "diverged", 1)),
            # Training takes as long as it takes.
            ({1: range(5)}, (0.95, 0.90), "seconds", ("no difference", "", 0)),
            ({}, (0.95, 0.90), "accuracy", ("supported", "", 0)),
        ],
    )
    def test_a_run_that_diverged_decides_for_the_other_side_or_leaves_it_open(
        self, diverged, accuracies, metric, expected
    ):
        plan = make_plan(make_question(LEVELS[:2], [make_claim(metric, level=(0,), against=(1,))]))
        records = {
            (level.settings[0], seed): make_record(
                level.settings[0],
                seed,
                accuracy=reached + 0.001 * (seed % 3),
                diverged=seed in diverged.get(number, ()),
            )
            for number, (level, reached) in enumerate(zip(LEVELS[:2], accuracies, strict=True))
            for seed in plan.seeds
        }

        (claim,) = answer(plan, records).questions[0].claims

        assert (claim.verdict, claim.reason, claim.diverged) == expected
        if claim.estimate and metric == "accuracy":
            assert len(claim.estimate.values) == 5 - claim.diverged

    def test_runs_that_never_reach_the_target_on_either_side(self):
        plan = make_plan(make_question(LEVELS, [make_claim("epochs_to", target=0.99)]))
        (found,) = answer(plan, records_of(LEVELS, plan.seeds, by_neurons)).questions
        assert found.claims[0].verdict == "inconclusive"
        assert found.claims[0].reason == "never reached"

    def test_a_target_that_selects_its_seeds_decides_nothing(self):
        claim = make_claim("epochs_to", target=0.9, direction="better")
        plan = make_plan(make_question(LEVELS, [claim]), seeds=range(5))
        curves = ([0.95] * 20, [0.5] * 2 + [0.95] * 18)
        records = {
            (level.settings[0], seed): make_record(
                level.settings[0], seed, curve=curves[min(i, 1)] if seed < 2 else [0.5] * 20
            )
            for i, level in enumerate(LEVELS)
            for seed in plan.seeds
        }
        (found,) = answer(plan, records).questions
        assert (found.claims[0].verdict, found.claims[0].reason) == (
            "inconclusive",
            "never reached",
        )
        assert found.claims[0].seeds_needed is None


BUSY = Load(wall=9.0, cpu=3.0, waited=6.0)


class TestBusyMachine:
    """Level 0 takes half as long; where the machine was busy, as long as may be."""

    LEVELS = tuple(make_level({"neurons": n, "epochs": 2}) for n in (4, 8))

    def found(self, busy, claim=None):
        """What becomes of a claim if the runs of level 0 with these seeds are `busy`."""
        plan = make_plan(make_question(self.LEVELS, [claim or make_claim("seconds")]))
        records = {}
        for number, level in enumerate(self.LEVELS):
            for seed in plan.seeds:
                seconds = (1.0 + number) * (1 + seed / 100)
                record = make_record(level.settings[0], seed, epoch_seconds=seconds)
                if number == 0 and seed in busy:
                    slow = make_record(level.settings[0], seed, epoch_seconds=40 * seconds)
                    record = slow.model_copy(update={"load": BUSY})
                records[level.settings[0], seed] = record
        (question,) = answer(plan, records).questions
        return question.claims[0], question

    def test_seeds_of_disturbed_runs_do_not_decide_about_times(self):
        claim, question = self.found(busy=(1, 3))

        assert (claim.verdict, claim.reason) == ("supported", "busy machine")
        assert (claim.busy, claim.runs, claim.left_out) == (2, 10, 2)
        assert claim.estimate.values == pytest.approx([0.5] * 3)
        assert [level.busy for level in question.levels] == [2, 0]

    @pytest.mark.parametrize("metric", ["seconds", "seconds_to"])
    @pytest.mark.parametrize("busy", [(0, 1, 2, 3, 4), (0, 1, 2, 3)])
    def test_where_too_few_are_left_nothing_is_decided(self, metric, busy):
        claim, _ = self.found(busy, make_claim(metric))

        assert (claim.verdict, claim.reason) == ("inconclusive", "busy machine")
        assert (claim.busy, claim.runs) == (len(busy), 10)

    def test_accuracies_are_none_the_worse_for_it(self):
        quiet, _ = self.found((), make_claim("epochs_to"))
        busy, _ = self.found((0, 1, 2), make_claim("epochs_to"))

        assert busy == quiet


class TestMissingRuns:
    def test_pair_the_seeds_that_both_sides_have(self):
        plan = make_plan(make_question(LEVELS, [make_claim()]))
        records = records_of(LEVELS, plan.seeds, by_neurons)
        del records[LEVELS[0].settings[0], 1], records[LEVELS[1].settings[0], 3]
        (found,) = answer(plan, records).questions
        assert len(found.claims[0].estimate.values) == 3
        assert found.claims[0].estimate.value == pytest.approx(-0.2)

    def test_with_none_at_all_nothing_is_said(self):
        plan = make_plan(make_question(LEVELS, [make_claim()]))
        (found,) = answer(plan, {}).questions
        assert (found.claims[0].verdict, found.claims[0].estimate) == ("inconclusive", None)
        assert found.claims[0].reason == "too few seeds"
        assert (found.best, found.edge) == (0, ())
        assert math.isnan(found.levels[0].accuracy["test"].mean)


class TestRetuning:
    RATES = (0.1, 0.3)
    SETTINGS = tuple(Setting.from_knobs({"neurons": 4, "learning_rate": r}) for r in RATES)
    LEVEL = make_level({"neurons": 4}, *SETTINGS)

    def see(self, validation):
        """The level's answer, from validation accuracies by setting and seed."""
        seeds = range(len(validation[0]))
        plan = make_plan(make_question([self.LEVEL], retune=("learning_rate",)), seeds=seeds)
        records = {
            (setting, seed): make_record(setting, seed, accuracy=validation[i][seed])
            for i, setting in enumerate(self.SETTINGS)
            for seed in seeds
        }
        return answer(plan, records).questions[0].levels[0]

    def test_each_seed_uses_what_is_best_for_the_others(self):
        # Without seed 2 the first setting is ahead, 0.9 to 0.8; with it and either of the
        # others, the second, 0.9 + 0.1 to 0.8 + 0.8.
        found = self.see([[0.9, 0.9, 0.1], [0.8, 0.8, 0.8]])
        assert [r.training.learning_rate for r in found.records] == [0.3, 0.3, 0.1]
        assert found.accuracy["val"].values == (0.8, 0.8, 0.1)
        assert found.retuned == {"learning_rate = 0.3": 2, "learning_rate = 0.1": 1}
        assert {r.key for r in found.records} < {r.key for r in found.tried}
        assert len(found.tried) == 6

    def test_choosing_among_equals_gains_nothing(self):
        rng = np.random.default_rng(3)
        gains = [
            self.see(rng.normal(0.5, 0.1, (2, 5)).tolist()).accuracy["val"] for _ in range(300)
        ]
        means = [gain.mean for gain in gains]
        # Chosen by its own seed's validation the better of two would gain 0.056.
        assert np.mean(means) == pytest.approx(0.5, abs=4 * float(np.std(means)) / math.sqrt(300))

    def test_one_seed_has_nothing_else_to_go_by(self):
        assert self.see([[0.7], [0.8]]).records[0].training.learning_rate == 0.3

    @pytest.mark.parametrize(
        ("chosen", "side"),
        [
            ((0.1, 0.1), "smallest"),
            ((1.0, 1.0), "largest"),
            ((0.3, 0.3), None),
            ((0.1, 0.3), None),
            ((0.1,), "smallest"),
            ((), None),
        ],
    )
    def test_a_value_that_all_seeds_chose_is_flagged_at_the_edge(self, chosen, side):
        tried = [
            {"learning_rate": rate, "batch_size": b} for rate in (0.1, 0.3, 1.0) for b in (4, 8)
        ]
        own = [{"learning_rate": rate, "batch_size": 4} for rate in chosen]

        found = edges_of_choice(("learning_rate", "batch_size", "neurons"), tried, own)

        assert found == ((Edge("learning_rate", side),) if side else ())

    def test_a_level_knows_the_edge_of_what_it_chose(self):
        rates = (0.1, 0.3, 1.0)
        settings = [Setting.from_knobs({"neurons": 4, "learning_rate": rate}) for rate in rates]
        level = make_level({"neurons": 4}, *settings)
        plan = make_plan(make_question([level], retune=("learning_rate",)))
        records = records_of([level], plan.seeds, lambda s, _: 1 - s.training.learning_rate / 2)
        (found,) = answer(plan, records).questions
        assert found.levels[0].edge == (Edge("learning_rate", "smallest"),)
