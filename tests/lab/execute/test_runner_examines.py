"""Networks that a plan wants examined are examined as their runs end, and once."""

import pytest
from small_lab import SETTINGS, plan_of, small_dataset

from siffra.lab.execute.estimate import estimate
from siffra.lab.execute.runner import run_plan
from siffra.lab.plan.plan import Plan, PlannedRun
from siffra.training.diagnostics import examine
from siffra.training.run import run

DATASET = small_dataset()


def plan(*, examine: bool) -> Plan:
    """Three runs, of which the first is examined, or none."""
    return plan_of([PlannedRun(s, 0, examine and s is SETTINGS[0]) for s in SETTINGS])


def test_only_the_runs_that_are_to_be_are_examined(engine, store):
    records = run_plan(plan(examine=True), DATASET, engine, store).records

    first = records[SETTINGS[0], 0]
    assert list(store.examinations(r.key for r in records.values())) == [first.key]


def test_what_is_stored_is_the_examination_of_that_runs_network(engine, store):
    records = run_plan(plan(examine=True), DATASET, engine, store).records

    key = records[SETTINGS[0], 0].key
    _, fitted = run(SETTINGS[0], DATASET, 0, engine)
    assert store.examinations([key])[key] == examine(fitted, DATASET)


def test_an_examined_run_is_reused(engine, store):
    run_plan(plan(examine=True), DATASET, engine, store)
    made = len(engine.trained())

    run_plan(plan(examine=True), DATASET, engine, store)

    assert len(engine.trained()) == made


def test_a_run_stored_without_is_made_again_and_its_record_stays(engine, store):
    before = run_plan(plan(examine=False), DATASET, engine, store).records
    events = []

    cost = estimate(plan(examine=True), DATASET, engine, store)
    after = run_plan(plan(examine=True), DATASET, engine, store, events.append).records

    assert (cost.runs, cost.have) == (3, 2)
    assert after == before
    assert [store.get(record.key) for record in after.values()] == list(before.values())
    kinds = [e.kind for e in events if e.kind in ("reused", "finished")]
    assert sorted(kinds) == ["finished", "reused", "reused"]
    assert len(store.examinations(r.key for r in after.values())) == 1


def test_an_examination_of_an_older_kind_counts_as_none(engine, store, monkeypatch):
    records = run_plan(plan(examine=True), DATASET, engine, store).records
    key = records[SETTINGS[0], 0].key

    monkeypatch.setattr("siffra.store.store.EXAMINING", 2)

    assert store.examined([key]) == set()
    assert estimate(plan(examine=True), DATASET, engine, store).have == 2


def test_a_run_whose_examination_fails_is_not_stored(engine, store, monkeypatch):
    monkeypatch.setattr("siffra.lab.execute.trainer.examine", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        run_plan(plan(examine=True), DATASET, engine, store)

    assert all(record.setting != SETTINGS[0] for record in store.records())
