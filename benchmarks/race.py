"""Timing a workload for several peers: the same loss first, then epochs in turn."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from statistics import median

from benchmarks.peers.base import Problem
from benchmarks.workers import PeerWorker
from siffra.bench.roofline import Demand, Limits, demand_of, middle
from siffra.bench.session import spread
from siffra.bench.workloads import WORKLOADS, Task, Workload
from siffra.errors import BenchError

TOLERANCE = 1e-3
"""By how much of siffra's a peer's first loss may differ.

They differ by rounding, which training amplifies. The worst of it is in sums over a whole batch
that a library adds up one after the other in float32: a batch norm's moments over 25,088
positions may be wrong by that many halves of float32's epsilon, 1.5e-3 (PyTorch's with
channels last, whose error is 6e-5). Workloads are chosen so that an epoch makes little more of it
than there is, and a different training is far outside, where an epoch is enough to learn from.
"""
LEARNT = 0.05
"""By how much of what siffra learns in the first epoch a peer's first loss may differ.

That is the first loss, less the loss of an epoch whose steps lead nowhere. Some networks learn so
little at first, or slowly, that one who stood still would be within `TOLERANCE`.
"""

_NO_STEP = 1e-30
"""A learning rate with which float32 weights stay what they are."""
_GAUGED = 3
"""Rounds that start with a measurement of the machine's limits."""


@dataclass(slots=True)
class Timing:
    """What one peer took for one workload: wall seconds, an epoch or a scoring each.

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
        return spread(self.seconds)


@dataclass(frozen=True, slots=True)
class Result:
    """One workload: timings by peer, why others have none, and the machine's limits beside them.

    `images` were trained on or scored in a turn, which makes the `demand`.
    """

    name: str
    images: int
    demand: Demand
    timings: dict[str, Timing]
    refused: dict[str, str]
    limits: list[Limits]

    @property
    def workload(self) -> Workload:
        """What was timed."""
        return WORKLOADS[self.name]

    @property
    def least(self) -> float:
        """The seconds that the machine needs for it at best."""
        return middle(self.limits).seconds(self.demand)

    @property
    def share(self) -> float:
        """How near siffra comes to that: 1 is as fast as the machine can be."""
        return self.least / self.timings["siffra"].median

    def ratio(self, peer: str) -> float | None:
        """How many times as long as siffra `peer` took."""
        if peer not in self.timings:
            return None
        return self.timings[peer].median / self.timings["siffra"].median


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: `repeats` turns each, but `least` once `budget` seconds are used up."""

    repeats: int
    least: int
    budget: float

    def goes_on(self, done: int, timing: Timing) -> bool:
        """Whether a peer takes part in another round after `done` of them."""
        return done < self.least or sum(timing.seconds) < self.budget


class Race:
    """Peers at one problem, each in a process of its own, siffra first.

    A peer whose first loss is not siffra's, or that fails, is `refused`, with the reason. In a
    training siffra learns nothing for an epoch before it learns, which tells how much there is to
    learn. If siffra fails, that is raised. Where all are `held` to narrower vectors, using AVX-512
    is to fail.
    """

    def __init__(self, task: Task, problem: Problem, held: str = "") -> None:
        self._task: Task = task
        self._problem = problem
        self._held = held
        self._workers: dict[str, PeerWorker] = {}
        self.timings: dict[str, Timing] = {}
        self.refused: dict[str, str] = {}
        self._allowed = 0.0

    def enter(self, peer: str, worker: PeerWorker) -> None:
        """Build the peer's network in `worker`, and take its first turn."""
        with self._refusing(peer):
            still = self._still(worker) if peer == "siffra" else None
            worker.open(peer, self._task, self._problem)
            turn = worker.turn()
            _keep_to(self._held, worker)
            timing = Timing(turn.seconds, turn.loss)
            if peer == "siffra":
                self._allowed = _allowed(timing.loss, still)
            if wrong := self._disagreement(timing):
                self.refused[peer] = wrong
            else:
                self.timings[peer], self._workers[peer] = timing, worker

    def turns(self, done: int, effort: Effort) -> None:
        """A turn for each, after `done` of them."""
        for peer, worker in list(self._workers.items()):
            timing = self.timings[peer]
            if effort.goes_on(done, timing):
                with self._refusing(peer):
                    timing.seconds.append(worker.turn().seconds)

    def _still(self, worker: PeerWorker) -> float | None:
        """Siffra's loss in an epoch whose steps lead nowhere; None where nothing is trained."""
        if self._task != "train":
            return None
        setting = self._problem.setting
        training = setting.training.model_copy(update={"learning_rate": _NO_STEP})
        problem = replace(self._problem, setting=replace(setting, training=training))
        worker.open("siffra", self._task, problem)
        return worker.turn().loss

    def _disagreement(self, timing: Timing) -> str:
        """What is wrong with a peer's first loss; empty if nothing is."""
        loss, expected = timing.loss, self.timings.get("siffra", timing).loss
        if loss is None or expected is None or abs(loss - expected) <= self._allowed:
            return ""
        return (
            f"its first loss is {loss:.5f}, siffra's is {expected:.5f}, "
            f"and no more than {self._allowed:.2g} may lie between"
        )

    @contextmanager
    def _refusing(self, peer: str) -> Iterator[None]:
        try:
            yield
        except BenchError as error:
            if peer == "siffra":
                raise
            self.refused[peer] = f"failed: {error}"
            self.timings.pop(peer, None)
            self._workers.pop(peer, None)


def _keep_to(held: str, worker: PeerWorker, who: str = "it") -> None:
    """Raise `BenchError` where `worker` was to be `held` to narrower vectors, and was not."""
    if held and worker.used_avx512():
        raise BenchError(f"{who} used AVX-512 registers, though all are held to {held}")


def _allowed(loss: float | None, still: float | None) -> float:
    """How far a peer's first loss may be from siffra's."""
    if loss is None:
        return 0.0
    allowed = TOLERANCE * abs(loss)
    return allowed if still is None else min(allowed, LEARNT * abs(still - loss))


def measure(
    workload: Workload,
    problem: Problem,
    peers: Sequence[str],
    effort: Effort,
    say: Callable[[str], None],
    held: str = "",
) -> Result:
    """Time `workload` for `peers`, siffra first among them; `say` is told what goes on.

    Raises:
        BenchError: siffra failed, or what measures the limits uses more than all are `held` to.
    """
    race = Race(workload.task, problem, held)
    limits: list[Limits] = []
    with ExitStack() as stack:
        for peer in peers:
            if peer != "products" or (workload.task == "train" and not problem.network.convs):
                say(f"{workload.title}: {peer}, first epoch")
                race.enter(peer, stack.enter_context(PeerWorker.start()))
        gauge = stack.enter_context(PeerWorker.start())
        for done in range(effort.repeats):
            say(f"{workload.title}: round {done + 1} of {effort.repeats}")
            if done < _GAUGED:
                limits.append(gauge.limits(problem.threads))
                _keep_to(held, gauge, "NumPy's BLAS")
            race.turns(done, effort)
    images = problem.images(workload.task)
    demand = demand_of(problem.network, images.x, training=workload.task == "train")
    return Result(workload.name, len(images), demand, race.timings, race.refused, limits)
