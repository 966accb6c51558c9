"""A lab's answers while its page is open: after each run, that run alone is read."""

from dataclasses import replace

from made_runs import make_record
from reference import ReferenceEngine
from small_lab import small_dataset

from siffra.lab.answers import Shortfall, answer
from siffra.lab.execute.results import EngineKeys
from siffra.lab.history import make_saved_lab
from siffra.lab.plan.ad_hoc import plan_vary
from siffra.lab.plan.presets import LabOptions
from siffra.store.store import open_store
from siffra.web.labs import Desk, progress


def test_each_run_is_read_once_and_a_run_that_was_made_again_once_more(tmp_path, monkeypatch):
    dataset = small_dataset()
    plan = plan_vary({"neurons": [4, 8]}, {"epochs": 2}, dataset, LabOptions(seeds=3))
    lab, desk, read = make_saved_lab(plan, EngineKeys(dataset, ReferenceEngine())), Desk(), []
    records = [
        make_record(planned.setting, planned.seed).model_copy(update={"key": key})
        for planned, key in zip(lab.runs, lab.keys, strict=True)
    ]
    with open_store(tmp_path / "runs.sqlite") as store:
        get_all = store.get_all
        monkeypatch.setattr(store, "get_all", lambda keys: read.extend(keys) or get_all(keys))
        for record in records:
            store.add(record)
            desk.answers(lab, store)
            desk.answers(lab, store)
        assert read == list(lab.keys)

        again = records[2].model_copy(
            update={"finished": records[2].finished.replace(year=2027), "seconds": 9.0}
        )
        store.add(again, replace=True)
        answers = desk.answers(lab, store)

        assert read == [*lab.keys, again.key]
        assert repr(answers) == repr(answer(lab.plan, lab.results(store).records))


def test_a_lab_that_came_to_its_end_without_time_for_all_is_complete(tmp_path):
    dataset = small_dataset()
    plan = replace(
        plan_vary({"neurons": [4, 8]}, {"epochs": 2}, dataset, LabOptions(time=9.0)), ad_hoc=False
    )
    lab, desk = make_saved_lab(plan, EngineKeys(dataset, ReferenceEngine())), Desk()
    short = lab.model_copy(update={"shortfall": Shortfall(9.0, (9.0,), (), (((0, 0), 9.0),))})
    with open_store(tmp_path / "runs.sqlite") as store:
        store.add(make_record(lab.runs[0].setting, 0).model_copy(update={"key": lab.keys[0]}))

        assert progress(lab, store) == (1, 10)
        assert desk.answers(lab, store).missing == 9
        assert progress(short, store) == (1, 1)
        assert desk.answers(short, store).missing == 0
        assert desk.answers(short, store).questions[0].untrained == (0, 1)
