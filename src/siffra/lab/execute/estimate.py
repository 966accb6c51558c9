"""What running a plan would take: how many runs, and how long they are predicted to last."""

from collections.abc import Sequence

from siffra.data.dataset import Dataset
from siffra.engine.base import Engine
from siffra.lab.execute.base import Executor
from siffra.lab.execute.results import Cost, remade_runs, stored_results
from siffra.lab.execute.scheduler import Job, Scheduler
from siffra.lab.execute.work import Work, engine_work
from siffra.lab.plan.plan import Plan, PlannedRun
from siffra.store.store import Store


def estimate(
    plan: Plan,
    dataset: Dataset,
    engine: Engine,
    store: Store,
    *,
    fresh: bool = False,
    executor: Executor | None = None,
) -> Cost:
    """What `run_plan` with the same arguments would take.

    Raises:
        ConfigError: A model cannot be built for the data set's images.
        StoreError: The store cannot be read.
    """
    return estimate_jobs(plan, engine_work(dataset, engine, store, executor), store, fresh=fresh)


def estimate_jobs(plan: Plan, work: Work, store: Store, *, fresh: bool = False) -> Cost:
    """What `run_jobs` with the same arguments would take.

    Of a plan with looks, the runs of its first look; if those are there, of the next one. A plan
    whose budget leaves no time for any of them takes none.

    Raises:
        ConfigError: A model cannot be built for the data set's images.
        StoreError: The store cannot be read.
    """
    keys = {run: work.keys.of(run) for run in plan.runs}
    remade = remade_runs(keys, store, fresh, plan.metrics)
    results = stored_results(plan, work.keys, store, remade)
    scheduler = Scheduler(plan, work.costs, work.executor.size)
    have = len(results.records)
    jobs: Sequence[Job] = scheduler.next(results.records, results.timings, frozenset())
    first = scheduler.first_look(results.records, results.timings)
    fits = not first.jobs or list(first.jobs) == jobs

    def wall(jobs: Sequence[Job]) -> float:
        return work.wall_seconds(sum(map(scheduler.cost, jobs)), len(jobs))

    first_look = wall(first.all)
    left = scheduler.seconds_left(results.records, results.timings)
    enough = first_look + (plan.time - left if plan.time else 0.0)
    if not jobs:
        return Cost(have, have, 0.0, fits, first_look, enough)
    if first.jobs:
        jobs = first.all
        seeds = {*plan.seeds, *plan.tuning_seeds}  # what is stored beyond is not asked for yet
        have = sum(seed in seeds for _, seed in results.records)
    runs = have + sum(isinstance(job, PlannedRun) for job in jobs)
    return Cost(runs, have, wall(jobs), fits, first_look, enough)
