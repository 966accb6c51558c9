"""Runs in MLflow: a parent run for a setting, or a lab's question, and in it a run for each seed.

Every run bears an id of siffra's own, by which it is found again: what was logged before is not
logged twice, and what was broken off is made anew.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir

from siffra.config import ExternalModel
from siffra.errors import SiffraError
from siffra.export.settings import has_no_result, moments, plain_knobs, setting_groups
from siffra.lab.answers import Answers, LevelAnswer
from siffra.report.build import build
from siffra.report.model import Question, Report
from siffra.report.render.pages import write_folder
from siffra.report.render.report import render
from siffra.report.text.labels import knobs_name
from siffra.report.text.messages import Words, words_in
from siffra.system.atomic_write import part_folder
from siffra.training.examination import Examined
from siffra.training.run import Record, setting_id

try:
    from siffra.export.mlflow_store import Entry, MlflowStore, opened
except ModuleNotFoundError as error:
    if error.name not in ("mlflow", "sqlalchemy", "alembic"):
        raise
    raise SiffraError(
        "mlflow: MLflow is not installed; run `pip install 'siffra[mlflow]'`."
    ) from error

_UNNAMEABLE = re.compile(r"[^\w./: -]")
"""What no name of a metric may have in MLflow."""
EXPERIMENT = "siffra"
"""Where runs are logged that are no lab's."""

OnRun = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Child:
    """A run that was made, as it stands in one that holds it: what it is called and marked as."""

    name: str
    record: Record
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Parent:
    """A run that holds others."""

    entry: Entry
    children: Sequence[_Child]


def log_runs(records: Sequence[Record], where: str, on_run: OnRun) -> None:
    """Log runs, of which no more is known, to the MLflow store at `where`.

    `on_run` is called with how many are done, and of how many.

    Raises:
        SiffraError: The store cannot be used.
    """
    parents = [
        _Parent(
            Entry(
                id=f"setting {group.id}",
                name=group.name,
                params={name: str(value) for name, value in plain_knobs(group.records[0]).items()},
                tags={"siffra.setting": group.id},
            ),
            [_Child(f"seed {record.seed}", record) for record in group.records],
        )
        for group in setting_groups(records)
    ]
    with opened(where, EXPERIMENT) as store:
        _log(store, parents, None, on_run)


def log_lab(
    lab: str, answers: Answers, examined: Examined | None, where: str, on_run: OnRun
) -> None:
    """Log the `lab` of that id to the MLflow store at `where`: see `log_runs`.

    In an experiment of the lab's title, one run is the lab, with its report among its artifacts;
    in it is one for each question, and in these one for each seed at each level. Where knobs were
    retuned all runs are there, and `siffra.chosen` tells which ones the answer is about.
    """
    words = words_in("en")
    report, title = build(answers, words, examined), words.say(answers.plan.title)
    root = Entry(
        id=f"lab {lab}",
        name=title,
        params={"preset": answers.plan.preset},
        tags={"siffra.lab": lab},
        note=report.summary,
    )
    with opened(where, title) as store:
        run = store.log(root)
        _log(store, list(_parts(lab, answers, report, words)), run, on_run)
        with part_folder(Path(gettempdir())) as folder:
            write_folder(render(answers, words, examined), folder)
            store.attach(run, folder, "report")


def _parts(lab: str, answers: Answers, report: Report, words: Words) -> Iterator[_Parent]:
    for answer, shown in zip(answers.questions, report.questions, strict=True):
        retune = answer.question.retune
        children = [run for level in answer.levels for run in _tried(level, retune, words)]
        yield _Parent(_question(lab, words.say(answer.question.ask), shown), children)
    if answers.experiments:
        children = [
            _Child(f"{words.say(answer.experiment.name)}, seed {record.seed}", record)
            for answer in answers.experiments
            for record in answer.records
        ]
        yield _Parent(Entry(f"lab {lab}, experiments", "experiments"), children)


def _tried(level: LevelAnswer, retune: Sequence[str], words: Words) -> Iterator[_Child]:
    chosen = {record.key for record in level.records}
    for record in level.tried:
        retuned = {knob: value for knob, value in record.setting.knobs().items() if knob in retune}
        name = knobs_name(words, {**level.level.knobs, **retuned})
        tags = {"siffra.chosen": str(record.key in chosen).lower()} if retune else {}
        yield _Child(f"{name}, seed {record.seed}", record, tags)


def _question(lab: str, ask: str, question: Question) -> Entry:
    return Entry(
        id=f"lab {lab}, question {question.id}",
        name=f"{question.id}: {ask}",
        params={name: str(value) for name, value in question.fixed.items()},
        tags={f"siffra.verdict.{claim.id}": claim.verdict for claim in question.claims},
        note="\n\n".join([question.answer, *(claim.sentence for claim in question.claims)]),
    )


def _log(store: MlflowStore, parents: Sequence[_Parent], root: str | None, on_run: OnRun) -> None:
    runs, done = sum(len(parent.children) for parent in parents), 0
    for parent in parents:
        run = store.log(parent.entry, root)
        for child in parent.children:
            store.log(_run(parent.entry.id, child), run)
            done += 1
            on_run(done, runs)


def _load(record: Record) -> dict[str, str]:
    """Whether the machine was busy with something else, where that is known."""
    return {"siffra.busy": str(record.is_busy).lower()} if record.load else {}


def _program(record: Record) -> dict[str, str]:
    """The command that made it, and why it has no result, where there are such."""
    command = record.model.command if isinstance(record.model, ExternalModel) else ()
    said = {"siffra.command": shlex.join(command), "siffra.failure": record.failure}
    return {name: text for name, text in said.items() if text}


def _nameable(tag: str) -> str:
    """A tag as MLflow can have it: as the path of a file, it must lead nowhere else."""
    parts = _UNNAMEABLE.sub("_", tag).split("/")
    return "/".join(part for part in parts if part.strip(".")) or "_"


def _run(parent: str, child: _Child) -> Entry:
    """One run: its knobs, its curves by epoch, its scores after the last."""
    record = child.record
    ended = record.finished.timestamp()
    params = plain_knobs(record) | {"seed": record.seed, "engine": record.engine}
    if not isinstance(record.model, ExternalModel):
        params |= {"dataset": record.dataset, "parameters": record.parameters}
    return Entry(
        id=f"{parent}, run {record.key}",
        name=child.name,
        params={knob: str(value) for knob, value in params.items()},
        tags={
            "siffra.key": record.key,
            "siffra.setting": setting_id(record),
            **_load(record),
            **_program(record),
            **child.tags,
        },
        metrics=[
            (_nameable(tag), value, clock, step)
            for step, clock, scalars in moments(record)
            for tag, value in scalars.items()
        ],
        note="\n".join(record.output),
        times=(ended - record.seconds, ended),
        failed=has_no_result(record),
    )
