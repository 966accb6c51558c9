"""Labs of programs on the page: they are shown, and never started."""

import json
import time
from collections.abc import Iterator

import pytest
from programs import RATES, Programs
from raw_http import PATIENCE, Ui, running

from siffra.api import kept_labs, run_lab
from siffra.web.paths import Paths

LAB = (
    RATES
    + """[[experiments]]
id = "mine"
name = "Mine"
knobs = { lr = 0.5 }
"""
)


@pytest.fixture(scope="module")
def programs(tmp_path_factory) -> Programs:
    folder = tmp_path_factory.mktemp("programs")
    programs = Programs(folder, folder / "runs.sqlite")
    programs.write("my.toml", LAB)
    return programs


@pytest.fixture(scope="module")
def ids(programs) -> dict[str, str]:
    """Of a lab that is done, and of one that was stopped after its first new run."""

    def stop(event):
        if event.kind == "finished":
            raise KeyboardInterrupt

    lab = programs.folder / "my.toml"
    run_lab(lab, seeds=2, store=programs.store)
    done = kept_labs(programs.store)[0].id
    with pytest.raises(KeyboardInterrupt):
        run_lab(lab, seeds=5, store=programs.store, on_event=stop)
    stopped = next(lab.id for lab in kept_labs(programs.store) if lab.id != done)
    return {"done": done, "stopped": stopped}


@pytest.fixture
def ui(programs, ids, tmp_path) -> Iterator[Ui]:
    with running(programs.store, tmp_path) as ui:
        yield ui


def test_they_are_listed_and_shown_with_what_was_measured(ui, ids):
    listed = {line["id"]: line for line in ui.ask("/api/labs").json["labs"]}
    shown = ui.ask(f"/api/labs/{ids['done']}").json

    assert listed.keys() == set(ids.values())
    assert {line["title"] for line in listed.values()} == {"Rates"}
    assert [listed[ids[name]]["state"] for name in ("done", "stopped")] == ["done", "stopped"]
    (question,) = shown["questions"]
    assert all(level["metrics"]["loss"]["values"] for level in question["levels"])
    assert shown["experiments"][0]["metrics"]["loss"]["text"] != "–"
    assert shown["ask"] is None


def test_their_curves_reports_and_runs_can_be_read(ui, ids):
    curves = ui.ask(f"/api/labs/{ids['done']}/curves?question=lr")
    report = ui.ask(f"/api/labs/{ids['done']}/report", Accept="text/html")
    runs = ui.ask("/api/runs")

    assert curves.json["sets"] == []
    assert (report.status, runs.status) == (200, 200)
    assert b"A larger rate lowers the loss." in report.body


def test_none_is_started(ui, ids, programs):
    before = programs.made
    for name in ids:
        answer = ui.ask(f"/api/labs/{ids[name]}/start", {})
        assert answer.status == 409
        assert answer.json == {"error": "not_started_here"}
        assert ui.ask(f"/api/labs/{ids[name]}").json["can_start"] is False

    assert ui.ask("/api/jobs").json["queue"] == []
    assert programs.made == before


def test_none_is_started_by_a_queue_that_names_it(programs, ids, tmp_path):
    task = {"kind": "lab", "id": ids["stopped"]}
    queue = Paths(programs.store).queue
    queue.parent.mkdir(exist_ok=True)
    queue.write_text(json.dumps({"paused": False, "tasks": [task], "failed": {}}))
    before = programs.made
    with running(programs.store, tmp_path) as ui:
        deadline = time.monotonic() + PATIENCE
        while (shown := ui.ask(f"/api/labs/{ids['stopped']}").json)["state"] != "failed":
            assert time.monotonic() < deadline, shown["state"]
            time.sleep(0.05)

    assert shown["error"] == "not_started_here"
    assert programs.made == before
