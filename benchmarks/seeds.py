"""The throughput of a whole claim: one epoch of many seeds, by siffra and by JAX's `vmap`.

siffra trains as a lab does, one process a core and one thread each. JAX trains all seeds at once:
their weights are stacked, each seed has an order of its own, and XLA uses every core. Convolutions
are left out: stacked kernels become grouped convolutions, for which XLA has no fast code on CPUs.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from statistics import median
from typing import Any

import numpy as np

from benchmarks.peers import PEERS
from benchmarks.peers.base import Problem
from benchmarks.workers import read_images
from siffra.bench.workloads import WORKLOADS
from siffra.data.dataset import Dataset
from siffra.engine.native.engine import NativeEngine
from siffra.errors import BenchError

SEEDS, ROUNDS = 32, 5
WORKS = ("dense", "small-batch", "wide", "deep")


@dataclass(frozen=True, slots=True)
class Throughput:
    """Seconds of one epoch of all `seeds`, round by round, side by side."""

    title: str
    images: int
    seeds: int
    cores: int
    siffra: tuple[float, ...]
    jax: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """How many times siffra's seconds JAX takes: the median over rounds."""
        return median(theirs / own for own, theirs in zip(self.siffra, self.jax, strict=True))


def measure_seeds(
    names: Sequence[str],
    images: int,
    seeds: int,
    cores: int,
    say: Callable[[str], None],
) -> Iterator[Throughput]:
    """Time the two by turns. What compiles or starts does so before the first round.

    Raises:
        BenchError: JAX is not installed.
    """
    if missing := PEERS["jax"].missing:
        raise BenchError(f"{' and '.join(missing)} is not installed; `pip install jax` gets it.")
    dataset = read_images(images, 1)
    # Spawned: XLA's threads would not survive a fork.
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        for name in names:
            say(f"{seeds} seeds of {WORKLOADS[name].title}")
            kinds = (
                partial(_siffra_epoch, pool, name, images, seeds),
                jax_epoch(name, dataset, seeds),
            )
            for epoch in kinds:
                epoch()
            own, theirs = zip(*(map(_seconds, kinds) for _ in range(ROUNDS)), strict=True)
            yield Throughput(WORKLOADS[name].title, images, seeds, cores, own, theirs)


def lines(times: Throughput) -> Iterator[str]:
    """What was measured, as a line."""
    yield (
        f"{times.title}, an epoch of {times.images} images with {times.seeds} seeds on "
        f"{times.cores} cores: siffra {median(times.siffra):.2f} s, JAX vmap "
        f"{median(times.jax):.2f} s ({times.ratio:.1f} times)"
    )


def _seconds(epoch: Callable[[], object]) -> float:
    started = time.perf_counter()
    epoch()
    return time.perf_counter() - started


def _siffra_epoch(pool: ProcessPoolExecutor, name: str, images: int, seeds: int) -> None:
    list(pool.map(partial(_train, name, images), range(seeds)))


@cache
def _engine_and_data(images: int) -> tuple[NativeEngine, Dataset]:
    return NativeEngine(1), read_images(images, 1)


def _train(name: str, images: int, seed: int) -> None:
    engine, dataset = _engine_and_data(images)
    setting = WORKLOADS[name].setting
    training = setting.training.model_copy(update={"epochs": 1.0})
    engine.fit(setting.model, training, dataset, seed, lambda end, fitted: None)


def jax_epoch(name: str, dataset: Dataset, seeds: int) -> Callable[[], np.ndarray]:
    """What trains all seeds for an epoch more; it returns each one's mean loss in nats."""
    from benchmarks.peers import jax_scan
    from benchmarks.peers.jax_scan import jax, jnp

    setting = WORKLOADS[name].setting
    first = Problem(setting, dataset, 0, 1)
    drawn = [Problem(setting, dataset, seed, 1).weights for seed in range(seeds)]
    stacked = {key: jnp.asarray(np.stack([weights[key] for weights in drawn])) for key in drawn[0]}
    of_all = jax.jit(
        jax.vmap(
            partial(jax_scan.epoch, first.network, first.batch_size, first.learning_rate),
            in_axes=(0, None, None, None, 0),
        )
    )
    train = dataset.train
    x, y = jnp.asarray(jax_scan.pixels(train)), jnp.asarray(train.y)
    rng = np.random.default_rng(0)
    state: dict[str, Any] = {"weights": stacked}

    def epoch() -> np.ndarray:
        orders = np.stack([rng.permutation(len(train)) for _ in range(seeds)])
        weights, _, losses = of_all(state["weights"], {}, x, y, jnp.asarray(orders))
        state["weights"] = weights
        return np.asarray(losses)

    return epoch
