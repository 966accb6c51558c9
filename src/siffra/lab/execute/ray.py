"""The executor of `--on ray`: a Ray cluster, where each task makes one run, or several short ones.

How a run is made there is none of its business: of siffra's networks, `engine_runs` says it.

A task is sent by reference: the same siffra must be installed on the nodes. What is lost with a
worker or a node is reported, and submitted again by the runner, each run then in a task of its own:
it may be what took the others down. Ray itself retries nothing, so that no run is made twice
without being counted.

To hand out a task and take its reply costs this process some milliseconds, a run in it a tenth of
that. So tasks last the longer, the more of them are in progress (`_TASK_SECONDS`), and one that has
lasted that long returns the runs that it has not begun.

Times are to be compared with each other, so all of them are taken in one place: in this process.
"""

import math
import os
import pickle
import queue
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from siffra.data.dataset import Dataset
from siffra.data.load import DataSource
from siffra.errors import ConfigError, ExecutorError
from siffra.lab.execute.base import PATIENCE, Executor, arrived
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
from siffra.lab.execute.ray_task import EngineRuns, LabContext, RemoteData, RemoteRuns, make_runs

_REFRESH = 5.0
"""Seconds between looks at which nodes there are."""
_BARREN = 120.0
"""Seconds for which a cluster may have no node that can make a run."""
_SHUNNED = 60.0
"""Seconds for which nothing is put on a node that has lost a run: it may be dead already."""
_QUEUED = 2
"""As many tasks are handed to the cluster as it can do at once, times this: none has to wait."""
_TASK_SECONDS = 0.01
"""How long a task should last, for each that is in progress: five times what it costs here."""
_MOST_RUNS = 100
"""Runs in a task, at most."""
_GONE = (
    "WorkerCrashedError", "NodeDiedError", "OutOfMemoryError", "ObjectLostError",
    "OwnerDiedError", "TaskUnschedulableError", "LocalRayletDiedError",
)  # fmt: skip
"""Ray's errors that say that a run is lost, not that it failed."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a run needs of a node: CPUs, one for each thread, and GPUs, or a share of one.

    `alone`, it gets all the CPUs of a node, so that nobody disturbs its times. No more runs than
    `most` are made at once, if that is given.
    """

    cpus: int = 1
    gpus: float = 0.0
    alone: bool = False
    most: int | None = None


@dataclass(frozen=True, slots=True)
class _Node:
    """A node, the machine it is on, and how many runs it can make at once."""

    machine: str
    cpus: int
    runs: int


class RayExecutor(Executor):
    """Makes runs on the Ray cluster at `address`, or on the one that Ray finds or starts.

    Args:
        runs: How they are made; called as soon as the cluster is joined.
        resources: What a run needs.
        address: Of the cluster.
        order: What a node is sent of a run; by default the run itself.
        timer: Makes the rounds of times; None where no time is measured by turns.
        queued: So many tasks for each run that can be made at once are handed to the cluster.
        grace: Seconds in which runs end by themselves, when they are to.

    Raises:
        ExecutorError: Ray is not installed, no cluster answers, or no node is large enough.
        ConfigError: What makes the runs cannot be sent to other machines.
    """

    def __init__(
        self,
        runs: Callable[[], RemoteRuns],
        *,
        resources: Resources,
        address: str | None = None,
        order: Callable[[Any], Any] = lambda run: run,
        timer: RunTrainer | None = None,
        queued: int = _QUEUED,
        grace: float = 0.0,
    ) -> None:
        self._resources, self._order, self._grace = resources, order, grace
        self._queued = queued
        self._joined = _connect(address)
        self._waiting: deque[PlannedRun | Task] = deque()
        # By Ray's task: its runs, and the node that it must be on.
        self._submitted: dict[Any, tuple[Sequence[PlannedRun | Task], str]] = {}
        self._in_tasks = 0  # runs
        self._lost: set[PlannedRun | Task] = set()  # at least once
        self._made, self._seconds = 0, 0.0  # runs, and what they took
        self._timer = timer
        self._timings: list[PlannedTiming] = []
        self._done: queue.Queue[tuple[Any, Future[Any]]] = queue.Queue()
        self._nodes: dict[str, _Node] = {}
        self._shares: Any = None  # where `_sharing` is in the cluster
        self._lost_at: dict[str, float] = {}  # when each node lost a run that had to be on it
        self._seen = self._fertile = time.monotonic()
        try:
            self._refresh()
            if not self.size:
                raise ExecutorError(f"on: {self._too_small()}")
            self._context = _sent(LabContext(version("siffra"), runs()))
            gpus: Any = {"num_gpus": resources.gpus} if resources.gpus else {}
            self._task = ray.remote(max_retries=0, num_cpus=resources.cpus, **gpus)(make_runs)
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> int:
        return min(self._room, self._resources.most or self._room)

    @property
    def jobs(self) -> int:
        return max(self._sharing().values(), default=1)

    @property
    def capacity(self) -> int:
        if self._resources.alone:
            left = self.size - len(self._submitted)
            return max(0, min(len(self._free()), left) - len(self._waiting))
        mine = self._in_tasks + len(self._waiting) + len(self._timings)
        return max(0, self._most_tasks * self._batch - mine)

    def submit(self, run: Job | Task) -> None:
        if isinstance(run, PlannedTiming):
            self._timings.append(run)
        else:
            self._waiting.append(run)

    def poll(self, on_event: Callable[[Event], None]) -> None:
        if time.monotonic() - self._seen > _REFRESH:
            self._refresh()
        self._hand_out()
        timings, self._timings = self._timings, []
        for timing in timings:
            assert self._timer
            on_event(self._timer.do(timing))
        for task, done in arrived(self._done, 0 if timings else PATIENCE):
            self._take(task, done, on_event)

    def close(self) -> None:
        """End the runs in progress, and leave the cluster; one that was started here ends too."""
        tasks, self._submitted = list(self._submitted), {}
        for force in (False, True) if self._grace else (True,):
            for task in tasks:
                with suppress(Exception):  # it may be done or lost by now, and so may the cluster
                    ray.cancel(task, force=force)
            if tasks and not force:
                with suppress(Exception):
                    _, tasks = ray.wait(tasks, num_returns=len(tasks), timeout=self._grace)
        if self._joined:
            ray.shutdown()

    @property
    def _room(self) -> int:
        """How many runs all nodes can make at once."""
        return sum(node.runs for node in self._nodes.values())

    @property
    def _most_tasks(self) -> int:
        """How many tasks the cluster is handed: it begins all of those that it has room for."""
        most = self._resources.most
        return most if most and most < self._room else self._room * self._queued

    @property
    def _batch(self) -> int:
        """Runs in a task: as many as are over in the time that it should last."""
        if self._resources.alone or not self._made:
            return 1
        lasts, takes = self.size * _TASK_SECONDS, self._seconds / self._made
        return max(1, int(lasts / max(takes, lasts / _MOST_RUNS)))

    def _hand_out(self) -> None:
        """Hand what waits to the cluster, in tasks for all slots alike."""
        while self._waiting and self._resources.alone and (free := self._free()):
            strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
            cpus, only_there = self._nodes[free[0]].cpus, strategy(free[0], soft=False)
            task = self._task.options(num_cpus=cpus, scheduling_strategy=only_there)
            self._start(task, cpus, [self._waiting.popleft()], free[0])
        if self._resources.alone:
            return
        while self._waiting and (slots := self._most_tasks - len(self._submitted)) > 0:
            count = min(self._batch, math.ceil(len(self._waiting) / slots))
            runs = [self._waiting.popleft()]
            while len(runs) < count and self._lost.isdisjoint((runs[0], self._waiting[0])):
                runs.append(self._waiting.popleft())
            self._start(self._task, self._resources.cpus, runs)

    def _start(self, call: Any, cpus: int, runs: list[PlannedRun | Task], node: str = "") -> None:
        seconds = self.size * _TASK_SECONDS
        orders = [self._order(run) for run in runs]
        task = call.remote(self._context, self._shares, cpus, orders, seconds)
        self._submitted[task] = runs, node
        self._in_tasks += len(runs)
        # The cluster reports the end: to ask about thousands of tasks again and again takes long.
        task.future().add_done_callback(lambda done: self._done.put((task, done)))

    def _take(self, task: object, done: "Future[Any]", on_event: Callable[[Event], None]) -> None:
        runs, pinned_to = self._submitted.pop(task)
        self._in_tasks -= len(runs)
        error = done.exception()
        if error is None:
            replies, seconds = done.result()
            self._made, self._seconds = self._made + len(replies), self._seconds + seconds
            self._waiting.extendleft(reversed(runs[len(replies) :]))
            for run, reply in zip(runs, replies, strict=False):
                on_event(reply.event(run))
        elif type(error).__name__ in _GONE or isinstance(error, ray.exceptions.ObjectLostError):
            self._lost_at[pinned_to] = time.monotonic()
            self._refresh()
            self._lost.update(runs)
            for run in runs:
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
        nodes = {name: node for name, node in seen.items() if node.runs}
        if nodes != self._nodes:
            self._nodes = nodes
            self._shares = ray.put(self._sharing())
        self._seen = time.monotonic()
        if self._nodes:
            self._fertile = self._seen
        elif self._seen - self._fertile > _BARREN:
            raise ExecutorError(f"on: {self._too_small()}")

    def _node(self, node: Mapping[str, Any]) -> _Node:
        has = node["Resources"]
        cpus = int(has.get("CPU", 0))
        runs = min(cpus, 1) if self._resources.alone else cpus // self._resources.cpus
        if self._resources.gpus:
            runs = min(runs, int(has.get("GPU", 0) / self._resources.gpus))
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
        most = self.size
        return {name: min(by_machine[node.machine], most) for name, node in self._nodes.items()}

    def _too_small(self) -> str:
        cpus, gpus = self._resources.cpus, self._resources.gpus
        wanted = [f"{cpus} CPUs" if cpus > 1 else "a CPU"] if cpus > 1 or not gpus else []
        wanted += [f"{gpus:g} GPUs" if gpus > 1 else "a GPU"] if gpus else []
        return f"no node of the cluster has {' and '.join(wanted)}, which a run needs."


def engine_runs(
    dataset: Dataset, source: DataSource | None, engine: str, make_engine: MakeEngine
) -> EngineRuns:
    """Runs of siffra's networks, once a cluster is joined; `engine` is the name of what is made.

    Siffra's own data sets (`source` without a path) are on the nodes; others are sent.
    """
    is_there = bool(source and source.path is None)
    reference = None if is_there else ray.put(dataset)
    data = RemoteData(dataset.fingerprint, source if is_there else None, reference)
    return EngineRuns(data, make_engine, engine)


def _sent(context: LabContext) -> Any:
    """Where it is in the cluster."""
    try:
        return ray.put(context)
    except (TypeError, ValueError, pickle.PicklingError) as error:
        raise ConfigError(
            f"on: what is to be run cannot be sent to other machines: {_first_line(error)}."
        ) from error


def _connect(address: str | None) -> bool:
    """Join a cluster, unless this process is in one; whether it did."""
    if ray.is_initialized():
        return False
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    ending = signal.getsignal(signal.SIGTERM)
    try:
        if address is None:
            ray.init(include_dashboard=False, **quiet)
        else:
            ray.init(address, **quiet)
    except Exception as error:  # Ray raises whatever it meets on the way
        where = address or os.environ.get("RAY_ADDRESS") or "this machine"
        raise ExecutorError(f"on: no Ray cluster at {where}: {_reason(error)}") from error
    finally:
        # Ray's would end this process with a stack of its own, and another exit status.
        if ending is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, ending)
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
