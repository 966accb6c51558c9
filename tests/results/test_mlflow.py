"""MLflow's stores, written by MLflow itself and compared with what its own client says of them."""

import math
import os
import sqlite3

import pytest
from results.made_tables import codes, grid

from siffra.errors import ResultsError
from siffra.export.mlflow_store import Metric, MlflowClient, Param
from siffra.results import find_roles, read_results, runs_of

# MLflow still uses what SQLAlchemy 2.1 means to remove, and warns of its own folders.
pytestmark = pytest.mark.filterwarnings(
    "ignore::sqlalchemy.exc.SADeprecationWarning", "ignore::FutureWarning"
)

RUNS = grid()
LOST, ENDLESS, FAILED, DELETED = 1, 2, 5, 8


def fill(address: str) -> MlflowClient:
    """Log a run for each row: one with a NaN, one endless, one failed, and one that is deleted."""
    client = MlflowClient(tracking_uri=address)
    experiment = client.create_experiment("warm-up")
    parent = client.create_run(experiment, run_name="sweep").info.run_id
    for number, row in enumerate([*RUNS, RUNS[0]]):
        tags = {"mlflow.parentRunId": parent, "mlflow.source.git.commit": "abc", "team": "x"}
        run = client.create_run(
            experiment, start_time=number + 1, tags=tags, run_name=f"run {number}"
        )
        loss = {LOST: math.nan, ENDLESS: math.inf}.get(number) or row["loss"]
        curve = [
            Metric("val/acc", row["test_acc"] - 0.125 * (2 - step), 1000 * step, step)
            for step in range(3)
        ]
        params = [Param(name, str(row[name])) for name in ("lr", "seed")]
        client.log_batch(run.info.run_id, [*curve, Metric("loss", loss, 5, 0)], params)
        client.set_terminated(run.info.run_id, "FAILED" if number == FAILED else "FINISHED")
        if number == DELETED:
            client.delete_run(run.info.run_id)
    client.set_terminated(parent)
    return client


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def database(folder):
    return fill(f"sqlite:///{folder / 'mlflow.db'}"), folder / "mlflow.db"


@pytest.fixture(scope="module")
def mlruns(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        return fill((folder / "mlruns").as_uri()), folder / "mlruns"


@pytest.fixture(params=["database", "mlruns"])
def store(request):
    """A client of a store, and where it is."""
    return request.getfixturevalue(request.param)


def test_params_last_values_and_curves_are_those_that_mlflow_has(store):
    client, where = store
    experiment = client.get_experiment_by_name("warm-up").experiment_id
    known = {run.info.run_name: run for run in client.search_runs([experiment])}

    table = read_results(where)

    assert table.rows == tuple(f"run {number}" for number in range(8))
    for row, name in enumerate(table.rows):
        data = known[name].data
        assert table.columns["run_id"][row] == known[name].info.run_id
        assert {n: str(table.columns[n][row]) for n in ("lr", "seed")} == data.params
        assert table.columns["val/acc"][row] == data.metrics["val/acc"]
        history = client.get_metric_history(known[name].info.run_id, "val/acc")
        assert table.curves["val/acc"][row] == tuple((m.step, m.value) for m in history)


def test_its_runs_can_be_judged(store):
    found = runs_of(find_roles(read_results(store[1])))

    assert (found.levels, found.roles.seed) == (((0.1,), (0.3,)), "seed")
    assert found.roles.main.name == "val/acc"
    assert found.roles.context == {"git_commit": "commit", "team": "other"}
    assert [run.failed for run in found.rows].count(None) == 7
    assert found.rows[FAILED].failed == "status: FAILED"
    assert codes(found.notes) == ["failed"]


def test_what_is_not_finite_stays_so(store):
    losses = read_results(store[1]).columns["loss"]

    assert repr(losses[LOST]) == "nan"
    assert losses[ENDLESS] == math.inf


@pytest.mark.parametrize("where", ["sqlite:///{}/mlflow.db", "{}/mlflow.db"])
def test_a_database_is_named_by_address_or_path(database, folder, where):
    assert len(read_results(where.format(folder))) == 8


def test_the_folder_that_holds_mlruns_will_do(mlruns, folder):
    (experiment,) = {run.parent.parent for run in (folder / "mlruns").glob("*/*/meta.yaml")}

    assert len(read_results(folder)) == len(read_results(experiment)) == 8


def test_reading_changes_nothing(database, folder):
    path = folder / "mlflow.db"
    before = path.read_bytes(), sorted(folder.iterdir())
    path.chmod(0o444)

    read_results(path)

    assert (path.read_bytes(), sorted(folder.iterdir())) == before


def metrics_of_a_run(folder):
    """Where the metrics of a run that is read are kept."""
    run_id = read_results(folder).columns["run_id"][0]
    return next(folder.glob(f"*/{run_id}/metrics"))


def test_links_out_of_the_folder_are_not_followed(mlruns, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("0 1 2")
    stolen = metrics_of_a_run(mlruns[1]) / "stolen"
    os.symlink(secret, stolen)

    try:
        assert "stolen" not in read_results(mlruns[1]).columns
    finally:
        stolen.unlink()


def test_metrics_that_are_no_numbers_are_refused(mlruns):
    metric = metrics_of_a_run(mlruns[1]) / "odd"
    metric.write_text("now it is\n")

    try:
        with pytest.raises(
            ResultsError, match=r"odd: each line must be a time, a value and a step"
        ):
            read_results(mlruns[1])
    finally:
        metric.unlink()


def test_other_databases_are_refused(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE runs (a)")
    other.close()

    with pytest.raises(ResultsError, match=r"other\.db: a database, but not MLflow's"):
        read_results(f"sqlite:///{path}")


def test_damaged_databases_are_refused_in_a_line(tmp_path):
    path = tmp_path / "torn.db"
    path.write_bytes(b"SQLite format 3\0" + b"?" * 200)

    with pytest.raises(ResultsError, match=r"torn\.db: damaged, in use, or no SQLite database"):
        read_results(path)


@pytest.mark.parametrize("address", ["https://example.org/runs.csv", "postgresql://host/mlflow"])
def test_addresses_are_refused(address):
    with pytest.raises(
        ResultsError, match=r"siffra reads files, not addresses; download the table"
    ):
        read_results(address)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(ResultsError, match=r"no such file"):
        read_results(f"sqlite:///{tmp_path / 'none.db'}")


def test_a_run_that_sums_up_those_nested_in_it_is_left_out_and_said(tmp_path):
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.create_experiment("nested")

    def logged(name, lr, loss, tags=None):
        run = client.create_run(experiment, run_name=name, tags=tags).info.run_id
        client.log_batch(run, [Metric("val_loss", loss, 1, 0)], [Param("lr", str(lr))])
        client.set_terminated(run)
        return run

    child = ""
    for lr in (0.1, 0.3):
        parent = logged(f"all {lr}", lr, lr)
        for number in range(3):
            tags = {"mlflow.parentRunId": parent}
            child = logged(f"{lr} {number}", lr, lr + number, tags)
    alone = client.create_run(experiment, tags={"mlflow.parentRunId": child}).info.run_id
    client.log_metric(alone, "images", 5)  # below a run that it does not measure as that does
    client.set_terminated(alone)

    table = read_results(tmp_path / "mlflow.db")

    losses = [loss for loss in table.columns["val_loss"] if loss is not None]
    assert losses == [lr + number for lr in (0.1, 0.3) for number in range(3)]
    assert [note.text for note in table.notes] == [
        "left out, as other runs are nested in them that have the same metrics: "
        "`all 0.1`, `all 0.3`"
    ]
