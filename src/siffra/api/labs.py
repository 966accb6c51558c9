"""Questions and labs: planned, run, answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from types import ModuleType
from typing import TYPE_CHECKING, Any

from siffra.api.arguments import DataLike, loaded, with_own_models
from siffra.api.executors import HERE, RunOptions
from siffra.config.durations import seconds_of
from siffra.config.recipes import recipe_knobs
from siffra.data.dataset import Dataset
from siffra.data.load import DataSource, shifted_as
from siffra.engine.base import Engine
from siffra.errors import SiffraError
from siffra.export.frame import data_frame
from siffra.export.tables import Table, table_rows
from siffra.lab.answers import Answers, Shortfall, answer
from siffra.lab.execute.base import Executor
from siffra.lab.execute.estimate import Cost, estimate
from siffra.lab.execute.runner import Event, Fresh, Results, run_plan
from siffra.lab.history import LabHistory, make_saved_lab
from siffra.lab.plan.format import EXPERIMENTS
from siffra.lab.plan.labfile import read_lab
from siffra.lab.plan.plan import Plan, Text
from siffra.lab.plan.planning import plan_lab, plan_vary
from siffra.lab.plan.presets import AS_WRITTEN, LabOptions
from siffra.report.build import build
from siffra.report.model import Claim, Report
from siffra.report.render.notebook import lab_html
from siffra.report.render.terminal import lab_text, one_step_note
from siffra.report.text.messages import words_in
from siffra.report.text.provenance import all_records
from siffra.store.store import Store
from siffra.training.diagnostics import Examined

if TYPE_CHECKING:
    import pandas as pd


def run_lab(
    lab: Path | str | None = None,
    *,
    preset: str | None = None,
    epochs: int | None = None,
    seeds: int | None = None,
    time: str | float | None = None,
    max_seeds: int | None = None,
    only: Sequence[str] = (),
    fresh: Fresh = False,
    data: DataLike = None,
    engine: str = "native",
    threads: int | None = None,
    jobs: int | None = None,
    on: str = "here",
    alone: bool = False,
    store: Path | str | None = None,
    out: Path | str | None = None,
    language: str = "en",
    on_event: Callable[[Event], None] = lambda event: None,
) -> LabResult:
    """Run a lab file, or the study that siffra brings, and answer its questions.

    What was run before is not run again: a lab that was stopped goes on where it was.

    Args:
        lab: A lab file; None for the study of handwritten digits.
        preset: `quick` (3 epochs at most), `standard` (20) or `full` (each run as its lab file
            says); None: the one that the lab file names, `full` if it names none. The study is
            `quick`.
        epochs: Train every run for so many, whatever the preset and the lab file say.
        seeds: A fixed number of seeds for each setting, judged once, instead of a budget.
        time: The budget of training time, as `"5m"` or in seconds: each setting gets five seeds,
            and claims that are still open get more for as long as it lasts (default: `quick` 5
            minutes, `standard` 20, `full` 60). If it does not last for five seeds of everything,
            the claims that are decided soonest go first, and the result says what was left out.
        max_seeds: The most seeds that such a claim gets (default: 40).
        only: The ids of the questions and experiments to run; none means all.
        fresh: Make the stored runs too, or those that were made on a busy machine (`"busy"`); each
            is replaced when its new one is there.
        data: See `DataLike`; in the place of what the lab file names. The lab's shifts hold.
        engine: What trains: `native`, or `torch` for PyTorch.
        threads: Threads of a run (default: the cores, shared out to the runs made at once).
        jobs: How many runs are made at once (default: as many as there are cores).
        on: Where: `here`, `ray` for a cluster of Ray's, `ray://host:port`, or `auto`, which is a
            cluster if `RAY_ADDRESS` has one.
        alone: On a cluster, give each run a whole node, so that its times are undisturbed.
        store: The file of finished runs.
        out: Write the report to this folder.
        language: Of the answer and its report: `en` or `sv`.
        on_event: Called with each `siffra.lab.execute.events.Event`, for showing progress.

    Raises:
        SiffraError: The lab file, the data or the store cannot be used.
    """
    options = LabOptions(
        preset=preset,
        epochs=epochs,
        seeds=seeds,
        time=seconds_or_none(time),
        max_seeds=max_seeds,
        only=tuple(only),
    )
    running = RunOptions(
        engine=engine, threads=threads, jobs=jobs, on=on, alone=alone, store=store, fresh=fresh
    )
    with lab_job(lab, options, running, data=data) as job:
        expect_report(out, language)
        result = replace(job.run(on_event), language=language)
    if out is not None:
        result.write(out)
    return result


def seconds_or_none(time: str | float | None, name: str = "time") -> float | None:
    """`5m` in seconds.

    Raises:
        ConfigError: It is no length of time.
    """
    return None if time is None else seconds_of(time, name)


def compare_reports(
    first: Path | str, second: Path | str, *, out: Path | str, language: str = "en"
) -> str:
    """Set two reports side by side, those of another preset, machine or version of siffra, say.

    Args:
        first: The folder of a report.
        second: That of the other.
        out: Write `comparison.html` and `comparison.md` to this folder.
        language: Of the comparison: `en` or `sv`.

    Returns:
        What changed, in a few lines.

    Raises:
        SiffraError: One of them cannot be read, or `out` cannot be written.
    """
    from siffra.report.comparison import comparison_text, write_comparison

    shown = write_comparison(Path(first), Path(second), Path(out), language)
    words = words_in(language)
    report = words("progress.report", path=Path(out) / "comparison.html")
    return f"{comparison_text(shown, words)}\n\n{report}"


def expect_report(out: Path | str | None, language: str = "en") -> None:
    """See that a report can be written to `out`, which is made: better told before the training.

    Raises:
        SiffraError: It cannot, or not in this language.
    """
    words_in(language)
    if out is None:
        return
    if (suffix := Path(out).suffix.lower()) in (".html", ".pdf", ".md", ".json", ".csv", ".zip"):
        raise SiffraError(
            f"{out}: a report is a folder of several files, and no {suffix} file; name the folder, "
            f"{Path(out).with_suffix('').name}."
        )
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise SiffraError(f"{out}: the report cannot be written there: {reason}.") from error


def _renderer() -> ModuleType:
    import siffra.report.render.report as renderer  # brings matplotlib

    return renderer


@dataclass(frozen=True, slots=True)
class LabResult:
    """What a lab, or one question, found: `answers` holds estimates, verdicts and records.

    `examined` has what is known of the networks themselves, of those that the plan examines.
    It is shown in `language`, `en` or `sv`, unless another is asked for.
    """

    answers: Answers
    examined: Examined | None = None
    language: str = "en"

    def write(self, out: Path | str, language: str | None = None) -> list[Path]:
        """Write the report (HTML, Markdown, JSON, CSV, Parquet, figures) to the folder `out`."""
        return _renderer().write_report(
            self.answers, Path(out), language or self.language, self.examined
        )

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Every claim with its `verdict`, `grade`, `estimate` and `interval`."""
        return tuple(claim for question in self._report().questions for claim in question.claims)

    def check(self) -> int:
        """An exit code for scripts: 0 if every claim that is tested is supported.

        3 if any is refuted, or shown to make no difference where one is claimed; else 4.
        """
        verdicts = {
            claim.verdict
            for question in self.answers.questions
            for claim in question.claims
            if claim.verdict != "not tested"
        }
        if verdicts & {"refuted", "no difference"}:
            return 3
        return 0 if verdicts == {"supported"} else 4

    def frame(self, table: Table = "scores") -> pd.DataFrame:
        """The lab's runs as a tidy pandas frame, with the `questions` that each belongs to.

        Args:
            table: `scores` (a row for each run and set), `epochs` (run and epoch) or `confusion`
                (run, set and pair of classes).

        Raises:
            SiffraError: No such table; or pandas is not installed.
        """
        return data_frame(table_rows(all_records(self.answers), table, self.answers))

    def as_json(self, language: str | None = None) -> str:
        """The content of the report's `results.json`."""
        words = words_in(language or self.language)
        return _renderer().report_of(self.answers, words, self.examined).dump()

    def text(self, language: str | None = None) -> str:
        """What was found, in lines of plain text."""
        return lab_text(self._report(language))

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return lab_html(self._report())

    def _report(self, language: str | None = None) -> Report:
        """The report without figures."""
        return build(self.answers, words_in(language or self.language), self.examined)


@dataclass(frozen=True, slots=True)
class Part:
    """A question of a plan, or its experiments, and what it would cost alone."""

    id: str
    ask: Text
    cost: Cost


@dataclass(frozen=True, slots=True)
class Job:
    """A plan with all that it takes to run it: for those who want to know the cost first."""

    plan: Plan
    dataset: Dataset
    engine: Engine
    store: Store
    fresh: Fresh = False
    executor: Executor | None = None

    @property
    def at_once(self) -> int:
        """How many runs are made at once."""
        return self.executor.size if self.executor else 1

    def hold(self, held: bool) -> None:
        """Have the runs in progress wait at the end of their epochs, or go on again."""
        if self.executor:
            self.executor.hold(held)

    def cost(self) -> Cost:
        """How many runs it takes, how many are stored, and about how long the others take."""
        return self._cost(self.plan)

    def first_look(self) -> Cost:
        """The same of the runs that an answer needs at least: those of the first look."""
        return self._cost(replace(self.plan, looks=()))

    def note(self, language: str = "en") -> str:
        """What is to be known of its runs before they are made; empty if nothing is."""
        settings = [planned.setting for planned in self.plan.runs]
        return one_step_note(words_in(language), settings, self.dataset)

    def parts(self) -> list[Part]:
        """The plan part by part, in the lab file's order; parts may share runs.

        Of a plan with looks, each part to the first.
        """
        plan = self.plan
        alone = replace(plan, questions=(), experiments=(), looks=())
        parts = [(q.id, q.ask, replace(alone, questions=(q,))) for q in plan.questions]
        if plan.experiments:
            experiments = replace(alone, experiments=plan.experiments)
            ask = {"en": "the experiments", "sv": "experimenten"}
            parts.append((EXPERIMENTS, ask, experiments))
        return [Part(name, ask, self._cost(part)) for name, ask, part in parts]

    def run(self, on_event: Callable[[Event], None] = lambda event: None) -> LabResult:
        """Make the runs that are missing (if `fresh`, stored ones too), and answer; keep the lab.

        A lab on data that is in memory alone is not kept: nobody could go on with it. Nor is one
        whose store is only read.
        """
        is_kept = self.plan.data is not None and not self.store.is_read_only
        kept = make_saved_lab(self.plan, self.dataset, self.engine) if is_kept else None
        if kept:
            LabHistory(self.store.path).keep(kept)
        results = run_plan(
            self.plan,
            self.dataset,
            self.engine,
            self.store,
            on_event,
            fresh=self.fresh,
            executor=self.executor,
        )
        if kept:
            LabHistory(self.store.path).end(kept.id, results.shortfall)
        return self._answered(results)

    def stored(self) -> LabResult:
        """What the runs say that are stored, of whatever look."""
        results = make_saved_lab(self.plan, self.dataset, self.engine).results(self.store)
        found = self._answered(results)
        if not found.answers.missing:
            return found
        return self._answered(replace(results, shortfall=self._shortfall()))

    def _shortfall(self) -> Shortfall | None:
        """What the lab lacked when it came to its end, with the same budget, if it did."""
        for examines in (True, False):
            plan = replace(self.plan, examines=examines)
            lab = make_saved_lab(plan, self.dataset, self.engine)
            kept = LabHistory(self.store.path).get(lab.id)
            if kept and kept.plan.time == plan.time and kept.shortfall:
                return kept.shortfall
        return None

    def _answered(self, results: Results) -> LabResult:
        keys = [record.key for record in results.records.values()]
        answers = answer(self.plan, results.records, results.timings, shortfall=results.shortfall)
        return LabResult(answers, Examined(self.dataset, self.store.examinations(keys)))

    def _cost(self, plan: Plan) -> Cost:
        return estimate(
            plan, self.dataset, self.engine, self.store, fresh=self.fresh, executor=self.executor
        )


@contextmanager
def lab_job(
    lab: Path | str | None = None,
    options: LabOptions = AS_WRITTEN,
    running: RunOptions = HERE,
    *,
    data: DataLike = None,
) -> Iterator[Job]:
    """A lab made ready, see `run_lab`; its store and its executor are open meanwhile.

    Unless it is to examine networks, runs that are stored without an examination are taken as
    they are.
    """
    file = read_lab(Path(lab) if lab else None)
    running.make_engine()  # whether there is one is said before the data is read
    dataset, source = loaded(file.data if data is None else data, file.data)
    if isinstance(data, Dataset) and file.shifts is not None:
        dataset = shifted_as(dataset, file.data)
    plan = replace(plan_lab(file, dataset, options), engine=running.engine, data=source)
    with running.open_store() as store, job_on(store, plan, dataset, source, running) as job:
        yield job


@contextmanager
def vary_job(
    levels: Mapping[str, Sequence[Any]],
    knobs: Mapping[str, Any],
    options: LabOptions = AS_WRITTEN,
    running: RunOptions = HERE,
    *,
    recipe: Path | str | None = None,
    data: DataLike = None,
) -> Iterator[Job]:
    """One question made ready, see `vary`; its store and its executor are open meanwhile."""
    running.make_engine()
    dataset, source = loaded(data)
    plan = plan_vary(
        with_own_models(levels),
        with_own_models(knobs),
        dataset,
        options,
        data=source,
        base=recipe_knobs(recipe),
    )
    plan = replace(plan, engine=running.engine)
    with running.open_store() as store, job_on(store, plan, dataset, source, running) as job:
        yield job


@contextmanager
def job_on(
    store: Store, plan: Plan, dataset: Dataset, source: DataSource | None, running: RunOptions
) -> Iterator[Job]:
    """A plan made ready to be run on a store that is open; its executor is open meanwhile."""
    running = running.sized(plan, dataset, store)
    engine = running.make_engine()
    with running.executor(dataset, source, engine) as executor:
        yield Job(plan, dataset, engine, store, running.fresh, executor)
