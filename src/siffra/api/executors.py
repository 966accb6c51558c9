"""Where a lab's runs are made, as users say it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial

from siffra.api.arguments import make_engine
from siffra.data.dataset import Dataset
from siffra.data.load import DataSource
from siffra.engine.base import Engine, EngineName
from siffra.errors import ConfigError
from siffra.lab.execute.base import Executor
from siffra.lab.execute.local import LocalExecutor
from siffra.lab.execute.pool import PoolExecutor

_RAY = "ray://"


@dataclass(frozen=True, slots=True)
class Where:
    """`on` this machine (`here`) or a cluster (`ray`, `ray://host:port`), so many runs at once.

    On a cluster its CPUs say how many; `alone` gives each run a machine to itself. `auto` is a
    cluster if the environment has the address of one, in `RAY_ADDRESS`, and else here.

    Raises:
        ConfigError: There is no such place, or what is asked for does not go together.
    """

    on: str = "here"
    jobs: int = 1
    alone: bool = False

    def __post_init__(self) -> None:
        if self.on not in ("here", "ray", "auto") and not self.on.startswith(_RAY):
            raise ConfigError(
                f"on: found {self.on!r}; it must be here, ray, ray://host:port or auto."
            )
        if self.jobs < 1:
            raise ConfigError(f"jobs: found {self.jobs}; it must be 1 or more.")
        if self.jobs > 1 and self._is_cluster:
            raise ConfigError("jobs: is for one machine; on a cluster its CPUs say how many.")
        if self.alone and self.on == "here":
            raise ConfigError("alone: is for a cluster; here, one run at a time is alone.")

    @property
    def _is_cluster(self) -> bool:
        return self.on not in ("here", "auto") or (
            self.on == "auto" and bool(os.environ.get("RAY_ADDRESS"))
        )

    def threads(self, asked: int | None) -> int | None:
        """How many threads a run gets (None: all): one, where several runs share a machine."""
        shared = self.jobs > 1 or (self._is_cluster and not self.alone)
        return asked or (1 if shared else None)

    def executor(self, dataset: Dataset, source: DataSource | None, engine: Engine) -> Executor:
        """The executor itself, which trains with engines like `engine`.

        Raises:
            ExecutorError: It is out of reach.
        """
        name = EngineName.parse(engine.name)
        again = partial(make_engine, name=name.kind)
        if not self._is_cluster:
            if self.jobs == 1:
                return LocalExecutor(dataset, engine)
            return PoolExecutor(self.jobs, dataset, again, engine.threads)
        from siffra.lab.execute.ray import RayExecutor, Resources  # brings Ray

        resources = Resources(
            cpus=1 if self.alone else engine.threads,
            gpu=name.device == "cuda",
            alone=self.alone,
        )
        address = self.on if self.on.startswith(_RAY) else None
        return RayExecutor(dataset, source, engine, again, resources=resources, address=address)
