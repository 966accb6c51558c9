import csv
import io
import json
from dataclasses import replace

import pytest
from arro3.io import read_parquet
from made_runs import make_record
from report.fake_answers import make_answers, make_question, retuned_by_rate, study

from siffra.config import Setting, as_model
from siffra.report.render.files import record_rows, results_json, run_rows, runs_csv, runs_parquet
from siffra.report.text.messages import words_in
from siffra.training.scores import epochs_to


@pytest.fixture(scope="module")
def answers():
    return study(seeds=2, epochs=2)


RATES = (0.1, 0.3, 0.7)


@pytest.fixture(scope="module")
def retuned():
    """Of a question that chooses the learning rate anew for each number of neurons."""
    question = make_question("a", [{"neurons": n} for n in (8, 16)], epochs=2)
    return make_answers([retuned_by_rate(question, RATES)], seeds=3)


def test_results_have_the_documented_shape(answers):
    results = json.loads(results_json(answers, words_in("en")))

    assert {"preset", "epochs", "seeds", "machine", "versions", "questions", "experiments"} <= (
        results.keys()
    )
    question = results["questions"][0]
    assert {"id", "ask", "claims", "levels"} <= question.keys()
    assert {"say", "verdict", "estimate", "interval", "n", "fixed"} <= question["claims"][0].keys()
    assert question["claims"][0]["fixed"]["batch_size"] == 140
    assert results["versions"]["numpy"] == "2.4.6"


def test_verdicts_are_counted_in_all_and_by_whose_the_claims_are(answers):
    *others, last = answers.questions
    own = replace(last, question=replace(last.question, by={"en": "siffra"}))
    results = json.loads(results_json(replace(answers, questions=(*others, own)), words_in("en")))

    author, siffra = results["claims_by"]
    assert (author["by"], siffra["by"]) == (None, "siffra")
    assert sum(siffra["verdicts"].values()) == len(own.claims) == 1
    assert results["verdicts"] == {
        verdict: n + siffra["verdicts"][verdict] for verdict, n in author["verdicts"].items()
    }
    assert [question["by"] for question in results["questions"][-2:]] == [None, "siffra"]


def test_results_carry_the_numbers_that_were_found(answers):
    results = json.loads(results_json(answers, words_in("en")))

    claim = results["questions"][0]["claims"][1]
    estimate = answers.questions[0].claims[1].estimate
    assert estimate is not None
    assert claim["estimate"] == estimate.value
    assert claim["interval"] == [estimate.low, estimate.high]
    assert claim["n"] == 2


def test_results_have_when_runs_reached_the_targets_of_claims(answers):
    results = json.loads(results_json(answers, words_in("en")))

    for level, seen in zip(
        results["questions"][0]["levels"], answers.questions[0].levels, strict=True
    ):
        (target,) = level["targets"]
        curves = [[epoch.accuracy["test"] for epoch in r.epochs] for r in seen.records]
        assert (target["on"], target["target"]) == ("test", 0.9)
        assert target["epochs"]["values"] == [epochs_to(0.9, curve) for curve in curves]
        assert target["never"] == target["seconds"]["values"].count(None)
    assert results["questions"][1]["levels"][0]["targets"] == []


def test_what_is_not_finite_is_null_and_the_json_is_strict():
    one_run = make_answers([make_question("a", [{"neurons": n} for n in (8, 16)])], seeds=1)

    text = results_json(one_run, words_in("en"))

    results = json.loads(text, parse_constant=pytest.fail)
    assert results["questions"][0]["levels"][0]["seconds"]["interval"] == [None, None]


def test_there_is_a_row_for_each_run_and_set(answers):
    rows = run_rows(answers)

    runs = {(row["key"], row["seed"]) for row in rows}
    assert len(rows) == 5 * len(runs)
    assert len({(row["key"], row["set"]) for row in rows}) == len(rows)


def test_a_run_that_two_questions_share_is_one_row_that_names_both(answers):
    rows = [row for row in run_rows(answers) if row["questions"].startswith("a, ")]

    assert rows
    assert {"a, c, d, e, g"} == {row["questions"] for row in rows}


def test_runs_that_were_tried_and_not_chosen_have_rows_too(retuned):
    rows = [row for row in run_rows(retuned) if row["set"] == "val"]

    tried = {(neurons, rate, seed) for neurons in (8, 16) for rate in RATES for seed in range(3)}
    assert {(int(r["neurons"]), r["learning_rate"], r["seed"]) for r in rows} == tried
    assert {row["questions"] for row in rows} == {"a"}
    assert json.loads(results_json(retuned, words_in("en")))["runs"] == len(tried)


def test_the_choice_of_a_retuned_knob_can_be_made_again_from_the_rows(retuned):
    val = {
        (int(r["neurons"]), r["learning_rate"], r["seed"]): r["accuracy"]
        for r in run_rows(retuned)
        if r["set"] == "val"
    }

    for level in retuned.questions[0].levels:
        for record in level.records:
            others = {0, 1, 2} - {record.seed}
            sums = {r: sum(val[level.level.knobs["neurons"], r, s] for s in others) for r in RATES}
            assert record.training.learning_rate == max(RATES, key=sums.__getitem__)


def test_csv_and_parquet_hold_the_same_rows(answers):
    rows = run_rows(answers)

    from_csv = list(csv.DictReader(io.StringIO(runs_csv(rows))))
    table = read_parquet(io.BytesIO(runs_parquet(rows))).read_all()

    assert table.num_rows == len(from_csv) == len(rows)
    assert list(table.column_names) == list(rows[0])
    for name in table.column_names:
        column = table.column(name).to_pylist()
        assert column == [row[name] for row in rows]
        assert ["" if v is None else str(v) for v in column] == [row[name] for row in from_csv]


def test_widths_by_layer_become_text_in_the_whole_column():
    lab = make_answers([make_question("a", [{"neurons": [64, 32]}, {"neurons": [16, 16]}])])

    assert {row["neurons"] for row in run_rows(lab)} == {"64, 32", "16"}
    assert runs_parquet(run_rows(lab))


def test_no_runs_give_an_empty_table():
    assert runs_csv([]).strip() == "key"
    assert read_parquet(io.BytesIO(runs_parquet([]))).read_all().num_rows == 0


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_text_in_the_csv_is_a_formula(text):
    (row,) = csv.DictReader(
        io.StringIO(runs_csv([{"dataset": text, "accuracy": -0.5}]), newline="")
    )

    assert row == {"dataset": f"'{text}", "accuracy": "-0.5"}


def test_parameters_of_a_model_of_one_s_own_have_columns():
    def make(width: int = 4, skip: bool = True): ...

    settings = [{"model": as_model(make), "width": 8}, {"neurons": 16}]
    rows = record_rows([make_record(Setting.from_knobs(knobs)) for knobs in settings])

    assert [(row["width"], row["skip"], row["neurons"]) for row in rows[::5]] == [
        (8, True, None),
        (None, None, 16),
    ]
    assert read_parquet(io.BytesIO(runs_parquet(rows))).read_all()["width"].to_pylist() == (
        [8] * 5 + [None] * 5
    )
