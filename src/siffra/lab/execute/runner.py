"""Runs a plan: makes the runs that are missing, and stores each.

Everything that a killed lab needs to go on is in the store, so going on is running the same plan
again. Several processes may run plans on one store: each run is made by one of them. *Where* runs
are made is an executor's matter; here it is decided what comes next.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine
from siffra.errors import ExecutorError, StoreError
from siffra.lab.execute.base import Executor
from siffra.lab.execute.cost import Costs
from siffra.lab.execute.events import Event, Kind, Progress
from siffra.lab.execute.local import LocalExecutor
from siffra.lab.plan.plan import Plan, PlannedRun
from siffra.lab.stats.rounds import next_round
from siffra.store.store import Store
from siffra.training.diagnostics import Examination
from siffra.training.run import Record, run_key

__all__ = ["Cost", "Event", "Fresh", "Progress", "estimate", "run_keys", "run_plan"]

_POLL = 0.2
"""Seconds between looks at what other processes have finished."""
MOST_LOSSES = 3
"""A run that is lost so often ends the lab: it may well be the cause."""

Fresh = bool | Literal["busy"]
"""Whether stored runs are made anew: all, or those that were made on a busy machine."""

_Made = tuple[PlannedRun, Record, Examination | None]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a plan asks for: `runs` in all, `have` of them stored, `seconds` for the others.

    `seconds` is predicted wall time, compiling not counted.
    """

    runs: int
    have: int
    seconds: float


def run_plan(
    plan: Plan,
    dataset: Dataset,
    engine: Engine,
    store: Store,
    on_event: Callable[[Event], None] = lambda event: None,
    *,
    fresh: Fresh = False,
    executor: Executor | None = None,
) -> dict[tuple[Setting, int], Record]:
    """Make every run of `plan` that is not stored; return all of them, by setting and seed.

    The `executor` makes them; by default this thread does, one at a time.

    A run that is to be examined and was stored without that is made again for it. Its record
    stays: the same key gives the same network.

    Runs are made in the plan's order, except that those which another process is making are
    left to it, and taken over if it dies. Whatever ends this early, an interrupt or what
    `on_event` raises, loses the runs in progress only. A run that is lost with its process is
    made again, but not for ever.

    With `fresh`, stored runs are made too, and each is replaced when its new one is there; with
    "busy", only those whose times were taken on a busy machine.

    A plan with looks is judged at each; then the runs of the next look are made, of those claims
    that are still open.

    Raises:
        ConfigError: A model cannot be built for the data set's images.
        StoreError: A run cannot be stored or read.
        ExecutorError: No run can be made, or one was lost again and again.
    """
    executor = executor or LocalExecutor(dataset, engine)
    records: dict[tuple[Setting, int], Record] = {}
    current: Plan | None = plan
    while current:
        keys = run_keys(current, dataset, engine)
        costs = Costs(dataset, engine, store, executor.jobs)
        records |= _PlanRunner(keys, store, executor, costs, on_event, fresh, len(records)).run()
        current = next_round(plan, records) if plan.looks else None
    return records


def estimate(
    plan: Plan,
    dataset: Dataset,
    engine: Engine,
    store: Store,
    *,
    fresh: Fresh = False,
    executor: Executor | None = None,
) -> Cost:
    """What `run_plan` with the same arguments would take.

    Of a plan with looks, as far as the next look that is not made: what comes then is not known.

    Raises:
        ConfigError: A model cannot be built for the data set's images.
        StoreError: The store cannot be read.
    """
    executor = executor or LocalExecutor(dataset, engine)
    costs = Costs(dataset, engine, store, executor.jobs)
    records: dict[tuple[Setting, int], Record] = {}
    runs = have = 0
    current: Plan | None = plan
    while current:
        keys = run_keys(current, dataset, engine)
        stored = _stored(keys, store) - _remade(keys, store, fresh)
        missing = [planned for planned, key in keys.items() if key not in stored]
        runs, have = runs + len(keys), have + len(keys) - len(missing)
        if missing or not plan.looks:
            alone = [costs.seconds(planned.setting) for planned in missing]
            return Cost(runs, have, _shared_out(sum(alone), len(alone), executor))
        by_key = store.get_all(keys.values())
        records |= {(p.setting, p.seed): by_key[key] for p, key in keys.items() if key in by_key}
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


def _remade(keys: Mapping[PlannedRun, str], store: Store, fresh: Fresh) -> frozenset[str]:
    """The keys of the stored runs that are made all the same if `fresh`."""
    if not fresh:
        return frozenset()
    stored = store.stored(keys.values())
    if fresh != "busy":
        return frozenset(stored)
    return frozenset(key for key, record in store.get_all(stored).items() if record.is_busy)


def _shared_out(seconds: float, runs: int, executor: Executor) -> float:
    """Wall seconds of `runs` that take `seconds` one after the other."""
    return seconds / max(1, min(executor.size, runs))


class _PlanRunner:
    """Makes the runs with these `keys`.

    A run is at first `ahead`, and then submitted to the executor, unless another process has
    claimed it: then it is `elsewhere`, and looked at again.
    """

    def __init__(
        self,
        keys: Mapping[PlannedRun, str],
        store: Store,
        executor: Executor,
        costs: Costs,
        on_event: Callable[[Event], None],
        fresh: Fresh,
        before: int,
    ) -> None:
        self._keys, self._store, self._executor = keys, store, executor
        self._costs, self._on_event = costs, on_event
        self._before = before  # runs of earlier looks
        self._remade = _remade(keys, store, fresh)
        self._records: dict[PlannedRun, Record] = {}
        self._ahead: deque[PlannedRun] = deque()
        self._elsewhere: deque[PlannedRun] = deque()
        self._looked = 0.0
        self._submitted: set[PlannedRun] = set()
        self._shares: dict[PlannedRun, float] = {}  # of the submitted, the share that is behind
        self._lost: deque[PlannedRun] = deque()  # of the submitted, those to be submitted again
        self._losses: Counter[PlannedRun] = Counter()
        self._left = Counter(planned.setting for planned in keys)
        self._seconds_left = 0.0

    def run(self) -> dict[tuple[Setting, int], Record]:
        self._reuse_stored()
        if self._ahead:
            self._report(Event("preparing"))
            self._executor.prepare(self._ahead)
        try:
            self._run_missing()
        except BaseException:
            # Should the release fail too, the claims are void as soon as the store is closed.
            with suppress(StoreError):
                self._store.release(*(self._keys[planned] for planned in self._submitted))
            raise
        # In the plan's order, whoever made them.
        return {(p.setting, p.seed): self._records[p] for p in self._keys}

    def _run_missing(self) -> None:
        waiting = False
        while self._ahead or self._elsewhere or self._submitted:
            before = len(self._records)
            self._submit()
            if self._submitted:
                self._poll()
            elif len(self._records) == before and not self._ahead:
                if not waiting:
                    self._report(Event("waiting"))
                waiting = True
                time.sleep(_POLL)

    def _reuse_stored(self) -> None:
        by_key = self._store.get_all(_stored(self._keys, self._store) - self._remade)
        for planned, key in self._keys.items():
            if key in by_key:
                self._keep(planned, by_key[key])
        self._ahead.extend(planned for planned in self._keys if planned not in self._records)
        self._predict()
        for planned, record in self._records.items():
            self._report(Event("reused", planned, record=record))

    def _submit(self) -> None:
        """Submit as many as the executor has capacity for, of the runs that nobody makes yet."""
        if not self._ahead and time.monotonic() - self._looked > _POLL:
            self._ahead, self._elsewhere = self._elsewhere, deque()
            self._looked = time.monotonic()
        while self._lost and self._executor.capacity:
            self._executor.submit(self._lost.popleft())
        count = min(self._executor.capacity, len(self._ahead))
        missing = self._not_stored([self._ahead.popleft() for _ in range(count)]) if count else []
        claimed = self._claim(missing)
        self._submitted |= claimed
        self._elsewhere.extend(planned for planned in missing if planned not in claimed)
        for planned in missing:
            if planned in claimed:
                self._report(Event("started", planned))
                self._executor.submit(planned)

    def _not_stored(self, runs: Sequence[PlannedRun]) -> list[PlannedRun]:
        """Those that nobody has stored meanwhile; the others are reused."""
        keys = {planned: self._keys[planned] for planned in runs}
        by_key = self._store.get_all(_stored(keys, self._store) - self._remade)
        reused = {planned: by_key[key] for planned, key in keys.items() if key in by_key}
        for planned, record in reused.items():
            self._keep(planned, record)
        if reused:
            self._predict()
        self._report_kept("reused", reused)
        return [planned for planned in runs if planned not in reused]

    def _claim(self, missing: Sequence[PlannedRun]) -> set[PlannedRun]:
        """Those that are now ours to make."""
        claimed: set[str] = set()
        for replaces in (False, True):
            keys = [
                self._keys[planned]
                for planned in missing
                if (planned.examine or self._keys[planned] in self._remade) == replaces
            ]
            claimed |= self._store.claim_all(keys, replace=replaces) if keys else set()
        return {planned for planned in missing if self._keys[planned] in claimed}

    def _poll(self) -> None:
        """Store the runs that the executor has finished by now, and report the rest."""
        made: list[_Made] = []

        def on_event(event: Event) -> None:
            planned = event.planned_run
            if event.record:
                made.append((planned, event.record, event.examination))
            elif event.kind == "epoch":
                self._shares[planned] = min(1.0, event.epoch / planned.setting.training.epochs)
                self._report(event)
            else:
                self._run_again(planned, event.reason)

        try:
            self._executor.poll(on_event)
        finally:  # whatever ended it, these are made
            self._store_all(made)

    def _run_again(self, planned: PlannedRun, reason: str) -> None:
        self._losses[planned] += 1
        losses = self._losses[planned]
        if losses == MOST_LOSSES:
            raise ExecutorError(
                f"run {self._keys[planned][:12]} was lost {losses} times, last because "
                f"{reason}. Finished runs are stored; rerun the same command to continue."
            )
        self._shares.pop(planned, None)
        self._lost.append(planned)
        self._report(Event("lost", planned, reason=reason, losses=losses))

    def _store_all(self, made: Sequence[_Made]) -> None:
        if not made:
            return
        for planned, record, _ in made:
            if record.key != self._keys[planned]:
                raise ExecutorError(
                    f"run {self._keys[planned][:12]} came back as {record.key[:12]}: its worker "
                    "has a different siffra, engine or data set; install the same versions there."
                )
        stayed: set[str] = set()
        for replaces in (False, True):
            finished = [
                (record, examination)
                for _, record, examination in made
                if (record.key in self._remade) == replaces
            ]
            stayed |= self._store.add_all(finished, replace=replaces) if finished else set()
        # Where a run was made again for its examination alone, the stored record counts.
        stored = self._store.get_all(stayed)
        for planned, record, _ in made:
            self._costs.learn(record)
            self._keep(planned, stored.get(record.key, record))
            self._submitted.remove(planned)
            self._shares.pop(planned, None)
        self._predict()
        self._report_kept("finished", {planned: self._records[planned] for planned, _, _ in made})

    def _report(self, event: Event, done: int | None = None) -> None:
        self._on_event(replace(event, progress=self._progress(done)))

    def _report_kept(self, kind: Kind, kept: Mapping[PlannedRun, Record]) -> None:
        """Report runs that have just been kept, one after the other."""
        before = self._before + len(self._records) - len(kept)
        for number, (planned, record) in enumerate(kept.items(), start=1):
            self._report(Event(kind, planned, record=record), before + number)

    def _keep(self, planned: PlannedRun, record: Record) -> None:
        self._records[planned] = record
        self._left[planned.setting] -= 1

    def _predict(self) -> None:
        left = self._left.items()
        self._seconds_left = sum(n * self._costs.seconds(setting) for setting, n in left if n)

    def _progress(self, done: int | None = None) -> Progress:
        """Where the lab stands, with what is behind the runs in progress."""
        shares = self._shares.items()
        behind = sum(share * self._costs.seconds(planned.setting) for planned, share in shares)
        left = len(self._keys) - len(self._records)
        seconds = _shared_out(max(0.0, self._seconds_left - behind), left, self._executor)
        return Progress(
            done=self._before + len(self._records) if done is None else done,
            total=self._before + len(self._keys),
            seconds_left=seconds,
            at_once=min(len(self._submitted), self._executor.size),
        )
