"""A made-up lab with plausible runs: reports are tested without any training."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import made_runs
import numpy as np
from made_runs import SETS, record_of

from siffra.config import Setting
from siffra.lab.answers import Answers, LevelAnswer, QuestionAnswer, Shortfall, answer
from siffra.lab.plan.plan import (
    Claim,
    Experiment,
    Figure,
    Level,
    Plan,
    PlannedTiming,
    Question,
    shared_knobs,
)
from siffra.lab.stats.rounds import possible_timings
from siffra.lab.stats.summaries import summarise
from siffra.report.build import build
from siffra.report.model import Report
from siffra.report.text.messages import words_in
from siffra.report.text.narrative import answer_sentences
from siffra.training.run import Epoch, Machine, Record
from siffra.training.timing import Timing

DRAWN_BY = (
    "model", "learning_rate", "batch_size", "epochs", "optimizer", "layers", "neurons",
    "conv_layers", "filters", "kernel_size", "strides",
)  # fmt: skip
TUNING_SEEDS = (1000, 1001, 1002)
MACHINE = Machine(
    cpu="Imaginary 9000",
    cores=2,
    threads=2,
    system="Linux 6.1",
    versions={"python": "3.11.2", "siffra": "0.1.0", "numpy": "2.4.6"},
)


def make_record(setting: Setting, seed: int, *, images: int = 10_000) -> Record:
    """A run whose accuracy follows from its knobs as one might guess, with noise by seed."""
    knobs = setting.knobs()
    # Of these knobs alone, so that the made-up figures stay when siffra gets new ones.
    drawn_by = repr([(knob, knobs[knob]) for knob in DRAWN_BY if knob in knobs])
    rng = np.random.default_rng([seed, zlib.crc32(drawn_by.encode())])
    collapsed = knobs["layers"] >= 16
    width = knobs.get("neurons", 32)
    width = width if isinstance(width, int) else width[0]
    error = 0.02 + 0.3 / width + 0.004 / knobs["learning_rate"] + 0.002 * knobs.get("strides", 1)
    final = {"train": 1 - error / 2, "val": 1 - error, "test": 1 - error}
    final |= {"moved": 0.17 + 0.03 * (knobs["model"] == "conv"), "rotated": 0.98 - 3 * error}
    spread = {"train": 0.002, "val": 0.003, "test": 0.003, "moved": 0.01, "rotated": 0.015}
    pace = 0.3 + 2 * min(knobs["learning_rate"], 1)
    shape = 1 - np.exp(-pace * np.arange(1, knobs["epochs"] + 1)) * 0.5
    curves = {
        name: np.clip((final[name] + rng.normal(0, spread[name])) * shape, 0.05, 1.0)
        + rng.normal(0, spread[name] / 3, shape.size)
        for name in SETS
    }
    if collapsed:
        curves = {name: np.full(shape.size, 0.1135) for name in SETS}
    confusion = {
        name: _confusion(rng, min(curves[name][-1], 1.0), images, collapsed) for name in SETS
    }
    seconds = 40 / knobs["batch_size"] + width / 500 + 0.8 * (knobs["model"] == "conv")
    times = seconds * np.exp(rng.normal(0, 0.04, shape.size))
    epochs = [
        Epoch(
            loss=float(1 - curves["train"][i]),
            seconds=float(times[i]),
            accuracy={name: float(curves[name][i]) for name in SETS},
        )
        for i in range(shape.size)
    ]
    return record_of(
        setting,
        seed,
        key=f"{zlib.crc32(repr((setting, seed)).encode()):064x}",
        fingerprint="0" * 64,
        engine="native",
        parameters=25_450,
        epochs=tuple(epochs),
        accuracy={name: float(np.trace(c) / c.sum()) for name, c in confusion.items()},
        confusion={name: c.tolist() for name, c in confusion.items()},
        seconds=float(times.sum()),
        compile_seconds=0.1,
        scoring_seconds=0.2,
        diverged=knobs["learning_rate"] >= 8,
        machine=MACHINE,
    )


def _confusion(
    rng: np.random.Generator, accuracy: float, images: int, collapsed: bool
) -> np.ndarray:
    classes = 10
    if collapsed:
        matrix = np.zeros((classes, classes), np.int64)
        matrix[:, 1] = images // classes
        return matrix
    mistakes = rng.dirichlet(np.full(classes - 1, 0.5), size=classes)
    rows = []
    for i in range(classes):
        row = np.insert((1 - accuracy) * mistakes[i], i, accuracy)
        rows.append(rng.multinomial(images // classes, row / row.sum()))
    return np.array(rows)


def make_question(
    name: str,
    levels: Sequence[Mapping[str, Any]],
    figures: Sequence[Figure] = ("curves", "levels"),
    *,
    base: Mapping[str, Any] | None = None,
    ask: str = "What does it do?",
    note: str = "",
    reported: Sequence[Mapping[str, float]] = (),
    claims: Sequence[Claim] = (),
    epochs: int = 20,
) -> Question:
    """A question whose levels are `levels` on top of `base`."""
    base = {"epochs": epochs, **(base or {})}
    settings = [Setting.from_knobs({**base, **level}) for level in levels]
    vary = tuple(dict.fromkeys(knob for level in levels for knob in level))
    fixed = {k: v for k, v in shared_knobs(settings).items() if k not in vary}
    return Question(
        id=name,
        ask={"en": ask, "sv": f"(sv) {ask}"},
        note={"en": note} if note else {},
        vary=vary,
        retune=(),
        fixed=fixed,
        levels=tuple(
            Level(knobs, (setting,), dict(reported[i]) if i < len(reported) else {})
            for i, (knobs, setting) in enumerate(zip(levels, settings, strict=True))
        ),
        claims=tuple(claims),
        figures=tuple(figures),
    )


def retuned_by_rate(question: Question, rates: Sequence[float]) -> Question:
    """The question, of which each level chooses its learning rate anew among the `rates`."""

    def chosen_from(level: Level) -> Level:
        knobs = level.settings[0].knobs()
        settings = tuple(Setting.from_knobs({**knobs, "learning_rate": rate}) for rate in rates)
        return replace(level, settings=settings)

    return replace(
        question, retune=("learning_rate",), levels=tuple(map(chosen_from, question.levels))
    )


def make_claim(name: str, say: str, **changes: Any) -> Claim:
    """A claim that level 0 has a better test accuracy than level 1."""
    fields: dict[str, Any] = {
        "say": {"en": say, "sv": f"(sv) {say}"},
        "metric": "accuracy",
        "on": "test",
        "target": None,
        "level": (0,),
        "against": (1,),
        "direction": "better",
        "margin": 0.002,
        "epochs": 1,
        "reported": {"en": "97.8 against 95.9"},
    }
    return Claim(id=name, **(fields | changes))


def make_answers(
    questions: Sequence[Question],
    experiments: Sequence[Experiment] = (),
    *,
    seeds: int = 5,
    epochs: int | None = 20,
    title: str = "A study of digits",
) -> Answers:
    """The answers to `questions`, from made-up runs with `seeds` seeds."""
    plan = Plan(
        title={"en": title, "sv": f"(sv) {title}"},
        source="digits.toml",
        digest="0" * 64,
        preset="standard",
        epochs=epochs,
        seeds=tuple(range(seeds)),
        questions=tuple(questions),
        experiments=tuple(experiments),
        exact=epochs not in (None, 20),  # 20: what `standard` cuts runs to
        tuning_seeds=TUNING_SEEDS if any(question.retune for question in questions) else (),
    )
    settings = {s for q in questions for level in q.levels for s in level.settings}
    settings |= {e.setting for e in experiments}
    all_seeds = (*plan.seeds, *plan.tuning_seeds)
    records = {(s, seed): make_record(s, seed) for s in settings for seed in all_seeds}
    return answer(plan, records, make_timings(plan, records))


def make_timings(
    plan: Plan, records: Mapping[tuple[Setting, int], Record]
) -> dict[PlannedTiming, Timing]:
    """Rounds in which epochs take what they take in the runs of their seeds."""
    return {planned: make_timing(planned, records) for planned in possible_timings(plan)}


def make_timing(planned: PlannedTiming, records: Mapping[tuple[Setting, int], Record]) -> Timing:
    """One round: the seconds of an epoch of each setting."""
    runs = [records[setting, planned.round] for setting in planned.settings]
    seconds = [run.seconds / run.training.epochs for run in runs]
    timing = made_runs.make_timing(*planned.settings, number=planned.round, seconds=seconds)
    return timing.model_copy(update={"machine": MACHINE})


def report_on(answers: Answers, language: str = "en") -> Report:
    """The report without figures."""
    return build(answers, words_in(language))


def answer_sentence(answer: QuestionAnswer, language: str = "en") -> str:
    """All sentences of an answer."""
    return " ".join(answer_sentences(answer, words_in(language)))


def made_answer(accuracies: Mapping[str, Any]) -> QuestionAnswer:
    """A question's answer from accuracies of (levels, seeds) by set, 0.9 on the other sets."""
    levels, seeds = np.shape(accuracies["val"])
    numbered = make_question("a", [{"neurons": n} for n in range(1, levels + 1)])
    made = make_record(numbered.levels[0].settings[0], 0)
    seen = []
    for i, level in enumerate(numbered.levels):
        by_seed = [
            dict.fromkeys(SETS, 0.9) | {name: float(a[i][s]) for name, a in accuracies.items()}
            for s in range(seeds)
        ]
        runs = tuple(
            made.model_copy(update={"seed": seed, "accuracy": accuracy})
            for seed, accuracy in enumerate(by_seed)
        )
        accuracy = {name: summarise([a[name] for a in by_seed]) for name in accuracies}
        setting, seconds = level.settings[0], summarise([1.0], "ratio")
        seen.append(LevelAnswer(level, setting, runs, accuracy, seconds, 0, {}, runs))
    best = int(np.argmax(np.mean(accuracies["val"], axis=1)))
    return QuestionAnswer(numbered, tuple(seen), (), best, ())


def study(*, seeds: int = 5, epochs: int = 20) -> Answers:
    """A lab with every kind of question, figure and claim."""
    rates = make_question(
        "a",
        [{"learning_rate": r} for r in (0.02, 0.7, 1.0)],
        ask="Does a higher learning rate train faster, and can it be too high?",
        note="The study does not say which model; the dense one is assumed.",
        reported=[{"test": 0.93}, {"test": 0.97, "rotated": 0.84}, {"test": 0.97}],
        claims=[
            make_claim("a1", "A low learning rate takes longer.", metric="epochs_to", target=0.9),
            make_claim("a2", "0.02 is never as good as 0.7.", direction="worse"),
            make_claim("a3", "0.02 never catches up in 100 epochs.", epochs=100),
            make_claim("a4", "0.7 and 1 are the same.", level=(1,), against=(2,), direction="same"),
            make_claim("a5", "1 takes longer.", metric="seconds", level=(2,), direction="worse"),
            make_claim("a6", "0.7 beats the others.", level=(1,), against=(0, 2)),
            make_claim("a7", "0.02 beats 0.7.", margin=0.001),
        ],
        epochs=epochs,
    )
    models = make_question(
        "d",
        [{"model": "dense"}, {"model": "conv"}],
        ["shifts", "map", "confusion", "classes", "mistakes", "calibration", "weights", "levels"],
        ask="How do the test sets differ, and is it the same for both models?",
        claims=[make_claim("d1", "conv is better on moved.", on="moved", level=(1,), against=(0,))],
        epochs=epochs,
    )
    times = make_question(
        "c",
        [{"model": "dense"}, {"model": "conv"}],
        ["levels"],
        ask="Which model takes longer to train?",
        claims=[make_claim("c1", "dense is faster.", metric="seconds", margin=0.05)],
        epochs=epochs,
    )
    neurons = make_question(
        "e",
        [{"neurons": n} for n in (4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 1024)],
        ask="What happens with more neurons?",
        claims=[make_claim("e1", "More is better.", level=(11,), against=(0,))],
        epochs=epochs,
    )
    kernels = make_question(
        "f",
        [{"kernel_size": k, "strides": s} for k in (3, 5, 8, 12, 16) for s in (1, 2, 3, 5)],
        ["heatmap"],
        base={"model": "conv"},
        ask="How large can kernel size and strides get?",
        epochs=epochs,
    )
    layers = make_question(
        "g",
        [{"layers": n} for n in (1, 4, 16, 23)],
        ask="Do more layers help?",
        claims=[make_claim("g1", "4 layers beat 1.", level=(1,), against=(0,), direction="worse")],
        epochs=epochs,
    )
    experiments = [
        Experiment(
            id=f"x{i + 1}",
            name={"en": f"Experiment {i + 1}"},
            note={"en": "Fewer epochs, smaller batches."},
            setting=Setting.from_knobs({"epochs": epochs, **knobs}),
            reported={"test": 0.9587 + i / 200, "moved": 0.157, "rotated": 0.80, "seconds": 638.0},
        )
        for i, knobs in enumerate(
            [
                {"neurons": 128, "batch_size": 27},
                {"neurons": 128, "batch_size": 135, "learning_rate": 0.5},
                {"neurons": 640, "batch_size": 135, "learning_rate": 0.5},
                {"model": "conv", "filters": 28, "batch_size": 135},
                {"model": "conv", "kernel_size": 12, "learning_rate": 0.5},
            ]
        )
    ]
    questions = [rates, times, models, neurons, kernels, layers]
    return make_answers(questions, experiments, seeds=seeds, epochs=epochs)


def short_study(*, epochs: int = 3) -> Answers:
    """The same lab, out of time: without convolutions at a stride of 1, much width, any depth.

    And with a part of the seeds of 64 neurons, and two of five experiments.
    """
    whole = study(epochs=epochs)
    seen = [*(level for q in whole.questions for level in q.levels), *whole.experiments]
    made = {(r.setting, r.seed): r for each in seen for r in each.records}

    def has(setting: Setting, seed: int) -> bool:
        knobs = setting.knobs()
        is_little = knobs.get("strides", 3) != 1 and knobs["layers"] <= 1
        width = knobs.get("neurons", 0)
        return is_little and width <= 128 and (width != 64 or seed < 3)

    records = {place: record for place, record in made.items() if has(*place)}
    plan = replace(whole.plan, looks=(5, 7, 10), time=7200.0)
    timings = {
        planned: make_timing(planned, made)
        for planned in possible_timings(plan)
        if planned.round < 5 and all((s, planned.round) in records for s in planned.settings)
    }
    unseen = [claim.number for claim in answer(plan, records, timings).open if claim.is_unseen]
    shortfall = Shortfall(
        seconds=9000.0,
        questions=tuple(600.0 * (i + 1) for i in range(len(plan.questions))),
        experiments=(0.0, 0.0, 60.0, 120.0, 180.0),
        claims=tuple((number, 3120.0) for number in unseen),
    )
    return answer(plan, records, timings, shortfall=shortfall)
