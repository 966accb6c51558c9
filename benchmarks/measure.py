"""Timing a work: the same loss first, then epochs in turn."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median, quantiles

from benchmarks.peers.base import Problem
from benchmarks.workers import Worker
from benchmarks.works import Work

TOLERANCE = 1e-3
"""By how much of siffra's a peer's first loss may differ: thousands of steps of float32, each
summed in another order, but nothing that is a different training."""
_AT_LEAST = 3


@dataclass(slots=True)
class Timing:
    """What one peer took for one work: wall seconds, an epoch or a scoring each.

    `first` is that of the first, checked turn, which compiles what is compiled.
    """

    first: float
    loss: float | None
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.seconds)

    @property
    def spread(self) -> float:
        """The distance between the quartiles, as a share of the median."""
        if len(self.seconds) < 2:
            return 0.0
        low, _, high = quantiles(self.seconds, n=4, method="inclusive")
        return (high - low) / self.median


@dataclass(frozen=True, slots=True)
class Result:
    """One work: the timings by peer, why others have none, and the matrix peak in GFLOP/s."""

    work: Work
    timings: Mapping[str, Timing]
    refused: Mapping[str, str]
    peaks: Sequence[float]
    forward: int
    """Multiply-adds of one image's forward pass."""

    def ratio(self, peer: str) -> float | None:
        """How many times as long as siffra `peer` took."""
        if peer not in self.timings:
            return None
        return self.timings[peer].median / self.timings["siffra"].median


def measure(
    work: Work,
    problem: Problem,
    peers: Sequence[str],
    *,
    repeats: int,
    budget: float,
    say: Callable[[str], None],
) -> Result:
    """Time `work` for `peers`, siffra first among them.

    A peer whose first loss is not siffra's, or that fails, is not timed. The others take turns
    `repeats` times; one that has used up `budget` seconds sits out after three of its own.
    """
    with ExitStack() as stack:
        timings: dict[str, Timing] = {}
        refused: dict[str, str] = {}
        workers: dict[str, Worker] = {}
        for peer in peers:
            if peer == "products" and (problem.network.convs or work.task == "score"):
                continue
            say(f"{work.title}: {peer}, first epoch")
            worker = stack.enter_context(Worker.start())
            try:
                worker.open(peer, work, problem)
                turn = worker.turn()
            except (
                Exception
            ) as error:  # whatever a library raises: the others are timed all the same
                if peer == "siffra":
                    raise
                refused[peer] = f"failed: {next(iter(str(error).splitlines()), repr(error))}"
                continue
            timings[peer] = Timing(turn.seconds, turn.loss)
            if wrong := _disagreement(turn.loss, timings["siffra"].loss):
                refused[peer] = wrong
                del timings[peer]
            else:
                workers[peer] = worker
        say(f"{work.title}: timing")
        peaks = _take_turns(stack.enter_context(Worker.start()), workers, timings, repeats, budget)
    return Result(work, timings, refused, peaks, problem.network.multiplications)


def _disagreement(loss: float | None, siffras: float | None) -> str:
    if loss is None or siffras is None or abs(loss - siffras) <= TOLERANCE * abs(siffras):
        return ""
    return f"its first loss is {loss:.5f}, siffra's is {siffras:.5f}"


def _take_turns(
    gauge: Worker,
    workers: Mapping[str, Worker],
    timings: Mapping[str, Timing],
    repeats: int,
    budget: float,
) -> list[float]:
    peaks = []
    for done in range(repeats):
        peaks.append(gauge.peak())
        for peer, worker in workers.items():
            seconds = timings[peer].seconds
            if done < _AT_LEAST or sum(seconds) < budget:
                seconds.append(worker.turn().seconds)
    return peaks
