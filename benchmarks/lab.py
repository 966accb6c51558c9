"""Where the processor time of a whole lab goes: the study, run as a user runs it.

The lab is run twice on a store of its own. The second time nothing is left to train, so that what
it takes is all that is not training: reading, judging, drawing and writing.
"""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from siffra.errors import BenchError
from siffra.system.cpu import available_cores

_DECIDED = ("supported", "refuted", "no difference")
# A run's seconds are the clock's; on a busy machine they are more than it had.
_RUNS = """
    SELECT count(*), total(coalesce(json_extract(record, '$.load.cpu'), seconds)), total(scoring),
        total(json_extract(record, '$.compile_seconds'))
    FROM run"""
_TURNS = "SELECT total(json_extract(timing, '$.load.cpu')) FROM timing"


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds that a command took: by the clock, and of all processors together."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class LabCost:
    """A lab of so many `runs`: what it took, and what it took again with every run stored.

    `training`, `scoring` and `compiling` are sums over the runs, each on one thread; `turns` is
    what timing by turns took. `shown`, `likely` and `tested` count the claims of the lab's author.
    """

    cores: int
    first: Spent
    again: Spent
    runs: int
    training: float
    scoring: float
    compiling: float
    turns: float
    shown: int
    likely: int
    tested: int

    @property
    def parts(self) -> dict[str, float]:
        """Processor seconds by what they went to; the rest is starting, waiting and moving data."""
        parts = {
            "training": self.training,
            "scoring": self.scoring,
            "timing by turns": self.turns,
            "compiling": self.compiling,
            "judging, figures and report": self.again.cpu,
        }
        return parts | {"all else": self.first.cpu - sum(parts.values())}


def measure_lab(arguments: Sequence[str], folder: Path, say: Callable[[str], None]) -> LabCost:
    """Run `siffra lab` with `arguments` in `folder`, which is empty, and once more.

    Raises:
        BenchError: The lab failed; what it printed is said.
    """
    store, report = folder / "runs.sqlite", folder / "report"
    command = ["lab", *arguments, "--store", str(store), "--out", str(report)]
    say("the lab")
    first = _run(command)
    results = json.loads((report / "results.json").read_text("utf-8"))
    say("the lab again, with every run stored")
    again = _run([*command, "--time", "1s"] if "--seeds" not in arguments else command)
    (own,) = (by for by in results["claims_by"] if by["by"] is None)
    with closing(sqlite3.connect(store)) as db:
        runs, training, scoring, compiling = db.execute(_RUNS).fetchone()
        (turns,) = db.execute(_TURNS).fetchone()
    return LabCost(
        cores=available_cores(),
        first=first,
        again=again,
        runs=runs,
        training=training,
        scoring=scoring,
        compiling=compiling,
        turns=turns,
        shown=sum(own["verdicts"][v] for v in _DECIDED) - sum(own["likely"].values()),
        likely=sum(own["likely"].values()),
        tested=sum(own["verdicts"].values()) - own["verdicts"]["not tested"],
    )


def _run(arguments: Sequence[str]) -> Spent:
    before, started = os.times(), time.perf_counter()
    command = [sys.executable, "-m", "siffra", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - started, os.times()
    if done.returncode:
        raise BenchError(f"siffra {' '.join(arguments)}: {done.stderr.strip()}")
    cpu = after.children_user - before.children_user
    return Spent(wall, cpu + after.children_system - before.children_system)


def lines(cost: LabCost) -> Iterator[str]:
    """The breakdown, the largest part first."""
    available = cost.first.wall * cost.cores
    yield (
        f"{cost.runs} runs, {cost.first.wall:.0f} s, of which {cost.first.cpu:.0f} processor "
        f"seconds: {cost.first.cpu / available:.0%} of {cost.cores} cores"
    )
    for name, seconds in sorted(cost.parts.items(), key=lambda part: -part[1]):
        yield f"{name:>28} {seconds:7.1f} s {seconds / cost.first.cpu:6.1%}"
    yield (
        f"{cost.shown} of {cost.tested} of the author's claims are shown, {cost.likely} more are "
        f"likely; stored, the lab is answered in {cost.again.wall:.1f} s"
    )
