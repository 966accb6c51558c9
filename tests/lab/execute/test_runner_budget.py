"""A budget holds from the first run on: no training, but a clock and costs that are made up."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import make_claim, make_level, make_plan, make_question, make_record
from small_lab import LoggingEngine, small_dataset

from siffra.config import Setting
from siffra.lab.execute.base import Executor
from siffra.lab.execute.estimate import estimate
from siffra.lab.execute.events import Event, Job, Task
from siffra.lab.execute.runner import Results, run_plan
from siffra.lab.plan.plan import Experiment, PlannedRun
from siffra.store.store import Store, open_store
from siffra.training.run import run_key

DATASET = small_dataset()
ENGINE = LoggingEngine(Path("unused"))
CHEAP = [make_level({"neurons": n, "epochs": 1}) for n in (4, 8)]
DEAR = [make_level({"model": "conv", "filters": n, "epochs": 1}) for n in (1, 2)]
BESIDE = Setting.from_knobs({"neurons": 16, "epochs": 1})
SETTINGS = [*(level.settings[0] for level in (*CHEAP, *DEAR)), BESIDE]
SECONDS = dict(zip(SETTINGS, (1.0, 2.0, 20.0, 20.0, 4.0), strict=True))
FIRST_LOOK = 5 * sum(SECONDS.values())
PLAN = replace(
    make_plan(
        make_question(CHEAP, [make_claim(id="cheap", level=(1,), against=(0,))]),
        replace(make_question(DEAR, [make_claim(id="dear", level=(1,), against=(0,))]), id="dear"),
    ),
    experiments=(Experiment("beside", {"en": "Beside"}, {}, BESIDE, {}),),
    looks=(5, 7, 10, 14),
    examines=False,
)


class Clockwork(Executor):
    """Makes runs, `size` at once, in no time by any real clock; `wall` is what they would take.

    Accuracies swing by seed about the same mean, so that no claim is ever shown.
    """

    def __init__(self, size: int = 1) -> None:
        self._size = size
        self._ends: dict[PlannedRun, float] = {}
        self.wall = 0.0

    @property
    def size(self) -> int:
        return self._size

    @property
    def jobs(self) -> int:
        return 1

    @property
    def capacity(self) -> int:
        return self._size - len(self._ends)

    def submit(self, run: Job | Task) -> None:
        assert isinstance(run, PlannedRun)
        self._ends[run] = self.wall + SECONDS[run.setting]

    def poll(self, on_event: Callable[[Event], None]) -> None:
        run = min(self._ends, key=self._ends.__getitem__)
        self.wall = self._ends.pop(run)
        swing = 0.02 * ((7 * run.seed + SETTINGS.index(run.setting)) % 3) if run.seed else 0.0
        record = make_record(run.setting, run.seed, accuracy=0.6 + swing)
        key = run_key(run.setting, DATASET, run.seed, ENGINE)
        changes = {"key": key, "seconds": SECONDS[run.setting]}
        on_event(Event("finished", run, record=record.model_copy(update=changes)))


class Guesses:
    """Costs `off` by a factor until a model was run, those of a kind until any of the kind was."""

    off = 1.0

    def __init__(self, dataset, engine, store: Store, jobs: int) -> None:
        self._known = {record.setting for record in store.records()}

    def learn(self, setting: Setting, record) -> None:
        self._known.add(setting)

    def learn_times(self, timings) -> None:
        pass

    def knows(self, setting: Setting) -> bool:
        return self.off == 1 or setting in self._known

    def knows_kind(self, kind: str) -> bool:
        return self.off == 1 or any(setting.model.kind == kind for setting in self._known)

    def seconds(self, setting: Setting) -> float:
        return SECONDS[setting] * (1 if self.knows_kind(setting.model.kind) else self.off)


@pytest.fixture(autouse=True)
def guesses(monkeypatch: pytest.MonkeyPatch) -> type[Guesses]:
    monkeypatch.setattr("siffra.lab.execute.work.EngineCosts", Guesses)
    monkeypatch.setattr(Guesses, "off", 1.0)
    return Guesses


def lab(store: Store, time: float, size: int = 1, on_event=lambda event: None) -> Results:
    return run_plan(
        replace(PLAN, time=time), DATASET, ENGINE, store, on_event, executor=Clockwork(size)
    )


def seeds_of(results: Results) -> list[int]:
    """How many seeds each setting got: those of the cheap claim, of the dear one, the other."""
    return [sum(setting == s for setting, _ in results.records) for s in SETTINGS]


def seconds_of(results: Results) -> float:
    return sum(record.seconds for record in results.records.values())


def test_a_first_look_that_fits_comes_seed_by_seed_as_without_a_budget(store, tmp_path):
    order: list[Job | None] = []
    lab(store, FIRST_LOOK, on_event=lambda e: e.kind == "started" and order.append(e.run))

    assert order == list(PLAN.runs)


@pytest.mark.parametrize("size", [1, 2])
def test_else_the_cheap_claim_gets_all_its_looks_and_the_dear_one_is_not_begun(store, size):
    found = lab(store, 70 / size, size)

    assert seeds_of(found) == [14, 14, 0, 0, 5]
    assert seconds_of(found) == 14 * 3 + 5 * 4 <= 70


@pytest.mark.parametrize(("time", "beside"), [(61.9, 0), (62, 5)])
def test_what_has_no_claims_comes_last_and_only_if_it_fits(store, time, beside):
    assert seeds_of(lab(store, time)) == [14, 14, 0, 0, beside]


def test_a_budget_for_both_claims_is_spent_on_the_cheap_one_first(store):
    order: list[Setting] = []
    found = lab(
        store, 230, on_event=lambda e: e.kind == "started" and order.append(e.planned_run.setting)
    )

    assert seeds_of(found)[2:] == [5, 5, 0]
    assert {setting.model.kind for setting in order[:10]} == {"dense"}
    assert seconds_of(found) <= 230


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("time", [30, 79, 120, 160, 300, 500])
def test_predictions_three_times_too_low_overrun_by_no_more_than_what_is_in_flight(
    store, guesses, time, size
):
    guesses.off = 1 / 3
    found = lab(store, time / size, size)

    assert seconds_of(found) <= time + size * 20
    # What is known by then is enough for the claim that takes little.
    assert min(seeds_of(found)[:2]) >= (5 if time > 30 else 1)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_predictions_three_times_too_high_starve_nothing(store, guesses, size):
    guesses.off = 3.0
    found = lab(store, 1.1 * FIRST_LOOK / size, size)

    assert min(seeds_of(found)) >= 5
    assert seconds_of(found) <= 1.1 * FIRST_LOOK


@pytest.mark.parametrize("off", [1 / 3, 1.0, 3.0])
@pytest.mark.parametrize("time", [70, 120, 250])
@pytest.mark.parametrize("killed_after", [1, 4, 9, 13, 20])
def test_killed_and_asked_again_it_comes_to_the_same_end(
    store, tmp_path, guesses, off, time, killed_after
):
    guesses.off = off

    def kill(event: Event) -> None:
        if event.kind == "finished" and event.progress.done == killed_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lab(store, time, on_event=kill)
    went_on = lab(store, time)
    with open_store(tmp_path / "other.sqlite") as other:
        whole = lab(other, time)

    assert went_on.records.keys() == whole.records.keys()
    assert went_on.shortfall == whole.shortfall


def test_asked_again_there_is_nothing_to_do_and_a_longer_budget_goes_on(store):
    first = lab(store, 70)
    cost = estimate(replace(PLAN, time=70), DATASET, ENGINE, store, executor=Clockwork())

    assert (cost.runs, cost.have, cost.seconds, cost.fits) == (33, 33, 0.0, False)
    # What is there took 62 s. A budget of 262 has a first look at everything: see below.
    assert (cost.first_look, cost.enough) == (200, 262)
    assert sum(record.seconds for record in first.records.values()) == 62
    assert lab(store, 70).records.keys() == first.records.keys()
    assert seeds_of(lab(store, 262)) == [14, 14, 5, 5, 5]


def test_what_there_was_no_time_for_is_told_with_what_it_would_take(store):
    found = lab(store, 70).shortfall

    assert found is not None
    assert found.questions == (0.0, 200.0)
    assert found.experiments == (0.0,)
    assert found.claims == (((1, 0), 200.0),)
    assert found.seconds == 200.0
    assert lab(store, 262).shortfall is None


def test_the_estimate_says_what_a_first_look_takes_and_whether_the_budget_lasts(store):
    def cost(time: float | None):
        return estimate(replace(PLAN, time=time), DATASET, ENGINE, store, executor=Clockwork())

    assert (cost(70).runs, cost(70).seconds, cost(70).fits) == (25, FIRST_LOOK, False)
    assert (cost(300).runs, cost(300).seconds, cost(300).fits) == (25, FIRST_LOOK, True)
    assert (cost(None).seconds, cost(None).fits) == (FIRST_LOOK, True)


def test_what_is_stored_beyond_a_first_look_is_no_part_of_it(store):
    beyond = replace(PLAN, seeds=(5, 6), looks=())
    run_plan(beyond, DATASET, ENGINE, store, executor=Clockwork())
    cost = estimate(replace(PLAN, time=300), DATASET, ENGINE, store, executor=Clockwork())

    assert (cost.runs, cost.have) == (25, 0)


def test_runs_that_turn_out_not_to_fit_are_no_longer_counted(store, guesses):
    guesses.off = 1 / 3
    totals: list[int] = []
    found = lab(store, 100, on_event=lambda event: totals.append(event.progress.total))

    assert totals[0] == len(PLAN.runs)
    assert totals[-1] == len(found.records)


def test_a_question_of_its_own_gets_five_seeds_whatever_the_budget(store):
    plan = replace(PLAN, time=10.0, ad_hoc=True)
    found = run_plan(plan, DATASET, ENGINE, store, executor=Clockwork())

    assert min(seeds_of(found)) == 5
    assert found.shortfall is None


def test_a_lab_without_claims_gets_five_seeds_whatever_the_budget(store):
    questions = tuple(replace(question, claims=()) for question in PLAN.questions)
    plan = replace(PLAN, questions=questions, time=10.0)
    found = run_plan(plan, DATASET, ENGINE, store, executor=Clockwork())

    assert seeds_of(found) == [5] * 5
    assert math.isclose(seconds_of(found), FIRST_LOOK)
