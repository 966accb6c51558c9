"""Tidy tables: their rows are the records', in CSV, Parquet and pandas alike."""

import csv
import io
import json
import sys
from typing import get_args

import pandas as pd
import pytest
from arro3.io import read_parquet
from made_runs import SETS, make_record, program_record
from report.fake_answers import study

from siffra.api import LabResult
from siffra.config import Setting
from siffra.errors import ConfigError, SiffraError
from siffra.export.settings import moments
from siffra.export.tables import Table, data_frame, table_rows, write_table
from siffra.training.run import setting_id


@pytest.fixture(scope="module")
def records():
    settings = [{"neurons": 16, "epochs": 2}, {"model": "conv", "filters": [4, 6], "epochs": 3}]
    made = [
        make_record(Setting.from_knobs(knobs), seed, accuracy={"test": 0.5 + 0.1 * seed})
        for knobs in settings
        for seed in (0, 1)
    ]
    lost = made[0].epochs[1].model_copy(update={"loss": None})
    made[0] = made[0].model_copy(update={"epochs": (made[0].epochs[0], lost)})
    return made


def test_scores_have_a_row_for_each_run_and_set(records):
    rows = table_rows(records)

    assert [(row["key"], row["set"]) for row in rows] == [(r.key, s) for r in records for s in SETS]
    assert {row["setting"] for row in rows} == {setting_id(records[0]), setting_id(records[2])}


def test_epochs_have_a_row_for_each_run_and_epoch(records):
    rows = table_rows(records, "epochs")

    assert [(row["key"], row["epoch"]) for row in rows] == [
        (r.key, n) for r in records for n in range(1, len(r.epochs) + 1)
    ]
    assert [row["loss"] for row in rows[:3]] == [1.0, None, 1.0]
    assert [row["test"] for row in rows[:3]] == [0.5, 0.5, 0.6]
    assert rows[0].keys() == rows[-1].keys() >= {"neurons", "filters", "seed", *SETS}
    assert "momentum" not in rows[0]  # which none of the runs has


def test_programs_have_a_row_for_each_epoch_and_a_column_for_each_metric():
    lost = program_record(0.3, 1, metrics={}, failure="exit 1", output=("no memory",))
    rows = table_rows([program_record(0.1), lost], "epochs")

    assert [(row["lr"], row["seed"], row["epoch"]) for row in rows] == [
        (0.1, 0, 1),
        (0.1, 0, 2),
        (0.3, 1, 1),
        (0.3, 1, 2),
    ]
    assert rows[1]["loss"] == 2.4
    assert list(rows[0]) == ["key", "lr", "seed", "epoch", "loss", "acc@1", "setting"]


def test_networks_and_programs_share_a_table_of_epochs(records, tmp_path):
    program = program_record(0.1, epochs=(0.5, 1.5))
    rows = table_rows([program, *records], "epochs")

    assert {tuple(row) for row in rows} == {tuple(rows[0])}
    assert [row["metric_loss"] for row in rows[-2:]] == [3.9, pytest.approx(2 + 1 / 1.5 - 0.1)]
    assert [(row["loss"], row["epoch"]) for row in rows[-2:]] == [(None, 0.5), (None, 1.5)]
    write_table([program, *records], tmp_path / "epochs.parquet", "parquet", "epochs")
    assert len(read_parquet(tmp_path / "epochs.parquet").read_all()) == len(rows)


def test_steps_too_large_for_a_whole_number_are_exported(tmp_path):
    program = program_record(0.1, epochs=(1.0, 1e300))

    write_table([program], tmp_path / "epochs.parquet", "parquet", "epochs")

    assert read_parquet(tmp_path / "epochs.parquet").read_all()["epoch"].to_pylist() == [1, 1e300]
    assert [step for step, _, _ in moments(program)] == [1, 2, 2]


def test_confusion_has_a_row_for_each_pair_of_classes(records):
    rows = table_rows(records, "confusion")

    assert len(rows) == len(records) * len(SETS) * 2 * 2
    for record in records:
        for name, matrix in record.confusion.items():
            own = [r for r in rows if r["key"] == record.key and r["set"] == name]
            assert {(r["truth"], r["predicted"]): r["images"] for r in own} == {
                (t, p): count for t, row in enumerate(matrix) for p, count in enumerate(row)
            }


def test_a_setting_is_told_apart_by_all_but_the_seed(records):
    changed = {"fingerprint": "1", "engine": "torch", "engine_version": 9}
    others = [records[0].model_copy(update={name: value}) for name, value in changed.items()]

    assert len({setting_id(record) for record in (*records[1:], *others)}) == 5
    assert setting_id(records[0]) == setting_id(records[1])


@pytest.mark.parametrize("table", get_args(Table))
def test_csv_parquet_json_and_frame_hold_the_same_rows(records, table, tmp_path):
    rows = table_rows(records, table)

    for kind in ("csv", "parquet", "json"):
        write_table(records, tmp_path / kind, kind, table)

    from_csv = list(csv.DictReader(io.StringIO((tmp_path / "csv").read_text("utf-8"))))
    parquet = read_parquet(tmp_path / "parquet").read_all()
    frame = data_frame(rows)
    assert json.loads((tmp_path / "json").read_text("utf-8")) == rows
    assert list(from_csv[0]) == list(parquet.column_names) == list(frame.columns) == list(rows[0])
    for name in rows[0]:
        column = [row[name] for row in rows]
        assert parquet[name].to_pylist() == column
        assert ["" if value is None else str(value) for value in column] == [
            row[name] for row in from_csv
        ]
        if name != "finished":
            assert [None if pd.isna(v) else v for v in frame[name]] == column


def test_no_text_is_a_formula_in_any_table(records, tmp_path):
    evil = records[0].model_copy(update={"dataset": "=cmd()", "key": "+1"})
    for table in get_args(Table):
        write_table([evil], tmp_path / "t.csv", "csv", table)
        for row in csv.reader((tmp_path / "t.csv").read_text("utf-8").splitlines()):
            assert not any(cell.startswith(("=", "+", "@")) for cell in row)


def test_a_frame_s_types_are_those_of_the_values(records):
    frame = data_frame(table_rows(records))

    assert frame["accuracy"].dtype == frame["learning_rate"].dtype == "float64"
    assert frame["neurons"].dtype == "Int64"  # the convolutional model has none
    assert frame["diverged"].dtype == "bool"
    assert str(frame["finished"].dtype).endswith("UTC]")
    by_level = frame[frame["set"] == "test"].pivot_table(index="setting", values="accuracy")
    assert by_level["accuracy"].to_list() == pytest.approx([0.55, 0.55])


def test_no_runs_give_an_empty_frame():
    assert data_frame([]).empty


def test_a_lab_s_frame_says_which_questions_a_run_belongs_to():
    result = LabResult(study(seeds=2, epochs=2))

    frame = result.frame("epochs")

    assert list(frame.columns[:2]) == ["key", "questions"]
    assert "a, c, d, e, g" in set(frame["questions"])
    assert len(frame) == 2 * frame["key"].nunique()


def test_there_is_no_other_table(records):
    with pytest.raises(ConfigError, match="table: found 'epoch'; did you mean `epochs`"):
        table_rows(records, "epoch")  # pyright: ignore[reportArgumentType]


def test_a_file_that_cannot_be_written_is_one_line(records, tmp_path):
    with pytest.raises(SiffraError, match="cannot be written: No such file"):
        write_table(records, tmp_path / "nowhere" / "t.csv", "csv")


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of processes")
@pytest.mark.parametrize("kind", ["csv", "parquet", "json"])
def test_where_the_disk_is_full_the_old_file_stays_whole(records, tmp_path, kind):
    import resource

    path = tmp_path / f"runs.{kind}"
    path.write_bytes(b"precious")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(SiffraError, match="cannot be written: File too large"):
            write_table(records, path, kind)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]
