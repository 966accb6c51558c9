"""`siffra runs`: what the store holds, listed, shown and exported."""

import csv
import json
import sys

import pytest
from arro3.io import read_parquet
from made_runs import make_record

from siffra.api import runs
from siffra.config import Setting, as_model
from siffra.errors import SiffraError
from siffra.store.store import open_store
from siffra.system.terminal import odd_character
from siffra.training.run import Record


@pytest.fixture
def two_runs(siffra, small):
    for seed in (0, 1):
        siffra("train", *small, "--seed", seed)
    return json.loads(siffra("runs", "list", "--json").out)


def test_list_has_a_line_for_each_run(siffra, two_runs):
    lines = siffra("runs", "list").out.splitlines()

    assert len(lines) == 1 + len(two_runs)
    for record, line in zip(two_runs, lines[1:], strict=True):
        assert line.startswith(record["key"][:8])
        assert "learning_rate=0.1" in line
        assert f"{record['accuracy']['test']:.2%}" in line


def test_list_can_be_narrowed(siffra, two_runs):
    assert len(json.loads(siffra("runs", "list", "--seed", 1, "--json").out)) == 1
    assert json.loads(siffra("runs", "list", "--model", "conv", "--json").out) == []


def test_show_takes_the_start_of_a_key(siffra, two_runs):
    record = two_runs[0]

    shown = siffra("runs", "show", record["key"][:10])

    assert record["key"] in shown.out
    assert f"{record['accuracy']['rotated']:.2%}" in shown.out
    assert json.loads(siffra("runs", "show", record["key"], "--json").out) == record


def test_show_of_a_run_that_is_not_there(siffra, two_runs):
    ended = siffra("runs", "show", "no-such-run")

    assert ended.code == 2
    assert "no run has a key that starts with `no-such-run`" in ended.err


def test_export_by_ending(siffra, two_runs, tmp_path):
    files = {ending: tmp_path / f"runs.{ending}" for ending in ("csv", "parquet", "json")}
    for file in files.values():
        assert siffra("runs", "export", file).out == f"{file}\n"

    with files["csv"].open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["key"] for row in rows if row["set"] == "test"] == [r["key"] for r in two_runs]
    assert json.loads(files["json"].read_text()) == two_runs
    table = read_parquet(files["parquet"]).read_all()
    assert table["accuracy"].to_pylist() == [float(row["accuracy"]) for row in rows]


def test_export_to_an_unknown_ending(siffra, two_runs, tmp_path):
    ended = siffra("runs", "export", tmp_path / "runs.xlsx")

    assert ended.code == 2
    assert "found `.xlsx`; it must end in .csv, .parquet or .json" in ended.err


def test_export_of_a_table(siffra, two_runs, tmp_path):
    file = tmp_path / "epochs.json"

    siffra("runs", "export", file, "--table", "epochs")

    rows = json.loads(file.read_text())
    assert [(row["key"], row["epoch"], row["loss"]) for row in rows] == [
        (run["key"], number, epoch["loss"])
        for run in two_runs
        for number, epoch in enumerate(run["epochs"], start=1)
    ]


@pytest.fixture
def two_labs(siffra, small):
    data = small[: small.index("--epochs")]
    for knob in ("neurons=4,8", "batch_size=9,10"):
        siffra("vary", knob, "--epochs", 1, "--seeds", 2, *data)
    return json.loads(siffra("runs", "labs", "--json").out)


def test_labs_are_listed_the_latest_first(siffra, two_labs):
    lines = siffra("runs", "labs").out.splitlines()

    assert [lab["runs"] for lab in two_labs] == [4, 4]
    assert [line.split()[0] for line in lines[1:]] == [lab["id"] for lab in two_labs]


@pytest.mark.parametrize("named", ["latest", "by its id"])
def test_export_of_a_lab_has_its_runs_alone(siffra, two_labs, tmp_path, named):
    file = tmp_path / "lab.csv"
    lab = named if named == "latest" else two_labs[0]["id"][:6]

    siffra("runs", "export", file, "--lab", lab)

    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["batch_size"] for row in rows} == {"9", "10"}
    assert {row["questions"] for row in rows} == {"vary"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("x.csv", "--lab", "zz"), "no lab that can be read"),
        (("x", "--format", "tensorboard", "--table", "epochs"), "table: tensorboard has no tables"),
        (("x.csv", "--table", "epoch"), "--table: found 'epoch'; did you mean `epochs`?"),
        (("mlruns", "--format", "mlflow"), "mlruns: no MLflow store; write it as sqlite:///"),
    ],
)
def test_what_cannot_be_exported_is_one_line(siffra, two_runs, tmp_path, arguments, message):
    ended = siffra("runs", "export", *arguments)

    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert message in ended.err


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_what_is_not_installed_is_named(siffra, two_runs, tmp_path, monkeypatch, name):
    for module in [m for m in sys.modules if m.split(".")[0] == name or m.startswith("siffra.exp")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)

    ended = siffra("runs", "export", tmp_path / "out.db", "--format", name)

    assert ended.code == 2
    assert f"is not installed; run `pip install 'siffra[{name}]'`." in ended.err


def test_without_pandas_a_frame_is_refused(monkeypatch, siffra, two_runs):
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(SiffraError, match=r"pip install 'siffra\[pandas\]'"):
        runs()


NAME = "a\x1b]0;title\x07\x9b2J\u202e[bold]b[/nothing]\nerror: c"


@pytest.mark.parametrize(
    "arguments",
    [
        ("runs", "list"),
        ("runs", "list", "--json"),
        ("runs", "show", "made"),
        ("runs", "show", "made", "--json"),
        ("runs", "sql", "SELECT dataset FROM run"),
        ("runs", "sql", "SELECT dataset FROM run", "--json"),
        ("runs", "sql", f"SELECT 1 FROM '{NAME}'"),
        ("runs", "show", NAME),
    ],
)
def test_what_a_store_holds_does_nothing_to_a_terminal(siffra, tmp_path, arguments):
    store = tmp_path / "from-elsewhere.sqlite"
    record = make_record(Setting.from_knobs({"epochs": 1}))
    with open_store(store) as opened:
        opened.add(record.model_copy(update={"key": "made", "dataset": NAME}))

    ended = siffra(*arguments, "--store", store)

    assert odd_character(ended.out + ended.err) is None
    assert not any(line.startswith("error: c") for line in ended.err.splitlines())
    if "--json" in arguments:
        assert json.dumps(NAME)[1:-1] in json.dumps(json.loads(ended.out))


@pytest.mark.parametrize(
    "arguments",
    [
        ("runs", "list"),
        ("runs", "show", "own"),
        ("runs", "sql", "SELECT model, test FROM run"),
        ("runs", "export", "runs.json"),
        ("runs", "export", "runs.csv"),
        ("doctor", "--json"),
    ],
)
def test_a_model_that_a_store_names_is_not_imported(siffra, tmp_path, monkeypatch, arguments):
    (tmp_path / "evil_models.py").write_text("raise SystemExit('imported')\ndef make(): ...\n")
    monkeypatch.chdir(tmp_path)

    def make(width: int = 8): ...

    record = make_record(Setting.from_knobs({"model": as_model(make), "epochs": 1}))
    named = record.model_copy(update={"key": "own"}).model_dump_json()
    document = json.loads(named)
    document["model"]["factory"] = "evil_models:make"
    store = tmp_path / "from-elsewhere.sqlite"
    with open_store(store) as opened:
        opened.add(Record.model_validate_json(json.dumps(document)))

    ended = siffra(*arguments, "--store", store)

    assert "imported" not in ended.out + ended.err
    assert "evil_models" not in sys.modules
    if arguments[0] == "runs":
        assert ended.code == 0
