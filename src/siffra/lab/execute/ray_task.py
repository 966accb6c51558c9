"""A task of `--on ray`: makes runs, in a worker's process that Ray keeps for the next task."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol

import ray

from siffra.data.dataset import Dataset, Images
from siffra.data.load import DataSource, load_dataset
from siffra.errors import ExecutorError

if TYPE_CHECKING:
    from siffra.lab.execute.events import Event
    from siffra.lab.execute.trainer import MakeEngine, Reply, RunTrainer


class RemoteRuns(Protocol):
    """What the runs of a lab share, sent once to each node: how they are made there."""

    def maker(self, orders: Sequence[Any], threads: int) -> "Callable[[Any], Event]":
        """What makes the run of an order on this many threads; ready to make those of `orders`."""
        ...


@dataclass(frozen=True, slots=True)
class LabContext:
    """`runs`, and the version of the siffra that will read what the workers write."""

    version: str
    runs: RemoteRuns


def make_runs(
    context: LabContext,
    shares: Mapping[str, int],
    threads: int,
    orders: Sequence[Any],
    seconds: float,
) -> "tuple[list[Reply], float]":
    """Make runs on this many threads, one after the other, and say what they took.

    After this many `seconds`, or an error, no other is begun: there may be fewer replies than runs.
    `shares` says how many runs share the machine of each node.
    """
    # Read when Numba is imported, as it is with the next line; a lab's runs have as many threads.
    os.environ.setdefault("NUMBA_NUM_THREADS", str(threads))
    reply = _trainer_module().Reply
    jobs = shares.get(ray.get_runtime_context().get_node_id(), 1)
    replies: list[Reply] = []
    took = 0.0
    try:
        if context.version != _version():
            raise ExecutorError(
                f"on: the lab is made by siffra {context.version}, and a node of the cluster has "
                f"siffra {_version()}; install the same version there."
            )
        make = context.runs.maker(orders, threads)
        for order in orders:
            started = time.perf_counter()
            replies.append(reply.of(make(order), jobs))
            took += time.perf_counter() - started
            if took >= seconds:
                break
    except Exception as error:  # whatever it is: the executor raises it
        replies.append(reply.to_error(error))
    return replies, took


def _trainer_module():
    from siffra.lab.execute import trainer

    return trainer


@cache
def _version() -> str:
    return version("siffra")


@dataclass(frozen=True, slots=True)
class RemoteData:
    """A data set as it is sent: siffra's own by its `source`, another by Ray's `reference`."""

    fingerprint: str
    source: DataSource | None
    reference: Any


@dataclass(frozen=True, slots=True)
class EngineRuns:
    """Runs of siffra's networks; `engine` is the name of what `make_engine` should make."""

    data: RemoteData
    make_engine: "MakeEngine"
    engine: str

    def maker(self, orders: Sequence[Any], threads: int) -> "Callable[[Any], Event]":
        """What makes runs on this many threads; those of `orders` are compiled."""
        trainer = _trainer(self, threads)
        trainer.compile_once(orders)
        return trainer.do


_trainers: "dict[tuple[str, str, int], RunTrainer]" = {}


def _trainer(runs: EngineRuns, threads: int) -> "RunTrainer":
    """That of this process; the last one only, since it holds a data set."""
    name = (runs.data.fingerprint, runs.engine, threads)
    if name not in _trainers:
        _trainers.clear()
        engine = runs.make_engine(threads)
        if engine.name != runs.engine:
            raise ExecutorError(
                f"on: the lab's engine is {runs.engine}, and a node of the cluster has "
                f"{engine.name}; start the lab from a machine that is like the nodes."
            )
        _trainers[name] = _trainer_module().RunTrainer(_unpacked(runs.data), engine)
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
