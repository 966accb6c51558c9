"""What a busy core costs: epochs on one thread and on all, without and with a busy process."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from statistics import fmean, median
from typing import Any

import numpy as np

from siffra.bench.workloads import LEARNING_RATE, SEED, WORKLOADS
from siffra.config import Setting
from siffra.config.recipes import find_recipe
from siffra.data.dataset import Dataset
from siffra.errors import BenchError

AIM = 1.6
"""With one core busy an epoch should take no more than so many times what one thread takes idle."""
LOADS = {
    "load dense": ("dense 784-32-10, batch 140", {"neurons": 32, "batch_size": 140}),
    **{
        f"load {name}": (WORKLOADS[name].title, WORKLOADS[name].knobs)
        for name in ("deep", "conv", "conv-12", "conv-strides")
    },
    "load digits-1s": ("the recipe digits-1s, batch 64", find_recipe("digits-1s").knobs),
}
_LEAST_EPOCHS, _SECONDS = 3, 2.0
"""Epochs of each kind, and seconds of all of a workload, idle and again with a busy process."""
_PATIENCE = 600.0
_BUSY = """\
import os, sys, time
parent, end = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])
while os.getppid() == parent and time.monotonic() < end:
    for _ in range(100_000):
        pass
"""


@dataclass(frozen=True, slots=True)
class LoadTime:
    """Seconds of epochs of `images` on one thread and on `threads`, idle and with a busy process.

    `machine` is where they were measured: what a busy core costs is compared within it alone.
    """

    name: str
    images: int
    threads: int
    machine: str
    one_idle: list[float]
    all_idle: list[float]
    one_busy: list[float]
    all_busy: list[float]

    @property
    def title(self) -> str:
        """What it is."""
        return LOADS[self.name][0] if self.name in LOADS else self.name

    @property
    def alone(self) -> float:
        """The seconds on one thread of an idle machine: the median."""
        return median(self.one_idle)

    def times(self, kind: str) -> float:
        """How many times as long a kind of epoch takes.

        Means, since what a trial of more threads costs is part of it; but idle, where whatever
        stands out was no part of siffra's, the median.
        """
        seconds = getattr(self, kind)
        return (fmean if kind.endswith("busy") else median)(seconds) / self.alone


def measure_load(
    names: Sequence[str], dataset: Dataset, threads: int, say: Callable[[str], None]
) -> list[LoadTime]:
    """Time each of `names` in `LOADS` on so many threads and on one, in turn."""
    from siffra.training.run import this_machine

    cpu = this_machine(threads).cpu
    machine = f"{cpu}, {threads} threads of {os.cpu_count()} cores"
    return [_measure(name, dataset, threads, machine, say) for name in names]


def _measure(
    name: str, dataset: Dataset, threads: int, machine: str, say: Callable[[str], None]
) -> LoadTime:
    title, knobs = LOADS[name]
    setting = Setting.from_knobs({"learning_rate": LEARNING_RATE, **knobs})
    say(f"{title}: compiling")
    epochs = [_epoch(setting, dataset, count) for count in (1, threads)]
    say(f"{title}: idle")
    idle = _in_turn(epochs)
    say(f"{title}: with a busy process")
    with busy_process():
        busy = _in_turn(epochs)
    return LoadTime(name, len(dataset.train), threads, machine, *idle, *busy)


def _epoch(setting: Setting, dataset: Dataset, threads: int) -> Callable[[], float]:
    """What trains for an epoch on so many threads, and returns its seconds."""
    from siffra.engine.native.engine import NativeEngine
    from siffra.engine.network import build_network
    from siffra.engine.rng import epoch_orders

    engine = NativeEngine(threads)
    network = build_network(setting.model, dataset.image_shape, dataset.classes)
    # More epochs than there will be, for the sake of schedules.
    training = setting.training.model_copy(update={"epochs": 1000})
    trainer = engine._trainer(network, training, dataset.train, SEED)
    orders = cycle(islice(epoch_orders(len(dataset.train), SEED), 3))

    def epoch() -> float:
        order = next(orders)
        with engine.hold_threads():
            started = time.perf_counter()
            # A diverged network takes as long as any other.
            with np.errstate(all="ignore"):
                trainer.epoch(order)
            return time.perf_counter() - started

    epoch()
    return epoch


def _in_turn(epochs: Sequence[Callable[[], float]]) -> list[list[float]]:
    """The seconds of each of them, one after the other, a first round not counted."""
    seconds: list[list[Any]] = [[] for _ in epochs]
    for epoch in epochs:
        epoch()
    until = time.monotonic() + _SECONDS
    while len(seconds[0]) < _LEAST_EPOCHS or time.monotonic() < until:
        for epoch, own in zip(epochs, seconds, strict=True):
            own.append(epoch())
    return seconds


@contextmanager
def busy_process(patience: float = _PATIENCE) -> Iterator[int]:
    """A process, whose number this is, that keeps a core busy until this is left.

    It ends by itself when its parent has, or after so many seconds, whatever happens. It is in a
    session of its own, as other people's programs are: Linux shares cores out by session.
    """
    command = [sys.executable, "-S", "-c", _BUSY, str(os.getpid()), str(patience)]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        time.sleep(0.3)  # until it is at work
        yield process.pid
        if process.poll() is not None:
            raise BenchError("the busy process ended before the measurement did.")
    finally:
        process.kill()
        process.wait()
