"""Programs that somebody else might have written, for `siffra vary --command`."""

import json
import os
import random
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

LOSSES = """
import json, os, random, sys, time
lr, seed = float(sys.argv[1]), int(sys.argv[2])
with open("made.txt", "a") as made:
    print(lr, seed, os.environ.get("CUDA_VISIBLE_DEVICES", ""), file=made)
chance = random.Random(seed).gauss(0, 0.01), random.Random(f"{seed} {lr}").gauss(0, 0.003)
level = 2 - lr + sum(chance)
for epoch in (1, 2, 3):
    print(json.dumps({"epoch": epoch, "loss": round(level + 1 / epoch, 4)}), flush=True)
    time.sleep(float(os.environ.get("NAP", 0)))
"""
"""Takes a learning rate and a seed; says in `made.txt` that it was run, and on which GPU."""

RATES = f"""
title = "Rates"
[base]
command = ["{sys.executable}", "train.py", "{{lr}}", "{{seed}}"]
[metrics.loss]
better = "lower"
margin = 0.01
[[questions]]
id = "lr"
ask = "Does a larger rate help?"
vary = {{ lr = [0.1, 0.3] }}
[[questions.claims]]
id = "larger"
say = "A larger rate lowers the loss."
level = {{ lr = 0.3 }}
against = {{ lr = 0.1 }}
direction = "better"
"""
"""A lab that asks what its learning rate does."""


class Programs:
    """A folder with programs of the user's, and a store, in which `siffra` is run.

    Every process that it starts has a variable by which it is known.
    """

    def __init__(self, folder: Path, store: Path) -> None:
        self.folder, self.store, self._mark = folder, store, uuid.uuid4().hex
        self.write("train.py", LOSSES)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def question(self, levels: str = "lr=0.1,0.3", script: str = "train.py") -> tuple[str, ...]:
        """Two learning rates, of which the second is better by far."""
        knob = levels.partition("=")[0]
        command = f"{shlex.quote(sys.executable)} {script} {{{knob}}} {{seed}}"
        return ("vary", levels, "--command", command, "--metric=loss:lower", "--margin=0.01")

    @property
    def made(self) -> list[str]:
        """A line for each run that was begun."""
        path = self.folder / "made.txt"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def stored(self) -> int:
        if not self.store.exists():
            return 0
        with closing(sqlite3.connect(self.store, timeout=300)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
            # It is made as soon as the store is opened, but not at once.
            return "run" in tables and database.execute("SELECT count(*) FROM run").fetchone()[0]

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        """`siffra` in a process of its own."""
        env = os.environ | {"SIFFRA_STORE": str(self.store), "MARK": self._mark, **variables}
        env["PYTHONPATH"] = os.pathsep.join(sys.path)
        return subprocess.Popen(
            [sys.executable, "-m", "siffra", *words],
            cwd=self.folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def living(self) -> list[int]:
        """The processes that are left (Linux)."""
        return [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and self._has(p)]

    def _has(self, process: Path) -> bool:
        try:
            return self._mark.encode() in (process / "environ").read_bytes()  # a zombie's is empty
        except OSError:
            return False


def wait_until(holds: Callable[[], bool], seconds: float = 300.0) -> None:
    """Raises AssertionError if it does not come to hold."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def expect_nothing_lost(programs: Programs, chance: random.Random) -> None:
    """Kill it, whenever; what is stored is not made again, and no process is left."""
    asked = (*programs.question(), "--jobs", "2", "--json")
    process = programs.start(*asked, NAP="0.05")
    time.sleep(chance.uniform(0.5, 2.5))
    kept = programs.stored
    process.send_signal(chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
    process.communicate(timeout=300)
    wait_until(lambda: not programs.living())
    assert programs.stored >= kept
    stored, made = programs.stored, len(programs.made)
    last = programs.start(*asked)
    out, _ = last.communicate(timeout=300)
    assert len(json.loads(out)["questions"][0]["claims"]) == 1
    assert (programs.stored, len(programs.made) - made) == (10, 10 - stored)
