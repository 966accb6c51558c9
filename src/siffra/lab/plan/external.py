"""Questions about trainings that siffra does not do itself, and the plan of those it has done."""

import hashlib
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from siffra.config import Setting
from siffra.config.metrics import Metric
from siffra.errors import ConfigError
from siffra.lab.plan.format import MOST_LEVELS
from siffra.lab.plan.plan import Claim, Figure, Level, Plan, Question
from siffra.lab.plan.presets import AS_WRITTEN, DEFAULT_SEEDS, LabOptions, Sampling, sampling

Values = Mapping[str, bool | int | float | str | None]


def plan_external(
    vary: Mapping[str, Sequence[Any]],
    fixed: Values,
    metrics: Sequence[Metric],
    options: LabOptions = AS_WRITTEN,
    *,
    command: Sequence[str] = (),
    again: Sequence[str] = (),
) -> Plan:
    """A plan of one question: what the knobs in `vary` do to a program, or to a function.

    All combinations of the values are compared; each is claimed to be better than the first in each
    of the `metrics`, of which the first one is the main one.

    Args:
        vary: The values to try, by knob.
        fixed: The knobs that all levels share.
        metrics: What is measured.
        options: How many seeds each level gets.
        command: What is run, word by word; none: a function.
        again: Further words for the command that asks the same again.

    Raises:
        ConfigError: A value is none that a program can be given, or there is nothing to compare.
    """
    for name, values in vary.items():
        if isinstance(values, str) or not isinstance(values, Sequence):
            raise ConfigError(f"{name}: found {values!r}; give a list of values, as [0.1, 0.3].")
    _check([*fixed.items(), *((n, v) for n, values in vary.items() for v in values)])
    if both := sorted(set(vary) & set(fixed)):
        raise ConfigError(f"{both[0]}: a knob cannot be both varied and fixed.")
    combinations = itertools.product(*vary.values())
    knobs = [dict(zip(vary, each, strict=True)) for each in combinations] if vary else []
    knobs = [each for number, each in enumerate(knobs) if each not in knobs[:number]]
    if not 2 <= len(knobs) <= MOST_LEVELS:
        raise ConfigError(
            f"{', '.join(vary) or 'levels'}: found {len(knobs)} to compare; give at least two "
            f"different values, at most {MOST_LEVELS:,}."
        )
    levels = [Level(each, (Setting.external({**fixed, **each}, command),), {}) for each in knobs]
    question = external_question("vary", tuple(vary), levels, fixed, metrics, ("curves", "levels"))
    return _plan(question, sampling(options, DEFAULT_SEEDS), command, again)


def plan_noise(
    fixed: Values, metrics: Sequence[Metric], seeds: int, *, command: Sequence[str]
) -> Plan:
    """A plan of one setting of a program, with nothing to compare it with.

    Raises:
        ConfigError: A value is none that a program can be given, or there are too few seeds.
    """
    if seeds < 2:
        raise ConfigError(f"seeds: found {seeds}; how much they change takes two or more.")
    _check(list(fixed.items()))
    level = Level({}, (Setting.external(fixed, command),), {})
    ask = {"en": "How much do seeds alone change?", "sv": "Hur mycket ändrar enbart frön?"}
    question = replace(external_question("noise", (), [level], fixed, metrics, ()), ask=ask)
    return _plan(question, sampling(LabOptions(seeds=seeds), DEFAULT_SEEDS), command)


def _check(knobs: Sequence[tuple[str, object]]) -> None:
    for name, value in knobs:
        is_known = isinstance(value, bool | int | float | str)
        if not is_known or (isinstance(value, float) and not math.isfinite(value)):
            raise ConfigError(
                f"{name}: found {value!r}; a knob of a program or a function takes a finite "
                "number, a text, or true or false."
            )


def _plan(
    question: Question, sampled: Sampling, command: Sequence[str], again: Sequence[str] = ()
) -> Plan:
    """The plan of one question."""
    described = json.dumps(
        {
            "command": list(command),
            "vary": {k: [level.knobs[k] for level in question.levels] for k in question.vary},
            "fixed": dict(question.fixed),
            "metrics": [[m.name, m.better, m.margin, m.scale] for m in question.metrics],
        },
        sort_keys=True,
    )
    return Plan(
        title=question.ask,
        source=question.id,
        digest=hashlib.sha256(described.encode()).hexdigest(),
        preset=question.id,
        ad_hoc=True,
        epochs=None,
        seeds=sampled.seeds,
        questions=(question,),
        experiments=(),
        looks=sampled.looks,
        time=sampled.time,
        examines=False,
        again=tuple(again),
    )


def parted(
    levels: Mapping[str, Sequence[object]],
) -> tuple[dict[str, Sequence[Any]], dict[str, Any]]:
    """The knobs that are varied with their values, and those with a single value, held fixed."""
    varied = {name: values for name, values in levels.items() if len(values) != 1}
    return varied, {name: values[0] for name, values in levels.items() if len(values) == 1}


def external_question(
    name: str,
    vary: tuple[str, ...],
    levels: Sequence[Level],
    fixed: Mapping[str, object],
    metrics: Sequence[Metric],
    figures: tuple[Figure, ...],
) -> Question:
    """What the knobs `vary` do: every level is claimed to be better than the first.

    There is a claim for each metric; those of several are told apart by its name.
    """
    knobs = " and ".join(vary)
    claims = [
        _better(levels, index, metric, f"{metric.name}-" * (len(metrics) > 1) + str(index + 1))
        for metric in metrics
        for index in range(1, len(levels))
    ]
    return Question(
        id=name,
        ask={"en": f"What does {knobs} do?", "sv": f"Vad gör {' och '.join(vary)}?"},
        note={},
        vary=vary,
        retune=(),
        fixed=dict(fixed),
        levels=tuple(levels),
        claims=tuple(claims),
        figures=figures,
        metrics=tuple(metrics),
    )


def _better(levels: Sequence[Level], index: int, metric: Metric, name: str) -> Claim:
    ours, first = (
        ", ".join(f"{knob} = {value}" for knob, value in levels[i].knobs.items())
        for i in (index, 0)
    )
    return Claim(
        id=name,
        say={
            "en": f"{ours} is better than {first} in {metric.name}.",
            "sv": f"{ours} är bättre än {first} i {metric.name}.",
        },
        metric=metric.name,
        on="",
        target=None,
        level=(index,),
        against=(0,),
        direction="better",
        margin=metric.margin or 0.0,
        epochs=1,
        reported={},
        named=metric,
    )
