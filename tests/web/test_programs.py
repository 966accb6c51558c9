"""Runs and labs of programs: the page shows them, and no request starts one."""

import sys
import tomllib
from collections.abc import Iterator

import pytest
from raw_http import Ui, running

import siffra
from siffra.config import Setting
from siffra.config.metrics import Metric
from siffra.engine.command.metrics import ExternalResult
from siffra.training.external import external_record
from siffra.web.curves import MOST_POINTS, _metric_band
from siffra.web.errors import ApiError
from siffra.web.runs import (
    COLUMNS,
    compared,
    conditions,
    in_full,
    matching,
    ordered,
    own_columns,
    row,
)

PROGRAM = """
import json, sys
lr, seed = float(sys.argv[1]), int(sys.argv[2])
if lr > 2 and seed == 1:
    sys.exit("out of <b>memory</b>")
for epoch in (1, 2):
    print(json.dumps({"epoch": epoch, "val_loss": 1 / lr / epoch}))
print(json.dumps({"val_loss": 0.3 / lr + seed / 1000, "test": 97.5 + seed}))
"""


def record(seed: int, metrics: dict[str, float], failure: str = "", **values: bool | float | str):
    result = ExternalResult(metrics=metrics, failure=failure, output=("the last line",))
    setting = Setting.external(values, ("train", "{lr}"))
    return external_record(f"{seed:064x}", setting, seed, result, main="val_loss", kind="command")


A = record(0, {"val_loss": 0.3, "test": 97.5}, lr=0.1, epochs=3)
B = record(1, {"val_loss": 0.2, "test": 98.0}, lr=0.3, epochs=3)
FAILED = record(2, {}, "exit status 1", lr=3.0, epochs=3)
ROWS = [row(each) for each in (A, B, FAILED)]
OWN = own_columns(ROWS)


class TestTable:
    def test_its_knobs_and_metrics_are_columns_that_hide_no_other(self):
        assert OWN == ["lr", "val_loss", "test (metric)"]
        assert ROWS[0]["epochs"] == 3
        assert ROWS[0]["test"] is None  # that column has shares, which go by per cent
        assert ROWS[0]["test (metric)"] == 97.5
        assert all(set(COLUMNS) <= set(each) for each in ROWS)

    @pytest.mark.parametrize(
        ("where", "found"),
        [("val_loss < 0.25", [1]), ("lr=0.1", [0]), ("test (metric) > 97.6", [1]),
         ("lr > 0", [0, 1, 2]),
         ("failure != x", [0, 1, 2]), ("failure = exit status 1", [2]), ("model = dense", [])],
    )  # fmt: skip
    def test_they_can_be_asked_for(self, where, found):
        asked = conditions([where], OWN)

        assert [each["seed"] for each in matching(ROWS, asked)] == found

    def test_they_can_be_sorted_by_even_where_no_row_has_them(self):
        assert [each["seed"] for each in ordered(ROWS, "val_loss", "asc", OWN)] == [1, 0, 2]
        assert ordered([], "val_loss", "asc", OWN) == []
        with pytest.raises(ApiError):
            ordered(ROWS, "nothing", "asc", OWN)
        with pytest.raises(ApiError):
            conditions(["nothing = 1"], OWN)


def test_several_of_them_are_compared_by_metric_each_with_the_first():
    comparison = compared([A, B, FAILED])

    assert comparison["differing"]["lr"][:2] == [0.1, 0.3]
    succeeded, failed = comparison["differences"]
    assert succeeded["metrics"]["val_loss"] == pytest.approx(-0.1)  # B less A
    assert failed["metrics"] == {}


def test_one_has_its_program_and_why_it_failed_and_no_command_of_siffra_s():
    told = in_full(FAILED)

    assert told["program"] == ["train", "{lr}"]
    assert told["command"] is None
    assert (told["failure"], told["output"]) == ("exit status 1", ["the last line"])
    assert told["metrics"] == {}


@pytest.fixture(scope="module")
def ui(tmp_path_factory) -> Iterator[Ui]:
    """A server on a store with a lab of a program, of which one run failed."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "train.py").write_text(PROGRAM)
    siffra.vary(
        {"lr": [0.5, 1.0, 3.0]},
        command=[sys.executable, str(folder / "train.py"), "{lr}", "{seed}"],
        metric=("val_loss:lower", "test:higher"),
        seeds=5,
        store=folder / "runs.sqlite",
    )
    with running(folder / "runs.sqlite", folder) as ui:
        yield ui


def test_a_long_curve_is_thinned_to_what_a_chart_has_room_for_its_last_point_kept():
    metric = Metric("val_loss", "lower")
    curve = tuple((float(epoch), 1 / epoch) for epoch in range(1, 2 * MOST_POINTS + 2))
    long = A.model_copy(update={"curves": {"val_loss": curve}})

    band = _metric_band((long, long), metric)

    assert len(band["epochs"]) <= MOST_POINTS + 1
    assert (band["epochs"][0], band["epochs"][-1]) == (1, 2 * MOST_POINTS + 1)
    assert band["mean"] == pytest.approx([1 / epoch for epoch in band["epochs"] if epoch])


class TestServer:
    def test_its_lab_is_listed_and_shown(self, ui: Ui):
        (listed,) = ui.ask("/api/labs").json["labs"]
        lab = ui.ask(f"/api/labs/{listed['id']}?lang=sv").json

        assert (listed["state"], listed["have"]) == ("done", 15)
        assert [
            level["metrics"]["val_loss"]["values"] != [] for level in lab["questions"][0]["levels"]
        ]
        assert lab["ask"] is None  # the form cannot ask it
        assert tomllib.loads(lab["toml"])["questions"][0]["vary"] == {"lr": [0.5, 1.0, 3.0]}
        assert b"NaN" not in ui.ask(f"/api/labs/{listed['id']}").body
        question = lab["questions"][0]["id"]
        curves = ui.ask(f"/api/labs/{listed['id']}/curves?question={question}").json
        assert curves["metrics"] == ["val_loss"]
        assert [level["name"] for level in curves["levels"]] == ["0.5", "1", "3"]
        assert len(curves["levels"][2]["ends"]["val_loss"]) == 4
        assert ui.ask(f"/api/labs/{listed['id']}/report", whole=False).status == 200

    def test_no_request_starts_it(self, ui: Ui):
        (listed,) = ui.ask("/api/labs").json["labs"]

        answer = ui.ask(f"/api/labs/{listed['id']}/start", {})

        assert answer.status == 409
        assert answer.json == {"error": "not_started_here"}
        assert ui.ask("/api/jobs").json["queue"] == []

    def test_nor_is_a_run_of_it_made_once_more(self, ui: Ui):
        key = ui.ask("/api/runs").json["runs"][0]["key"]

        answer = ui.ask(f"/api/runs/{key}/model", {})

        assert answer.status == 405
        assert ui.ask("/api/jobs").json["queue"] == []

    def test_its_runs_are_filtered_sorted_and_exported(self, ui: Ui):
        told = ui.ask("/api/runs?where=val_loss<0.2&sort=val_loss&order=asc").json

        assert told["own"] == ["lr", "val_loss", "test (metric)"]
        assert [run["lr"] for run in told["runs"]] == [3] * 4
        assert len(ui.ask("/api/runs.csv?where=lr=3").body.splitlines()) == 6
        assert ui.ask("/api/runs.parquet?where=val_loss<0.2").body.startswith(b"PAR1")
