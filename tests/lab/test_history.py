"""A lab that was asked can be answered, and gone on with, from what is kept beside the store."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from made_runs import make_claim, make_record
from reference import ReferenceEngine
from small_lab import small_dataset

from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.data.load import DataSource, load_dataset
from siffra.errors import StoreError
from siffra.lab.answers import answer
from siffra.lab.execute.commands import CommandKeys
from siffra.lab.execute.results import EngineKeys, Shortfall
from siffra.lab.execute.runner import run_plan
from siffra.lab.history import LabHistory, SavedLab, make_saved_lab
from siffra.lab.plan.ad_hoc import plan_vary
from siffra.lab.plan.labfile import read_lab
from siffra.lab.plan.plan import Plan
from siffra.lab.plan.planning import plan_lab
from siffra.lab.plan.presets import LabOptions
from siffra.store.store import open_store

DATA, ENGINE = small_dataset(), ReferenceEngine()


def kept(plan: Plan, dataset: Dataset = DATA) -> SavedLab:
    return make_saved_lab(plan, EngineKeys(dataset, ENGINE))


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_vary({"neurons": [8, [8, 8]]}, {"epochs": 2}, DATA, LabOptions(seeds=2))


@pytest.fixture
def history(tmp_path: Path) -> LabHistory:
    return LabHistory(tmp_path / "runs.sqlite")


def test_a_lab_comes_back_as_it_was(history, plan):
    lab = kept(plan)

    history.keep(lab)

    assert history.get(lab.id) == lab
    assert history.labs() == [lab]
    assert history.get(lab.id).plan.runs == plan.runs


def test_the_whole_study_comes_back_as_it_was(history):
    mnist = load_dataset()
    plan = plan_lab(read_lab(), mnist)
    lab = kept(plan, mnist)

    history.keep(lab)

    assert history.get(lab.id).plan == plan


def test_the_lab_of_a_program_comes_back_as_it_was(history, tmp_path):
    (tmp_path / "my.toml").write_text(
        'title = "t"\n[base]\ncommand = "python train.py {lr} {seed}"\n'
        '[metrics.loss]\nbetter = "lower"\n[[questions]]\nid = "a"\nask = "?"\n'
        "vary = { lr = [0.1, 0.3] }\n[[questions.claims]]\nid = 'c'\nsay = '!'\n"
        "level = { lr = 0.3 }\nagainst = { lr = 0.1 }\ndirection = 'better'\n"
        "[[experiments]]\nid = 'e'\nname = 'E'\nknobs = { lr = 0.5 }\n"
    )
    file = read_lab(tmp_path / "my.toml")
    assert file.program
    plan = plan_lab(file, None, LabOptions(seeds=2))
    lab = make_saved_lab(plan, CommandKeys(file.program.spec))

    history.keep(lab)

    assert history.get(lab.id) == lab
    assert history.get(lab.id).plan.is_external
    assert len(set(lab.keys)) == 6


def test_the_same_question_is_the_same_lab_and_keeps_its_place(history, plan):
    first, second = kept(plan), kept(plan)
    history.keep(first)
    history.keep(second)

    assert first.id == second.id
    assert history.labs() == [first]
    assert kept(plan, replace(DATA, fingerprint="1" * 64)).id != first.id
    assert kept(replace(plan, seeds=(0, 1, 2))).id != first.id


def test_whose_the_claims_are_makes_no_other_lab(plan):
    theirs = replace(plan, questions=tuple(replace(q, by={"en": "you"}) for q in plan.questions))

    assert kept(theirs).id == kept(plan).id


def test_a_lab_that_was_kept_before_claims_had_owners_is_read(plan):
    lab = kept(plan)
    found = json.loads(lab.model_dump_json())
    for question in found["plan"]["questions"]:
        del question["by"]

    assert SavedLab.model_validate_json(json.dumps(found)) == lab


@pytest.mark.parametrize(("preset", "ad_hoc"), [("vary", True), ("quick", False)])
def test_a_lab_of_before_plans_said_it_is_ad_hoc_by_its_preset(plan, preset, ad_hoc):
    lab = kept(replace(plan, preset=preset, ad_hoc=ad_hoc))
    content = json.loads(lab.model_dump_json())
    del content["plan"]["ad_hoc"]

    assert SavedLab.model_validate_json(json.dumps(content)) == lab


def test_defaults_that_are_spelled_out_make_no_other_lab(plan):
    spelled = plan_vary(
        {"neurons": [8, [8, 8]]}, plan.questions[0].fixed, DATA, LabOptions(seeds=2)
    )

    assert spelled.digest != plan.digest
    assert kept(spelled).id == kept(plan).id


def test_a_lab_with_looks_knows_the_runs_of_the_last_one(history):
    plan = plan_vary(
        {"neurons": [4, 5]},
        {"epochs": 1},
        DATA,
        LabOptions(max_seeds=10),
    )
    lab = kept(plan)

    assert {run.seed for run in lab.runs} == set(range(10))
    assert len(lab.keys) == len(set(lab.keys)) == len(lab.runs) == 20


def test_the_path_of_its_data_is_kept_whole(plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    relative = replace(plan, data=DataSource(path=Path("own.npz")))

    assert kept(relative).data.path == tmp_path / "own.npz"


def test_its_records_are_those_that_are_stored(history, plan, tmp_path):
    lab = kept(plan)
    planned = plan.runs[2]
    record = make_record(planned.setting, planned.seed).model_copy(update={"key": lab.keys[2]})
    with open_store(tmp_path / "runs.sqlite") as store:
        store.add(record)
        assert lab.results(store).records == {(planned.setting, planned.seed): record}


def test_a_forgotten_lab_is_gone_and_its_absence_no_mistake(history, plan):
    lab = kept(plan)
    history.keep(lab)
    history.forget(lab.id)
    history.forget(lab.id)

    assert history.get(lab.id) is None
    assert history.labs() == []


@pytest.mark.parametrize("name", ["", "../runs", "x" * 16, "0" * 15, "0" * 16 + "/"])
def test_what_is_no_id_names_no_file(history, plan, name):
    (history.folder.parent / "runs.json").write_text(kept(plan).model_dump_json())

    assert history.get(name) is None
    history.forget(name)
    assert (history.folder.parent / "runs.json").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b'{"id": 1}'])
def test_a_file_that_cannot_be_read_is_left_alone_and_not_listed(history, content):
    path = history.folder / f"{'0' * 16}.json"
    history.folder.mkdir()
    path.write_bytes(content)

    assert history.get("0" * 16) is None
    assert history.labs() == []
    assert path.read_bytes() == content


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_told(history, plan, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="cannot be written"):
        history.keep(kept(plan))


def test_a_file_in_place_of_the_folder_is_told(history, plan):
    history.folder.write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        history.keep(kept(plan))
    assert history.labs() == []


def test_nothing_half_written_is_left(history, plan):
    history.keep(kept(plan))

    assert [path.suffix for path in history.folder.iterdir()] == [".json"]


def test_settings_keep_their_equality(history, plan):
    lab = kept(plan)
    history.keep(lab)

    found = {s for q in history.get(lab.id).plan.questions for lv in q.levels for s in lv.settings}

    assert Setting.from_knobs({"neurons": [8, 8], "epochs": 2}) in found


def damage(history: LabHistory, lab: SavedLab, change: Callable[[dict[str, Any]], Any]) -> Path:
    """Keep `lab`, and change what is in its file."""
    history.keep(lab)
    path = history.folder / f"{lab.id}.json"
    found = json.loads(path.read_text("utf-8"))
    change(found)
    path.write_text(json.dumps(found), "utf-8")
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda lab: lab["keys"].pop(),
        lambda lab: lab["keys"].append("0" * 64),
        lambda lab: lab.update(keys=[]),
        lambda lab: lab.update(id="../../../tmp/elsewhere"),
        lambda lab: lab.update(id="0" * 16),
        lambda lab: lab["plan"].update(seeds=list(range(100_000))),
        lambda lab: lab["plan"].update(looks=[5, 1_000_000_000_000]),
        lambda lab: lab["plan"].update(looks=[5, -1]),
        lambda lab: lab["plan"].update(looks=[0]),
        lambda lab: lab["plan"].update(seeds=[]),
        lambda lab: lab["plan"]["questions"][0]["levels"].pop(),
        lambda lab: lab["plan"]["questions"][0]["levels"][0].update(settings=[]),
        lambda lab: lab["plan"]["questions"][0].update(claims=[CLAIM | {"level": [9]}]),
        lambda lab: lab["plan"]["questions"][0].update(claims=[CLAIM | {"against": [-1]}]),
        lambda lab: lab.update(plan="[" * 100_000),
        lambda lab: lab.update(wings=2),
    ],
)
def test_a_lab_that_contradicts_itself_is_left_out_and_named_once(history, plan, caplog, change):
    other = kept(replace(plan, seeds=(0,)))
    history.keep(other)
    path = damage(history, kept(plan), change)

    assert history.labs() == [other]
    assert history.labs() == [other]
    assert caplog.messages == [
        f"{path}: this lab is left out: it is damaged, or of another version of siffra. "
        "Asked again, it is kept anew."
    ]


CLAIM = json.loads(json.dumps(asdict(make_claim())))


def test_a_lab_with_claims_holds_together(history, plan):
    (question,) = plan.questions
    asking = replace(plan, questions=(replace(question, claims=(make_claim(),)),))
    lab = kept(asking)

    history.keep(lab)

    assert history.labs() == [lab]


@pytest.mark.parametrize("size", [0, 100, -1])
def test_a_lab_that_was_cut_short_is_kept_anew_when_it_is_asked_again(history, plan, size):
    lab = kept(plan)
    history.keep(lab)
    path = history.folder / f"{lab.id}.json"
    path.write_bytes(path.read_bytes()[:size])
    assert history.labs() == []

    history.keep(lab)

    assert history.labs() == [lab]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes in folders")
def test_a_pipe_in_the_place_of_a_lab_is_none(history, plan):
    lab = kept(plan)
    history.folder.mkdir()
    os.mkfifo(history.folder / f"{lab.id}.json")

    assert history.labs() == []


def test_a_lab_that_came_to_its_end_without_time_for_all_has_that_noted(history, plan):
    lab = kept(plan)
    short = Shortfall(90.0, (60.0,), (), (((0, 1), 30.0),))
    history.keep(lab)
    history.end(lab.id, short)

    assert history.get(lab.id) == lab.model_copy(update={"shortfall": short})
    history.keep(lab)
    assert history.get(lab.id).shortfall == short
    # With another budget it is no longer at its end; nor is it short once there was time.
    longer = kept(replace(plan, time=99.0))
    history.keep(longer)
    assert longer.id == lab.id
    assert history.get(lab.id).shortfall is None
    history.end(lab.id, short)
    history.end(lab.id, None)
    assert history.get(lab.id) == longer


def test_the_end_of_a_lab_that_is_not_kept_is_not_noted(history, plan):
    history.end(kept(plan).id, None)

    assert history.labs() == []


def test_what_is_shown_of_a_kept_lab_is_what_the_lab_said(tmp_path):
    """Also where long trainings are judged by the mean over their last epochs."""
    knobs = {"epochs": 20, "learning_rate": 2.0, "batch_size": 8}
    plan = replace(plan_vary({"neurons": [4, 8]}, knobs, DATA, LabOptions(seeds=2)), averages=True)
    with open_store(tmp_path / "runs.sqlite") as store:
        made = run_plan(plan, DATA, ENGINE, store)
        lab, records = kept(plan), list(made.records.values())
        shown = lab.results(store)

        assert any(record.late != record.accuracy for record in records)
        said = answer(plan, made.records, made.timings).questions
        assert answer(lab.plan, shown.records, shown.timings).questions == said
        narrow = [record for record in records if record.setting.knobs()["neurons"] == 4]
        late = [record.late["test"] for record in narrow]
        assert said[0].levels[0].accuracy["test"].mean == pytest.approx(sum(late) / 2)
