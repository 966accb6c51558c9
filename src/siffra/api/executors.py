"""How and where runs are made, as users say it."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

from siffra.api.arguments import make_engine
from siffra.data.dataset import Dataset
from siffra.data.load import DataSource
from siffra.engine.base import Engine, EngineName
from siffra.engine.choice import engine_class
from siffra.errors import ConfigError
from siffra.lab.execute.base import Executor
from siffra.lab.execute.estimate import estimate
from siffra.lab.execute.local import LocalExecutor
from siffra.lab.execute.pool import PoolExecutor
from siffra.lab.execute.trainer import RunTrainer
from siffra.lab.plan.plan import Plan
from siffra.store.store import Store, default_store_path, open_store
from siffra.system.cpu import available_cores

_RAY = "ray://"
_START = 2.0
"""Seconds that must be won by other processes, which take half of that to start on a free core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How and where runs are made, and the store that they are kept in.

    Attributes:
        engine: `native`, or `torch` for PyTorch.
        threads: Threads of a run; None: the cores are shared out to the runs at once.
        jobs: How many runs are made at once; None: on this machine as many as there are cores for
            their threads, or one where all are over before other processes have started; on a
            cluster as many as it has room for.
        on: `here`; on a cluster of Ray's (`ray`, `ray://host:port`); or `auto`, a cluster if
            `RAY_ADDRESS` has the address of one.
        alone: On a cluster, give each run a machine to itself.
        store: The file of finished runs; None: the usual one.
        fresh: Make stored runs again.
        read_only: Only read the store, which need not be there: no run can be made.

    Raises:
        ConfigError: There is no such place, or what is asked for does not go together.
    """

    engine: str = "native"
    threads: int | None = None
    jobs: int | None = None
    on: str = "here"
    alone: bool = False
    store: Path | str | None = None
    fresh: bool = False
    read_only: bool = False

    def __post_init__(self) -> None:
        if self.on not in ("here", "ray", "auto") and not self.on.startswith(_RAY):
            raise ConfigError(
                f"on: found {self.on!r}; it must be here, ray, ray://host:port or auto."
            )
        if self.jobs is not None and self.jobs < 1:
            raise ConfigError(f"jobs: found {self.jobs}; it must be 1 or more.")
        if self.alone and self.on == "here":
            raise ConfigError("alone: is for a cluster; here, one run at a time is alone.")

    @property
    def at_once(self) -> int:
        """How many runs are made at once on this machine, unless it is left to be seen."""
        return self.jobs or 1

    def sized(self, plan: Plan, dataset: Dataset, store: Store) -> Self:
        """The same, where the number of runs at once is said: for those that `store` lacks.

        Raises:
            ConfigError: A model cannot be built, or there is no such engine.
            StoreError: The store cannot be read.
        """
        if self.jobs is not None or self.is_cluster:
            return self
        cores = available_cores() // (self.threads or 1)
        # The bits of PyTorch depend on the number of threads, and so on the number of runs at once.
        if cores < 2 or self.engine != "native" or os.name != "posix" or not _can_move(plan):
            return replace(self, jobs=1)
        engine = make_engine(self.threads or 1, self.engine)
        unlimited = replace(plan, time=None)  # what is next, not what the budget leaves
        cost = estimate(unlimited, dataset, engine, store, fresh=self.fresh)
        runs, seconds = cost.runs - cost.have, cost.seconds
        if plan.looks:  # what is to come after the next one is not counted
            more = plan.looks[-1] // plan.looks[0]
            runs, seconds = runs * more, seconds * more
        jobs = max(1, min(cores, runs))
        return replace(self, jobs=jobs if seconds * (1 - 1 / jobs) > _START else 1)

    @property
    def is_cluster(self) -> bool:
        """Whether a cluster makes them."""
        return self.on not in ("here", "auto") or (
            self.on == "auto" and bool(os.environ.get("RAY_ADDRESS"))
        )

    def make_engine(self) -> Engine:
        """What trains, with the cores shared out where several runs share a machine.

        Raises:
            ConfigError: There is no such engine, or it is not installed.
        """
        threads = self.threads
        if threads is None and self.is_cluster:
            threads = None if self.alone else 1
        elif threads is None and self.at_once > 1:
            threads = max(1, available_cores() // self.at_once)
        return make_engine(threads, self.engine)

    def open_store(self) -> AbstractContextManager[Store]:
        """The store, open while the context lasts.

        Raises:
            StoreError: It cannot be used.
        """
        path = self.store or default_store_path()
        return open_store(path, read_only=self.read_only, or_none=self.read_only)

    def executor(self, dataset: Dataset, source: DataSource | None, engine: Engine) -> Executor:
        """The executor itself, which trains with engines like `engine`.

        Raises:
            ExecutorError: It is out of reach.
        """
        name = EngineName.parse(engine.name)
        if not self.is_cluster:
            if self.at_once == 1:
                return LocalExecutor(dataset, engine)
            return PoolExecutor(self.at_once, dataset, engine_class(name.kind), engine.threads)
        again = partial(make_engine, name=name.kind)
        runs = partial(_ray().engine_runs, dataset, source, engine.name, again)
        timer = RunTrainer(dataset, engine)
        return self.on_cluster(
            runs, cpus=engine.threads, gpus=float(name.device == "cuda"), timer=timer
        )

    def on_cluster(
        self, runs: Callable[[], Any], *, cpus: int = 1, gpus: float = 0.0, **how: Any
    ) -> Executor:
        """The cluster that makes `runs`, each on this many CPUs and GPUs.

        Args:
            runs: See `RayExecutor`, as for all that is `how`.
            cpus: Of a run, unless it is alone.
            gpus: Likewise; may be a part of one.
            how: Other arguments of `RayExecutor`.

        Raises:
            ExecutorError: It is out of reach, or no machine of it is large enough.
        """
        resources = _ray().Resources(
            cpus=1 if self.alone else cpus, gpus=gpus, alone=self.alone, most=self.jobs
        )
        address = self.on if self.on.startswith(_RAY) else None
        return _ray().RayExecutor(runs, resources=resources, address=address, **how)


def _ray():
    from siffra.lab.execute import ray  # which is an extra

    return ray


HERE = RunOptions()
"""On this machine, as many runs at a time as are soonest over."""


def _can_move(plan: Plan) -> bool:
    """Whether other processes can have its models: not those of a notebook."""
    try:
        pickle.dumps(plan)
    except Exception:  # whatever the user's objects do when they are pickled
        return False
    return True
