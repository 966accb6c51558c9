"""The executor of `--on ray`: a Ray cluster, where each run is a task.

A task is sent by reference: the same siffra must be installed on the nodes. A run that is lost with
a worker or a node is reported, and submitted again by the runner. Ray itself retries nothing, so
that no run is made twice without being counted.

Times are to be compared with each other, so all of them are taken in one place: in this process.
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
from siffra.errors import ExecutorError
from siffra.lab.execute.base import Executor
from siffra.lab.execute.events import Event, Job, Task
from siffra.lab.execute.trainer import MakeEngine, RunTrainer
from siffra.lab.plan.plan import PlannedRun, PlannedTiming

# Where Ray is started from here it shall not report to its makers.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
try:
    import ray
    import ray.exceptions
    import ray.util.scheduling_strategies
except ModuleNotFoundError as error:
    raise ExecutorError("on: Ray is not installed; run `pip install 'siffra[ray]'`.") from error
from siffra.lab.execute.ray_task import LabContext, RemoteData, train_run

_PATIENCE = 0.2
"""Seconds that `poll` waits for a task to end."""
_REFRESH = 5.0
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
class Resources:
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


class RayExecutor(Executor):
    """Makes runs on the Ray cluster at `address`, or on the one that Ray finds or starts.

    Raises:
        ExecutorError: Ray is not installed, no cluster answers, or no node is large enough.
    """

    def __init__(
        self,
        dataset: Dataset,
        source: DataSource | None,
        engine: Engine,
        make_engine: MakeEngine,
        *,
        resources: Resources,
        address: str | None = None,
    ) -> None:
        """Siffra's own data sets (`source` without a path) are on the nodes; others are sent."""
        self._resources = resources
        self._joined = _connect(address)
        # By Ray's task: the run, and the node that it must be on.
        self._submitted: dict[Any, tuple[PlannedRun | Task, str]] = {}
        self._timer = RunTrainer(dataset, engine)
        self._timings: list[PlannedTiming] = []
        self._done: queue.Queue[tuple[Any, Future[Any]]] = queue.Queue()
        self._nodes: dict[str, _Node] = {}
        self._lost_at: dict[str, float] = {}  # when each node lost a run that had to be on it
        self._seen = self._fertile = time.monotonic()
        try:
            self._refresh()
            if not self.size:
                raise ExecutorError(f"on: {self._too_small()}")
            self._context = LabContext(self._send(dataset, source), make_engine, engine.name)
            self._task = ray.remote(max_retries=0)(train_run)
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> int:
        return sum(node.runs for node in self._nodes.values())

    @property
    def jobs(self) -> int:
        return max(self._sharing().values(), default=1)

    @property
    def capacity(self) -> int:
        if self._resources.alone:
            return len(self._free())
        return max(0, self.size * _QUEUED - len(self._submitted) - len(self._timings))

    def submit(self, run: Job | Task) -> None:
        if isinstance(run, PlannedTiming):
            self._timings.append(run)
            return
        options: dict[str, Any] = {"num_gpus": 1} if self._resources.gpu else {}
        cpus, node = self._resources.cpus, ""
        if self._resources.alone:
            node = self._free()[0]
            cpus = self._nodes[node].cpus
            strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
            options["scheduling_strategy"] = strategy(node, soft=False)
        task = self._task.options(num_cpus=cpus, **options).remote(self._context, cpus, run)
        self._submitted[task] = run, node
        # The cluster reports the end: to ask about thousands of tasks again and again takes long.
        task.future().add_done_callback(lambda done: self._done.put((task, done)))

    def poll(self, on_event: Callable[[Event], None]) -> None:
        if time.monotonic() - self._seen > _REFRESH:
            self._refresh()
        timings, self._timings = self._timings, []
        for timing in timings:
            on_event(self._timer.do(timing))
        with suppress(queue.Empty):
            self._take(*self._done.get(timeout=0 if timings else _PATIENCE), on_event)
            while True:
                self._take(*self._done.get_nowait(), on_event)

    def close(self) -> None:
        """End the runs in progress, and leave the cluster; one that was started here ends too."""
        for task in self._submitted:
            with suppress(Exception):  # it may be done or lost by now, and so may the cluster
                ray.cancel(task, force=True)
        self._submitted = {}
        if self._joined:
            ray.shutdown()

    def _take(self, task: Any, done: "Future[Any]", on_event: Callable[[Event], None]) -> None:
        run, pinned_to = self._submitted.pop(task)
        error = done.exception()
        if error is None:
            node, reply = done.result()
            on_event(reply.event(run, self._sharing().get(node, 1)))
        elif type(error).__name__ in _GONE or isinstance(error, ray.exceptions.ObjectLostError):
            self._lost_at[pinned_to] = time.monotonic()
            self._refresh()
            on_event(Event("lost", run, reason=_first_line(error)))
        else:
            raise ExecutorError(
                f"on: the cluster's workers cannot run: {_first_line(error)}; is the same "
                "siffra installed on every node?"
            ) from error

    def _refresh(self) -> None:
        """Ask which nodes there are."""
        alive = [node for node in ray.nodes() if node["Alive"]]
        seen = {node["NodeID"]: self._node(node) for node in alive}
        self._nodes = {name: node for name, node in seen.items() if node.runs}
        self._seen = time.monotonic()
        if self._nodes:
            self._fertile = self._seen
        elif self._seen - self._fertile > _BARREN:
            raise ExecutorError(f"on: {self._too_small()}")

    def _node(self, node: Mapping[str, Any]) -> _Node:
        has = node["Resources"]
        cpus = int(has.get("CPU", 0))
        runs = min(cpus, 1) if self._resources.alone else cpus // self._resources.cpus
        if self._resources.gpu:
            runs = min(runs, int(has.get("GPU", 0)))
        return _Node(node["NodeManagerAddress"], cpus, runs)

    def _free(self) -> list[str]:
        """The nodes on which nothing is being made, and that have not just lost a run."""
        now = time.monotonic()
        shunned = {node for node, when in self._lost_at.items() if now - when < _SHUNNED}
        taken = {node for _, node in self._submitted.values()} | shunned
        return [name for name in self._nodes if name not in taken]

    def _sharing(self) -> dict[str, int]:
        """How many runs share the machine of each node, which may be that of others too."""
        by_machine: Counter[str] = Counter()
        for node in self._nodes.values():
            by_machine[node.machine] += node.runs
        return {name: by_machine[node.machine] for name, node in self._nodes.items()}

    def _send(self, dataset: Dataset, source: DataSource | None) -> RemoteData:
        if source and source.path is None:
            return RemoteData(dataset.fingerprint, source, None)
        return RemoteData(dataset.fingerprint, None, ray.put(dataset))

    def _too_small(self) -> str:
        wanted = "a GPU" if self._resources.gpu else "a CPU"
        if self._resources.cpus > 1:
            wanted = f"{self._resources.cpus} CPUs" + (" and a GPU" if self._resources.gpu else "")
        return f"no node of the cluster has {wanted}, which a run needs."


def _connect(address: str | None) -> bool:
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
        raise ExecutorError(f"on: no Ray cluster at {where}: {_reason(error)}") from error
    return True


def _reason(error: BaseException) -> str:
    """Ray's reason in one line; its client's server answers with a whole traceback."""
    text = str(error).strip()
    if "Traceback (most recent call last)" in text:
        text = text.splitlines()[-1]
    return " ".join(text.split()).rstrip(".") or type(error).__name__


def _first_line(error: BaseException) -> str:
    error = getattr(error, "cause", None) or error  # what failed in a task, without its traceback
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")
