"""Plans of one question that no lab file asks: of networks, of a program or of a function."""

import hashlib
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from siffra.config import Setting
from siffra.config.metrics import Metric
from siffra.config.validation import shown
from siffra.data.dataset import Dataset
from siffra.data.load import DataSource
from siffra.errors import ConfigError
from siffra.lab.plan.figures import default_figures, figures_of_metrics
from siffra.lab.plan.format import MOST_LEVELS
from siffra.lab.plan.plan import Figure, Level, Plan, Question, Searched
from siffra.lab.plan.planning import better_claims, combinations, first_same, fixed_of, why_same
from siffra.lab.plan.presets import AS_WRITTEN, DEFAULT_SEEDS, LabOptions, Sampling, sampling
from siffra.lab.plan.settings import Part, assemble, of_use

Values = Mapping[str, bool | int | float | str | None]


def plan_vary(
    vary: Mapping[str, Sequence[object]],
    fixed: Mapping[str, object],
    dataset: Dataset,
    options: LabOptions = AS_WRITTEN,
    *,
    data: DataSource | None = None,
    base: Mapping[str, object] | None = None,
) -> Plan:
    """A plan of one question: what the knobs in `vary` do, all others being as in `fixed`.

    All combinations of the values are compared; each is claimed to be better than the first, in
    accuracy on test. `base` has a recipe's knobs, which the others override. `data` says where
    `dataset` is from; it is only kept, for the report. If the `options` say so, networks are
    diagnosed for figures of shifts and of mistakes, where that costs little.

    Raises:
        ConfigError: A knob or a value is wrong, or there is nothing to compare.
    """
    levels = tuple(
        Level(knobs, (assemble([Part("base", base or {}), *parts], dataset)[0],), {})
        for knobs in _combined(vary, fixed)
        for parts in [[Part("", of_use(fixed, knobs, vary)), Part("", knobs)]]
    )
    if same := first_same(levels):
        raise ConfigError(why_same(*same))
    figures = default_figures(tuple(vary), levels, dataset, examines=bool(options.examines))
    question = question_of("vary", tuple(vary), levels, fixed_of(levels, vary), (), figures)
    described = json.dumps(
        {"vary": vary, "fixed": {**(base or {}), **fixed}}, default=list, sort_keys=True
    )
    return replace(plan_of(question, described, sampling(options, DEFAULT_SEEDS)), data=data)


def plan_external(
    vary: Mapping[str, Sequence[object]],
    fixed: Values,
    metrics: Sequence[Metric],
    options: LabOptions = AS_WRITTEN,
    *,
    command: Sequence[str] = (),
    again: Sequence[str] = (),
) -> Plan:
    """As `plan_vary`, of a program or a function: what the knobs in `vary` do to its metrics.

    Args:
        vary: The values to try, by knob.
        fixed: The knobs that all levels share.
        metrics: What is measured, the main one first.
        options: How many seeds each level gets.
        command: What is run, word by word; none: a function.
        again: Further words for the command that asks the same again.

    Raises:
        ConfigError: A value is none that a program can be given, or there is nothing to compare.
    """
    combined = _combined(vary, fixed)
    check_values([*fixed.items(), *(pair for knobs in combined for pair in knobs.items())])
    levels = [Level(each, (Setting.external({**fixed, **each}, command),), {}) for each in combined]
    figures = figures_of_metrics(tuple(vary), levels)
    question = question_of("vary", tuple(vary), levels, fixed, metrics, figures)
    plan = _plan_external(question, sampling(options, DEFAULT_SEEDS), command)
    return replace(plan, again=tuple(again))


def plan_noise(
    fixed: Values, metrics: Sequence[Metric], seeds: int, *, command: Sequence[str]
) -> Plan:
    """A plan of one setting of a program, with nothing to compare it with.

    Raises:
        ConfigError: A value is none that a program can be given, or there are too few seeds.
    """
    if seeds < 2:
        raise ConfigError(f"seeds: found {seeds}; how much they change takes two or more.")
    check_values(list(fixed.items()))
    level = Level({}, (Setting.external(fixed, command),), {})
    ask = {"en": "How much do seeds alone change?", "sv": "Hur mycket ändrar enbart frön?"}
    question = replace(question_of("noise", (), [level], fixed, metrics, ()), ask=ask)
    return _plan_external(question, sampling(LabOptions(seeds=seeds), DEFAULT_SEEDS), command)


def plan_chosen(
    levels: Sequence[Values],
    fixed: Values,
    metrics: Sequence[Metric],
    seeds: Sequence[int],
    *,
    command: Sequence[str] = (),
    search: Searched | None = None,
) -> Plan:
    """A plan of levels of a program or a function that are no grid, with these seeds.

    The first, which a `search` chose, is claimed to be better than each of the others; without a
    search, nothing is claimed.

    Raises:
        ConfigError: A value is none that a program can be given.
    """
    check_values([*fixed.items(), *(pair for knobs in levels for pair in knobs.items())])
    chosen = [Level(each, (Setting.external({**fixed, **each}, command),), {}) for each in levels]
    pairs = [(0, index) for index in range(1, len(chosen))] if search else []
    vary = tuple(levels[0])
    question = question_of("search", vary, chosen, fixed, metrics, ("curves", "levels"), pairs)
    return _plan_external(replace(question, search=search), Sampling(tuple(seeds)), command)


def question_of(
    name: str,
    vary: tuple[str, ...],
    levels: Sequence[Level],
    fixed: Mapping[str, object],
    metrics: Sequence[Metric],
    figures: tuple[Figure, ...],
    pairs: Sequence[tuple[int, int]] | None = None,
) -> Question:
    """What the knobs `vary` do to the `metrics`, with the claims of `better_claims`."""
    return Question(
        id=name,
        ask={
            "en": f"What does {' and '.join(vary)} do?",
            "sv": f"Vad gör {' och '.join(vary)}?",
        },
        note={},
        vary=vary,
        retune=(),
        fixed=dict(fixed),
        levels=tuple(levels),
        claims=better_claims(levels, metrics, pairs),
        figures=figures,
        metrics=tuple(metrics),
    )


def plan_of(question: Question, described: str, sampled: Sampling) -> Plan:
    """The plan of a question; `described` is all that it asks, as a text."""
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
    )


def parted(
    levels: Mapping[str, Sequence[object]],
) -> tuple[dict[str, Sequence[Any]], dict[str, Any]]:
    """The knobs that are varied with their values, and those with a single value, held fixed."""
    varied = {name: values for name, values in levels.items() if len(values) != 1}
    return varied, {name: values[0] for name, values in levels.items() if len(values) == 1}


def _plan_external(question: Question, sampled: Sampling, command: Sequence[str]) -> Plan:
    described = json.dumps(
        {
            "command": list(command),
            "vary": {k: [level.knobs[k] for level in question.levels] for k in question.vary},
            "fixed": dict(question.fixed),
            "metrics": [[m.name, m.better, m.margin, m.scale] for m in question.metrics],
        },
        sort_keys=True,
    )
    return replace(plan_of(question, described, sampled), examines=False)


def _combined(
    vary: Mapping[str, Sequence[object]], fixed: Mapping[str, object]
) -> list[dict[str, Any]]:
    """The varied knobs of each level: all combinations of their values."""
    if not isinstance(vary, Mapping):
        raise ConfigError(f"levels: found {vary!r}; give a dict, as {{'neurons': [8, 16]}}.")
    for knob, values in vary.items():
        if isinstance(values, str) or not isinstance(values, Sequence):
            raise ConfigError(
                f"{knob}: found {values!r}; give a list of values to compare, as [8, 16]."
            )
    if both := sorted(set(vary) & set(fixed)):
        raise ConfigError(f"{both[0]}: a knob cannot be both varied and fixed.")
    combined = list(itertools.islice(combinations(vary), MOST_LEVELS + 1))
    _expect_to_compare(vary, len(combined))
    for knob, values in vary.items():
        _expect_distinct(knob, values)
    return combined


def _expect_distinct(knob: str, values: Sequence[object]) -> None:
    expect_no_equals(knob, values)
    for number, value in enumerate(values):
        if value in values[:number]:
            raise ConfigError(f"{knob}: {shown(value)} is given twice.")


def expect_no_equals(knob: str, values: Sequence[object]) -> None:
    """Check that no truth value is beside the number that it equals: their runs would be one.

    Raises:
        ConfigError: One is.
    """
    for value in values:
        first = values[values.index(value)]
        if (type(first) is bool) != (type(value) is bool):
            raise ConfigError(
                f"{knob}: found {shown(first)} and {shown(value)}, which are equal; leave one out, "
                "or make it a text."
            )


def _expect_to_compare(vary: Mapping[str, object], count: int) -> None:
    if not 2 <= count <= MOST_LEVELS:
        many = f"more than {MOST_LEVELS:,}" if count > MOST_LEVELS else f"{count}"
        raise ConfigError(
            f"{', '.join(vary) or 'levels'}: found {many} to compare; give at least two values, "
            f"at most {MOST_LEVELS:,}."
        )


def check_values(knobs: Sequence[tuple[str, object]]) -> None:
    """Check that a program, or a function, can be given these values of its knobs.

    Raises:
        ConfigError: It cannot be given one.
    """
    for name, value in knobs:
        is_known = isinstance(value, bool | int | float | str)
        if not is_known or (isinstance(value, float) and not math.isfinite(value)):
            raise ConfigError(
                f"{name}: found {value!r}; a knob of a program or a function takes a finite "
                "number, a text, or true or false."
            )
