"""Times the native engine.

Importing this decides how OpenMP's threads wait: it is for a process of its own.
"""

import time
from dataclasses import replace
from functools import cache

from siffra.bench.roofline import Demand, demand_of
from siffra.bench.workloads import SEED, WORKLOADS
from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.data.load import load_dataset
from siffra.engine.base import Engine
from siffra.engine.native.engine import NativeEngine
from siffra.engine.network import Network, build_network
from siffra.engine.rng import initial_weights


def demand(name: str, images: int) -> Demand:
    """What a turn of `time_workload` asks of the machine."""
    workload, dataset = WORKLOADS[name], digits(images)
    training = workload.task == "train"
    return demand_of(
        _network(workload.setting, dataset),
        (dataset.train if training else dataset.test).x,
        training=training,
    )


def time_workload(name: str, images: int, threads: int, turns: int) -> list[float]:
    """Wall seconds of each of this many `turns`: epochs on `images`, or scorings of them."""
    workload, dataset, engine = WORKLOADS[name], digits(images), NativeEngine(threads)
    if workload.task == "train":
        return time_epochs(engine, workload.setting, dataset, turns)
    weights = initial_weights(_network(workload.setting, dataset), SEED)
    model = workload.setting.model
    network = engine.load(model, dataset.image_shape, dataset.classes, weights)
    seconds = []
    for _ in range(turns):
        started = time.perf_counter()
        network.predict(dataset.test.x)
        seconds.append(time.perf_counter() - started)
    return seconds


def time_epochs(engine: Engine, setting: Setting, dataset: Dataset, epochs: int) -> list[float]:
    """Wall seconds of each of the `epochs` of one training."""
    training = setting.training.model_copy(update={"epochs": epochs})
    seconds: list[float] = []
    engine.prepare(setting.model, training, dataset)
    engine.fit(setting.model, training, dataset, SEED, lambda end, _: seconds.append(end.seconds))
    return seconds


@cache
def digits(images: int) -> Dataset:
    """The first `images` training images of MNIST, and as many test images if there are."""
    full = load_dataset()
    return replace(full, train=full.train.some(images), test=full.test.some(images))


def _network(setting: Setting, dataset: Dataset) -> Network:
    return build_network(setting.model, dataset.image_shape, dataset.classes)
