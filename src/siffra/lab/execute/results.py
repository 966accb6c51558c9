"""What is stored of a plan: its runs and its rounds of times, by the keys of both."""

import abc
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice

from siffra.config import ExternalModel, Setting
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine
from siffra.lab.execute.events import Job
from siffra.lab.plan.plan import Plan, PlannedRun, PlannedTiming
from siffra.lab.stats.rounds import Number, possible_timings
from siffra.store.store import Store
from siffra.training.run import Record, WrittenRecord, run_key
from siffra.training.timing import Timing, timing_key

_AT_ONCE = 1000
"""Records that are read together."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a plan asks for: `runs` in all, `have` of them stored, `seconds` for the others.

    `seconds` is predicted wall time, compiling not counted; 0 where no such run is known. If the
    budget does not last for all of these, `fits` is false: how many of them there will be is then
    seen as they come in. A `first_look` takes this many seconds more, and `enough` is a budget that
    would last for it.
    """

    runs: int
    have: int
    seconds: float
    fits: bool = True
    first_look: float = 0.0
    enough: float = 0.0


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What a lab had no time for when it came to its end, in predicted wall seconds.

    That is a first look: at everything (`seconds`), at each of its `questions` and `experiments`,
    where 0 says that it was had, and of each of the `claims` that had none. Runs that several of
    them need are in the seconds of each.
    """

    seconds: float
    questions: tuple[float, ...]
    experiments: tuple[float, ...]
    claims: tuple[tuple[Number, float], ...]


@dataclass(frozen=True, slots=True)
class Results:
    """What a lab rests on: its runs by setting and seed, and its times, round by round.

    `shortfall` is what is missing of the first look of a lab that came to its end: None if nothing
    is, and of one that was stopped.
    """

    records: dict[tuple[Setting, int], Record] = field(default_factory=dict)
    timings: dict[PlannedTiming, Timing] = field(default_factory=dict)
    shortfall: Shortfall | None = None


class StoredRecords(Mapping[tuple[Setting, int], Record]):
    """The runs of `plan` that are there, by setting and seed: each is read when it is asked for.

    Most are never asked for before the lab's end. `took` are the seconds of all together.
    """

    def __init__(
        self, plan: Plan, store: Store, read: Mapping[tuple[Setting, int], Record]
    ) -> None:
        self._plan, self._store = plan, store
        self._read = dict(read)
        self._keys = {run: record.key for run, record in read.items()}
        self.took = math.fsum(record.took for record in read.values())

    def add(self, run: PlannedRun, record: Record | WrittenRecord) -> None:
        """Add a run that is stored now."""
        which = run.setting, run.seed
        self._keys[which] = record.key
        self.took += record.took
        if isinstance(record, Record):
            self._read[which] = record

    def read_all(self) -> dict[tuple[Setting, int], Record]:
        """All of them, in the plan's order, whoever made them."""
        unread = ((run, key) for run, key in self._keys.items() if run not in self._read)
        while batch := dict(islice(unread, _AT_ONCE)):
            stored = self._store.get_all(batch.values())
            for run, key in batch.items():
                self._read[run] = stored[key]
        runs = ((run.setting, run.seed) for run in self._plan.possible_runs)
        return {run: self._read[run] for run in runs if run in self._read}

    def __getitem__(self, run: tuple[Setting, int]) -> Record:
        if run not in self._read:
            stored = self._store.get_all([self._keys[run]])
            self._read[run] = stored[self._keys[run]]
        return self._read[run]

    def __contains__(self, run: object) -> bool:
        return run in self._keys

    def __iter__(self) -> Iterator[tuple[Setting, int]]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


class Keys(abc.ABC):
    """The keys under which jobs are stored; each is made once."""

    def __init__(self) -> None:
        self._known: dict[Job, str] = {}

    def of(self, job: Job) -> str:
        """The key of a run, or of a timing."""
        if job not in self._known:
            self._known[job] = self._make(job)
        return self._known[job]

    @abc.abstractmethod
    def _make(self, job: Job) -> str:
        """See `of`."""


class EngineKeys(Keys):
    """The keys of what an engine does on one data set."""

    def __init__(self, dataset: Dataset, engine: Engine) -> None:
        super().__init__()
        self.dataset, self.engine = dataset, engine
        self._split_for = lru_cache(maxsize=1)(dataset.split_for)  # a plan goes seed by seed

    def _make(self, job: Job) -> str:
        if isinstance(job, PlannedTiming):
            return timing_key(job.settings, self.dataset, job.round, self.engine)
        return run_key(job.setting, self._split_for(job.seed), job.seed, self.engine)


def stored_results(
    plan: Plan, keys: Keys, store: Store, remade: Collection[str] = frozenset()
) -> Results:
    """All that is stored of what `plan` may come to need, in its order, and need not be made.

    The runs with the keys `remade` are made all the same.
    """
    runs = {planned: keys.of(planned) for planned in plan.possible_runs}
    by_key = store.get_all(stored_runs(runs, store).difference(remade))
    records = {(r.setting, r.seed): by_key[k] for r, k in runs.items() if k in by_key}
    timings = {planned: keys.of(planned) for planned in possible_timings(plan)}
    timed = store.timings(timings.values())
    return Results(records, {t: timed[key] for t, key in timings.items() if key in timed})


def stored_runs(keys: Mapping[PlannedRun, str], store: Store) -> set[str]:
    """The keys of the runs that need not be made: stored, and examined where that is wanted."""
    wanted = {key for planned, key in keys.items() if planned.examine}
    return store.stored(keys.values()) - (wanted - store.examined(wanted))


def remade_runs(
    keys: Mapping[PlannedRun, str], store: Store, fresh: bool, metrics: Collection[str] = ()
) -> frozenset[str]:
    """The keys of the stored runs that are made all the same.

    Those are all if `fresh`; else those that failed, or were asked for others than these `metrics`.
    """
    if fresh:
        return frozenset(store.stored(keys.values()))
    may_fail = [k for run, k in keys.items() if isinstance(run.setting.model, ExternalModel)]
    records = store.get_all(store.stored(may_fail)).items()
    return frozenset(key for key, record in records if record.failure or record.lacks(metrics))
