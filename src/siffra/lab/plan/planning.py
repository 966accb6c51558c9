"""From a lab file to a plan: every level becomes a setting that can be run, or is refused."""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from siffra.config import BuiltModel, Setting
from siffra.config.metrics import METRICS, Metric
from siffra.data.dataset import Dataset
from siffra.errors import ConfigError, LabFileError, did_you_mean
from siffra.lab.plan.format import (
    EXPERIMENTS,
    ClaimTable,
    ExperimentTable,
    QuestionTable,
)
from siffra.lab.plan.labfile import LabFile
from siffra.lab.plan.plan import Claim, Experiment, Level, Plan, Question, Text, shared_knobs
from siffra.lab.plan.presets import (
    AS_WRITTEN,
    PRESETS,
    LabOptions,
    is_due,
    length_of,
    questions_of,
)
from siffra.lab.plan.settings import Cut, Part
from siffra.lab.plan.subjects import Networks, ProgramRuns, Subject

TUNING_SEEDS = tuple(range(10_000, 10_005))
"""Retuned knobs are chosen on these, which no lab's own seeds reach."""


def plan_lab(lab: LabFile, dataset: Dataset | None, options: LabOptions = AS_WRITTEN) -> Plan:
    """Work out every run that `lab` asks for.

    Args:
        lab: What `read_lab` gave.
        dataset: What it will be trained on; networks that its images do not allow are refused.
            None for the lab of a program, which has data of its own.
        options: What of it is planned. (Neither its epochs nor a preset's cap touches a question
            that varies or retunes `epochs`.)

    Raises:
        LabFileError: The file asks for what cannot be run or compared; the text names the key.
        ConfigError: An option is wrong.
    """
    preset, only = options.preset or lab.preset, options.only
    cap, sampled = length_of(lab, preset, options)
    cut = _cut(lab, cap, options.epochs)
    chosen = _chosen(lab, only)
    subject = _subject(lab, dataset, cut, examines=preset != "quick")

    def asked(table: QuestionTable | ExperimentTable) -> bool:
        return bool(only) or is_due(table, preset)

    ids = {table.id for table in lab.questions if table.id in chosen and asked(table)}
    tables, stand_ins = questions_of(lab, preset, ids)
    questions = [
        _question(table, f"questions[{number}]", lab, subject)
        for number, table in enumerate(tables, start=1)
        if table.id in ids
    ]
    experiments = [
        _experiment(table, f"experiments[{number}]", lab, subject)
        for number, table in enumerate(lab.experiments, start=1)
        if EXPERIMENTS in chosen and asked(table)
    ]
    return Plan(
        title=lab.title,
        author=lab.author,
        course=lab.course,
        date=lab.date,
        source=lab.source,
        digest=lab.digest,
        preset=preset,
        epochs=cut.epochs,
        seeds=sampled.seeds,
        questions=tuple(questions),
        experiments=tuple(experiments),
        exact=cut.exact,
        only=only,
        examines=options.examines is not False and not lab.program,
        looks=sampled.looks,
        time=sampled.time,
        tuning_seeds=TUNING_SEEDS if any(question.retune for question in questions) else (),
        averages=PRESETS[preset].averages and not lab.program,
        stand_ins=stand_ins,
        left_out=tuple(t.id for t in (*lab.questions, *lab.experiments) if not asked(t)),
    )


def _chosen(lab: LabFile, only: Collection[str]) -> set[str]:
    known = [question.id for question in lab.questions] + [EXPERIMENTS] * bool(lab.experiments)
    for name in only:
        if name not in known:
            raise ConfigError(
                f"only: {lab.source} has no question `{name}`; {did_you_mean(name, known)}"
            )
    return set(only or known)


def _cut(lab: LabFile, cap: int | None, epochs: int | None) -> Cut:
    """How long a run may be; that of a program is a matter of its own knobs."""
    if epochs is not None and lab.program:
        raise ConfigError(
            "epochs: siffra does not know those of a command; leave it out, and give the command a "
            "knob for its length."
        )
    if epochs is not None and epochs < 1:
        raise ConfigError(f"epochs: found {epochs}; it must be 1 or more.")
    return Cut() if lab.program else Cut(epochs or cap, exact=epochs is not None)


def _subject(lab: LabFile, dataset: Dataset | None, cut: Cut, *, examines: bool) -> Subject:
    if lab.program:
        return ProgramRuns(lab.program, lab.source)
    assert dataset
    return Networks(dataset, cut, lab.source, examines)


def _question(table: QuestionTable, where: str, lab: LabFile, subject: Subject) -> Question:
    subject.check(table, f"{lab.source}: {where}")
    in_full = "epochs" in table.varied or "epochs" in table.retune
    shared = [Part("base", lab.base), Part(f"{where}.fixed", table.fixed)]
    retuned = [Part(f"{where}.retune", knobs) for knobs in combinations(table.retune)]

    def level(part: Part, name: Text) -> Level:
        about = f"question {table.id}, level {spelled(part.knobs)}"
        lengths = dict(
            subject.made([*shared, part, combination], about, in_full=in_full)
            for combination in retuned
        )
        return Level(part.knobs, tuple(lengths), {}, tuple(lengths.values()), name)

    levels = tuple(itertools.starmap(level, _parts(table, where)))
    if same := first_same(levels):
        raise LabFileError(f"{lab.source}: {where}: {why_same(*same)}")
    levels = _with_reported(levels, table, f"{lab.source}: {where}")
    metrics = subject.metrics(table.claims)
    claims = tuple(
        _claim(claim, levels, f"{lab.source}: {where}.claims[{number}]", subject)
        for number, claim in enumerate(table.claims, start=1)
    )
    if metrics and not claims:  # of siffra's own networks, an answer ranks the levels itself
        claims = better_claims(levels, metrics, prefix=f"{table.id}-", by={"en": "siffra"})
    return Question(
        id=table.id,
        ask=table.ask,
        note=table.note or {},
        vary=table.varied,
        retune=tuple(table.retune),
        fixed=fixed_of(levels, (*table.varied, *table.retune)),
        levels=levels,
        claims=claims,
        figures=table.figures or subject.figures(table.varied, levels),
        by=table.by or {},
        metrics=metrics,
    )


def _parts(table: QuestionTable, where: str) -> Iterator[tuple[Part, Text]]:
    """The varied knobs of each level, and what it is called."""
    for number, level in enumerate(table.levels or (), start=1):
        yield Part(f"{where}.levels[{number}]", level.knobs), level.name
    for knobs in combinations(table.vary) if table.vary else ():
        yield Part(f"{where}.vary", knobs), {}


def combinations(lists: Mapping[str, Sequence[object]]) -> Iterator[dict[str, Any]]:
    """Each way to take a value of every knob; the last knob changes first."""
    for values in itertools.product(*lists.values()):
        yield dict(zip(lists, values, strict=True))


def first_same(levels: Sequence[Level]) -> tuple[Level, Level] | None:
    """The first two levels of which a setting is the same."""
    seen: dict[Setting, Level] = {}
    for level in levels:
        for setting in level.settings:
            if setting in seen:
                return seen[setting], level
            seen[setting] = level
    return None


def why_same(first: Level, second: Level) -> str:
    """In words, what makes two levels the same run."""
    names = dict.fromkeys((*first.knobs, *second.knobs))
    differing = [name for name in names if first.knobs.get(name) != second.knobs.get(name)]
    if not differing:
        return f"level {spelled(first.knobs)} is given twice."
    alike = f"levels {spelled(first.knobs)} and {spelled(second.knobs)} come out as the same run"
    if differing == ["neurons"] and _has_no_neurons(first):
        return f"{alike}: neurons has no effect with layers = 0."
    return f"{alike}: {' and '.join(differing)} makes no difference here."


def _has_no_neurons(level: Level) -> bool:
    model = level.settings[0].model
    return isinstance(model, BuiltModel) and not model.neurons


def _with_reported(
    levels: tuple[Level, ...], table: QuestionTable, where: str
) -> tuple[Level, ...]:
    reported = [dict(level.reported) for level in levels]
    for number, figures in enumerate(table.reported, start=1):
        key = f"{where}.reported[{number}].at"
        matching = _matching(figures.at, levels, key)
        if len(matching) > 1:
            choices = "; ".join(spelled(levels[index].knobs) for index in matching)
            raise LabFileError(
                f"{key}: {len(matching)} levels have these knobs; name one: {choices}."
            )
        reported[matching[0]] |= figures.figures()
    return tuple(
        replace(level, reported=figures) for level, figures in zip(levels, reported, strict=True)
    )


def _matching(wanted: Mapping[str, object] | str, levels: Sequence[Level], where: str) -> list[int]:
    """Indices of the levels meant: the one of this name, or those with these knobs.

    Of the latter the one that has no other knobs, or else all.
    """
    if isinstance(wanted, str):
        return [_called(wanted, levels, where)]
    knobs = wanted
    alone = [index for index, level in enumerate(levels) if level.knobs == knobs]
    matching = alone or [
        index
        for index, level in enumerate(levels)
        if all(name in level.knobs and level.knobs[name] == knobs[name] for name in knobs)
    ]
    if not matching:
        known = "; ".join(spelled(level.knobs) for level in levels[:30])
        raise LabFileError(f"{where}: no level has {spelled(knobs)}; levels: {known}.")
    return matching


def _called(name: str, levels: Sequence[Level], where: str) -> int:
    names = {text: index for index, level in enumerate(levels) for text in level.name.values()}
    if name not in names:
        hint = (
            did_you_mean(name, names)
            if names
            else "its levels have no names: say it by knobs, as { neurons = 16 }."
        )
        raise LabFileError(f"{where}: no level is called `{name}`; {hint}")
    return names[name]


def _claim(table: ClaimTable, levels: Sequence[Level], where: str, subject: Subject) -> Claim:
    def indices(wanted: Sequence[Mapping[str, object] | str], key: str) -> tuple[int, ...]:
        matching = [i for each in wanted for i in _matching(each, levels, f"{where}.{key}")]
        return tuple(dict.fromkeys(matching))

    level = indices(table.level, "level")
    against = table.against
    if isinstance(against, tuple):
        against = indices(against, "against")
        if both := set(level) & set(against):
            knobs = spelled(levels[min(both)].knobs)
            raise LabFileError(f"{where}: level {knobs} is compared with itself.")
    named = subject.named(table)
    return Claim(
        id=table.id,
        say=table.say,
        metric=table.metric,
        on="" if named else table.on,
        target=table.target,
        level=level,
        against=against,
        times=1.0 if table.times is None else table.times,
        plus=table.plus or 0.0,
        direction=table.direction,
        margin=subject.margin(table),
        epochs=table.epochs or _length_claimed([levels[i] for i in (*level, *_others(against))]),
        reported=table.reported or {},
        by=table.by or {},
        named=named,
    )


def better_claims(
    levels: Sequence[Level],
    metrics: Sequence[Metric],
    pairs: Sequence[tuple[int, int]] | None = None,
    *,
    prefix: str = "",
    by: Text | None = None,
) -> tuple[Claim, ...]:
    """Claims of a question without any: that every level is better than the first.

    Or of each of the `pairs`, the first to be better than the second. There is a claim for each of
    the `metrics`, told apart by its name if there are several; of siffra's own networks (none), in
    accuracy on test. Their ids begin with `prefix`; `by` is whose they are.
    """
    pairs = [(index, 0) for index in range(1, len(levels))] if pairs is None else pairs
    return tuple(
        replace(_better(levels, pair, metric, f"{prefix}{name}{max(pair) + 1}"), by=by or {})
        for metric in metrics or (None,)
        for name in [f"{metric.name}-" if metric and len(metrics) > 1 else ""]
        for pair in pairs
    )


def _better(
    levels: Sequence[Level], pair: tuple[int, int], metric: Metric | None, name: str
) -> Claim:
    """That the first level of a pair is better than the second."""
    level, against = pair
    ours, theirs = (spelled(levels[i].knobs) for i in pair)
    measured = metric or METRICS["accuracy"]
    english, swedish = (f" in {metric.name}", f" i {metric.name}") if metric else ("", "")
    return Claim(
        id=name,
        say={
            "en": f"{ours} is better than {theirs}{english}.",
            "sv": f"{ours} är bättre än {theirs}{swedish}.",
        },
        metric=measured.name,
        on="" if metric else "test",
        target=None,
        level=(level,),
        against=(against,),
        direction="better",
        margin=(metric.margin or 0.0) if metric else measured.usual_margin(shifted=False),
        epochs=1,
        reported={},
        named=metric,
    )


def _others(against: tuple[int, ...] | float) -> tuple[int, ...]:
    return against if isinstance(against, tuple) else ()


def _length_claimed(levels: Sequence[Level]) -> int | float:
    """The epochs that a claim is about which says nothing of them: all that its levels have.

    Where nothing was cut short, that is any length (1), so that the claim can always be tested.
    """
    return max((own for level in levels for _, own in level.cut), default=1)


def fixed_of(levels: Sequence[Level], varied: Collection[str]) -> dict[str, Any]:
    """The knobs that all settings share, without those that are varied or retuned."""
    alike = shared_knobs([setting for level in levels for setting in level.settings])
    return {name: value for name, value in alike.items() if name not in varied}


def _experiment(table: ExperimentTable, where: str, lab: LabFile, subject: Subject) -> Experiment:
    parts = [Part("base", lab.base), Part(f"{where}.knobs", table.knobs)]
    setting, length = subject.made(parts, f"experiment {table.id}")
    return Experiment(
        id=table.id,
        name=table.name,
        note=table.note or {},
        setting=setting,
        reported=table.reported.figures(),
        length=length,
        metrics=subject.metrics(()),
    )


def spelled(knobs: Mapping[str, object]) -> str:
    """`kernel_size = 8, strides = 3`."""
    return ", ".join(f"{name} = {value}" for name, value in knobs.items())
