"""What a command costs beyond its own process, and how fast what it prints is read.

`python -m benchmarks.command` measures and prints. Each run of a command is beside one of the same
process by `subprocess.run`, so that both have the same machine.
"""

import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from siffra.api.commands import CommandOptions, command_job
from siffra.api.executors import RunOptions
from siffra.config.metrics import Metric
from siffra.engine.command.metrics import MetricSource
from siffra.engine.command.run import CommandSpec, run_once
from siffra.engine.command.template import CommandTemplate
from siffra.lab.plan.presets import LabOptions

AIM = 0.020
"""Seconds that a command may take beyond its own process."""
REPEATS = 50
MEGABYTES = 50
COMMANDS = {
    "a program that does nothing": ("/bin/sh", "-c", ":", "{seed}"),
    "a Python program that prints a metric": (
        sys.executable,
        "-c",
        """print('{{"loss": 0.25}}')""",
        "{seed}",
    ),
}
LINES = {
    "lines without a metric": ("epoch 12: train 0.125, next batch 0.5", ""),
    "lines that a pattern reads": ("epoch 12: train 0.125, loss 0.25", "loss ([0-9.]+)"),
    "JSON objects": ('{"epoch": 12, "train": 0.125, "loss": 0.25}', ""),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of each of some runs: by `subprocess.run`, and beside it as a command."""

    title: str
    bare: tuple[float, ...]
    run: tuple[float, ...]

    @property
    def beyond(self) -> float:
        """The median of what a command takes longer."""
        return median(run - bare for bare, run in zip(self.bare, self.run, strict=True))


def measure_costs(repeats: int = REPEATS) -> Iterator[Cost]:
    """Time each of `COMMANDS`, alternately bare and as a command."""
    for title, words in COMMANDS.items():
        spec, bare, run = _spec(words), [], []
        plain = spec.template.words({}, seed=1, out="")
        for _ in range(repeats):
            started = time.perf_counter()
            subprocess.run(plain, capture_output=True, check=True)
            between = time.perf_counter()
            run_once(spec, {}, seed=1, out=Path("/"))
            bare.append(between - started)
            run.append(time.perf_counter() - between)
        yield Cost(title, tuple(bare), tuple(run))


def measure_question(seeds: int = REPEATS // 2) -> Cost:
    """Time the runs of two levels of a program of 50 ms, bare and as a question, answer and all.

    Both are shared out over the runs.
    """
    script = """import sys, time; time.sleep(0.03); print('{{"loss": %s}}' % sys.argv[1])"""
    words = (sys.executable, "-c", script, "{seed}", "{lr}")
    options = LabOptions(seeds=seeds)
    plain = CommandTemplate.parse(words)
    with tempfile.TemporaryDirectory() as folder:
        program = CommandOptions(
            command=shlex.join(words),
            metrics=(Metric("loss", "lower"),),
            running=RunOptions(store=Path(folder) / "runs.sqlite"),
        )
        started = time.perf_counter()
        with command_job({"lr": [1, 2]}, {}, options, program=program) as job:
            job.run()
        between = time.perf_counter()
        for lr in (1, 2):
            for seed in range(seeds):
                bare = plain.words({"lr": lr}, seed, "")
                subprocess.run(bare, capture_output=True, check=True)
        seconds = between - started, time.perf_counter() - between
    runs = 2 * seeds
    return Cost(f"each of {runs} runs of a question", (seconds[1] / runs,), (seconds[0] / runs,))


def measure_reading(megabytes: int = MEGABYTES) -> Iterator[tuple[str, float]]:
    """Megabytes a second of a command that prints one of `LINES` again and again."""
    for title, (line, pattern) in LINES.items():
        number = megabytes * 10**6 // (len(line) + 1)
        script = f"yes '{line}' | head -n {number}".replace("{", "{{").replace("}", "}}")
        spec = _spec(("sh", "-c", script, "{seed}"), [pattern] if pattern else [])
        yield title, megabytes / run_once(spec, {}, seed=1, out=Path("/")).seconds


def _spec(words: Sequence[str], read: Sequence[str] = ()) -> CommandSpec:
    return CommandSpec(
        template=CommandTemplate.parse(words), source=MetricSource.parse(["loss"], read)
    )


def main() -> None:
    """Print a line for each."""
    for cost in (*measure_costs(), measure_question()):
        print(
            f"{cost.title}: {1000 * median(cost.bare):.1f} ms, as a command "
            f"{1000 * cost.beyond:.1f} ms more"
            + f"; the aim is {1000 * AIM:.0f}"
            * (cost.beyond > AIM)
        )
    for title, speed in measure_reading():
        print(f"{title}: {speed:.0f} MB/s")


if __name__ == "__main__":
    main()
