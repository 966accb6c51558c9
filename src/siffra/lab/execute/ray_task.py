"""A task of `--on ray`: makes one run, in a worker's process that Ray keeps for the next."""

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from siffra.data.dataset import Dataset, Images
from siffra.data.load import DataSource, load_dataset
from siffra.errors import SiteError

if TYPE_CHECKING:
    from siffra.lab.execute.making import Answer, MakeEngine, Maker
    from siffra.lab.plan.plan import PlannedRun


@dataclass(frozen=True, slots=True)
class Shipped:
    """A data set as it is sent: that of siffra by its `source`, another by Ray's `reference`."""

    fingerprint: str
    source: DataSource | None
    reference: Any


@dataclass(frozen=True, slots=True)
class Order:
    """What all runs of a lab share; `engine` is the name of what `make_engine` should make."""

    data: Shipped
    make_engine: "MakeEngine"
    engine: str


_makers: "dict[tuple[str, str, int], Maker]" = {}


def make_run(order: Order, threads: int, run: "PlannedRun") -> "tuple[str, Answer]":
    """Make a run on so many threads; return the node's name with what was made, or the error."""
    # Read when Numba is imported; all runs of a lab have as many threads.
    os.environ.setdefault("NUMBA_NUM_THREADS", str(threads))
    import ray

    from siffra.lab.execute.making import answer, failure

    node = ray.get_runtime_context().get_node_id()
    try:
        maker = _maker(order, threads)
        maker.compile_in_turn(run)
        return node, answer(maker.make(run))
    except Exception as error:  # whatever it is: it is told, and raised over there
        return node, failure(error)


def _maker(order: Order, threads: int) -> "Maker":
    """That of this process; the last one only, since it holds a data set."""
    from siffra.lab.execute.making import Maker

    name = (order.data.fingerprint, order.engine, threads)
    if name not in _makers:
        _makers.clear()
        engine = order.make_engine(threads)
        if engine.name != order.engine:
            raise SiteError(
                f"on: the lab's engine is {order.engine}, and a node of the cluster has "
                f"{engine.name}; conduct it from a machine that is like the nodes."
            )
        _makers[name] = Maker(_unpacked(order.data), engine)
    return _makers[name]


def _unpacked(data: Shipped) -> Dataset:
    if data.source is None:
        import ray

        return _writable(ray.get(data.reference))
    dataset = load_dataset(data.source)
    if dataset.fingerprint != data.fingerprint:
        raise SiteError("on: the data that siffra brings is another on a node of the cluster.")
    return dataset


def _writable(dataset: Dataset) -> Dataset:
    """A copy of its own: for arrays that cannot be written Numba would compile all kernels anew."""
    own = {name: Images(images.x.copy(), images.y.copy()) for name, images in dataset.sets.items()}
    shifted = {name: own[name] for name in dataset.shifted}
    return replace(dataset, train=own["train"], val=own["val"], test=own["test"], shifted=shifted)
