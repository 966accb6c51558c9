"""The table of runs is sorted and filtered by a small grammar, which is no program."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import make_record

from siffra.config import Setting
from siffra.store.store import open_store
from siffra.training.run import Record
from siffra.web.errors import ApiError
from siffra.web.runs import (
    COLUMNS,
    RunTable,
    compared,
    conditions,
    in_full,
    matching,
    ordered,
    row,
)


def record(number: int, accuracy: float = 0.9, **knobs: object) -> Record:
    setting = Setting.from_knobs({"epochs": 1, **knobs})
    finished = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    made = make_record(setting, number, accuracy=accuracy)
    return made.model_copy(update={"key": f"{number:064x}", "finished": finished})


ROWS = [
    row(record(0, 0.5, neurons=8)),
    row(record(1, 0.9, neurons=[8, 16])),
    row(record(2, 0.7, model="conv", filters=4)),
]


def seeds(rows) -> list[int]:
    return [found["seed"] for found in rows]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ([], [0, 1, 2]),
        (["model=dense"], [0, 1]),
        (["model != dense"], [2]),
        (["test > 0.6"], [1, 2]),
        (["test>=0.7", "test<0.9"], [2]),
        (["neurons=8"], [0]),
        (["neurons = 8, 16"], [1]),
        (["filters=4"], [2]),
        (["filters!=4"], [0, 1]),
        (["filters<100"], [2]),
        (["diverged=false"], [0, 1, 2]),
        (["diverged>0"], []),
        (["dataset=Made Up"], [0, 1, 2]),
        (["seed=1e0"], [1]),
        (["seed=nan"], []),
    ],
)
def test_a_condition_picks_the_rows_that_meet_it(where, found):
    assert seeds(matching(ROWS, conditions(where))) == found


def test_a_column_goes_by_what_the_table_calls_it_in_any_language():
    by_name = matching(ROWS, conditions(["batch_size>0", "seed>=1"]))

    assert by_name
    assert matching(ROWS, conditions(["batch size > 0", "seed >= 1"])) == by_name
    assert matching(ROWS, conditions(["Batchstorlek>0", "frö>=1"])) == by_name


def test_an_accuracy_is_a_fraction_or_the_per_cent_of_the_table():
    least = min(row["test"] for row in ROWS)
    better = [row for row in ROWS if row["test"] > least]

    assert 0 < len(better) < len(ROWS)
    for text in (f"test>{least}", f"test > {100 * least:.10g}", f"test % > {100 * least:.10g}%"):
        assert matching(ROWS, conditions([text])) == better
    swedish = f"{100 * least:.10g}".replace(".", ",")
    assert matching(ROWS, conditions([f"test > {swedish}"])) == better


@pytest.mark.parametrize(
    "text", ["", "model", "=1", "nothing=1", "test>", "test>abc", "a b=1", "__class__=1"]
)
def test_anything_else_is_refused(text):
    with pytest.raises(ApiError):
        conditions([text])


def test_there_are_so_many_conditions_at_most():
    with pytest.raises(ApiError):
        conditions(["seed>0"] * 11)


@given(st.text(max_size=60))
def test_no_text_does_anything_but_pick_or_be_refused(text):
    try:
        picked = matching(ROWS, conditions([text]))
    except ApiError:
        return
    assert all(found in ROWS for found in picked)


@pytest.mark.parametrize(
    ("column", "order", "found"),
    [
        ("test", "asc", [0, 2, 1]),
        ("test", "desc", [1, 2, 0]),
        ("finished", "desc", [2, 1, 0]),
        ("filters", "asc", [2, 0, 1]),
        ("filters", "desc", [2, 0, 1]),
        ("neurons", "asc", [0, 1, 2]),
    ],
)
def test_rows_are_sorted_and_those_without_a_value_come_last(column, order, found):
    assert seeds(ordered(ROWS, column, order)) == found


def test_rows_are_sorted_by_columns_alone():
    for column in COLUMNS:
        ordered(ROWS, column, "asc")
    with pytest.raises(ApiError):
        ordered(ROWS, "__class__", "asc")


def test_the_table_asks_only_for_what_is_new_and_sees_what_was_replaced(tmp_path):
    table = RunTable()
    with open_store(tmp_path / "runs.sqlite") as store:
        store.add(record(0))
        assert seeds(table.rows(store)) == [0]
        store.add(record(1))
        assert seeds(table.rows(store)) == [0, 1]

        anew = record(0).model_copy(update={"seconds": 9.0, "finished": record(5).finished})
        store.add(anew, replace=True)

        assert [(r["seed"], r["seconds"]) for r in table.rows(store)] == [(1, 1.0), (0, 9.0)]


def test_the_table_sees_what_is_stored_long_after_it_was_finished(tmp_path):
    table = RunTable()
    with open_store(tmp_path / "runs.sqlite") as store:
        store.add(record(7))
        assert seeds(table.rows(store)) == [7]
        store.add(record(3))  # it was examined meanwhile, or its clock is behind

        assert seeds(table.rows(store)) == [3, 7]


def test_the_table_forgets_runs_that_are_gone(tmp_path):
    table = RunTable()
    for number in (1, 2):
        with open_store(tmp_path / f"{number}.sqlite") as store:
            store.add(record(number))
            assert seeds(table.rows(store)) == [number]


def test_a_run_that_is_damaged_takes_no_other_from_the_table(tmp_path):
    path = tmp_path / "runs.sqlite"
    with open_store(path) as store:
        for number in range(3):
            store.add(record(number))
    with closing(sqlite3.connect(path)) as db, db:
        many = "json_set(record, '$.training.epochs', 'many')"
        db.execute(f"UPDATE run SET record = {many} WHERE seed = 1")
    table = RunTable()

    with open_store(path) as store:
        for _ in range(3):
            assert seeds(table.rows(store)) == [0, 2]


class LaterRecord(Record):
    """As a later version of siffra may store it."""

    weather: str = "fine"


def test_a_run_of_another_siffra_takes_no_other_from_the_table_and_is_told(tmp_path, caplog):
    table = RunTable()
    with open_store(tmp_path / "runs.sqlite") as store:
        store.add(record(0))
        store.add(LaterRecord.model_validate(record(1).model_dump()))
        store.add(record(2))
        for _ in range(3):
            assert seeds(table.rows(store)) == [0, 2]

    assert caplog.text.count(f"run {1:064x} is left out") == 1


def test_runs_are_compared_knob_by_knob_each_with_the_first():
    found = compared(
        [record(0, 0.5, neurons=8), record(1, 0.9, neurons=[8, 16]), record(0, 0.4, neurons=8)]
    )

    assert [run["seed"] for run in found["runs"]] == [0, 1, 0]
    assert found["differing"] == {"layers": [1, 2, 1], "neurons": [8, [8, 16], 8]}
    assert found["same_seed"] is False
    gaps = [gap["accuracy"]["test"] for gap in found["differences"]]
    assert gaps == pytest.approx([0.4, -0.1])
    assert [gap["seconds_ratio"] for gap in found["differences"]] == [1, 1]


def test_a_run_that_diverged_has_no_accuracy_to_compare():
    wild = make_record(Setting.from_knobs({"epochs": 1}), 1, diverged=True)

    (gap,) = compared([record(0, 0.5), wild])["differences"]

    assert set(gap["accuracy"].values()) == {None}
    assert row(wild)["test"] is None
    assert matching([row(wild)], conditions(["test < 1"])) == []


def test_a_run_says_how_to_repeat_it():
    told = in_full(record(1, neurons=[8, 16], batch_norm=True))

    assert "siffra train --model dense" in told["command"]
    assert "--neurons 8,16" in told["command"]
    assert told["command"].endswith("--seed 1")
