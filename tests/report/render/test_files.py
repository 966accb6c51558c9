import csv
import io

import pytest
from arro3.io import read_parquet
from made_runs import make_record
from report.fake_answers import (
    TUNING_SEEDS,
    make_answers,
    make_question,
    report_on,
    retuned_by_rate,
    study,
)

from siffra.config import Setting, as_model
from siffra.engine.command.metrics import ExternalResult
from siffra.report.render.files import record_rows, run_rows, runs_csv, runs_parquet
from siffra.training.external import external_record
from siffra.training.run import this_machine


@pytest.fixture(scope="module")
def answers():
    return study(seeds=2, epochs=2)


RATES = (0.1, 0.3, 0.7)


@pytest.fixture(scope="module")
def retuned():
    """Of a question that chooses the learning rate anew for each number of neurons."""
    question = make_question("a", [{"neurons": n} for n in (8, 16)], epochs=2)
    return make_answers([retuned_by_rate(question, RATES)], seeds=3)


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

    tried = {(n, rate, seed) for n in (8, 16) for rate in RATES for seed in TUNING_SEEDS}
    tried |= {
        (level.level.knobs["neurons"], record.training.learning_rate, record.seed)
        for level in retuned.questions[0].levels
        for record in level.records
    }
    assert {(int(r["neurons"]), r["learning_rate"], r["seed"]) for r in rows} == tried
    assert {row["questions"] for row in rows} == {"a"}
    assert report_on(retuned).runs == len(tried)


def test_the_choice_of_a_retuned_knob_can_be_made_again_from_the_rows(retuned):
    val = {
        (int(r["neurons"]), r["learning_rate"], r["seed"]): r["accuracy"]
        for r in run_rows(retuned)
        if r["set"] == "val"
    }

    for level in retuned.questions[0].levels:
        neurons = level.level.knobs["neurons"]
        sums = {r: sum(val[neurons, r, seed] for seed in TUNING_SEEDS) for r in RATES}
        for record in level.records:
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


class TestNamesThatAreTaken:
    """A program may call its knobs and metrics what siffra calls its columns."""

    @staticmethod
    def record(number: int, **metrics: float):
        setting = Setting.external({"lr": 0.1, "seconds": 3})
        result = ExternalResult(metrics=metrics, seconds=9.0)
        return external_record(
            f"key {number}",
            setting,
            number,
            result,
            main="lr",
            kind="command",
            machine=this_machine(1),
        )

    def test_ours_keep_their_names_and_theirs_say_what_they_are(self):
        (row,) = record_rows([self.record(5, lr=7.0, seconds=1.0, seed=2.0, key=3.0, loss=4.0)])

        assert (row["key"], row["seed"], row["lr"], row["loss"]) == ("key 5", 5, 0.1, 4.0)
        assert row["metric_lr"] == 7.0
        assert row["metric_seed"] == 2.0
        assert row["metric_key"] == 3.0

    def test_so_it_is_beside_networks(self):
        network = make_record(Setting.from_knobs({}), 0)
        *networks, row = record_rows([network, self.record(5, lr=7.0, accuracy=0.5)])

        assert {each["set"]: each["accuracy"] for each in networks} == network.accuracy
        assert networks[0]["seconds"] == network.seconds
        assert (row["seconds"], row["knob_seconds"]) == (9.0, 3)
        assert (row["accuracy"], row["metric_accuracy"]) == (None, 0.5)

    def test_a_name_that_looks_like_such_is_no_way_round_it(self):
        (row,) = record_rows([self.record(5, key=1.0, metric_key=2.0, lr=3.0)])

        assert row["key"] == "key 5"
        assert sorted(v for n, v in row.items() if n.startswith("metric_")) == [1.0, 2.0, 3.0]
