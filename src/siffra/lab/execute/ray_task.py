"""A task of `--on ray`: makes one run, in a worker's process that Ray keeps for the next."""

import os
from dataclasses import dataclass, replace
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
    """What all runs of a lab share; `engine` is the name of what `make_engine` should make."""

    data: RemoteData
    make_engine: "MakeEngine"
    engine: str


_trainers: "dict[tuple[str, str, int], RunTrainer]" = {}


def train_run(context: LabContext, threads: int, run: "PlannedRun | Task") -> "tuple[str, Reply]":
    """Make a run on so many threads; return the node's name and the reply."""
    # Read when Numba is imported; all runs of a lab have as many threads.
    os.environ.setdefault("NUMBA_NUM_THREADS", str(threads))
    from siffra.lab.execute.trainer import Reply, RunTrainer

    node = ray.get_runtime_context().get_node_id()
    try:
        trainer = _trainer(RunTrainer, context, threads)
        trainer.compile_once([run])
        return node, Reply.of(trainer.do(run))
    except Exception as error:  # whatever it is: the executor raises it
        return node, Reply.to_error(error)


def _trainer(make: "type[RunTrainer]", context: LabContext, threads: int) -> "RunTrainer":
    """That of this process; the last one only, since it holds a data set."""
    name = (context.data.fingerprint, context.engine, threads)
    if name not in _trainers:
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
