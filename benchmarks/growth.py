"""How an epoch's time grows with one thing at a time, against the machine's limits."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Literal

from benchmarks.peers import PEERS
from benchmarks.peers.base import Problem
from benchmarks.race import Effort, Race
from benchmarks.workers import PeerWorker
from siffra.bench.roofline import Limits, demand_of
from siffra.bench.workloads import LEARNING_RATE, SEED, WORKLOADS
from siffra.config import Setting
from siffra.data.dataset import Dataset, Images

IMAGES = 12_000
_EFFORT = Effort(repeats=3, least=3, budget=0)
_CHEAP = 4.0
"""Seconds of a first turn above which a peer has no part in the rest of a sweep."""
_PATIENCE = 60.0

_DENSE = {"neurons": 32}
_CONV = WORKLOADS["conv"].knobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What grows, in a network with these `knobs`, over which `values`; whom it is asked of.

    Values stand from the quickest to the slowest. `grows` is a knob, or `images` an epoch, or
    `threads`.
    """

    name: str
    title: str
    grows: Literal["batch_size", "neurons", "kernel_size", "images", "threads"]
    values: tuple[int, ...]
    knobs: Mapping[str, Any]
    peers: tuple[str, ...]


_ALL = ("siffra", "keras-tuned", "pytorch", "jax")
_NO_COMPILER = ("siffra", "pytorch")
"""For convolutions: the others would have to compile anew at every point."""

SWEEPS = {
    sweep.name: sweep
    for sweep in (
        Sweep(
            name="batch-size",
            title="batch size, dense 784-32-10",
            grows="batch_size",
            values=(4096, 1024, 256, 64, 16, 4),
            knobs=_DENSE,
            peers=_ALL,
        ),
        Sweep(
            name="neurons",
            title="neurons n, dense 784-n-10, batch 140",
            grows="neurons",
            values=(4, 16, 64, 256, 1024),
            knobs={},
            peers=_ALL,
        ),
        Sweep(
            name="images",
            title="images, dense 784-32-10, batch 140",
            grows="images",
            values=(750, 3_000, 12_000, 48_000),
            knobs=_DENSE,
            peers=_ALL,
        ),
        Sweep(
            name="batch-size-conv",
            title="batch size, conv 16@8×8",
            grows="batch_size",
            values=(512, 128, 32, 8),
            knobs=_CONV,
            peers=_NO_COMPILER,
        ),
        Sweep(
            name="kernel-size",
            title="kernel size k, conv 16@k×k, batch 256",
            grows="kernel_size",
            values=(2, 4, 8, 12, 16, 20),
            knobs=_CONV,
            peers=_NO_COMPILER,
        ),
        Sweep(
            name="images-conv",
            title="images, conv 16@8×8, batch 256",
            grows="images",
            values=(750, 3_000, 12_000),
            knobs=_CONV,
            peers=_NO_COMPILER,
        ),
        *(
            Sweep(
                name=f"threads-{name}",
                title=f"threads, {WORKLOADS[name].title}",
                grows="threads",
                values=(),
                knobs=WORKLOADS[name].knobs,
                peers=_NO_COMPILER,
            )
            for name in ("wide", "conv", "3x3")
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Point:
    """At one value: the median seconds of an epoch by peer, and the least there can be.

    `computing` is what all multiply-adds take at the matrix peak, `reading` what the images take
    from memory.
    """

    value: int
    seconds: dict[str, float]
    computing: float
    reading: float


@dataclass(frozen=True, slots=True)
class Growth:
    """A sweep's points, the smallest value first, and why peers are missing from some."""

    name: str
    points: list[Point]
    left_out: list[str]

    @property
    def sweep(self) -> Sweep:
        """What grew."""
        return SWEEPS[self.name]


def measure_growth(
    sweeps: Sequence[str],
    peers: Sequence[str],
    dataset: Dataset,
    threads: int,
    *,
    in_time: Callable[[], bool],
    say: Callable[[str], None],
) -> Iterator[Growth]:
    """Each sweep's growth. Once it is not `in_time` any more, siffra goes on alone."""
    with ExitStack() as stack:
        workers = {peer: stack.enter_context(PeerWorker.start(_PATIENCE)) for peer in peers}
        gauge = stack.enter_context(PeerWorker.start(_PATIENCE))
        for name in sweeps:
            sweep = SWEEPS[name]
            values = sweep.values or tuple(range(1, threads + 1))
            for peer in workers:
                if not workers[peer].alive:
                    workers[peer] = stack.enter_context(PeerWorker.start(_PATIENCE))
            own = {peer: workers[peer] for peer in sweep.peers if peer in workers}
            points, left_out = [], {}
            for value in values:
                say(f"growth with {sweep.title}: {value}")
                limits = gauge.limits(value if sweep.grows == "threads" else threads)
                problem = problem_at(sweep, value, dataset, threads)
                points.append(_point(problem, value, own, left_out, limits, in_time))
            points.sort(key=lambda point: point.value)
            told = [f"{PEERS[peer].title} is left out {why}" for peer, why in left_out.items()]
            yield Growth(name, points, told)


def problem_at(sweep: Sweep, value: int, dataset: Dataset, threads: int) -> Problem:
    """What is trained where that which grows has come to `value`."""
    knobs = {"learning_rate": LEARNING_RATE, "batch_size": 140, **sweep.knobs}
    count = value if sweep.grows == "images" else IMAGES
    if sweep.grows not in ("images", "threads"):
        knobs[sweep.grows] = value
    few = Images(dataset.train.x[:count], dataset.train.y[:count])
    on = value if sweep.grows == "threads" else threads
    return Problem(Setting.from_knobs(knobs), replace(dataset, train=few), SEED, on)


def _point(
    problem: Problem,
    value: int,
    workers: Mapping[str, PeerWorker],
    left_out: dict[str, str],
    limits: Limits,
    in_time: Callable[[], bool],
) -> Point:
    race = Race("train", problem)
    for peer, worker in workers.items():
        if peer == "siffra" or (peer not in left_out and in_time()):
            race.enter(peer, worker)
            if peer in race.refused:
                left_out[peer] = f"from {value} on ({race.refused[peer]})"
        elif peer not in left_out:
            left_out[peer] = f"from {value} on (no time was left)"
    for done in range(_EFFORT.repeats):
        race.turns(done, _EFFORT)
    for peer, timing in race.timings.items():
        if peer != "siffra" and max(timing.first, median(timing.seconds)) > _CHEAP:
            left_out[peer] = f"beyond {value} (too slow to go on)"
    demand = demand_of(problem.network, problem.dataset.train.x, training=True)
    seconds = {peer: timing.median for peer, timing in race.timings.items()}
    return Point(value, seconds, limits.computing(demand), limits.reading(demand))
