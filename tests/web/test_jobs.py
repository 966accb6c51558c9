"""The bench trains what is asked, tells what happens, obeys, and loses nothing however it ends."""

import base64
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from raw_http import PATIENCE, Ui, running, start

import siffra
from siffra.report.model.claims import VERDICTS

QUICK = {"vary": {"learning_rate": [0.01, 0.5]}, "fixed": {"epochs": 2, "neurons": 8}, "seeds": 2}
SLOW = QUICK | {"fixed": {"epochs": 150, "neurons": 64}, "seeds": 99}


def wait(until: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := until()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
    return found


def wait_for_state(ui: Ui, lab: str, *states: str) -> Any:
    def reached() -> Any:
        found = ui.ask(f"/api/labs/{lab}").json
        return found if found["state"] in states else None

    return wait(reached)


def epochs_of(ui: Ui) -> tuple[Any, Any]:
    """Which run is at work, and how far it has come."""
    running = ui.ask("/api/jobs").json["running"]
    run = running and running["run"]
    return (run["level"], run["seed"]), run["epoch"] if run else (None, 0)


def workers_on(store: Path) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"siffra.web.worker" in words and str(store).encode() in words:
            found.append(int(entry.parent.name))
    return found


@pytest.fixture
def idle(ui):
    """The server with nothing to do, before and after."""
    yield ui
    for lab in ui.ask("/api/labs").json["labs"]:
        ui.ask(f"/api/labs/{lab['id']}/cancel", {})
    ui.ask("/api/jobs/resume", {})
    wait(lambda: ui.ask("/api/jobs").json["running"] is None)


def test_a_question_is_estimated_asked_and_answered(idle, tiny):
    ui, ask = idle, QUICK | {"data": tiny}
    estimate = ui.ask("/api/estimate", ask).json
    assert (estimate["runs"], estimate["have"], estimate["known"]) == (4, 0, False)
    assert estimate["command"].startswith("siffra vary learning_rate=0.01,0.5 --model dense")
    assert "[[questions]]" in estimate["toml"]

    asked = ui.ask("/api/ask", ask)

    assert asked.status == 201
    assert asked.json["id"] == estimate["id"]
    lab = wait_for_state(ui, estimate["id"], "done")
    (question,) = lab["questions"]
    assert lab["provisional"] is False
    assert (lab["have"], lab["runs"]) == (4, 4)
    assert lab["title"] == question["ask"] == "Learning rate: 0.01 and 0.5"
    assert [level["name"] for level in question["levels"]] == ["0.01", "0.5"]
    assert all(len(level["keys"]) == level["n"] == 2 for level in question["levels"])
    assert question["claims"][0]["verdict"] in VERDICTS
    assert question["levels"][0]["accuracy"]["test"]["text"][0].isdigit()
    again = ui.ask("/api/estimate", ask).json
    assert (again["have"], again["known"]) == (4, True)


def test_what_was_asked_comes_back_and_is_the_same_lab_with_all_defaults_spelled_out(idle, tiny):
    ui, ask = idle, QUICK | {"data": tiny}
    lab = ui.ask(f"/api/labs/{ui.ask('/api/ask', ask).json['id']}").json

    assert lab["ask"]["vary"] == ask["vary"]
    assert lab["ask"]["data"] == tiny
    assert len(lab["ask"]["fixed"]) > len(ask["fixed"])
    assert ui.ask("/api/estimate", lab["ask"]).json["id"] == lab["id"]


def test_its_texts_are_in_the_language_that_is_asked_for(idle, tiny):
    name = idle.ask("/api/ask", QUICK | {"data": tiny}).json["id"]
    wait_for_state(idle, name, "done")

    lab = idle.ask(f"/api/labs/{name}?lang=sv").json

    assert lab["title"] == "Inlärningshastighet: 0,01 och 0,5"
    assert "%" in lab["questions"][0]["answer"]


def test_its_curves_have_a_band_a_level_and_an_end_a_seed(idle, tiny):
    name = idle.ask("/api/ask", QUICK | {"data": tiny}).json["id"]
    wait_for_state(idle, name, "done")

    curves = idle.ask(f"/api/labs/{name}/curves?question=vary").json

    for level in curves["levels"]:
        assert level["seeds"] == [0, 1]
        for on in curves["sets"]:
            (first, a), (second, b) = level["ends"][on]
            mean = level["band"][on]["mean"]
            assert first == second == len(mean) == 2
            assert mean[-1] == pytest.approx((a + b) / 2)
    assert idle.ask(f"/api/labs/{name}/curves?question=none").status == 404


def test_a_lab_without_a_run_is_shown_as_well(idle, tiny):
    idle.ask("/api/jobs/pause", {})
    name = idle.ask("/api/ask", SLOW | {"seeds": 3, "data": tiny}).json["id"]

    lab = idle.ask(f"/api/labs/{name}").json

    assert lab["state"] == "paused"
    assert lab["questions"][0]["levels"][0]["accuracy"]["test"]["text"] == "–"
    curves = idle.ask(f"/api/labs/{name}/curves?question=vary").json
    assert curves["levels"][0]["band"]["test"] == {"mean": [], "low": [], "high": []}


def test_the_stream_tells_what_happens_from_a_look_at_the_whole_on(idle, tiny):
    events = idle.events()
    assert next(events)[0] == "queue"
    ask = QUICK | {"seeds": 3, "data": tiny}
    name = idle.ask("/api/ask", ask).json["id"]

    told = []
    for kind, data in events:
        told.append((kind, data))
        if kind == "lab" and data["state"] == "done":
            break

    epochs = [data for kind, data in told if kind == "epoch"]
    runs = [data["run"] for data in epochs]
    assert all(data["id"] == name for data in epochs)
    assert all(run["question"] == "vary" and run["epochs"] == 2 for run in runs)
    for level in (0, 1):
        mine = [run for run in runs if (run["level"], run["seed"]) == (level, 2)]
        assert sum(len(run["curve"]) for run in mine) == mine[-1]["epoch"] == 2
    assert all(0 <= each["accuracy"]["test"] <= 1 for run in runs for each in run["curve"])
    haves = [data["have"] for kind, data in told if kind == "lab"]
    assert haves == sorted(haves)
    assert haves[-1] == 6


def test_a_pause_holds_the_run_at_work_and_it_goes_on_where_it_was(idle, tiny):
    ui = idle
    ui.ask("/api/ask", SLOW | {"data": tiny})
    wait(lambda: (ui.ask("/api/jobs").json["running"] or {}).get("run"))

    ui.ask("/api/jobs/pause", {})
    before = None
    while before != (before := epochs_of(ui)):  # until the worker has heard of it
        time.sleep(1.0)
    run, held = before

    assert ui.ask("/api/labs").json["labs"][0]["state"] == "paused"
    ui.ask("/api/jobs/resume", {})
    wait(lambda: epochs_of(ui) != (run, held))
    if epochs_of(ui)[0] == run:
        assert epochs_of(ui)[1] > held


def test_questions_wait_for_each_other_and_a_stopped_one_keeps_its_runs(idle, tiny):
    ui = idle
    first = ui.ask("/api/ask", SLOW | {"data": tiny}).json["id"]
    second = ui.ask("/api/ask", QUICK | {"seeds": 4, "data": tiny}).json["id"]
    assert [task["id"] for task in ui.ask("/api/jobs").json["queue"]] == [first, second]
    assert ui.ask(f"/api/labs/{second}").json["state"] == "queued"
    assert ui.ask(f"/api/labs/{second}/forget", {}).status == 409
    wait(lambda: ui.ask(f"/api/labs/{first}").json["have"] > 0)

    stopped = ui.ask(f"/api/labs/{first}/cancel", {})

    assert stopped.json["state"] == "stopped"
    wait_for_state(ui, second, "done")
    lab = ui.ask(f"/api/labs/{first}").json
    assert lab["state"] == "stopped"
    assert lab["have"] > 0
    assert lab["provisional"] is True
    started = ui.ask(f"/api/labs/{first}/start", {})
    assert started.json["state"] in ("queued", "running")


def test_a_forgotten_lab_leaves_its_runs(idle, tiny):
    ask = QUICK | {"fixed": {"epochs": 1}, "data": tiny}
    name = idle.ask("/api/ask", ask).json["id"]
    wait_for_state(idle, name, "done")

    assert idle.ask(f"/api/labs/{name}/forget", {}).status == 200

    assert idle.ask(f"/api/labs/{name}").status == 404
    estimate = idle.ask("/api/estimate", ask).json
    assert (estimate["have"], estimate["known"]) == (4, False)


def test_the_report_is_a_page_of_its_own_without_scripts(idle, tiny):
    name = idle.ask("/api/ask", QUICK | {"data": tiny}).json["id"]
    wait_for_state(idle, name, "done")

    report = idle.ask(f"/api/labs/{name}/report?lang=sv")

    assert report.status == 200
    assert b'<html lang="sv">' in report.body
    assert b"<script" not in report.body
    policy = report.headers["content-security-policy"]
    assert "sandbox" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'none'" in policy


def test_the_lab_file_can_be_downloaded(idle, tiny):
    name = idle.ask("/api/ask", QUICK | {"data": tiny}).json["id"]

    file = idle.ask(f"/api/labs/{name}/lab.toml")

    assert file.headers["content-disposition"] == 'attachment; filename="lab.toml"'
    assert b"[[questions]]" in file.body


def test_a_run_s_network_is_made_again_and_can_be_played_with(idle, tiny):
    name = idle.ask("/api/ask", QUICK | {"data": tiny}).json["id"]
    key = wait_for_state(idle, name, "done")["questions"][0]["levels"][1]["keys"][0]
    before = idle.ask(f"/api/runs/{key}").json
    assert before["model"] is None

    assert idle.ask(f"/api/runs/{key}/model", {}).status == 202

    run = wait(lambda: (r := idle.ask(f"/api/runs/{key}").json)["model"] and r)
    assert run["model"] == f"run-{key}"
    assert run["accuracy"] == before["accuracy"]
    assert run["examination"]["turned"]
    assert f"run-{key}" in [model["id"] for model in idle.ask("/api/models").json["models"]]
    pixels = base64.b64encode(bytes(784)).decode()
    seen = idle.ask("/api/predict", {"models": [f"run-{key}"], "pixels": pixels}).json
    assert len(seen["models"][0]["probabilities"]) == 3
    assert idle.ask(f"/api/models/run-{key}/examination").json == run["examination"]


class TestWhenTheServerDies:
    def test_another_goes_on_where_it_was(self, tmp_path, tiny_npz):
        store = tmp_path / "runs.sqlite"
        with running(store, tmp_path) as ui:
            body = {"name": "tiny", "npz": base64.b64encode(tiny_npz).decode()}
            data = ui.ask("/api/datasets", body).json["id"]
            name = ui.ask("/api/ask", SLOW | {"data": data}).json["id"]
            before = wait(lambda: (lab := ui.ask(f"/api/labs/{name}").json)["have"] and lab)["have"]
            assert workers_on(store)
        # Killed, not ended: its worker notices, and follows.
        wait(lambda: not workers_on(store))

        with running(store, tmp_path) as ui:
            assert ui.ask("/api/jobs").json["queue"][0]["id"] == name
            lab = wait_for_state(ui, name, "running")
            assert lab["have"] >= before
            wait(lambda: ui.ask(f"/api/labs/{name}").json["have"] > lab["have"])

            ui.ask("/api/jobs/pause", {})

        with running(store, tmp_path) as ui:
            bench = ui.ask("/api/jobs").json
            assert bench["paused"] is True
            assert bench["queue"][0]["id"] == name
            assert ui.ask(f"/api/labs/{name}").json["state"] == "paused"

    def test_a_worker_that_is_killed_fails_its_question_and_is_replaced(self, idle, tiny):
        ui = idle
        name = ui.ask("/api/ask", SLOW | {"seeds": 98, "data": tiny}).json["id"]
        wait_for_state(ui, name, "running")
        store = Path(ui.log.parent / "runs.sqlite")
        for worker in wait(lambda: workers_on(store)):
            os.kill(worker, signal.SIGKILL)

        lab = wait_for_state(ui, name, "failed")

        assert lab["error"] == "worker_lost"
        after = ui.ask("/api/ask", QUICK | {"seeds": 5, "data": tiny}).json["id"]
        wait_for_state(ui, after, "done")

    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGHUP], ids=["ctrl_c", "hang_up"])
    def test_ctrl_c_or_a_closed_terminal_ends_it_and_its_worker(self, tmp_path, tiny_npz, how):
        store = tmp_path / "runs.sqlite"
        with running(store, tmp_path) as ui:
            body = {"name": "tiny", "npz": base64.b64encode(tiny_npz).decode()}
            data = ui.ask("/api/datasets", body).json["id"]
            ui.ask("/api/ask", SLOW | {"data": data})
            wait(lambda: workers_on(store))
            stream = ui.events()
            next(stream)

            ui.process.send_signal(how)

            assert ui.process.wait(PATIENCE) in (0, 128 + how)
            assert "Traceback" not in ui.log.read_text()
        wait(lambda: not workers_on(store))

    def test_two_servers_do_not_share_a_store(self, ui):
        folder = ui.log.parent
        with pytest.raises(AssertionError, match="another `siffra ui` is at work on this store"):
            start([sys.executable, "-m", "siffra"], folder / "runs.sqlite", folder)


@pytest.mark.parametrize("has_looks", [False, True])
def test_a_lab_of_the_command_line_s_is_there_too(idle, tiny_npz, tmp_path, has_looks):
    path = tmp_path / "own.npz"
    path.write_bytes(tiny_npz)
    siffra.vary(
        {"neurons": [4, 5 + has_looks]},
        epochs=1,
        seeds=None if has_looks else 2,
        max_seeds=10 if has_looks else None,
        data=path,
        store=idle.log.parent / "runs.sqlite",
    )

    labs = idle.ask("/api/labs").json["labs"]

    (lab,) = [lab for lab in labs if lab["title"] == f"Neurons: 4 and {5 + has_looks}"]
    assert lab["state"] == "done"
    assert lab["have"] == lab["runs"]
    assert lab["runs"] in ((10, 14, 20) if has_looks else (4,))
    assert json.dumps(str(path)) in idle.ask(f"/api/labs/{lab['id']}").json["toml"]
