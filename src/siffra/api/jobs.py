"""A plan with all that it takes to run it: what it costs, running it, and what it then says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from siffra.api.arguments import DataLike, loaded, with_own_models
from siffra.api.executors import HERE, RunOptions
from siffra.api.results import LabResult
from siffra.config.durations import seconds_of
from siffra.config.recipes import recipe_knobs
from siffra.data.dataset import Dataset
from siffra.data.load import DataSource
from siffra.lab.answers import answer
from siffra.lab.execute.estimate import estimate_jobs
from siffra.lab.execute.events import Event
from siffra.lab.execute.results import Cost, Results, Shortfall
from siffra.lab.execute.runner import run_jobs
from siffra.lab.execute.work import Work, engine_work
from siffra.lab.history import LabHistory, SavedLab, make_saved_lab
from siffra.lab.plan.ad_hoc import plan_vary
from siffra.lab.plan.format import EXPERIMENTS
from siffra.lab.plan.plan import Plan, Text
from siffra.lab.plan.presets import AS_WRITTEN, LabOptions
from siffra.report.render.notebook import NotebookProgress
from siffra.report.render.terminal import one_step_note
from siffra.report.text.messages import words_in
from siffra.store.store import Store
from siffra.training.examination import Examined

OnEvent = Callable[[Event], None]


def seconds_or_none(time: str | float | None, name: str = "time") -> float | None:
    """`5m` in seconds.

    Raises:
        ConfigError: It is not a length of time.
    """
    return None if time is None else seconds_of(time, name)


@dataclass(frozen=True, slots=True)
class Part:
    """A question of a plan, or its experiments, and what it would cost alone."""

    id: str
    ask: Text
    cost: Cost


@dataclass(frozen=True, slots=True)
class Job:
    """A plan with all that it takes to run it: for those who want to know the cost first.

    Attributes:
        plan: What is asked.
        work: How its runs are made.
        store: Where they are kept.
        fresh: Whether stored runs are made again.
        dataset: What siffra's networks are trained on; None for a program or a function, which
            has data of its own.
        is_kept: Whether the lab is kept beside the store.
    """

    plan: Plan
    work: Work
    store: Store
    fresh: bool = False
    dataset: Dataset | None = None
    is_kept: bool = True

    @property
    def at_once(self) -> int:
        """How many runs are made at once."""
        return self.work.executor.size

    def hold(self, held: bool) -> None:
        """Have the runs in progress wait at the end of their epochs, or go on again."""
        self.work.executor.hold(held)

    def cost(self) -> Cost:
        """How many runs it takes, how many are stored, and about how long the others take."""
        return self._cost(self.plan)

    def first_look(self) -> Cost:
        """The same of the runs that an answer needs at least: those of the first look."""
        return self._cost(replace(self.plan, looks=()))

    def note(self, language: str = "en") -> str:
        """What is to be known of its runs before they are made; empty if nothing is."""
        words = words_in(language)
        if self.dataset is None:
            return words.count("cost.others", others) if (others := self._of_other_files) else ""
        settings = [planned.setting for planned in self.plan.runs]
        return one_step_note(words, settings, self.dataset)

    @property
    def _of_other_files(self) -> int:
        """How many runs that are to be made are stored as of a program with other files."""
        keys = {self.work.keys.of(run): run for run in self.plan.runs}
        missing = [keys[key] for key in keys.keys() - self.store.stored(keys)]
        known = self.store.versions((run.setting.model, run.seed) for run in missing)
        return len(known - keys.keys())

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

        One whose store is only read is never kept.
        """
        kept = self.saved() if self.is_kept and not self.store.is_read_only else None
        if kept:
            LabHistory(self.store.path).keep(kept)
        results = run_jobs(self.plan, self.work, self.store, on_event, fresh=self.fresh)
        if kept:
            LabHistory(self.store.path).end(kept.id, results.shortfall)
        return self._answered(results)

    def run_shown(self, on_event: OnEvent | None, language: str) -> LabResult:
        """Run it, telling events to `on_event`; if that is None, a notebook shows progress."""
        with shown_progress(on_event, language, self.plan) as tell:
            return replace(self.run(tell), language=language)

    def saved(self) -> SavedLab:
        """The lab as it is kept."""
        return make_saved_lab(self.plan, self.work.keys)

    def stored(self) -> LabResult:
        """What the runs say that are stored, of whatever look."""
        results = self.saved().results(self.store)
        result = self._answered(results)
        if not result.answers.missing:
            return result
        return self._answered(replace(results, shortfall=self._shortfall()))

    def _shortfall(self) -> Shortfall | None:
        """What the lab lacked when it came to its end, with the same budget, if it did."""
        for examines in (True, False):
            plan = replace(self.plan, examines=examines)
            lab = make_saved_lab(plan, self.work.keys)
            kept = LabHistory(self.store.path).get(lab.id)
            if kept and kept.plan.time == plan.time and kept.shortfall:
                return kept.shortfall
        return None

    def _answered(self, results: Results) -> LabResult:
        answers = answer(self.plan, results.records, results.timings, shortfall=results.shortfall)
        if self.dataset is None:
            return LabResult(answers)
        keys = [record.key for record in results.records.values()]
        return LabResult(answers, Examined(self.dataset, self.store.examinations(keys)))

    def _cost(self, plan: Plan) -> Cost:
        return estimate_jobs(plan, self.work, self.store, fresh=self.fresh)


@contextmanager
def shown_progress(on_event: OnEvent | None, language: str, plan: Plan | None) -> Iterator[OnEvent]:
    """Where events are told: if `on_event` is None, a notebook shows those of a plan's runs."""
    if on_event is None and NotebookProgress.is_wanted():
        with NotebookProgress(words_in(language), plan) as progress:
            yield progress
    else:
        yield on_event or (lambda event: None)


@contextmanager
def vary_job(
    levels: Mapping[str, Sequence[object]],
    knobs: Mapping[str, object],
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
    """A plan made ready to be run on a store that is open; its executor is open meanwhile.

    A lab on data that is in memory alone is not kept: nobody could go on with it.
    """
    running = running.sized(plan, dataset, store)
    engine = running.make_engine()
    with running.executor(dataset, source, engine) as executor:
        work = engine_work(dataset, engine, store, executor)
        yield Job(plan, work, store, running.fresh, dataset, is_kept=plan.data is not None)
