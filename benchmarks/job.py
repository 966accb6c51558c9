"""The whole job beside Ictonyx and AdaStop: the same question, runs and budget for all three.

A question has a level that others are compared with, one that is the same, and one that may be
better. siffra asks for runs by its public API, as of a function that trains; AdaStop and Ictonyx
run in environments of their own. No tool may make more than `SEEDS` runs a level. Each gets the
same run for the same level and seed, so that what they differ in is which runs they ask for and
what they make of them.
"""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import siffra
from benchmarks.method import peers
from benchmarks.method.sections import table
from siffra.lab.execute.events import Event
from siffra.report.model import Claim

SEEDS = 20
MADE_UP, REAL = 200, 20
SPREAD = 0.003
"""Deviation of made-up accuracies over seeds: that of a dense network on MNIST."""
AHEAD = 1.0
"""How far, in such deviations, the better level of every other made-up question is ahead."""
NEURONS = (32, 40)
"""Of the real question's network, three epochs on MNIST."""

BESIDE = {
    "AdaStop": (peers.PYTHON, peers.SCRIPT),
    "Ictonyx": (Path("build/ictonyx/bin/python"), peers.SCRIPT.with_name("ictonyx_labs.py")),
}
INSTALL = {
    "AdaStop": peers.INSTALL,
    "Ictonyx": "python -m venv build/ictonyx && build/ictonyx/bin/pip install ictonyx==0.5.1",
}


@dataclass(frozen=True, slots=True)
class Questions:
    """`values` (questions, levels, seeds) are accuracies; `ahead` (questions, levels - 1) is the
    sign of the true difference from the first level; a run takes `seconds`, if that is known.
    """

    name: str
    values: np.ndarray
    ahead: np.ndarray
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tool made of questions: `wrong` of them got any wrong verdict, `decided` is the share
    of true differences found, `runs` and `seconds` (its own, without training) are means.
    """

    questions: Questions
    tool: str
    wrong: int
    decided: float
    runs: float
    seconds: float


def compare_jobs(say: Callable[[str], None]) -> Iterator[Outcome]:
    """Made-up and real questions by each tool that is there."""
    for questions in (made_up(np.random.default_rng(7)), real(say)):
        for tool in ("siffra", *BESIDE):
            if tool in BESIDE and not BESIDE[tool][0].exists():
                say(f"{tool} is not at {BESIDE[tool][0]}: {INSTALL[tool]}")
                continue
            say(f"{questions.name}: {tool}")
            started = time.perf_counter()
            shown, runs = (
                peers.run_aside(*BESIDE[tool], questions.values)
                if tool in BESIDE
                else _siffra(questions.values)
            )
            own = (time.perf_counter() - started) / len(shown)
            is_wrong = ((shown != 0) & (shown != questions.ahead)).any(axis=1)
            decided = float((shown == questions.ahead)[questions.ahead != 0].mean())
            yield Outcome(questions, tool, int(is_wrong.sum()), decided, float(runs.mean()), own)


def made_up(rng: np.random.Generator) -> Questions:
    """Normal accuracies; in every other question nothing differs."""
    values = 0.95 + SPREAD * rng.standard_normal((MADE_UP, 3, SEEDS))
    ahead = np.zeros((MADE_UP, 2), int)
    ahead[::2, 1] = 1
    values[:, 1:] += AHEAD * SPREAD * ahead[:, :, None]
    return Questions(f"{MADE_UP} made up", values, ahead)


def real(say: Callable[[str], None]) -> Questions:
    """A network of MNIST, twice, and one with more neurons, each repeat with seeds of its own.

    That more neurons do better is known from all seeds together.
    """
    runs = REAL * SEEDS
    say(f"training {4 * runs} networks")
    with tempfile.TemporaryDirectory() as folder:
        frame = siffra.vary(
            {"neurons": list(NEURONS)}, epochs=3, seeds=2 * runs, store=Path(folder) / "runs.sqlite"
        ).frame()
    tested = {
        (row["neurons"], row["seed"]): row["accuracy"]
        for row in frame.to_dict("records")
        if row["set"] == "test"
    }
    few, many = (np.array([tested[count, seed] for seed in range(2 * runs)]) for count in NEURONS)
    levels = [few[:runs], few[runs:], many[:runs]]
    values = np.stack([level.reshape(REAL, SEEDS) for level in levels], axis=1)
    gap = many - few
    if abs(gap.mean()) < 5 * gap.std(ddof=1) / np.sqrt(len(gap)):
        raise AssertionError("all seeds together do not say which network does better")
    ahead = np.tile([0, int(np.sign(gap.mean()))], (REAL, 1))
    return Questions(f"{REAL} real", values, ahead, float(frame.seconds.mean()))


def _siffra(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`shown` (questions, levels - 1) and `runs` (questions), as the other tools' scripts."""
    answers = [_ask(runs) for runs in values]
    return np.array([shown for shown, _ in answers]), np.array([runs for _, runs in answers])


def _ask(values: np.ndarray) -> tuple[list[int], int]:
    asked = 0

    def train(level: int, seed: int) -> dict[str, float]:
        nonlocal asked
        asked += 1
        return {"accuracy": float(values[level, seed])}

    answer = siffra.vary(
        {"level": list(range(len(values)))},
        train=train,
        metric=siffra.Metric("accuracy", better="higher"),
        time="1h",
        max_seeds=values.shape[1],
        on_event=_quiet,
    )
    return [_sign(claim) for claim in answer.claims], asked


def _sign(claim: Claim) -> int:
    is_shown = claim.grade == "shown" and claim.verdict in ("supported", "refuted")
    return int(np.sign(claim.estimate or 0)) if is_shown else 0


def _quiet(event: Event) -> None:
    """No progress of each question."""


def lines(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """A table as Markdown."""
    head = ["questions", "tool", "any wrong verdict", "differences found", "runs of 60"]
    head += ["training, s", "its own work, s"]
    yield table(head, [_row(outcome) for outcome in outcomes])


def _row(outcome: Outcome) -> list[str]:
    questions = outcome.questions
    training = "" if questions.seconds is None else f"{outcome.runs * questions.seconds:.1f}"
    wrong = f"{outcome.wrong} of {len(questions.values)}"
    found = f"{outcome.decided:.0%}"
    mine = f"{outcome.seconds:.2f}"
    return [questions.name, outcome.tool, wrong, found, f"{outcome.runs:.0f}", training, mine]
