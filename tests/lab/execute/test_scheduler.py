"""What a lab does next: no training, only runs that are made up and what they cost."""

import math
from dataclasses import replace
from typing import cast

import pytest
from made_runs import make_claim, make_level, make_plan, make_question, make_record

from siffra.config import Setting
from siffra.lab.execute.cost import Costs
from siffra.lab.execute.scheduler import Scheduler
from siffra.lab.plan.plan import Experiment, PlannedRun, PlannedTiming

LEVELS = [make_level({"neurons": n, "epochs": 1}) for n in (4, 8, 16)]
SETTINGS = [level.settings[0] for level in LEVELS]
CHEAP = make_claim(id="cheap", level=(1,), against=(0,))
DEAR = make_claim(id="dear", level=(2,), against=(0,))
LOOKS = (5, 7, 10, 14)
NO_TIME_FOR = Experiment("e", {}, {}, Setting.from_knobs({"neurons": 128, "epochs": 1}), {})
PLAN = replace(make_plan(make_question(LEVELS, [CHEAP, DEAR])), looks=LOOKS)


class KnownCosts:
    """A run takes a second for each eight neurons, a round of times a tenth of a second."""

    def seconds(self, setting):
        return setting.model.neurons[0] / 8

    def of_timing(self, planned):
        return 0.1

    def learn_times(self, timings):
        pass

    def knows(self, setting):
        return True

    def knows_kind(self, kind):
        return True


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

    def test_claims_of_the_labs_author_go_before_those_of_others(self):
        by_siffra = replace(CHEAP, by={"en": "siffra"})
        plan = replace(PLAN, questions=(make_question(LEVELS, [by_siffra, DEAR]),))
        order = [setting for setting, _ in conduct(plan, (0, 0.006, 0.006))][15:]
        assert order.index(SETTINGS[2]) < order.index(SETTINGS[1])

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

    def test_holds_from_the_first_run_on(self):
        # A first look takes 7.5 s of the cheap claim, and 10 more of the dear one.
        assert seeds_of(conduct(replace(PLAN, time=1.0), (0, 0, 0))) == [0, 0, 0]
        assert seeds_of(conduct(replace(PLAN, time=17.0), (0, 0, 0))) == [10, 10, 0]
        assert seeds_of(conduct(replace(PLAN, time=17.5), (0, 0, 0))) == [5, 5, 5]

    @pytest.mark.parametrize(("gap", "goes_on_first"), [(0.0, False), (0.006, True)])
    def test_a_claim_that_was_not_seen_yet_is_expected_to_be_shown_by_ten_seeds(
        self, gap, goes_on_first
    ):
        # That is 22.5 s for the dear claim, once the cheap one has had its first look. This one
        # then goes on if a few of its seeds, at 1.5 s, would show it, and not if none would.
        plan = replace(PLAN, experiments=(NO_TIME_FOR,), time=34.0)
        order = list(conduct(plan, (0, gap, 0.1)))
        goes_on, begins = order.index((SETTINGS[1], 5)), order.index((SETTINGS[2], 0))
        assert (goes_on < begins) == goes_on_first

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


class TestNotYetKnown:
    """Retuned knobs: what is chosen and timed is not known before the tuning is done."""

    RATES = tuple(Setting.from_knobs({"learning_rate": r, "epochs": 1}) for r in (0.1, 0.2))
    TUNED = make_level({"batch_size": 140}, *RATES)
    PLAIN = make_level({"batch_size": 16})
    EACH = 4.0  # seconds: both have 32 neurons

    def plan(self, time, metric="accuracy"):
        claim = make_claim(metric, level=(0,), against=(1,))
        question = make_question([self.TUNED, self.PLAIN], [claim], retune=("learning_rate",))
        dear = (NO_TIME_FOR,)
        return replace(
            make_plan(question), looks=LOOKS, time=time, tuning_seeds=(100, 101), experiments=dear
        )

    def kinds(self, plan):
        """How many tuning runs, other runs and rounds come first."""
        jobs = scheduler(plan).next({}, {}, frozenset())
        tuning = [isinstance(job, PlannedRun) and job.seed >= 100 for job in jobs]
        timed = sum(isinstance(job, PlannedTiming) for job in jobs)
        return sum(tuning), len(jobs) - sum(tuning) - timed, timed

    @pytest.mark.parametrize(
        ("time", "expected"),
        # Four tuning runs, five of the plain level, and five more of what will be chosen.
        [(4 * 14, (4, 5, 0)), (4 * 14 - 1, (0, 0, 0))],
    )
    def test_a_claim_is_begun_if_tuning_and_what_is_chosen_fit(self, time, expected):
        assert self.kinds(self.plan(time)) == expected

    @pytest.mark.parametrize(
        ("time", "expected"),
        # Of a claim about times nothing is run but the tuning; then come five rounds.
        [(4 * 4 + 0.6, (4, 0, 0)), (4 * 4 + 0.4, (0, 0, 0))],
    )
    def test_so_are_the_rounds_of_times(self, time, expected):
        assert self.kinds(self.plan(time, "seconds")) == expected

    def test_all_of_it_counts_in_a_first_look_at_everything(self):
        plan = replace(self.plan(None, "seconds"), experiments=())
        need = scheduler(plan).first_look({}, {})
        assert [len(need.jobs), len(need.later)] == [4 + 5, 5 + 5]
        bounded = replace(plan, time=4 * 14 + 0.6)
        assert len(scheduler(bounded).next({}, {}, frozenset())) == 9
