from dataclasses import replace

import numpy as np
import pytest
from made_runs import (
    make_claim,
    make_level,
    make_plan,
    make_question,
    make_record,
    make_timing,
)

from siffra.config import Setting
from siffra.lab.answers import answer
from siffra.lab.plan.plan import PlannedTiming
from siffra.lab.stats.rounds import judge_rounds, possible_timings, timed_settings

LEVELS = [make_level({"neurons": n}) for n in (4, 8, 16)]
SETTINGS = [level.settings[0] for level in LEVELS]
CLAIMS = [make_claim(id="plain"), make_claim(id="close", level=(1,), against=(2,))]
LOOKS = (5, 10, 20)
PLAN = replace(make_plan(make_question(LEVELS, CLAIMS)), looks=LOOKS)


def records(*seeds, spread=0.003):
    """Accuracy 0.7 with 4 neurons, else 0.9: of so many seeds at each level."""
    made = {}
    for level, count in zip(LEVELS, seeds, strict=True):
        (setting,), width = level.settings, level.knobs["neurons"]
        noise = np.random.default_rng(width).normal(0, spread, 20)
        for seed in range(count):
            reached = (0.75 if width == 4 else 0.9) + noise[seed]
            made[setting, seed] = make_record(setting, seed, accuracy=reached)
    return made


def claims_of(plan, made, timings=None):
    return answer(plan, made, timings).questions[0].claims


class TestClocks:
    def test_each_claim_looks_when_its_own_levels_have_the_seeds(self):
        plain, close = claims_of(PLAN, records(5, 20, 20))
        assert (plain.verdict, plain.grade, plain.look) == ("refuted", "shown", 5)
        assert (close.verdict, close.look) == ("inconclusive", None)
        assert [len(claim.estimate.values) for claim in (plain, close)] == [5, 20]
        looks = answer(PLAN, records(5, 20, 20)).looks
        assert [(k.seeds, k.decided, k.open, k.waiting) for k in looks] == [
            (5, 1, 1, 0),
            (10, 0, 1, 0),
            (20, 0, 1, 0),
        ]
        assert looks[-1].spent == pytest.approx(0.05)

    def test_what_is_open_has_its_next_look_and_a_forecast(self):
        (left,) = judge_rounds(PLAN, records(5, 5, 5)).open
        assert (left.number, left.seeds, left.levels) == ((0, 1), 10, (1, 2))
        assert judge_rounds(PLAN, records(5, 20, 20)).open == ()

    def test_a_look_under_way_judges_nothing_yet(self):
        made = records(7, 7, 7)
        assert [look.seeds for look in answer(PLAN, made).looks] == [5]
        assert len(claims_of(PLAN, made)[1].estimate.values) == 5

    def test_before_the_first_look_there_is_an_estimate_and_no_verdict(self):
        plain, _ = claims_of(PLAN, records(4, 4, 4))
        assert (plain.verdict, plain.reason) == ("inconclusive", "too few seeds")
        assert len(plain.estimate.values) == 4
        assert answer(PLAN, records(4, 4, 4)).missing == 3

    def test_what_was_decided_stays_as_later_seeds_come(self):
        assert claims_of(PLAN, records(5, 5, 5))[0] == claims_of(PLAN, records(20, 20, 20))[0]

    def test_the_order_in_which_runs_were_made_does_not_matter(self):
        made = records(20, 20, 20)
        shuffled = dict(reversed(made.items()))
        assert repr(claims_of(PLAN, made)) == repr(claims_of(PLAN, shuffled))

    def test_a_target_that_is_never_reached_is_not_waited_for(self):
        plan = replace(
            PLAN, questions=(make_question(LEVELS[:2], [make_claim("epochs_to", target=0.99)]),)
        )
        assert judge_rounds(plan, records(5, 5, 5)).open == ()

    def test_without_looks_there_is_one_at_all_seeds(self):
        plan = replace(PLAN, looks=())
        assert answer(plan, records(5, 5, 5)).looks == ()
        plain, _ = claims_of(plan, records(5, 5, 5))
        assert (plain.verdict, plain.look) == ("refuted", None)
        assert claims_of(plan, records(5, 5, 4))[0].verdict == "refuted"
        assert claims_of(plan, records(4, 5, 5))[0].verdict == "inconclusive"


class TestTimes:
    """Level 1 takes twice as long as level 0 for an epoch."""

    QUESTION = make_question(LEVELS[:2], [make_claim("seconds")])
    PLAN = replace(make_plan(QUESTION), looks=LOOKS)

    def timings(self, rounds, slowly=2.0):
        settings = tuple(SETTINGS[:2])
        return {
            PlannedTiming(settings, n): make_timing(
                *settings, number=n, seconds=(1 + n / 1000, slowly)
            )
            for n in range(rounds)
        }

    def test_are_compared_round_by_round(self):
        (claim,) = claims_of(self.PLAN, {}, self.timings(5))
        assert (claim.verdict, claim.grade, claim.look) == ("supported", "shown", 5)
        assert claim.estimate.value == pytest.approx(0.5, rel=0.01)
        assert len(claim.estimate.values) == 5

    def test_what_whole_runs_took_does_not_matter(self):
        made = records(5, 5, 5)
        (claim,) = claims_of(self.PLAN, made)
        assert (claim.verdict, claim.reason, claim.estimate) == ("inconclusive", "not timed", None)
        assert claims_of(self.PLAN, made, self.timings(5)) == claims_of(
            self.PLAN, {}, self.timings(5)
        )

    def test_trainings_of_equal_times_agree_no_better_than_a_clock_can_tell(self):
        question = make_question(LEVELS[:2], [make_claim("seconds", "same", margin=0.0005)])
        plan = replace(make_plan(question), looks=LOOKS)
        settings = tuple(SETTINGS[:2])
        equal = {
            PlannedTiming(settings, n): make_timing(*settings, number=n, seconds=(1.0, 1.0))
            for n in range(5)
        }
        assert claims_of(plan, {}, equal)[0].verdict == "inconclusive"

    def test_a_time_to_a_target_is_epochs_times_what_one_takes(self):
        question = make_question(LEVELS[:2], [make_claim("seconds_to")])
        plan = replace(make_plan(question), looks=LOOKS)
        curves = [0.5] * 5 + [0.95] * 15, [0.5] * 2 + [0.95] * 18
        made = {
            (setting, seed): make_record(setting, seed, curve=curve)
            for setting, curve in zip(SETTINGS[:2], curves, strict=True)
            for seed in range(5)
        }
        (claim,) = claims_of(plan, made, self.timings(5))
        assert claim.estimate.value == pytest.approx(6 / 3 / 2, rel=0.01)
        assert claims_of(plan, made, self.timings(4))[0].verdict == "inconclusive"

    def test_only_levels_whose_times_are_claimed_are_timed(self):
        question = make_question(LEVELS, [make_claim("seconds"), make_claim(level=(2,))])
        plan = make_plan(question)
        assert timed_settings(plan, question, {}) == tuple(SETTINGS[:2])
        assert len(possible_timings(plan)) == 5

    def test_settings_that_may_be_chosen_are_in_the_same_order_in_every_process(self):
        """A kept lab has the keys of these rounds in their order."""
        rates = [Setting.from_knobs({"learning_rate": rate}) for rate in (0.1, 0.2, 0.3, 0.4)]
        levels = [make_level({"neurons": 32}, *rates), LEVELS[0]]
        question = make_question(levels, [make_claim("seconds")], retune=("learning_rate",))
        timings = possible_timings(replace(make_plan(question), tuning_seeds=(100,)))
        assert [t.settings for t in timings[::5]] == [(rate, SETTINGS[0]) for rate in rates]

    def test_levels_have_their_times(self):
        (question,) = answer(self.PLAN, {}, self.timings(5)).questions
        assert question.levels[1].timed == pytest.approx([40.0] * 5)


def test_looking_does_not_raise_the_share_of_labs_that_err():
    """Nothing differs; the promise is 5 % of labs, however often they look."""
    rng = np.random.default_rng(11)
    claims = [make_claim(id=str(i), level=(i,), against=(0,), margin=1e-9) for i in (1, 2)]
    plan = replace(PLAN, questions=(make_question(LEVELS, claims),))
    labs, wrong = 60, 0
    for _ in range(labs):
        made = {
            (setting, seed): make_record(setting, seed, accuracy=float(rng.normal(0.9, 0.01)))
            for setting in SETTINGS
            for seed in range(20)
        }
        found = judge_rounds(plan, made).claims.values()
        wrong += any(claim.grade == "shown" for claim in found)
    # Three standard errors of a share of 0.05; `python -m benchmarks.method` has more labs.
    assert wrong / labs <= 0.05 + 3 * (0.05 * 0.95 / labs) ** 0.5
