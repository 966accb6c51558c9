"""`siffra runs sql`: a table, CSV or JSON of what was asked."""

import csv
import io
import json

import pytest


@pytest.fixture
def runs(siffra, small):
    for neurons in (4, 8):
        siffra("train", *small, "--neurons", neurons)
    return json.loads(siffra("runs", "list", "--json").out)


QUESTION = "SELECT neurons, test FROM run ORDER BY neurons"


def test_a_table_csv_and_json_hold_the_same(siffra, runs):
    expected = [(n, r["accuracy"]["test"]) for n, r in zip((4, 8), runs, strict=True)]

    table = siffra("runs", "sql", QUESTION).out.splitlines()
    rows = list(csv.DictReader(io.StringIO(siffra("runs", "sql", QUESTION, "--csv").out)))
    objects = json.loads(siffra("runs", "sql", QUESTION, "--json").out)

    assert table[0].split() == ["neurons", "test"]
    assert [tuple(map(float, line.split())) for line in table[1:]] == [
        (n, pytest.approx(accuracy, abs=1e-6)) for n, accuracy in expected
    ]
    assert [(int(row["neurons"]), float(row["test"])) for row in rows] == expected
    assert [(each["neurons"], each["test"]) for each in objects] == expected


def test_more_rows_than_asked_for_are_told(siffra, runs):
    ended = siffra("runs", "sql", "SELECT key FROM run", "--rows", 1, "--json")

    assert len(json.loads(ended.out)) == 1
    assert ended.err == "The result was cut at 1 rows; use --rows N for more.\n"


def test_no_rows_still_have_their_columns(siffra, runs):
    nothing = "SELECT seed, test FROM run WHERE 0"

    assert siffra("runs", "sql", nothing, "--csv").out.strip() == "seed,test"
    assert siffra("runs", "sql", nothing).out.split() == ["seed", "test"]
    assert json.loads(siffra("runs", "sql", nothing, "--json").out) == []


def test_no_text_is_a_formula_and_none_steers_the_terminal(siffra, runs):
    question = """SELECT '=1+1' AS "=a", '[red]x' || char(27) AS b, 9e999 AS c, NULL AS d"""

    assert siffra("runs", "sql", question, "--csv").out.splitlines()[0] == "'=a,b,c,d"
    assert "'=1+1" in siffra("runs", "sql", question, "--csv").out
    assert "\x1b" not in siffra("runs", "sql", question).out
    assert "[red]x" in siffra("runs", "sql", question).out
    assert json.loads(siffra("runs", "sql", question, "--json").out)[0]["c"] is None


def test_the_schema_can_be_seen_without_a_store(siffra):
    shown = siffra("runs", "sql", "--schema")

    assert "learning_rate" in shown.out
    views = json.loads(siffra("runs", "sql", "--schema", "--json").out)
    assert list(views) == ["run", "epoch", "score", "confusion", "argument"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "sql: no query; give a SELECT, or see --schema."),
        (("SELECT 1", "--csv", "--json"), "sql: found --json and --csv; give only one of them."),
        (("SELECT tset FROM run",), "sql: no such column: tset; did you mean `test`?"),
    ],
)
def test_mistakes_are_one_line(siffra, runs, arguments, message):
    ended = siffra("runs", "sql", *arguments)

    assert (ended.code, ended.out, ended.err) == (2, "", f"error: {message}\n")
