"""An MLflow store, read back through MLflow's own client."""

import logging
import math
import sqlite3
from dataclasses import replace

import pytest
from made_runs import make_record, program_record
from report.fake_answers import make_answers, make_question, retuned_by_rate

from siffra.config import Setting
from siffra.errors import SiffraError
from siffra.export.mlflow import EXPERIMENT, log_lab, log_runs
from siffra.export.mlflow_store import MlflowClient
from siffra.report.text.messages import words_in
from siffra.report.text.narrative import answer_sentences
from siffra.store.store import open_store
from siffra.training.run import Record, setting_id

LAB = "0123456789abcdef"

# MLflow still uses what SQLAlchemy 2.1 means to remove.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


@pytest.fixture(scope="module")
def records():
    settings = [{"neurons": 16, "epochs": 2}, {"neurons": [8, 4], "epochs": 2}]
    made = [
        make_record(Setting.from_knobs(knobs), seed, curve=[0.5, 0.6 + 0.1 * seed])
        for knobs in settings
        for seed in (0, 1)
    ]
    lost = made[1].epochs[1].model_copy(update={"loss": None})
    lost = made[1].model_copy(update={"epochs": (made[1].epochs[0], lost), "diverged": True})
    made[1] = Record.model_validate_json(lost.model_dump_json())
    return made


@pytest.fixture(scope="module")
def answers():
    found = make_answers([make_question("a", [{"neurons": n} for n in (8, 16)])], seeds=2)
    return replace(found, plan=replace(found.plan, title={"en": "A lab of ours"}))


@pytest.fixture(scope="module")
def address(records, answers, tmp_path_factory):
    """Where both were logged, and logged again: making a store takes MLflow seconds."""
    address = f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"
    for _ in range(2):
        log_runs(records, address, lambda done, runs: None)
        log_lab(LAB, answers, None, address, lambda done, runs: None)
    return address


@pytest.fixture(scope="module")
def client(address):
    return MlflowClient(tracking_uri=address)


def logged(client, experiment):
    """The runs of an experiment by siffra's ids."""
    number = client.get_experiment_by_name(experiment).experiment_id
    return {run.data.tags["siffra.id"]: run for run in client.search_runs([number])}


def test_a_setting_is_a_parent_and_a_seed_its_child(client, records):
    runs = logged(client, EXPERIMENT)

    assert len(runs) == 2 + len(records)
    for record in records:
        parent = runs[f"setting {setting_id(record)}"]
        child = runs[f"setting {setting_id(record)}, run {record.key}"]
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert child.info.run_name == f"seed {record.seed}"
        assert child.info.end_time == record.finished.timestamp() * 1000
        assert child.data.params["seed"] == str(record.seed)
        assert child.data.params["batch_size"] == "140"
    assert {run.data.params["neurons"] for run in runs.values()} == {"16", "8,4"}


def test_metrics_are_the_record_s_by_epoch(client, records):
    runs = logged(client, EXPERIMENT)
    for record in records:
        run = runs[f"setting {setting_id(record)}, run {record.key}"]
        for name in record.accuracy:
            history = client.get_metric_history(run.info.run_id, f"accuracy/{name}")
            assert [(point.step, point.value) for point in history] == [
                (n, share)
                for n, epoch in enumerate(record.epochs, start=1)
                if (share := epoch.accuracy[name]) is not None
            ]
            assert run.data.metrics.get(f"final/accuracy/{name}") == record.accuracy[name]
        assert run.data.metrics["final/seconds"] == record.seconds


def test_a_run_that_diverged_has_failed_and_shows_its_loss(client, records):
    run = logged(client, EXPERIMENT)[f"setting {setting_id(records[1])}, run {records[1].key}"]
    losses = client.get_metric_history(run.info.run_id, "loss")

    assert run.info.status == "FAILED"
    assert [math.isnan(point.value) for point in losses] == [False, True]


def test_a_program_has_its_metrics_its_command_and_why_it_failed(tmp_path):
    good = program_record(0.1)
    bad = program_record(0.3, metrics={}, failure="exit 1", output=("epoch 2", "no memory"))
    lost = program_record(0.3, 1, metrics={"loss": math.nan})
    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    log_runs([good, bad, lost], address, lambda done, runs: None)
    client = MlflowClient(tracking_uri=address)
    runs = logged(client, EXPERIMENT)
    by_record = [runs[f"setting {setting_id(r)}, run {r.key}"] for r in (good, bad, lost)]

    for record, run in zip((good, bad, lost), by_record, strict=True):
        for name, logged_as in (("loss", "loss"), ("acc@1", "acc_1")):  # MLflow knows no `@`
            history = client.get_metric_history(run.info.run_id, logged_as)
            assert tuple((point.step, point.value) for point in history) == record.curves[name]
        assert run.data.params == {"lr": str(record.setting.knobs()["lr"]), "engine": "command"} | {
            "seed": str(record.seed)
        }
        assert run.data.tags["siffra.command"] == "python train.py '{lr}' '{seed}'"
    assert [run.info.status for run in by_record] == ["FINISHED", "FAILED", "FAILED"]
    assert by_record[0].data.metrics["final/acc_1"] == 0.51
    assert math.isnan(by_record[2].data.metrics["final/loss"])
    assert by_record[1].data.tags["siffra.failure"] == "exit 1"
    assert by_record[1].data.tags["mlflow.note.content"] == "epoch 2\nno memory"


def test_a_lab_s_question_is_a_parent_with_its_answer(client, answers):
    runs = logged(client, "A lab of ours")
    (found,) = answers.questions
    root, question = runs[f"lab {LAB}"], runs[f"lab {LAB}, question a"]
    children = [
        run for run in runs.values()
        if run.data.tags.get("mlflow.parentRunId") == question.info.run_id
    ]  # fmt: skip

    assert question.data.tags["mlflow.parentRunId"] == root.info.run_id
    assert (
        " ".join(answer_sentences(found, words_in("en")))
        in question.data.tags["mlflow.note.content"]
    )
    assert {run.data.tags["siffra.key"] for run in children} == {
        record.key for level in found.levels for record in level.records
    }
    assert len(runs) == 2 + len(children) == 2 + 2 * 2


def test_runs_that_were_tried_and_not_chosen_are_marked_and_marks_follow_the_choice(
    client, address, answers
):
    (found,) = answers.questions
    rates = (0.1, 0.3, 0.7)
    question = retuned_by_rate(found.question, rates)
    retuned = make_answers([question], seeds=2, title="A lab of choices")
    (seen,) = retuned.questions
    chosen = {record.key for level in seen.levels for record in level.records}
    worst = min(seen.levels[0].tried, key=lambda record: record.accuracy["val"] or 0.0)
    records = (worst, *seen.levels[0].records[1:])
    other = replace(seen, levels=(replace(seen.levels[0], records=records), seen.levels[1]))

    def marks(lab):
        log_lab("choices", lab, None, address, lambda done, runs: None)
        runs = logged(client, "A lab of choices").values()
        return {
            run.data.tags["siffra.key"]: (run.data.tags["siffra.chosen"], run.info.run_name)
            for run in runs
            if "siffra.chosen" in run.data.tags
        }

    marked = marks(retuned)
    assert marked.keys() == {record.key for level in seen.levels for record in level.tried}
    assert {key for key, (mark, _) in marked.items() if mark == "true"} == chosen
    assert marked[worst.key] == (
        "false",
        f"8 neurons, learning rate {worst.training.learning_rate}, seed {worst.seed}",
    )
    assert marks(replace(retuned, questions=(other,)))[worst.key][0] == "true"
    assert len(logged(client, "A lab of choices")) == 2 + len(marked)


def test_the_report_is_an_artifact(client):
    root = logged(client, "A lab of ours")[f"lab {LAB}"]

    names = {file.path for file in client.list_artifacts(root.info.run_id, "report")}

    assert {"report/report.html", "report/results.json", "report/figures"} <= names


def test_what_was_broken_off_is_made_anew(client, address, records):
    number = client.get_experiment_by_name(EXPERIMENT).experiment_id
    name = f"setting {setting_id(records[0])}, run {records[0].key}"
    client.delete_run(logged(client, EXPERIMENT)[name].info.run_id)
    client.create_run(number, tags={"siffra.id": name})  # is left running
    done = []

    log_runs(records, address, lambda *told: done.append(told))

    assert len(logged(client, EXPERIMENT)) == 2 + len(records)
    assert logged(client, EXPERIMENT)[name].data.metrics["final/seconds"] == records[0].seconds
    assert done == [(n, 4) for n in (1, 2, 3, 4)]


def test_a_store_of_runs_is_not_taken_for_mlflow_s(records, tmp_path):
    path = tmp_path / "runs.db"
    with open_store(path):
        pass
    before = path.read_bytes()

    with pytest.raises(SiffraError, match="is a database, but not MLflow's; nothing in it was"):
        log_runs(records, str(path), lambda done, runs: None)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("logs", r"^logs: no MLflow store; write it as sqlite:///mlflow\.db"),
        ("mysql://host/mlflow.db", "no MLflow store; write it as sqlite"),
        ("sqlite:///{}/nowhere/mlflow.db", "nowhere is no folder"),
        ("{}/text.db", "is no database; nothing in it was changed"),
    ],
)
def test_what_is_no_store_is_one_line(records, tmp_path, where, message):
    (tmp_path / "text.db").write_text("not a database, but long enough to be looked at " * 20)

    with pytest.raises(SiffraError, match=message) as told:
        log_runs(records, where.format(tmp_path), lambda done, runs: None)
    assert "\n" not in str(told.value)


def test_a_deleted_experiment_is_told(client, address, records):
    number = client.get_experiment_by_name(EXPERIMENT).experiment_id
    client.delete_experiment(number)
    try:
        with pytest.raises(SiffraError, match="`siffra` was deleted; restore it in MLflow first"):
            log_runs(records, address, lambda done, runs: None)
    finally:
        client.restore_experiment(number)


def test_loggers_of_the_caller_s_are_left_as_they_were(address, records):
    levels = {"mlflow": logging.DEBUG, "alembic": logging.INFO}
    before = {name: logging.getLogger(name).level for name in levels}
    try:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        log_runs(records, address, lambda done, runs: None)
        assert {name: logging.getLogger(name).level for name in levels} == levels
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def test_nothing_is_left_open(address):
    with sqlite3.connect(address.removeprefix("sqlite:///"), timeout=0) as db:
        db.execute("BEGIN EXCLUSIVE")
        db.execute("ROLLBACK")
    db.close()


def test_a_metric_that_is_named_as_a_path_is_logged_by_one_that_is_clean(tmp_path):
    metrics = {"loss": 0.5, "val//acc": 0.6, "../fps/": 3.0}
    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    log_runs([program_record(0.1, metrics=metrics)], address, lambda done, runs: None)
    client = MlflowClient(tracking_uri=address)

    (run,) = (r for r in logged(client, EXPERIMENT).values() if r.data.metrics)

    assert {"final/val/acc": 0.6, "final/fps": 3.0}.items() <= run.data.metrics.items()
