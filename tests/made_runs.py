"""Made-up runs, claims and plans: the lab's arithmetic is tested without any training."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from siffra.config import Setting
from siffra.engine.command.metrics import ExternalResult
from siffra.lab.plan.plan import Claim, Level, Plan, Question
from siffra.lab.stats.interim import Schedule
from siffra.training.external import external_record
from siffra.training.run import Epoch, Machine, Record
from siffra.training.timing import TimedSetting, Timing

IMAGES = 10_000
SETS: tuple[str, ...] = ("train", "val", "test", "moved", "rotated")
ONE_LOOK = Schedule((1,))
MACHINE = Machine(cpu="made up", cores=2, threads=2, system="none", versions={})


def make_record(
    setting: Setting,
    seed: int = 0,
    *,
    accuracy: Mapping[str, float] | float = 0.9,
    curve: Sequence[float | None] | None = None,
    epoch_seconds: float = 1.0,
    diverged: bool = False,
) -> Record:
    """A run that ends with `accuracy` (by set, or on all) after following `curve` on all sets."""
    epochs = int(setting.training.epochs)
    by_set = accuracy if isinstance(accuracy, Mapping) else dict.fromkeys(SETS, accuracy)
    final: dict[str, float | None] = {**dict.fromkeys(SETS, 0.9), **by_set}
    rows: list[dict[str, float | None]] = [final] * epochs
    if curve:
        rows = [dict.fromkeys(SETS, a) for a in curve]
    assert len(rows) == epochs
    return record_of(
        setting,
        seed,
        epochs=tuple(Epoch(loss=1.0, seconds=epoch_seconds, accuracy=row) for row in rows),
        accuracy=rows[-1],
        confusion={name: [[IMAGES // 2, 0], [0, IMAGES // 2]] for name in SETS},
        seconds=epochs * epoch_seconds,
        diverged=diverged,
    )


def record_of(setting: Setting, seed: int, **measured: Any) -> Record:
    """A run of `setting` that `measured` these fields of a record; the others are of no account."""
    fields = {
        "key": f"{setting.knobs()}, {seed}",
        "dataset": "made up",
        "fingerprint": "0",
        "engine": "none",
        "engine_version": 1,
        "parameters": 1,
        "compile_seconds": 0.0,
        "scoring_seconds": 0.0,
        "diverged": False,
        "machine": MACHINE,
        "finished": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Record(model=setting.model, training=setting.training, seed=seed, **(fields | measured))


def program_record(
    lr: float, seed: int = 0, *, epochs: Sequence[float] = (1, 2), **result: Any
) -> Record:
    """A run of a program that has `loss` and `acc@1` by epoch; `result` says how it ended."""
    curves = {
        "loss": tuple((epoch, 2.0 - lr + seed / 10 + 1 / epoch) for epoch in epochs),
        "acc@1": tuple((epoch, 0.5 + lr / 10) for epoch in epochs),
    }
    values = {"loss": curves["loss"][-1][1], "acc@1": 0.5 + lr / 10}
    measured = ExternalResult(**{"metrics": values, "curves": curves, "seconds": 4.0, **result})
    setting = Setting.external({"lr": lr}, ("python", "train.py", "{lr}", "{seed}"))
    return external_record(
        f"{lr} {seed}", setting, seed, measured, main="loss", kind="command", machine=MACHINE
    )


def make_timing(*settings: Setting, number: int = 0, seconds: Sequence[float] = ()) -> Timing:
    """A round of the times of `settings`: 1 s, 2 s and so on, unless there are other `seconds`."""
    return Timing(
        key=f"{[setting.knobs() for setting in settings]}, {number}",
        round=number,
        settings=tuple(
            TimedSetting(model=s.model, training=s.training, engine="none", engine_version=1)
            for s in settings
        ),
        seconds=tuple(seconds) or tuple(float(n) for n in range(1, len(settings) + 1)),
        dataset="made up",
        fingerprint="0",
        machine=MACHINE,
        load=None,
        finished=datetime(2026, 1, 1, tzinfo=UTC),
    )


def make_claim(metric: str = "accuracy", direction: str = "better", **changes: Any) -> Claim:
    """A claim about level 0 against level 1."""
    fields: dict[str, Any] = {
        "id": "claim",
        "say": {"en": "level 0 is better than level 1"},
        "metric": metric,
        "on": "test",
        "target": 0.9 if metric.endswith("_to") else None,
        "level": (0,),
        "against": (1,),
        "direction": direction,
        "margin": 0.002 if metric in ("accuracy", "drop", "decline") else 0.05,
        "epochs": 1,
        "reported": {},
    }
    return Claim(**(fields | changes))


def make_level(knobs: Mapping[str, Any], *settings: Setting) -> Level:
    """A level with the settings given, or the one that its knobs make."""
    return Level(knobs=knobs, settings=settings or (Setting.from_knobs(knobs),), reported={})


def make_question(
    levels: Sequence[Level], claims: Sequence[Claim] = (), retune: tuple[str, ...] = ()
) -> Question:
    """A question about all that its levels vary."""
    return Question(
        id="q",
        ask={"en": "?"},
        note={},
        vary=tuple(levels[0].knobs),
        retune=retune,
        fixed={},
        levels=tuple(levels),
        claims=tuple(claims),
        figures=(),
    )


def make_plan(*questions: Question, seeds: Sequence[int] = range(5)) -> Plan:
    """A plan with these questions and no experiments."""
    return Plan(
        title={"en": "made up"},
        source="made up",
        digest="0" * 64,
        preset="standard",
        epochs=None,
        seeds=tuple(seeds),
        questions=questions,
        experiments=(),
    )
