"""How often an answer's sentences say that something differs where nothing does.

What an answer may say beyond the claims of its question is `siffra.report.text.findings`'; here it
is asked about made-up questions, whose levels are all alike, through all of `siffra.lab`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from benchmarks.method.draws import DOWN, Rng, half_trained, normal
from benchmarks.method.errors import share
from siffra.config import Setting
from siffra.lab.answers import Records, answer
from siffra.lab.plan.plan import Level, Plan, Question
from siffra.report.text.findings import findings
from siffra.training.run import Epoch, Machine, Record

IMAGES = 10_000
SETS: tuple[str, ...] = ("train", "val", "test", "moved", "rotated")
SEEDS = 5
_MACHINE = Machine(cpu="made up", cores=2, threads=1, system="none", versions={})
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _collapsing(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    return np.where(rng.random(shape) < 0.2, DOWN, normal(rng, shape))


QUESTIONS: Mapping[str, tuple[int, Callable[..., np.ndarray]]] = {
    "2 levels": (2, normal),
    "5 levels": (5, normal),
    "13 levels": (13, normal),
    "5 levels, 20 % of runs collapse": (5, _collapsing),
    "5 levels, 50 % of runs stop at 45 %": (5, half_trained(0.5)),
}
"""How many levels a question has, and what their runs are drawn by."""


@dataclass(frozen=True, slots=True)
class Sentences:
    """Of so many `questions`, the answers to `wrong` say that anything differs."""

    what: str
    questions: int
    wrong: int

    def share(self) -> tuple[float, float, float]:
        """Of the questions, with its 95 % interval."""
        return share(self.wrong, self.questions)


def study_sentences(questions: int, say: Callable[[str], None]) -> list[Sentences]:
    """Questions without claims, about three sets of images."""
    rows = []
    for what, (levels, level) in QUESTIONS.items():
        say(f"sentences: {what}")
        rng = np.random.default_rng(14)
        plan = made_plan(levels)
        wrong = sum(
            findings(answer(plan, made_records(rng, plan, level)).questions[0]).any
            for _ in range(questions)
        )
        rows.append(Sentences(what, questions, wrong))
    return rows


def made_plan(levels: int) -> Plan:
    """A lab of one question without claims."""
    rates = [{"learning_rate": 0.01 * (i + 1), "epochs": 1} for i in range(levels)]
    question = Question(
        id="q",
        ask={},
        note={},
        vary=("learning_rate",),
        retune=(),
        fixed={},
        levels=tuple(Level(rate, (Setting.from_knobs(rate),), {}) for rate in rates),
        claims=(),
        figures=("confusion",),
    )
    return Plan(
        title={},
        source="",
        digest="",
        preset="full",
        epochs=None,
        seeds=tuple(range(SEEDS)),
        questions=(question,),
        experiments=(),
    )


def made_records(rng: Rng, plan: Plan, level: Callable[..., np.ndarray]) -> Records:
    """A run for each level and seed, drawn alike."""
    records = {}
    for each in plan.questions[0].levels:
        (setting,) = each.settings
        accuracy = np.clip(level(rng, (SEEDS, len(SETS))), 0, 1)
        # All sets of a run collapse together.
        accuracy[accuracy[:, SETS.index("test")] == DOWN] = DOWN
        for seed in plan.seeds:
            by_set = dict(zip(SETS, accuracy[seed].tolist(), strict=True))
            records[setting, seed] = _record(setting, seed, by_set)
    return records


def _record(setting: Setting, seed: int, accuracy: dict[str, float]) -> Record:
    collapsed = accuracy["test"] == DOWN
    half = IMAGES // 2
    confusion = [[half, 0], [half, 0]] if collapsed else [[half, 0], [0, half]]
    known: dict[str, float | None] = {**accuracy}
    return Record(
        key=f"{setting.knobs()}, {seed}",
        model=setting.model,
        training=setting.training,
        seed=seed,
        dataset="made up",
        fingerprint="0",
        engine="none",
        engine_version=1,
        parameters=1,
        epochs=(Epoch(loss=1.0, seconds=1.0, accuracy=known),),
        accuracy=known,
        confusion=dict.fromkeys(SETS, confusion),
        seconds=1.0,
        compile_seconds=0.0,
        scoring_seconds=0.0,
        diverged=False,
        machine=_MACHINE,
        finished=_NOW,
    )
