"""What a lab does next: no training, only runs that are made up and what they cost."""

import math
from dataclasses import replace
from typing import cast

import pytest
from made_runs import make_claim, make_level, make_plan, make_question, make_record

from siffra.config import Setting
from siffra.lab.execute.cost import Costs
from siffra.lab.execute.scheduler import Scheduler
from siffra.lab.plan.plan import PlannedRun, PlannedTiming

LEVELS = [make_level({"neurons": n, "epochs": 1}) for n in (4, 8, 16)]
SETTINGS = [level.settings[0] for level in LEVELS]
CHEAP = make_claim(id="cheap", level=(1,), against=(0,))
DEAR = make_claim(id="dear", level=(2,), against=(0,))
LOOKS = (5, 7, 10, 14)
PLAN = replace(make_plan(make_question(LEVELS, [CHEAP, DEAR])), looks=LOOKS)


class KnownCosts:
    """A run takes a second for each eight neurons, a round of times a tenth of a second."""

    def seconds(self, setting):
        return setting.model.neurons[0] / 8

    def of_timing(self, planned):
        return 0.1


def scheduler(plan=PLAN, at_once=1):
    return Scheduler(plan, cast(Costs, KnownCosts()), at_once)


def a_run(planned, gaps):
    """Accuracy 0.6 and by how much its level is above the first, by turns 0.004 more or less."""
    place = SETTINGS.index(planned.setting)
    swing = 0.004 * (-1) ** planned.seed if place else 0.0
    record = make_record(planned.setting, planned.seed, accuracy=0.6 + gaps[place] + swing)
    seconds = KnownCosts().seconds(planned.setting)
    return record.model_copy(update={"seconds": seconds})


def next_runs(jobs, made):
    """The next jobs, of a plan whose claims are not about times."""
    ahead = jobs.next(made, {}, frozenset())
    return [job for job in ahead if isinstance(job, PlannedRun)]


def conduct(plan, gaps, killed_after=math.inf):
    """Make job after job, as a runner does; return the runs in the order in which they came."""
    made, jobs = {}, scheduler(plan)
    while len(made) < killed_after:
        ahead = next_runs(jobs, made)
        if not ahead:
            break
        for job in ahead:
            assert (job.setting, job.seed) not in made
            made[job.setting, job.seed] = a_run(job, gaps)
    return made


def seeds_of(made):
    return [sum(setting == s for setting, _ in made) for s in SETTINGS]


class TestFirst:
    def test_every_setting_has_the_seeds_of_the_first_look(self):
        assert {(job.setting, job.seed) for job in next_runs(scheduler(), {})} == {
            (setting, seed) for setting in SETTINGS for seed in range(5)
        }

    def test_settings_whose_times_are_claimed_are_timed_as_often(self):
        question = make_question(LEVELS, [make_claim("seconds", level=(2,), against=(0,))])
        ahead = scheduler(make_plan(question)).next({}, {}, frozenset())
        timed = (SETTINGS[0], SETTINGS[2])
        rounds = [job for job in ahead if isinstance(job, PlannedTiming)]
        assert rounds == [PlannedTiming(timed, number) for number in range(5)]

    def test_what_is_pending_is_not_asked_for_again(self):
        jobs = scheduler()
        ahead = jobs.next({}, {}, frozenset())
        assert jobs.next({}, {}, frozenset(ahead)) == []
        assert set(jobs.next({}, {}, frozenset(ahead[3:]))) == set(ahead[:3])

    def test_what_is_chosen_on_the_tuning_seeds_is_run_with_the_others(self):
        rates = [Setting.from_knobs({"learning_rate": r, "epochs": 1}) for r in (0.1, 0.2)]
        level = make_level({"neurons": 32}, *rates)
        plan = make_plan(make_question([level], retune=("learning_rate",)), seeds=(0, 1))
        plan = replace(plan, tuning_seeds=(100,))
        made = {
            (setting, 100): make_record(setting, 100, accuracy=0.9 + 0.01 * i)
            for i, setting in enumerate(rates)
        }
        ahead = next_runs(scheduler(plan), made)
        assert {(job.setting, job.seed) for job in ahead} == {
            (rates[1], 0),
            (rates[1], 1),
        }


class TestThen:
    def test_without_looks_that_is_all(self):
        made = conduct(replace(PLAN, looks=()), (0, 0.001, 0.001))
        assert seeds_of(made) == [5, 5, 5]

    def test_what_is_shown_gets_no_more_seeds(self):
        assert seeds_of(conduct(PLAN, (0, 0.1, 0.1))) == [5, 5, 5]

    def test_the_claim_that_is_decided_soonest_goes_on_first(self):
        made = conduct(PLAN, (0, 0.006, 0.006))
        order = [setting for setting, seed in made if seed >= 5]
        assert order.index(SETTINGS[1]) < order.index(SETTINGS[2])

    def test_a_claim_without_a_forecast_comes_last(self):
        # The cheap one differs by nothing; the dear one by what ten seeds will show.
        made = conduct(PLAN, (0, 0, 0.008))
        order = [setting for setting, seed in made if seed >= 5]
        assert order.index(SETTINGS[2]) < order.index(SETTINGS[1])

    def test_runs_serve_all_claims_that_share_them(self):
        made = conduct(PLAN, (0, 0, 0))
        assert seeds_of(made) == [14, 14, 14]


class TestBudget:
    def test_counts_what_runs_took_that_were_stored_before(self):
        plan = replace(PLAN, time=100.0)
        made = conduct(plan, (0, 0, 0), killed_after=15)
        # Five seeds of half a second, one and two.
        assert scheduler(plan).seconds_left(made, {}) == pytest.approx(100 - 5 * 3.5)
        assert scheduler(plan, at_once=2).seconds_left(made, {}) == pytest.approx(100 - 5 * 3.5 / 2)

    def test_ends_a_lab_and_does_not_stop_the_first_look(self):
        assert seeds_of(conduct(replace(PLAN, time=1.0), (0, 0, 0))) == [5, 5, 5]

    def test_is_spent_on_what_fits(self):
        # After 17.5 s of the first look the cheap claim's next one takes 2 * 1.5 s.
        made = conduct(replace(PLAN, time=21.0), (0, 0.004, 0.004))
        assert seeds_of(made) == [7, 7, 5]

    @pytest.mark.parametrize("killed_after", [1, 7, 15, 16, 20, 24])
    def test_a_lab_that_was_killed_comes_to_the_same_end(self, killed_after):
        plan = replace(PLAN, time=30.0)
        whole = conduct(plan, (0, 0.004, 0.006))
        made, jobs = dict(list(whole.items())[:killed_after]), scheduler(plan)
        while ahead := next_runs(jobs, made):
            made |= {(job.setting, job.seed): whole[job.setting, job.seed] for job in ahead}
        assert made.keys() == whole.keys()

    def test_asked_again_there_is_nothing_to_do(self):
        plan = replace(PLAN, time=30.0)
        made = conduct(plan, (0, 0.004, 0.006))
        assert scheduler(plan).next(made, {}, frozenset()) == []
