"""From a plan to records: makes the runs that are missing, one at a time, and keeps each.

Everything that a killed lab needs to go on is in the store, so going on is conducting the
same plan again. Several processes may conduct on one store: each run is made by one of them.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine
from siffra.errors import StoreError
from siffra.examination import examine
from siffra.lab.cost import Costs
from siffra.lab.plan import Plan, PlannedRun
from siffra.lab.rounds import next_round
from siffra.run import Epoch, Record, run, run_key
from siffra.store import Store

_POLL = 0.2
"""Seconds between looks at what other processes have finished."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a lab has come. `seconds_left` is a prediction."""

    done: int
    total: int
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Started:
    """A run begins."""

    run: PlannedRun
    progress: Progress


@dataclass(frozen=True, slots=True)
class EpochDone:
    """The current run has ended its epoch `number`, from 1."""

    run: PlannedRun
    number: int
    epoch: Epoch
    progress: Progress


@dataclass(frozen=True, slots=True)
class Finished:
    """A run was made, and is stored."""

    run: PlannedRun
    record: Record
    progress: Progress


@dataclass(frozen=True, slots=True)
class Reused:
    """A run was found in the store, from earlier or from another process."""

    run: PlannedRun
    record: Record
    progress: Progress


@dataclass(frozen=True, slots=True)
class Waiting:
    """All runs that are left are being made by other processes."""

    progress: Progress


Event = Started | EpochDone | Finished | Reused | Waiting


@dataclass(frozen=True, slots=True)
class Cost:
    """What a plan asks for: `runs` in all, `have` of them stored, `seconds` for the others.

    `seconds` is predicted wall time, compiling not counted.
    """

    runs: int
    have: int
    seconds: float


def conduct(
    plan: Plan,
    dataset: Dataset,
    engine: Engine,
    store: Store,
    on_event: Callable[[Event], None] = lambda event: None,
    *,
    fresh: bool = False,
) -> dict[tuple[Setting, int], Record]:
    """Make every run of `plan` that is not stored; return them all, by setting and seed.

    A run that is to be examined and was stored without that is made again for it. Its record
    stays: the same key gives the same network.

    Runs are made in the plan's order, except that those which another process is making are
    left to it, and taken over if it dies. Whatever ends this early, an interrupt or what
    `on_event` raises, loses the current run only.

    A `fresh` conducting makes the stored runs too, and replaces each when its new one is there.

    A plan with looks is judged at each; then the runs of the next look are made, of those claims
    that are still open.

    Raises:
        ConfigError: A model cannot be built for the data set's images.
        StoreError: A run cannot be stored or read.
    """
    records: dict[tuple[Setting, int], Record] = {}
    current: Plan | None = plan
    while current:
        conductor = _Conductor(current, dataset, engine, store, on_event, fresh, len(records))
        records |= conductor.conduct()
        current = next_round(plan, records) if plan.looks else None
    return records


def estimate(
    plan: Plan, dataset: Dataset, engine: Engine, store: Store, *, fresh: bool = False
) -> Cost:
    """What conducting `plan` would take; a `fresh` conducting has nothing stored.

    Of a plan with looks, as far as the next look that is not made: what comes then is not known.

    Raises:
        ConfigError: A model cannot be built for the data set's images.
        StoreError: The store cannot be read.
    """
    costs = Costs(dataset, engine, store)
    records: dict[tuple[Setting, int], Record] = {}
    runs = have = 0
    current: Plan | None = plan
    while current:
        keys = run_keys(current, dataset, engine)
        stored = set() if fresh else _stored(keys, store)
        missing = [planned for planned, key in keys.items() if key not in stored]
        runs, have = runs + len(keys), have + len(keys) - len(missing)
        if missing or not plan.looks:
            seconds = sum(costs.seconds(planned.setting) for planned in missing)
            return Cost(runs, have, seconds)
        found = {(p.setting, p.seed): store.get(key) for p, key in keys.items()}
        records |= {planned: record for planned, record in found.items() if record}
        current = next_round(plan, records)
    return Cost(runs, have, 0.0)


def run_keys(plan: Plan, dataset: Dataset, engine: Engine) -> Mapping[PlannedRun, str]:
    """The run key of each planned run, in the plan's order."""
    split_for = lru_cache(maxsize=1)(dataset.split_for)  # a plan goes seed by seed
    return {
        planned: run_key(planned.setting, split_for(planned.seed), planned.seed, engine)
        for planned in plan.runs
    }


def _stored(keys: Mapping[PlannedRun, str], store: Store) -> set[str]:
    """The keys of the runs that need not be made: stored, and examined where that is wanted."""
    wanted = {key for planned, key in keys.items() if planned.examine}
    return store.stored(keys.values()) - (wanted - store.examined(wanted))


class _Conductor:
    """One conducting of one plan."""

    def __init__(
        self,
        plan: Plan,
        dataset: Dataset,
        engine: Engine,
        store: Store,
        on_event: Callable[[Event], None],
        fresh: bool,
        before: int,
    ) -> None:
        self._engine, self._store, self._on_event = engine, store, on_event
        self._fresh = fresh
        self._before = before  # runs of earlier looks
        self._keys = run_keys(plan, dataset, engine)
        self._split_for = lru_cache(maxsize=1)(dataset.split_for)
        self._costs = Costs(dataset, engine, store)
        self._records: dict[PlannedRun, Record] = {}
        self._seconds_left = 0.0

    def conduct(self) -> dict[tuple[Setting, int], Record]:
        self._reuse_stored()
        waiting = False
        while left := self._left():
            before = len(self._records)
            for planned in left:
                self._obtain(planned)
            if len(self._records) == before:
                if not waiting:
                    self._on_event(Waiting(self._progress()))
                waiting = True
                time.sleep(_POLL)
        # In the plan's order, whoever made them.
        return {(p.setting, p.seed): self._records[p] for p in self._keys}

    def _reuse_stored(self) -> None:
        stored = set() if self._fresh else _stored(self._keys, self._store)
        found = {p: self._store.get(key) for p, key in self._keys.items() if key in stored}
        self._records = {planned: record for planned, record in found.items() if record}
        self._predict()
        for planned, record in self._records.items():
            self._on_event(Reused(planned, record, self._progress()))

    def _left(self) -> list[PlannedRun]:
        return [planned for planned in self._keys if planned not in self._records]

    def _obtain(self, planned: PlannedRun) -> None:
        """Get a run from the store, or make it; leave it if another process is at it."""
        key = self._keys[planned]
        stored = not self._fresh and key in _stored({planned: key}, self._store)
        record = self._store.get(key) if stored else None
        if record is not None:
            self._keep(planned, record)
            self._on_event(Reused(planned, record, self._progress()))
        elif self._store.claim(key, replace=self._fresh or planned.examine):
            record = self._make(planned, key)
            self._costs.learn(record)
            self._keep(planned, record)
            self._on_event(Finished(planned, record, self._progress()))

    def _make(self, planned: PlannedRun, key: str) -> Record:
        def end_epoch(number: int, epoch: Epoch) -> None:
            share = min(1.0, number / planned.setting.training.epochs)
            progress = self._progress(planned, share)
            self._on_event(EpochDone(planned, number, epoch, progress))

        try:
            self._on_event(Started(planned, self._progress()))
            dataset = self._split_for(planned.seed)
            record, fitted = run(planned.setting, dataset, planned.seed, self._engine, end_epoch)
            examination = examine(fitted, dataset) if planned.examine else None
            self._store.add(record, examination, replace=self._fresh)
            # Not the new one, where the run was made again for its examination.
            kept = self._store.get(key)
        except BaseException:
            # Should the release fail too, the claim is void as soon as the store is closed.
            with suppress(StoreError):
                self._store.release(key)
            raise
        return kept or record

    def _keep(self, planned: PlannedRun, record: Record) -> None:
        self._records[planned] = record
        self._predict()

    def _predict(self) -> None:
        self._seconds_left = sum(self._costs.seconds(planned.setting) for planned in self._left())

    def _progress(self, current: PlannedRun | None = None, share: float = 0.0) -> Progress:
        """Where the lab stands, with `share` of the `current` run behind it."""
        behind = share * self._costs.seconds(current.setting) if current else 0.0
        return Progress(
            done=self._before + len(self._records),
            total=self._before + len(self._keys),
            seconds_left=max(0.0, self._seconds_left - behind),
        )
