"""Programs and functions on a cluster of Ray's, with two nodes on this machine."""

import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from programs import LOSSES, RATES, wait_until
from small_lab import NODE, small_dataset

import siffra
from siffra.errors import ConfigError, ExecutorError
from siffra.lab.execute.events import Event

ray = pytest.importorskip("ray", reason="Ray is an extra that is not installed")

# Ray leaves files and processes open behind it.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

COMMAND = f"{sys.executable} train.py {{lr}} {{seed}}"
LEVELS = {"lr": [0.1, 0.3]}
LOSS = siffra.Metric("loss", better="lower", margin=0.01)
SEES = """
import json, os, sys, time
began = time.monotonic()
time.sleep(0.2)
out = sys.argv[3]
assert os.listdir(out) == []
open(os.path.join(out, "model"), "w").close()
with open("seen.txt", "a") as seen:
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "none")
    print(json.dumps([gpu, out, began, time.monotonic()]), file=seen)
print(json.dumps({"loss": float(sys.argv[1]) + int(sys.argv[2])}))
"""
HANGS = """
import os, subprocess, sys, time
for words in (["sleep"], ["setsid", "sleep"]):
    subprocess.Popen([*words, "600"], env=os.environ | {"HANGS": sys.argv[3]})
open(os.path.join(sys.argv[4], "model"), "w").close()
open(f"begun-{sys.argv[1]}-{sys.argv[2]}", "w").write(sys.argv[4])
time.sleep(600)
"""


@pytest.fixture(scope="module")
def joined(nodes) -> Iterator[Any]:
    """The cluster, joined once for all that this process asks."""
    ray.init(nodes.address, log_to_driver=False, logging_level="ERROR")
    yield nodes
    ray.shutdown()


@pytest.fixture
def folder(joined, tmp_path, monkeypatch) -> Path:
    """Where the command runs; the cluster is the one that is found."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(LOSSES)
    return tmp_path


def asked(store: str, levels: Any = LEVELS, **options: Any) -> Any:
    options = {"metric": LOSS, "command": COMMAND, "on": "ray", **options}
    return siffra.vary(levels, store=store, **options)


def seen() -> list[list[Any]]:
    """What the runs of `SEES` saw: GPU, folder, when they began and when they ended."""
    return [json.loads(line) for line in Path("seen.txt").read_text().splitlines()]


def records(result: Any) -> list[Any]:
    return [r for level in result.answers.questions[0].levels for r in level.records]


class TestCommand:
    def test_a_question_has_the_answer_that_it_has_here(self, folder):
        there, here = asked("there.sqlite"), asked("here.sqlite", on="here")

        assert there.claims == here.claims
        assert [r.curves for r in records(there)] == [r.curves for r in records(here)]
        assert {r.machine.jobs for r in records(there)} == {2}
        assert len(Path("made.txt").read_text().splitlines()) == 20

    def test_what_is_stored_is_not_made_again(self, folder):
        asked("runs.sqlite", on="here")
        asked("runs.sqlite")

        assert len(Path("made.txt").read_text().splitlines()) == 10

    def test_a_run_that_fails_is_a_record(self, folder):
        (folder / "train.py").write_text(LOSSES + "if lr == 0.3 and seed == 2: sys.exit('boom')")
        result = asked("runs.sqlite")

        (failed,) = [record for record in records(result) if record.failure]
        assert (failed.failure, failed.output[-1], failed.seed) == ("exit 1", "boom", 2)
        assert result.claims[0].n == 4

    def test_the_timeout_holds(self, folder):
        (folder / "train.py").write_text("import time; time.sleep(60)")

        with pytest.raises(ExecutorError, match=r"all of the first 2 runs failed \(timeout\)"):
            asked("runs.sqlite", seeds=1, timeout=0.5)

    def test_runs_have_folders_that_go_with_them(self, folder):
        (folder / "train.py").write_text(SEES)
        asked("runs.sqlite", command=COMMAND + " {out}")

        folders = {out for _, out, *_ in seen()}
        assert len(folders) == 10
        assert not any(Path(out).exists() for out in folders)

    def test_no_more_than_jobs_are_made_at_once(self, folder):
        (folder / "train.py").write_text(SEES)
        asked("runs.sqlite", command=COMMAND + " {out}", seeds=3, jobs=1)

        times = sorted((began, ended) for *_, began, ended in seen())
        assert len(times) == 6
        assert all(ended <= began for (_, ended), (began, _) in pairwise(times))

    def test_runs_share_out_the_gpus(self, nodes, folder):
        (folder / "train.py").write_text(SEES)
        large = nodes.add_node(num_cpus=4, num_gpus=2, **NODE)
        nodes.wait_for_nodes()
        try:
            result = asked("runs.sqlite", command=COMMAND + " {out}", seeds=3, gpus=["1"])
        finally:
            nodes.remove_node(large)

        assert {gpu for gpu, *_ in seen()} == {"0", "1"}
        assert {record.machine.jobs for record in records(result)} == {2}
        for gpu in "01":
            mine = sorted((began, ended) for name, _, began, ended in seen() if name == gpu)
            assert all(b <= c for (_, b), (c, _) in pairwise(mine))

    def test_a_lab_file_goes_there_as_well(self, folder):
        (folder / "lab.toml").write_text(RATES)
        result = siffra.run_lab("lab.toml", on="auto", seeds=5, store="runs.sqlite")

        assert [claim.verdict for claim in result.claims] == ["supported"]
        assert result._report().command.endswith("--on=auto --seeds 5")

    def test_an_edited_script_ends_the_lab(self, folder):
        def edit(event: Event) -> None:
            if event.kind == "finished":
                (folder / "train.py").write_text(LOSSES + "# edited")

        with pytest.raises(ConfigError, match=r"files are not those .* \(found: .*`train.py`\)"):
            asked("runs.sqlite", on_event=edit)

    def test_noise_is_measured_there(self, folder):
        found = siffra.noise(
            COMMAND, metric=LOSS, knobs={"lr": 0.1}, seeds=3, on="ray", store="runs.sqlite"
        )

        assert len(found.result.answers.questions[0].levels[0].records) == 3

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"gpus": ["0", "1"]}, r"gpus: found 0,1; a cluster chooses them itself: say how many"),
            ({"gpus": ["0"]}, "gpus: found 0; a cluster chooses"),
            ({"gpus": ["1.5"]}, r"gpus: found 1\.5; a cluster chooses"),
            ({"gpus": ["2"]}, "on: no node of the cluster has 2 GPUs, which a run needs"),
            ({"threads": 8}, "on: no node of the cluster has 8 CPUs, which a run needs"),
            ({"threads": 2, "on": "here"}, "threads: it means nothing to a program"),
            ({"jobs": 0}, "jobs: found 0; it must be 1 or more"),
        ],
    )
    def test_mistakes_are_one_clear_line(self, folder, options, message):
        with pytest.raises((ConfigError, ExecutorError), match=message):
            asked("runs.sqlite", **options)

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds processes by /proc")
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    def test_however_siffra_ends_nothing_is_left_running(self, folder, number):
        (folder / "train.py").write_text(HANGS)
        mark = uuid.uuid4().hex

        def begun() -> list[Path]:
            return [Path(each.read_text()) for each in folder.glob("begun-*")]

        options = ["--command", f"{COMMAND} {mark} {{out}}", "--metric=loss:lower", "--on=ray"]
        words = [sys.executable, "-m", "siffra", "vary", "lr=0.1,0.3", *options]
        env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "SIFFRA_STORE": "runs.sqlite"}
        with subprocess.Popen(words, env=env, stderr=subprocess.PIPE, text=True) as process:
            try:
                wait_until(lambda: len(begun()) == 2 and len(living(mark)) == 6)
                process.send_signal(number)
                _, told = process.communicate(timeout=300)
            finally:
                process.kill()
        if number != signal.SIGKILL:
            assert process.returncode == 128 + number
            assert told.splitlines()[-1].startswith("Stopped: 0 of 10 runs stored.")
            assert living(mark) == []
            assert not any(each.exists() for each in begun())
        wait_until(lambda: not living(mark))


def living(mark: str) -> list[Path]:
    """The processes with a mark among their words or their variables."""
    return [process for process in Path("/proc").iterdir() if _has(process, mark.encode())]


def _has(process: Path, mark: bytes) -> bool:
    try:
        words = (process / "cmdline").read_bytes()
        is_siffra = b"siffra" in words.split(b"\0")  # it is told of it
        return not is_siffra and mark in words + (process / "environ").read_bytes()
    except OSError:
        return False


class TestFunction:
    def test_it_gives_what_it_gives_here_even_if_it_is_no_modules(self, folder):
        shift = 0.25

        def train(lr: float, seed: int) -> dict[str, float]:
            if lr == 0.3 and seed == 1:
                raise ValueError("no memory")
            return {"loss": shift - lr + seed / 100 + lr * seed % 3 / 1000, "pid": os.getpid()}

        there, here = (
            siffra.vary(LEVELS, train=train, metric=LOSS, on=on) for on in ("ray", "here")
        )

        assert there.claims == here.claims
        assert [r.failure for r in records(there) if r.failure] == ["ValueError: no memory"]
        pids = {record.metrics["pid"] for record in records(there) if not record.failure}
        assert pids
        assert os.getpid() not in pids

    def test_one_that_cannot_be_sent_is_a_clear_line(self, folder):
        lock = threading.Lock()

        def train(lr: float, seed: int) -> dict[str, float]:
            with lock:
                return {"loss": lr}

        with pytest.raises(ConfigError, match="on: what is to be run cannot be sent to other"):
            siffra.vary(LEVELS, train=train, metric=LOSS, on="ray")


def test_siffras_own_networks_are_varied_there(folder):
    options: Any = {
        "data": small_dataset(),
        "epochs": 1,
        "seeds": 2,
        "store": "runs.sqlite",
        "threads": 1,
    }
    there = siffra.vary({"neurons": [4, 8]}, on="ray", fresh=True, **options)
    here = siffra.vary({"neurons": [4, 8]}, on="here", fresh=True, **options)

    assert there.claims == here.claims
