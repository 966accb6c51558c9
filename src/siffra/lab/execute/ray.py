"""The site of `--on ray`: a cluster of Ray's, where each run is a task.

A task is sent by reference: siffra must be installed on the nodes, the same as here. What is lost
with a worker or a node is told, and for conducting to give once more: Ray itself retries nothing,
so that nothing is made twice without being counted.
"""

import os
import queue
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from siffra.data.dataset import Dataset
from siffra.data.load import DataSource
from siffra.engine.base import Engine
from siffra.errors import SiteError
from siffra.lab.execute.base import Lost, News, Site
from siffra.lab.execute.making import MakeEngine
from siffra.lab.execute.ray_task import Order, Shipped, make_run
from siffra.lab.plan.plan import PlannedRun

_PATIENCE = 0.2
"""Seconds after which there is no news."""
_LOOK = 5.0
"""Seconds between looks at which nodes there are."""
_BARREN = 120.0
"""Seconds for which a cluster may have no node that can make a run."""
_SHUNNED = 60.0
"""Seconds for which nothing is put on a node that has lost a run: it may be dead already."""
_QUEUED = 2
"""As many runs are handed to the cluster as it can make at once, times this: none has to wait."""
_GONE = (
    "WorkerCrashedError", "NodeDiedError", "OutOfMemoryError", "ObjectLostError",
    "OwnerDiedError", "TaskUnschedulableError", "LocalRayletDiedError",
)  # fmt: skip
"""Ray's errors that say that a run is lost, not that it failed."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a run needs of a node: CPUs, one for each thread, and a GPU or not.

    `alone`, it gets all the CPUs of a node, so that nobody disturbs its times.
    """

    cpus: int = 1
    gpu: bool = False
    alone: bool = False


@dataclass(frozen=True, slots=True)
class _Node:
    """A node, the machine it is on, and how many runs it can make at once."""

    machine: str
    cpus: int
    runs: int


class Cluster(Site):
    """Makes runs on a cluster of Ray's: on `address`, or on the one that Ray finds or starts.

    Raises:
        SiteError: Ray is not installed, the cluster is out of reach, or no node is large enough.
    """

    def __init__(
        self,
        dataset: Dataset,
        source: DataSource | None,
        engine: Engine,
        make_engine: MakeEngine,
        *,
        need: Need,
        address: str | None = None,
    ) -> None:
        """A data set that is siffra's own (its `source` has no path) is there; others are sent."""
        self._ray = _import_ray()
        self._need = need
        self._ours = _connect(self._ray, address)
        self._given: dict[Any, tuple[PlannedRun, str]] = {}  # by task, with the node it must be on
        self._news: queue.Queue[tuple[Any, Future[Any]]] = queue.Queue()
        self._nodes: dict[str, _Node] = {}
        self._lost_at: dict[str, float] = {}  # when each node lost a run that had to be on it
        self._seen = self._fertile = time.monotonic()
        try:
            self._look()
            if not self.size:
                raise SiteError(f"on: {self._too_small()}")
            self._order = Order(self._ship(dataset, source), make_engine, engine.name)
            self._task = self._ray.remote(max_retries=0)(make_run)
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> int:
        """See `Site.size`."""
        return sum(node.runs for node in self._nodes.values())

    @property
    def jobs(self) -> int:
        """See `Site.jobs`."""
        return max(self._sharing().values(), default=1)

    @property
    def room(self) -> int:
        """See `Site.room`."""
        if self._need.alone:
            return len(self._free())
        return max(0, self.size * _QUEUED - len(self._given))

    def give(self, run: PlannedRun) -> None:
        """See `Site.give`."""
        options: dict[str, Any] = {"num_gpus": 1} if self._need.gpu else {}
        cpus, where = self._need.cpus, ""
        if self._need.alone:
            where = self._free()[0]
            cpus = self._nodes[where].cpus
            strategy = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
            options["scheduling_strategy"] = strategy(where, soft=False)
        task = self._task.options(num_cpus=cpus, **options).remote(self._order, cpus, run)
        self._given[task] = run, where
        # The cluster says when it is done: to ask it about thousands again and again takes long.
        task.future().add_done_callback(lambda done: self._news.put((task, done)))

    def attend(self, tell: Callable[[News], None]) -> None:
        """See `Site.attend`."""
        if time.monotonic() - self._seen > _LOOK:
            self._look()
        with suppress(queue.Empty):
            self._take(*self._news.get(timeout=_PATIENCE), tell)
            while True:
                self._take(*self._news.get_nowait(), tell)

    def close(self) -> None:
        """End what is being made, and leave the cluster; one that was started here ends too."""
        for task in self._given:
            with suppress(Exception):  # it may be done or lost by now, and so may the cluster
                self._ray.cancel(task, force=True)
        self._given = {}
        if self._ours:
            self._ray.shutdown()

    def _take(self, task: Any, done: "Future[Any]", tell: Callable[[News], None]) -> None:
        run, where = self._given.pop(task)
        error = done.exception()
        if error is None:
            node, answer = done.result()
            tell(answer.made(run, self._sharing().get(node, 1)))
        elif type(error).__name__ in _GONE or isinstance(
            error, self._ray.exceptions.ObjectLostError
        ):
            self._lost_at[where] = time.monotonic()
            self._look()
            tell(Lost(run, _first_line(error)))
        else:
            raise SiteError(
                f"on: the cluster's workers cannot make runs: {_first_line(error)}; is the same "
                "siffra installed on every node?"
            ) from error

    def _look(self) -> None:
        """See which nodes there are."""
        alive = [node for node in self._ray.nodes() if node["Alive"]]
        seen = {node["NodeID"]: self._node(node) for node in alive}
        self._nodes = {name: node for name, node in seen.items() if node.runs}
        self._seen = time.monotonic()
        if self._nodes:
            self._fertile = self._seen
        elif self._seen - self._fertile > _BARREN:
            raise SiteError(f"on: {self._too_small()}")

    def _node(self, node: Mapping[str, Any]) -> _Node:
        has = node["Resources"]
        cpus = int(has.get("CPU", 0))
        runs = min(cpus, 1) if self._need.alone else cpus // self._need.cpus
        if self._need.gpu:
            runs = min(runs, int(has.get("GPU", 0)))
        return _Node(node["NodeManagerAddress"], cpus, runs)

    def _free(self) -> list[str]:
        """The nodes on which nothing is being made, and that have not just lost a run."""
        now = time.monotonic()
        shunned = {where for where, at in self._lost_at.items() if now - at < _SHUNNED}
        taken = {where for _, where in self._given.values()} | shunned
        return [name for name in self._nodes if name not in taken]

    def _sharing(self) -> dict[str, int]:
        """How many runs share the machine of each node, which may be that of others too."""
        by_machine: Counter[str] = Counter()
        for node in self._nodes.values():
            by_machine[node.machine] += node.runs
        return {name: by_machine[node.machine] for name, node in self._nodes.items()}

    def _ship(self, dataset: Dataset, source: DataSource | None) -> Shipped:
        if source and source.path is None:
            return Shipped(dataset.fingerprint, source, None)
        return Shipped(dataset.fingerprint, None, self._ray.put(dataset))

    def _too_small(self) -> str:
        wanted = "a GPU" if self._need.gpu else "a CPU"
        if self._need.cpus > 1:
            wanted = f"{self._need.cpus} CPUs" + (" and a GPU" if self._need.gpu else "")
        return f"no node of the cluster has {wanted}, which a run needs."


def _import_ray() -> Any:
    # Where Ray is started from here it shall not report to its makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.exceptions
        import ray.util.scheduling_strategies
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise SiteError(
            "on: Ray is not installed; `pip install 'siffra[ray]'` brings it."
        ) from error
    return ray


def _connect(ray: Any, address: str | None) -> bool:
    """Join a cluster, unless this process is in one; whether it did."""
    if ray.is_initialized():
        return False
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address is None:
            ray.init(include_dashboard=False, **quiet)
        else:
            ray.init(address, **quiet)
    except Exception as error:  # Ray raises whatever it meets on the way
        where = address or os.environ.get("RAY_ADDRESS") or "this machine"
        raise SiteError(f"on: no cluster of Ray's at {where}: {_reason(error)}") from error
    return True


def _reason(error: BaseException) -> str:
    """What Ray tells of a failure; a server of its client's answers with a whole traceback."""
    told = str(error).strip()
    if "Traceback (most recent call last)" in told:
        told = told.splitlines()[-1]
    return " ".join(told.split()).rstrip(".") or type(error).__name__


def _first_line(error: BaseException) -> str:
    error = getattr(error, "cause", None) or error  # what failed in a task, without its traceback
    told = str(error).strip().splitlines()
    return (told[0] if told else type(error).__name__).rstrip(".")
