"""A session: every workload's turns, and the machine's limits beside them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from siffra.bench.roofline import Demand, Limits, measure_limits, middle
from siffra.bench.worker import Worker
from siffra.bench.workloads import WORKLOADS, Workload
from siffra.errors import BenchError, ConfigError, did_you_mean
from siffra.training.run import Machine

IMAGES, SCORED = 48_000, 10_000
"""In an epoch, and in a scoring."""
_ROUNDS = 3
_SECONDS = 1.0
"""Of turns, in each round."""


@dataclass(frozen=True, slots=True)
class Result:
    """A workload's wall seconds by turn, and the limits of the machine meanwhile.

    `images` were trained on or scored in a turn, which makes the `demand`.
    """

    workload: Workload
    images: int
    demand: Demand
    seconds: list[float]
    limits: list[Limits]

    @property
    def median(self) -> float:
        """Seconds of the middle turn."""
        return median(self.seconds)

    @property
    def least(self) -> float:
        """Seconds that the machine needs at best."""
        return middle(self.limits).seconds(self.demand)

    @property
    def share(self) -> float:
        """How near siffra comes to that: 1 is as fast as the machine can be."""
        return self.least / self.median


@dataclass(frozen=True, slots=True)
class Session:
    """All workloads that were timed."""

    machine: Machine
    results: list[Result]

    @property
    def limits(self) -> Limits:
        """The medians of all measurements."""
        return middle([limits for result in self.results for limits in result.limits])

    def as_json(self) -> dict[str, Any]:
        """Everything that was measured, in seconds, GFLOP/s and GB/s."""
        return {
            "cpu": self.machine.cpu,
            "threads": self.machine.threads,
            "versions": self.machine.versions,
            "matrix_peak": self.limits.matrix_peak,
            "bandwidth": self.limits.bandwidth,
            "works": [
                {
                    "work": result.workload.name,
                    "title": result.workload.title,
                    "images": result.images,
                    "least_seconds": result.least,
                    "share_of_limit": result.share,
                    "seconds": {"siffra": result.median},
                    "turns": {"siffra": result.seconds},
                }
                for result in self.results
            ],
        }


def known(option: str, names: str | None, choices: Sequence[str]) -> list[str]:
    """The names in a list with commas, in the order of `choices`; all choices if it is None.

    Raises:
        ConfigError: A name is not among the choices.
    """
    chosen = [name.strip() for name in names.split(",")] if names else list(choices)
    for name in chosen:
        if name not in choices:
            raise ConfigError(f"--{option} {name}: not known; {did_you_mean(name, choices)}")
    return [name for name in choices if name in chosen]


def bench(
    workloads: Sequence[str], *, threads: int, images: int, say: Callable[[str], None]
) -> Iterator[Result]:
    """Time each of `workloads` on this many `threads`, with `images` an epoch; `say` is progress.

    Raises:
        BenchError: A training failed, or took too long.
    """
    with Worker.start() as worker, Worker.start() as gauge:
        for workload in (WORKLOADS[name] for name in workloads):
            try:
                yield _measure(workload, worker, gauge, threads, images, say)
            except BenchError as error:
                raise BenchError(f"{workload.title}: {error}.") from error


def _measure(
    workload: Workload,
    worker: Worker,
    gauge: Worker,
    threads: int,
    images: int,
    say: Callable[[str], None],
) -> Result:
    count = images if workload.task == "train" else min(images, SCORED)

    def turns(number: int) -> list[float]:
        timed = "siffra.bench.timing:time_workload"
        return worker.ask_rested(timed, workload.name, count, threads, number)

    say(f"{workload.title}: first turn")
    once = turns(2)[-1]
    # The first half warms up: after a pause caches are cold, and cores asleep.
    warm = max(1, round(_SECONDS / 2 / once))
    seconds, limits = [], []
    for number in range(_ROUNDS):
        say(f"{workload.title}: round {number + 1} of {_ROUNDS}")
        limits.append(gauge.ask_rested(measure_limits, threads))
        seconds += turns(2 * warm)[warm:]
    demand = worker.ask("siffra.bench.timing:demand", workload.name, count)
    return Result(workload, count, demand, seconds, limits)


def spread(seconds: Sequence[float]) -> float:
    """The distance between the quartiles, as a share of the median."""
    if len(seconds) < 2:
        return 0.0
    low, _, high = quantiles(seconds, n=4, method="inclusive")
    return (high - low) / median(seconds)


def with_spread(seconds: Sequence[float]) -> str:
    """The median, and half the distance between the quartiles as a share of it."""
    return f"{median(seconds):.3g} ± {spread(seconds) / 2:.0%}"
