"""`siffra runs`: what the store holds, listed, shown and exported."""

import csv
import json

import pytest
from arro3.io import read_parquet


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
