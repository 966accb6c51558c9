"""The best setting of a training that siffra does not do itself: a program's, or a function's.

Optuna proposes settings, and each is run once, all with the same seed, so that a lucky one favours
none. The best few are run again with seeds that the search has not used, and the best mean of
those is chosen. Neither these runs nor those of the search are judged: a value by which something
was chosen contains the luck by which it was. `siffra.api.tuning` has the choice run on fresh seeds.
"""

import hashlib
import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any

from optuna.trial import FrozenTrial, TrialState, create_trial

from siffra.config import Setting
from siffra.config.metrics import Metric
from siffra.errors import SearchError
from siffra.lab.execute.events import Event
from siffra.lab.execute.first_runs import FirstRuns
from siffra.lab.execute.runner import run_jobs
from siffra.lab.execute.work import Work
from siffra.lab.plan.ad_hoc import plan_chosen
from siffra.lab.plan.plan import PlannedRun, Searched
from siffra.lab.plan.planning import TUNING_SEEDS
from siffra.search.proposals import proposals
from siffra.search.ranges import Ranges
from siffra.search.study import StudyFolder
from siffra.store.schema import beside
from siffra.store.store import Store
from siffra.training.run import Record

SEARCH_SEED, *FINAL_SEEDS = TUNING_SEEDS
"""Of the search, and of the finalists; no lab's own seeds, which are judged, reach them."""
FINALISTS = 4
USUAL_RUNS = 30
_MOST_DRAWN = 100
"""Proposals in a row that were tried before; then there is nothing new to be found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningSpec:
    """What is searched, by the first of the `metrics`, and for how long.

    Attributes:
        ranges: Where.
        metrics: What is measured, the main one first.
        command: What is run, word by word; none: a function.
        runs: The most runs of the search; None: no limit but the time.
        time: Wall seconds for all runs; None: no limit.
        reserve: How many runs that time is kept for, beside those of the finalists.
    """

    ranges: Ranges
    metrics: tuple[Metric, ...]
    command: tuple[str, ...] = ()
    runs: int | None = USUAL_RUNS
    time: float | None = None
    reserve: int = 0


@dataclass(slots=True)
class Trial:
    """A setting that was proposed, and the metric of its run: None if it has none (yet)."""

    number: int
    knobs: Mapping[str, Any]
    is_done: bool = False
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Tuned:
    """What was chosen, the best first, and the search that it was chosen by."""

    chosen: tuple[Mapping[str, Any], ...]
    search: Searched


def search_settings(
    spec: TuningSpec,
    work: Work,
    store: Store,
    on_event: Callable[[Event], None] = lambda event: None,
) -> Tuned:
    """Search, and choose among the best; the same search goes on where it was stopped.

    It is kept beside the store, in a folder named by all that decides it, also by the content of
    the files that a command names.

    Raises:
        SiffraError: A run cannot be made, or none has a value of the metric.
    """
    tuning = _Tuning(spec, work, store, on_event)
    direction = "maximize" if spec.metrics[0].higher_is_better else "minimize"
    with StudyFolder(beside(store.path, ".searches") / tuning.name, direction) as study:
        return tuning.run(study)


@dataclass(slots=True)
class _Tuning:
    """One search: its `trials`, and its `runs` so far with what they `took`, the finalists' too."""

    spec: TuningSpec
    work: Work
    store: Store
    on_event: Callable[[Event], None]
    trials: list[Trial] = field(default_factory=list)
    runs: int = 0
    took: float = 0.0
    failure: str = ""  # why the last run that has no value has none
    first_runs: FirstRuns = field(default_factory=lambda: FirstRuns(None))

    @property
    def name(self) -> str:
        """A hash of what decides the search."""
        ranges, metric = self.spec.ranges, self.spec.metrics[0]
        knob, values, others = ranges.two()
        run = PlannedRun(self._setting({**others, knob: values[0]}), SEARCH_SEED)
        described = [dict(ranges.typed), self.work.keys.of(run), metric.name, metric.better]
        return hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16]

    def run(self, study: StudyFolder) -> Tuned:
        self._recall(study)
        self._make(study, [trial for trial in self.trials if not trial.is_done])
        while batch := self._propose(study):
            self._make(study, batch)
        ranked = sorted(
            (trial for trial in self.trials if trial.value is not None),
            key=lambda trial: self._loss(trial.value),
        )
        if not ranked:
            raise SearchError(
                f"{self.spec.metrics[0].name}: none of the {len(self.trials)} runs has a value; "
                f"the last one: {self.failure or 'not a number'}."
            )
        best = ranked[0].value
        assert best is not None
        finalists = ranked[:FINALISTS]
        search = Searched(
            space=dict(self.spec.ranges.typed),
            log=self.spec.ranges.log,
            runs=len(self.trials),
            failed=len(self.trials) - len(ranked),
            best=best,
            finalists=len(finalists),
        )
        return Tuned(tuple(self._choose(finalists)), search)

    def _recall(self, study: StudyFolder) -> None:
        """What was tried, as far as this many runs are asked for.

        A setting whose run is not stored, as one that names a file which was edited since, is tried
        again, and Optuna forgets what it gave.
        """
        for stored in study.optuna_study.get_trials(deepcopy=False):
            knobs = {name: stored.params[name] for name in self.spec.ranges.distributions}
            is_done = stored.state.is_finished()
            self.trials.append(Trial(stored.number, knobs, is_done, stored.value))
        keys = {trial.number: self._key(trial) for trial in self.trials if trial.is_done}
        records = self.store.get_all(self.store.stored(keys.values()))
        if stale := [n for n, key in keys.items() if key not in records]:
            for number in stale:
                self.trials[number] = Trial(number, self.trials[number].knobs)
            with study.usable():
                study.rewrite(map(self._frozen, self.trials))
        self.trials = self.trials[: self.spec.runs]
        self.first_runs = FirstRuns(None, any_works=any(t.value is not None for t in self.trials))
        for record in records.values():
            self.runs, self.took = self.runs + 1, self.took + record.took
            self.failure = _why(record) if record.failure else self.failure

    def _frozen(self, trial: Trial) -> FrozenTrial:
        """A trial as Optuna has it."""
        ended = TrialState.PRUNED if trial.value is None else TrialState.COMPLETE
        return create_trial(
            state=ended if trial.is_done else TrialState.RUNNING,
            value=trial.value,
            params=dict(trial.knobs),
            distributions=dict(self.spec.ranges.distributions),
        )

    def _propose(self, study: StudyFolder) -> list[Trial]:
        """The settings to try next, as many as are run at once; none if the search is over."""
        ranges, tried = self.spec.ranges, {tuple(t.knobs.values()) for t in self.trials}
        batch: list[Trial] = []
        drawn = proposals(study.optuna_study, ranges, (), seed=len(self.trials))
        while len(batch) < self.work.executor.size and self._goes_on(len(batch)):
            new = (
                knobs
                for _, knobs in itertools.islice(drawn, _MOST_DRAWN)
                if tuple(knobs.values()) not in tried
            )
            if len(tried) >= ranges.count or (knobs := next(new, None)) is None:
                break
            tried.add(tuple(knobs.values()))
            batch.append(Trial(len(self.trials) + len(batch), knobs))
        for trial in batch:
            with study.usable():
                study.optuna_study.add_trial(self._frozen(trial))
        self.trials += batch
        return batch

    def _goes_on(self, more: int) -> bool:
        """Whether there is time for another run beside this many, and runs are left."""
        count = len(self.trials) + more
        if self.spec.runs is not None and count >= self.spec.runs:
            return False
        if self.spec.time is None or not self.runs:
            return True
        finals = min(FINALISTS, count + 1) * len(FINAL_SEEDS) + self.spec.reserve
        budget = self.spec.time * self.work.executor.size
        return self.took + self._mean * (more + 1 + finals) <= budget

    def _make(self, study: StudyFolder, trials: Sequence[Trial]) -> None:
        """Make the runs of trials, and have Optuna learn from each; a failure is the worst."""
        if not trials:
            return
        records = self._run([trial.knobs for trial in trials], [SEARCH_SEED])
        for trial, (record,) in zip(trials, records, strict=True):
            trial.is_done, trial.value = True, self._value(record)
            self.failure = _why(record) if record.failure else self.failure
            with study.usable():
                if trial.value is None:
                    study.optuna_study.tell(trial.number, state=TrialState.PRUNED)
                else:
                    study.optuna_study.tell(trial.number, trial.value)

    def _choose(self, finalists: Sequence[Trial]) -> list[Mapping[str, Any]]:
        """The finalists' knobs, the best mean first; those with runs that fail are behind."""
        runs = self._run([trial.knobs for trial in finalists], FINAL_SEEDS)
        losses = [[self._loss(self._value(record)) for record in records] for records in runs]

        def order(index: int) -> tuple[int, float]:
            known = [loss for loss in losses[index] if loss < math.inf]
            return -len(known), fmean(known) if known else 0.0

        return [finalists[index].knobs for index in sorted(range(len(finalists)), key=order)]

    def _run(self, levels: Sequence[Mapping[str, Any]], seeds: Sequence[int]) -> list[list[Record]]:
        """The records of each of `levels`, one for each of `seeds`."""
        spec, before = self.spec, self.runs
        plan = plan_chosen(levels, spec.ranges.fixed, spec.metrics, seeds, command=spec.command)

        def on_event(event: Event) -> None:
            done, least = before + event.progress.done, before + event.progress.total
            total = max(self._total(), least)
            left = (total - done) * self._mean / self.work.executor.size if self.runs else None
            progress = replace(event.progress, done=done, total=total, seconds_left=left)
            self.on_event(replace(event, progress=progress))

        first = self.first_runs
        records = run_jobs(plan, self.work, self.store, on_event, first_runs=first).records
        self.runs += len(records)
        self.took += math.fsum(record.took for record in records.values())
        settings = [self._setting({**spec.ranges.fixed, **knobs}) for knobs in levels]
        return [[records[setting, seed] for seed in seeds] for setting in settings]

    def _total(self) -> int:
        """How many runs of the search and of its finalists there will be, as far as is known."""
        known = self.spec.runs or len(self.trials)
        return int(min(known, self.spec.ranges.count)) + FINALISTS * len(FINAL_SEEDS)

    @property
    def _mean(self) -> float:
        """Seconds of a run."""
        return max(self.took / self.runs, 1e-6)

    def _setting(self, knobs: Mapping[str, Any]) -> Setting:
        return Setting.external(knobs, self.spec.command)

    def _key(self, trial: Trial) -> str:
        setting = self._setting({**self.spec.ranges.fixed, **trial.knobs})
        return self.work.keys.of(PlannedRun(setting, SEARCH_SEED))

    def _value(self, record: Record) -> float | None:
        return record.metrics.get(self.spec.metrics[0].name)

    def _loss(self, value: float | None) -> float:
        if value is None:
            return math.inf
        return -value if self.spec.metrics[0].higher_is_better else value


def _why(record: Record) -> str:
    return ": ".join(filter(None, [record.failure, record.last_words]))
