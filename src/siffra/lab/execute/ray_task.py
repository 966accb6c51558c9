"""A task of `--on ray`: makes runs, in a worker's process that Ray keeps for the next task."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import ray

from siffra.data.dataset import Dataset, Images
from siffra.data.load import DataSource, load_dataset
from siffra.errors import ExecutorError

if TYPE_CHECKING:
    from siffra.lab.execute.events import Task
    from siffra.lab.execute.trainer import MakeEngine, Reply, RunTrainer
    from siffra.lab.plan.plan import PlannedRun


@dataclass(frozen=True, slots=True)
class RemoteData:
    """A data set as it is sent: siffra's own by its `source`, another by Ray's `reference`."""

    fingerprint: str
    source: DataSource | None
    reference: Any


@dataclass(frozen=True, slots=True)
class LabContext:
    """What all runs of a lab share; `engine` is the name of what `make_engine` should make.

    `version` is that of the siffra which will read what the workers write.
    """

    data: RemoteData
    make_engine: "MakeEngine"
    engine: str
    version: str


_trainers: "dict[tuple[str, str, int], RunTrainer]" = {}


def train_runs(
    context: LabContext,
    shares: Mapping[str, int],
    threads: int,
    runs: "Sequence[PlannedRun | Task]",
    seconds: float,
) -> "tuple[list[Reply], float]":
    """Make runs on so many threads, one after the other, and say what they took.

    After so many `seconds`, or an error, no other is begun: there may be fewer replies than runs.
    `shares` says how many runs share the machine of each node.
    """
    # Read when Numba is imported; all runs of a lab have as many threads.
    os.environ.setdefault("NUMBA_NUM_THREADS", str(threads))
    from siffra.lab.execute.trainer import Reply, RunTrainer

    jobs = shares.get(ray.get_runtime_context().get_node_id(), 1)
    replies: list[Reply] = []
    took = 0.0
    try:
        trainer = _trainer(RunTrainer, context, threads)
        for run in runs:
            trainer.compile_once([run])
            started = time.perf_counter()
            replies.append(Reply.of(trainer.do(run), jobs))
            took += time.perf_counter() - started
            if took >= seconds:
                break
    except Exception as error:  # whatever it is: the executor raises it
        replies.append(Reply.to_error(error))
    return replies, took


def _trainer(make: "type[RunTrainer]", context: LabContext, threads: int) -> "RunTrainer":
    """That of this process; the last one only, since it holds a data set."""
    name = (context.data.fingerprint, context.engine, threads)
    if name not in _trainers:
        if context.version != version("siffra"):
            raise ExecutorError(
                f"on: the lab is made by siffra {context.version}, and a node of the cluster has "
                f"siffra {version('siffra')}; install the same version there."
            )
        _trainers.clear()
        engine = context.make_engine(threads)
        if engine.name != context.engine:
            raise ExecutorError(
                f"on: the lab's engine is {context.engine}, and a node of the cluster has "
                f"{engine.name}; start the lab from a machine that is like the nodes."
            )
        _trainers[name] = make(_unpacked(context.data), engine)
    return _trainers[name]


def _unpacked(data: RemoteData) -> Dataset:
    if data.source is None:
        return _writable(ray.get(data.reference))
    dataset = load_dataset(data.source)
    if dataset.fingerprint != data.fingerprint:
        raise ExecutorError(
            "on: a node of the cluster has a different version of siffra's built-in data."
        )
    return dataset


def _writable(dataset: Dataset) -> Dataset:
    """A copy: for read-only arrays Numba would compile all kernels anew."""
    copies = {name: Images(each.x.copy(), each.y.copy()) for name, each in dataset.sets.items()}
    shifted = {name: copies.pop(name) for name in dataset.shifted}
    return replace(dataset, **copies, shifted=shifted)
