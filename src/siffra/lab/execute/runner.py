"""Runs a plan: makes the runs that are missing, and stores each.

Everything that a killed lab needs to go on is in the store, so going on is running the same plan
again. Several processes may run plans on one store: each run is made by one of them. *Where* runs
are made is an executor's matter; here it is decided what comes next.
"""

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from siffra.data.dataset import Dataset
from siffra.engine.base import Engine
from siffra.errors import ExecutorError, StoreError
from siffra.lab.execute.base import Executor
from siffra.lab.execute.events import Event, Kind, Progress, Task
from siffra.lab.execute.first_runs import FirstRuns
from siffra.lab.execute.results import (
    Results,
    StoredRecords,
    remade_runs,
    stored_results,
    stored_runs,
)
from siffra.lab.execute.scheduler import Job, Pending, Scheduler
from siffra.lab.execute.work import Work, engine_work
from siffra.lab.plan.plan import Plan, PlannedRun, PlannedTiming
from siffra.store.store import Store
from siffra.training.examination import Examination
from siffra.training.run import Record, WrittenRecord
from siffra.training.timing import Timing

__all__ = [
    "Event",
    "Progress",
    "Results",
    "run_plan",
]

_POLL = 0.2
"""Seconds between looks at what other processes have finished."""
MOST_LOSSES = 3
"""A run that is lost so often ends the lab: it may well be the cause."""


_Made = tuple[PlannedRun, Record | WrittenRecord, Examination | str | None]


def run_plan(
    plan: Plan,
    dataset: Dataset,
    engine: Engine,
    store: Store,
    on_event: Callable[[Event], None] = lambda event: None,
    *,
    fresh: bool = False,
    executor: Executor | None = None,
) -> Results:
    """Make every run and timing of `plan` that is not stored; return all of them.

    The `executor` makes them; by default this thread does, one at a time.

    A run that is to be examined and was stored without that is made again for it. Its record
    stays: the same key gives the same network.

    Runs are made in the plan's order, except that those which another process is making are
    left to it, and taken over if it dies. Whatever ends this early, an interrupt or what
    `on_event` raises, loses the runs in progress only. A run that is lost with its process is
    made again, but not for ever.

    With `fresh`, stored runs are made too, and each is replaced when its new one is there.

    A plan with looks goes on after those of the first one, as long as its budget lasts: with the
    claim that is expected to be decided soonest (`siffra.lab.execute.scheduler`). If the budget
    does not last for the first one of everything, it does so from the start.

    Raises:
        ConfigError: A model cannot be built for the data set's images.
        StoreError: A run cannot be stored or read.
        ExecutorError: No run can be made, or one was lost again and again.
    """
    work = engine_work(dataset, engine, store, executor)
    return run_jobs(plan, work, store, on_event, fresh=fresh)


def run_jobs(
    plan: Plan,
    work: Work,
    store: Store,
    on_event: Callable[[Event], None] = lambda event: None,
    *,
    fresh: bool = False,
    first_runs: FirstRuns | None = None,
) -> Results:
    """`run_plan` for any kind of work. Runs that failed are made again.

    `first_runs` sees to them where the plan is a part of something larger.

    Raises:
        SiffraError: As `run_plan`.
    """
    return _PlanRunner(plan, work, store, on_event, fresh, first_runs).run()


class _PlanRunner:
    """Makes the jobs of `plan`, as its scheduler chooses them.

    A job is at first `ahead`, and then submitted to the executor, unless another process has
    claimed it: then it is `elsewhere`, and looked at again.
    """

    def __init__(
        self,
        plan: Plan,
        work: Work,
        store: Store,
        on_event: Callable[[Event], None],
        fresh: bool,
        first_runs: FirstRuns | None,
    ) -> None:
        self._plan, self._store = plan, store
        self._work, self._executor = work, work.executor
        self._keys, self._key, self._on_event = work.keys, work.keys.of, on_event
        self._costs = work.costs
        self._scheduler = Scheduler(plan, self._costs, self._executor.size)
        self._fresh = fresh
        self._remade: frozenset[str] = frozenset()
        self._is_part = first_runs is not None
        self._first_runs = first_runs or FirstRuns(plan)
        self._records = StoredRecords(plan, store, {})
        self._timings: dict[PlannedTiming, Timing] = {}
        self._runs = 0  # that are made, or asked for
        self._pending = Pending()  # all that follow
        self._ahead: deque[Job] = deque()
        self._elsewhere: deque[Job] = deque()
        self._looked = 0.0
        self._submitted: set[Job] = set()
        self._shares: dict[Job, float] = {}  # of the submitted, the share that is behind
        self._lost: deque[Job] = deque()  # of the submitted, those to be submitted again
        self._losses: Counter[Job] = Counter()
        self._seen = -1  # results by which the scheduler was last asked in vain

    def run(self) -> Results:
        self._reuse_stored()
        if self._ahead:
            self._report(Event("preparing"))
            self._executor.prepare(self._ahead)
        try:
            self._run_missing()
        except BaseException:
            # Should the release fail too, the claims are void as soon as the store is closed.
            with suppress(StoreError):
                self._store.release(*map(self._key, self._submitted))
            raise
        return self._in_order()

    def _in_order(self) -> Results:
        """In the plan's order, whoever made them."""
        records = self._records.read_all()
        return Results(records, self._timings, self._scheduler.shortfall(records, self._timings))

    def _run_missing(self) -> None:
        waiting = False
        while True:
            self._ask()
            if not self._pending.jobs:
                return
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
        runs = self._plan.possible_runs
        keys = {planned: self._key(planned) for planned in runs}
        self._remade = remade_runs(keys, self._store, self._fresh, self._plan.metrics)
        stored = stored_results(self._plan, self._keys, self._store, self._remade)
        records = stored.records
        self._records = StoredRecords(self._plan, self._store, records)
        self._timings = {} if self._fresh is True else stored.timings
        self._runs = len(records)
        have = [planned for planned in runs if (planned.setting, planned.seed) in records]
        if not self._is_part:
            self._first_runs = FirstRuns(self._plan, any_works=bool(have))
        reused = {planned: records[planned.setting, planned.seed] for planned in have}
        if self._plan.looks:
            self._scheduler.judge(self._records, self._timings)
        self._ask()
        self._report_kept("reused", reused)

    def _ask(self) -> None:
        """Have as many jobs ahead as there is capacity for, if there is so much to do."""
        records, timings, pending = self._records, self._timings, self._pending.jobs
        seen = len(records) + len(timings)
        if self._ahead and not self._scheduler.fits(records, timings, pending):
            # It was chosen when it seemed to take less than it is known to take now.
            self._runs -= sum(isinstance(job, PlannedRun) for job in self._ahead)
            self._pending.remove(self._ahead)
            self._ahead.clear()
        while self._asks_after(seen) and len(self._ahead) < max(1, self._executor.capacity):
            jobs = self._scheduler.next(records, timings, pending)
            if not jobs:
                self._seen = seen  # what is pending may yet show what to do next
                break
            self._runs += sum(isinstance(job, PlannedRun) for job in jobs)
            self._ahead.extend(jobs)
            self._pending.add(jobs)

    def _asks_after(self, seen: int) -> bool:
        """Whether to ask for more to do, with this many results.

        Where very many runs are made at once, not at each: to judge them takes long, and as long as
        one waits for each slot there is no hurry.
        """
        if self._seen < 0:
            return True
        if self._scheduler.is_settled or seen == self._seen:
            return False
        size = self._executor.size
        return len(self._submitted) <= size or seen - self._seen >= size // 8

    def _submit(self) -> None:
        """Submit as many as the executor has capacity for, of the jobs that nobody makes yet."""
        if not self._ahead and time.monotonic() - self._looked > _POLL:
            self._ahead, self._elsewhere = self._elsewhere, deque()
            self._looked = time.monotonic()
        while self._lost and self._executor.capacity:
            self._executor.submit(self._lost.popleft())
        count = min(self._executor.capacity, len(self._ahead))
        missing = self._not_stored([self._ahead.popleft() for _ in range(count)]) if count else []
        claimed = self._claim(missing)
        self._submitted |= claimed
        self._elsewhere.extend(job for job in missing if job not in claimed)
        progress = self._progress() if claimed else None
        for job in missing:
            if job in claimed:
                self._report(Event("started", job), progress)
                self._executor.submit(job)

    def _not_stored(self, jobs: Sequence[Job]) -> list[Job]:
        """Those that nobody has stored meanwhile; the others are reused."""
        keys = {job: self._key(job) for job in jobs if isinstance(job, PlannedRun)}
        by_key = self._store.get_all(stored_runs(keys, self._store) - self._remade)
        reused = {planned: by_key[key] for planned, key in keys.items() if key in by_key}
        for planned, record in reused.items():
            self._keep(planned, record)
        self._report_kept("reused", reused)
        timed = {job: self._key(job) for job in jobs if isinstance(job, PlannedTiming)}
        stored = self._store.timings(timed.values()) if timed and self._fresh is not True else {}
        for job, key in timed.items():
            if key in stored:
                self._keep_timing(job, stored[key])
        return [job for job in jobs if job not in reused and job not in self._timings]

    def _claim(self, missing: Sequence[Job]) -> set[Job]:
        """Those that are now ours to make."""
        claimed: set[str] = set()
        for replaces in (False, True):
            keys = [
                self._key(job)
                for job in missing
                if (self._key(job) in self._remade or _is_examined(job)) == replaces
            ]
            claimed |= self._store.claim_all(keys, replace=replaces) if keys else set()
        return {job for job in missing if self._key(job) in claimed}

    def _poll(self) -> None:
        """Store what the executor has finished by now, and report the rest."""
        made: list[_Made] = []
        timed: list[tuple[PlannedTiming, Timing]] = []

        def on_event(event: Event) -> None:
            job = event.run
            assert job
            assert not isinstance(job, Task)  # a lab submits none
            if isinstance(job, PlannedTiming):
                if event.timing:
                    timed.append((job, event.timing))
                else:
                    self._run_again(job, event.reason)
            elif event.record:
                made.append((job, event.record, event.examination))
            elif event.kind == "epoch":
                self._shares[job] = self._costs.share(job.setting, event.epoch)
                self._report(event)
            else:
                self._run_again(job, event.reason)

        try:
            self._executor.poll(on_event)
        finally:  # whatever ended it, these are made
            self._store_all(made)
            self._store_timings(timed)

    def _run_again(self, job: Job, reason: str) -> None:
        self._losses[job] += 1
        losses = self._losses[job]
        if losses == MOST_LOSSES:
            raise ExecutorError(
                f"run {self._key(job)[:12]} was lost {losses} times, last because "
                f"{reason}. Finished runs are stored; rerun the same command to continue."
            )
        self._shares.pop(job, None)
        self._lost.append(job)
        self._report(Event("lost", job, reason=reason, losses=losses))

    def _store_all(self, made: Sequence[_Made]) -> None:
        if not made:
            return
        for planned, record, _ in made:
            if record.key != self._key(planned):
                raise ExecutorError(
                    f"run {self._key(planned)[:12]} came back as {record.key[:12]}: its worker "
                    "has a different siffra, engine or data set; install the same versions there."
                )
        self._first_runs.expect_metrics(record for _, record, _ in made)  # before one is replaced
        made = self._with_other_metrics(made)
        stayed: set[str] = set()
        for replaces in (False, True):
            finished = [
                (record, examination)
                for _, record, examination in made
                if (record.key in self._remade) == replaces
            ]
            stayed |= self._store.add_all(finished, replace=replaces) if finished else set()
        # Where a run was made again for its examination alone, the stored record counts.
        stored = self._store.get_all(stayed) if stayed else {}
        kept = {run: stored.get(record.key, record) for run, record, _ in made}
        for planned, record, _ in made:
            self._costs.learn(planned.setting, record)
            self._keep(planned, kept[planned])
            self._submitted.remove(planned)
            self._shares.pop(planned, None)
        self._report_kept("finished", kept)
        self._first_runs.expect_one_that_works((run, record) for run, record, _ in made)

    def _with_other_metrics(self, made: Sequence[_Made]) -> Sequence[_Made]:
        """With those of the stored record that a run replaces, which was asked for others."""
        metrics = self._plan.metrics
        keys = {record.key for _, record, _ in made} & self._remade if metrics else set()
        partial = {key: old for key, old in self._store.get_all(keys).items() if old.lacks(metrics)}
        return [
            (run, record.read().joined(partial[record.key]), examination)
            if record.key in partial
            else (run, record, examination)
            for run, record, examination in made
        ]

    def _store_timings(self, timed: Sequence[tuple[PlannedTiming, Timing]]) -> None:
        if not timed:
            return
        self._store.add_timings([timing for _, timing in timed])
        self._store.release(*(self._key(job) for job, _ in timed))
        for job, timing in timed:
            self._keep_timing(job, timing)
            self._submitted.remove(job)
            self._report(Event("timed", job, timing=timing))

    def _report(self, event: Event, progress: Progress | None = None) -> None:
        self._on_event(replace(event, progress=progress or self._progress()))

    def _report_kept(self, kind: Kind, kept: Mapping[PlannedRun, Record | WrittenRecord]) -> None:
        """Report runs that have just been kept, one after the other."""
        if not kept:
            return
        progress, before = self._progress(), len(self._records) - len(kept)
        for number, (planned, record) in enumerate(kept.items(), start=1):
            stood = replace(progress, done=before + number)
            self._report(Event(kind, planned, record=record), stood)

    def _keep(self, planned: PlannedRun, record: Record | WrittenRecord) -> None:
        self._records.add(planned, record)
        self._pending.remove([planned])

    def _keep_timing(self, planned: PlannedTiming, timing: Timing) -> None:
        self._timings[planned] = timing
        self._pending.remove([planned])

    def _progress(self) -> Progress:
        """Where the lab stands, with what is behind the runs in progress."""
        left = self._pending.jobs
        seconds = self._pending.seconds(self._scheduler.cost)
        behind = [share * self._scheduler.cost(job) for job, share in self._shares.items()]
        wall = self._work.wall_seconds(max(0.0, seconds - sum(behind)), len(left))
        rounds = self._scheduler.latest
        if rounds and not left:  # what comes next, if anything, depends on what is decided now
            rounds = self._scheduler.judge(self._records, self._timings)
        decided, claims = (rounds.shown, rounds.tested) if rounds else (0, 0)
        if decided < claims and left:
            budget = self._scheduler.seconds_left(self._records, self._timings)
            wall = max(wall, budget) if budget < math.inf else wall
        return Progress(
            done=len(self._records),
            total=self._runs,
            seconds_left=wall if wall or not left else None,
            at_once=min(len(self._submitted), self._executor.size),
            decided=decided,
            claims=claims,
        )


def _is_examined(job: Job) -> bool:
    return isinstance(job, PlannedRun) and job.examine
