"""Asking the store in SQL: what the views hold, and that nothing else can be done."""

import json
import struct
import time

import pytest
from made_runs import make_record

from siffra.config import KNOBS, Setting, as_model
from siffra.errors import StoreError
from siffra.store.query import VIEWS, ask
from siffra.store.store import open_store

CONV = {
    "model": "conv", "filters": [4, 6], "kernel_size": 3, "neurons": [5], "batch_norm": True,
    "epochs": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def records():
    def make(width: int = 8): ...

    settings = [
        {"neurons": 16, "epochs": 1, "learning_rate": 0.5},
        CONV,
        {"model": as_model(make), "width": 9, "epochs": 1},
    ]
    made = [make_record(Setting.from_knobs(knobs), seed) for seed, knobs in enumerate(settings)]
    scores = {"train": 0.9, "val": 0.8, "test": 0.7, "moved": 0.6, "rotated": 0.5, "blurred": 0.4}
    return [record.model_copy(update={"accuracy": scores}) for record in made]


@pytest.fixture(scope="module")
def path(records, tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "runs.sqlite"
    with open_store(path) as store:
        for record in records:
            store.add(record)
    return path


def test_a_run_has_every_knob_as_the_setting_tells_it(path, records):
    rows = {row["key"]: row for row in ask(path, "SELECT * FROM run").as_dicts()}

    for record in records[:2]:
        row = rows[record.key]
        for knob, value in record.setting.knobs().items():
            told = ", ".join(map(str, value)) if isinstance(value, list) else value
            assert row[knob] == told, knob
        assert set(KNOBS) <= set(row)
    assert rows[records[2].key]["model"].endswith("make")


def test_scores_are_of_every_set_that_a_run_has(path, records):
    found = ask(path, "SELECT image_set, accuracy FROM score JOIN run USING (key) WHERE seed = 0")

    assert dict(found.rows) == records[0].accuracy


def test_epochs_and_confusion_are_the_record_s(path, records):
    (epochs,) = ask(path, "SELECT count(*) FROM epoch JOIN run USING (key) WHERE seed = 1").rows[0]
    cells = ask(path, "SELECT truth, predicted, images FROM confusion "
                      "WHERE image_set = 'test' ORDER BY key, truth, predicted").rows  # fmt: skip

    assert epochs == 2
    assert cells[:4] == ((0, 0, 5000), (0, 1, 0), (1, 0, 0), (1, 1, 5000))


def test_a_run_that_diverged_has_no_accuracies_whatever_an_older_record_says(tmp_path):
    record = make_record(Setting.from_knobs({"neurons": 16, "epochs": 3}))
    first, *lost = record.epochs
    lost = [epoch.model_copy(update={"loss": None}) for epoch in lost]
    older = record.model_copy(update={"diverged": True, "epochs": (first, *lost)})
    with open_store(tmp_path / "runs.sqlite") as store:
        store.add(older)

    def column(sql: str) -> list[object]:
        return [value for (value,) in ask(tmp_path / "runs.sqlite", sql).rows]

    assert "0.9" in older.model_dump_json()
    assert column("SELECT test FROM run") == [None]
    assert column("SELECT test FROM epoch ORDER BY epoch") == [0.9, None, None]
    assert set(column("SELECT accuracy FROM score")) == {None}
    assert set(column("SELECT images FROM confusion")) == {None}
    assert column("SELECT key FROM run WHERE test < 1") == []


def test_parameters_of_one_s_own_models_are_arguments(path):
    assert ask(path, "SELECT name, value FROM argument").rows == (("width", 9),)


def test_every_view_has_the_columns_that_it_is_said_to_have(path):
    for name, view in VIEWS.items():
        assert ask(path, f"SELECT * FROM {name}").columns == tuple(view.columns)


def test_the_record_whole_can_be_had(path, records):
    rows = ask(path, "SELECT record FROM main.run ORDER BY seed").rows

    assert [json.loads(text)["key"] for (text,) in rows] == [record.key for record in records]


def test_columns_of_one_name_are_told_apart(path):
    assert ask(path, "SELECT a.seed, b.seed FROM run a, run b").columns == ("seed", "seed_2")


def test_rows_have_an_end_which_is_told(path):
    assert ask(path, "SELECT key FROM run", rows=2).more
    assert len(ask(path, "SELECT key FROM run", rows=2).rows) == 2
    assert not ask(path, "SELECT key FROM run", rows=3).more


FOREVER = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c"


def test_time_has_an_end_which_is_told(path):
    started = time.monotonic()
    with pytest.raises(StoreError, match=r"no answer within 0\.2 s"):
        ask(path, FOREVER, seconds=0.2)
    assert time.monotonic() - started < 60


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM main.run",
        "DELETE FROM run",
        "UPDATE main.run SET record = '{}'",
        "INSERT INTO main.claim VALUES ('a', 'b')",
        "REPLACE INTO main.claim VALUES ('a', 'b')",
        "DROP TABLE main.run",
        "DROP VIEW score",
        "CREATE TABLE t (x)",
        "CREATE TEMP TABLE t (x)",
        "ALTER TABLE main.run RENAME TO other",
        "ATTACH 'other.sqlite' AS other",
        "DETACH main",
        "VACUUM",
        "VACUUM INTO 'copy.sqlite'",
        "REINDEX",
        "ANALYZE",
        "BEGIN",
        "SAVEPOINT s",
        "PRAGMA query_only = FALSE",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA user_version",
        "SELECT * FROM pragma_table_info('run')",
        "SELECT load_extension('x')",
        "WITH gone AS (SELECT 1) DELETE FROM main.run",
    ],
)
def test_nothing_but_a_select_is_done(path, statement):
    before = path.read_bytes()

    with pytest.raises(StoreError, match=r"^sql: only a SELECT can be asked"):
        ask(path, statement)

    assert path.read_bytes() == before
    assert {p.name for p in path.parent.iterdir()} <= {path.name, path.name + ".locks"}


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("SELECT tset FROM run", r"^sql: no such column: tset; did you mean `test`\?$"),
        ("SELECT run.sede FROM run", r"^sql: no such column: run\.sede; did you mean `seed`\?$"),
        ("SELECT qqqq FROM run", r"^sql: no such column: qqqq; known: accuracy, .*weight_decay\.$"),
        ("SELECT key FROM runs", r"^sql: no such table: runs; did you mean `run`\?$"),
        ("SELCT 1", r'^sql: near "SELCT": syntax error; .*--schema'),
        ("SELECT 1; SELECT 2", "^sql: found more than one statement"),
        ("SELECT nofun(1)", "^sql: no such function: nofun;"),
        ("SELECT zeroblob(2000000000)", "^sql: string or blob too big;"),
        ("SELECT 'a\0b'", "^sql: "),
        ("", "^sql: the statement returns no rows"),
        ("-- nothing", "^sql: the statement returns no rows"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_would_be_right(path, question, message):
    with pytest.raises(StoreError, match=message) as told:
        ask(path, question)
    assert "\n" not in str(told.value)


def test_a_store_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(StoreError, match="no such store"):
        ask(tmp_path / "none.sqlite", "SELECT 1")
    assert list(tmp_path.iterdir()) == []


def test_what_is_being_written_can_be_asked(path, records):
    with open_store(path) as store:
        store.claim("f" * 64)

        assert ask(path, "SELECT count(*) FROM run").rows == ((len(records),),)


def test_of_a_damaged_store_what_is_told_is_what_was_stored(tmp_path, caplog):
    path = tmp_path / "runs.sqlite"
    made = [make_record(Setting.from_knobs({"epochs": 1}), seed) for seed in range(3)]
    records = [
        record.model_copy(update={"key": f"{n}-run", "seconds": seconds})
        for n, (record, seconds) in enumerate(zip(made, (1234.5, 2345.5, 3456.5), strict=True))
    ]
    with open_store(path) as store:
        store.add_all([(record, None) for record in records])
    content = path.read_bytes()
    content = content.replace(b'"seconds":1234.5', b'"seconds"+1234.5')  # no JSON any more
    column = struct.pack(">d", 2345.5)  # beside the record
    assert content.count(column) == 1
    path.write_bytes(content.replace(column, struct.pack(">d", 9999.5)))

    found = ask(path, "SELECT seed, seconds FROM run WHERE seconds > 0 ORDER BY seed")
    curves = ask(path, "SELECT key, epoch FROM epoch WHERE loss > 0 ORDER BY key")
    scores = ask(path, "SELECT DISTINCT key FROM score JOIN run USING (key) WHERE neurons = 32")

    assert found.rows == ((1, 2345.5), (2, 3456.5))
    assert curves.rows == (("1-run", 1), ("2-run", 1))
    assert len(scores.rows) == 2
    assert caplog.text.count("run 0-run is damaged") == 1
