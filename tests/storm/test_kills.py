"""Commands are killed at any moment: no run is lost or changed, and nothing is left behind.

`make test ARGS="-m storm"` kills 150 times, every ordinary run of the tests 20 times. What is drawn
comes from the seed that names a test, so that one that fails can be run again by itself.
"""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

PATIENCE = 300.0
"""Seconds that anything may take on a machine that is busy with other things."""
SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP")
WAYS = {
    "plain": ("--seeds", "4", "--threads", "1"),
    "jobs": ("--seeds", "4", "--jobs", "2"),
    "looks": ("--max-seeds", "10", "--threads", "1"),
}
LAB = """
title = "Storm"

[data]
path = "own.npz"

[base]
batch_size = 5
neurons = 4
epochs = 2

[[questions]]
id = "rate"
ask = "How large may a step be?"
vary = { learning_rate = [0.01, 0.1, 0.5] }

[[questions.claims]]
id = "larger"
say = "A larger step learns more."
level = { learning_rate = 0.1 }
against = { learning_rate = 0.01 }
direction = "better"
"""

Records = dict[str, tuple[Any, ...]]


@dataclass
class Command:
    """A command at work."""

    pid: int
    begun: float = field(default_factory=time.monotonic)


class Nursery:
    """Commands, forked from one process with siffra imported."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.temporary = folder, folder / "tmp"
        self.temporary.mkdir()
        self._process = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("nursery.py")),
                *("lab", str(folder / "storm.toml"), *WAYS["plain"]),
                *("--store", str(folder / "first.sqlite"), "--out", str(folder / "first")),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"TMPDIR": str(self.temporary)},
        )

    def start(self, *arguments: object) -> Command:
        """Fork a command."""
        for stream in ("stdout", "stderr"):
            (self.folder / stream).unlink(missing_ok=True)
        told = [str(argument) for argument in arguments]
        paths = {stream: str(self.folder / stream) for stream in ("stdout", "stderr")}
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"arguments": told} | paths) + "\n")
        self._process.stdin.flush()
        return Command(self._number())

    def end(self) -> int:
        """Wait for the command's end: its exit code, or the signal that killed it, negative."""
        return self._number()

    def close(self) -> None:
        """No more commands."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()

    def said(self) -> str:
        """What the last command wrote to stderr."""
        return (self.folder / "stderr").read_text("utf-8")

    def _number(self) -> int:
        assert self._process.stdout
        return int(self._process.stdout.readline())


class Lab:
    """A lab of twelve runs of some milliseconds, with a store and a folder of its own."""

    def __init__(self, nursery: Nursery, way: str, name: str) -> None:
        self._nursery, self._way = nursery, WAYS[way]
        self._file = nursery.folder / "storm.toml"
        self.store, self.out = (nursery.folder / f"{name}{end}" for end in (".sqlite", "-out"))

    def start(self) -> Command:
        """Go on with it."""
        where = ("--store", self.store, "--out", self.out)
        return self._nursery.start("lab", self._file, *self._way, *where)

    def ask(self, question: str) -> int:
        """How many there are, by a query of the store; 0 where it is not there yet."""
        with suppress(sqlite3.Error):
            address = f"{self.store.as_uri()}?mode=ro"
            with closing(sqlite3.connect(address, uri=True, timeout=PATIENCE)) as db:
                return db.execute(question).fetchone()[0]
        return 0

    def records(self) -> Records:
        """What is stored, byte for byte, but for the times."""
        if not self.store.exists():
            return {}
        with closing(sqlite3.connect(self.store, timeout=PATIENCE)) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() in ([("ok",)], [])
            if not db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'run'").fetchone()[
                0
            ]:
                return {}
            rows = db.execute(
                "SELECT run.key, record, examination FROM run LEFT JOIN examination USING (key)"
            ).fetchall()
        return {key: (_timeless(json.loads(record)), found) for key, record, found in rows}

    def answers(self) -> Any:
        """What the report says of claims and accuracies."""
        found = json.loads((self.out / "results.json").read_text("utf-8"))
        return [
            (
                question["claims"],
                [(level["knobs"], level["accuracy"]) for level in question["levels"]],
            )
            for question in found["questions"]
        ]


TIMELESS = ("key", "model", "training", "seed", "fingerprint", "engine", "parameters", "accuracy",
            "confusion", "diverged")  # fmt: skip


def _timeless(record: dict[str, Any]) -> str:
    kept = {name: record[name] for name in TIMELESS}
    kept["epochs"] = [(epoch["loss"], epoch["accuracy"]) for epoch in record["epochs"]]
    return json.dumps(kept)


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    folder = tmp_path_factory.mktemp("storm")
    rng = np.random.default_rng(3)

    def images(count: int) -> tuple[np.ndarray, np.ndarray]:
        y = np.arange(count) % 3
        x = rng.integers(0, 90, (count, 8, 8))
        for image, label in zip(x, y, strict=True):
            image[1:7, 2 * label : 2 * label + 2] += 150
        return x.astype(np.uint8), y

    (x_train, y_train), (x_test, y_test) = images(60), images(30)
    np.savez(folder / "own.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    (folder / "storm.toml").write_text(LAB, encoding="utf-8")
    made = Nursery(folder)
    yield made
    made.close()


@dataclass(frozen=True)
class Undisturbed:
    """A lab that nobody killed."""

    records: Records
    answers: Any
    files: set[str]
    seconds: float


@pytest.fixture(scope="module")
def undisturbed(nursery: Nursery) -> Callable[[str], Undisturbed]:
    made: dict[str, Undisturbed] = {}

    def make(way: str) -> Undisturbed:
        if way not in made:
            lab = Lab(nursery, way, f"undisturbed-{way}")
            command = lab.start()
            assert nursery.end() == 0, nursery.said()
            seconds = time.monotonic() - command.begun
            made[way] = Undisturbed(lab.records(), lab.answers(), _files(lab.out), seconds)
        return made[way]

    return make


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def moment(kind: str, lab: Lab, rng: random.Random, seconds: float) -> Callable[[float], bool]:
    """When to kill, as a function of how many seconds the command has been at work."""
    match kind:
        case "row":
            rows = lab.ask("SELECT count(*) FROM run") + rng.randint(1, 4)
            return lambda at: lab.ask("SELECT count(*) FROM run") >= rows
        case "claim":
            return lambda at: lab.ask("SELECT count(*) FROM claim") > 0
        case "report":
            return lambda at: any(lab.out.glob(".siffra-*.part"))
    until = rng.uniform(0, seconds)
    return lambda at: at >= until


def kill(
    lab: Lab, nursery: Nursery, number: signal.Signals, is_now: Callable[[float], bool]
) -> int:
    """Start the lab, kill it when it is time, and see how it ends."""
    command = lab.start()

    def is_due() -> bool:
        # Only what nobody can see to may come before the command sees to the others.
        seen_to = number == signal.SIGKILL or _sees_to_signals(command.pid)
        return seen_to and is_now(time.monotonic() - command.begun)

    while not is_due() and _is_at_work(command.pid):
        time.sleep(0.001)
    with suppress(ProcessLookupError):
        os.kill(command.pid, number)
    code, said = nursery.end(), nursery.said()
    for trouble in ("Traceback", "Exception ignored", "error"):
        assert trouble not in said, said
    if number == signal.SIGKILL:
        assert code in (-number, 0), said
    elif code:  # it may have been done by then
        assert code == 128 + number, said
        assert "stopped" in said.splitlines()[-1].lower(), said
    return code


def _sees_to_signals(pid: int) -> bool:
    """Whether the command catches what asks it to end, as Linux tells of each process."""
    with suppress(FileNotFoundError, ProcessLookupError):
        caught = Path(f"/proc/{pid}/status").read_text().partition("SigCgt:")[2].split()
        return bool(caught) and bool(int(caught[0], 16) >> signal.SIGTERM - 1 & 1)
    return False


def _is_at_work(pid: int) -> bool:
    """Whether the command has not ended; until its parent has heard of that, it has a number."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def processes_of(nursery: Nursery) -> list[str]:
    """The processes of `--jobs`, and others, that commands have left."""
    wanted = f"TMPDIR={nursery.temporary}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            told = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if "-m siffra" in told and wanted in (process / "environ").read_bytes():
                found.append(told)
    return found


def storm(
    nursery: Nursery, undisturbed: Callable[[str], Undisturbed], way: str, seed: int, kills: int
) -> None:
    """Kill a lab so many times, let it finish, and see that nothing tells it from another."""
    rng = random.Random(f"{way} {seed}")
    expected = undisturbed(way)
    lab = Lab(nursery, way, f"{way}-{seed}")
    before: Records = {}
    for _ in range(kills):
        kind = rng.choice(("row", "row", "claim", "report", "random"))
        number = signal.Signals[rng.choice(SIGNALS)]
        kill(lab, nursery, number, moment(kind, lab, rng, expected.seconds))
        found = lab.records()
        assert before.items() <= found.items(), (kind, number)
        assert found.items() <= expected.records.items(), (kind, number)
        before = found

    lab.start()
    assert nursery.end() == 0, nursery.said()

    assert lab.records() == expected.records
    assert lab.answers() == expected.answers
    assert _files(lab.out) == expected.files
    assert list(nursery.temporary.iterdir()) == []
    assert lab.ask("SELECT count(*) FROM claim") == 0
    assert not lab.store.with_name(f"{lab.store.name}.locks").exists()
    deadline = time.monotonic() + PATIENCE
    while processes_of(nursery) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_of(nursery) == []


@pytest.mark.parametrize(("way", "kills"), [("plain", 12), ("looks", 5), ("jobs", 3)])
def test_twenty_kills_lose_nothing_and_leave_nothing(nursery, undisturbed, way, kills):
    storm(nursery, undisturbed, way, seed=0, kills=kills)


@pytest.mark.storm
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize(("way", "kills"), [("plain", 15), ("looks", 9), ("jobs", 6)])
def test_a_hundred_and_fifty_kills_lose_nothing_and_leave_nothing(
    nursery, undisturbed, way, kills, seed
):
    storm(nursery, undisturbed, way, seed, kills)
