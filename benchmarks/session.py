"""A session of the benchmarks: which workloads and peers, on what machine, and what came out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.peers import PEERS
from benchmarks.peers.base import Problem
from benchmarks.race import Effort, Result, measure
from benchmarks.workers import read_images
from siffra.bench.roofline import Limits, middle
from siffra.bench.session import SCORED, known
from siffra.bench.workloads import SEED, WORKLOADS
from siffra.errors import BenchError
from siffra.training.run import this_machine


@dataclass(frozen=True, slots=True)
class Conditions:
    """What times depend on, apart from the workload.

    `held` is the name of the vectors that all were held to; empty where they may use any.
    """

    cpu: str
    system: str
    threads: int
    versions: dict[str, str]
    held: str = ""

    @classmethod
    def here(cls, threads: int, peers: Sequence[str], held: str = "") -> "Conditions":
        """Those of this machine, with the versions of the peers' packages."""
        machine = this_machine(threads)
        versions = dict(machine.versions)
        for peer in peers:
            versions |= PEERS[peer].versions
        system = machine.system.split()[0]
        return cls(machine.cpu, system, threads, versions, held)

    def __str__(self) -> str:
        threads = f"{self.threads} thread" + "s" * (self.threads > 1)
        return f"{self.cpu}, {threads}, {self.system}" + f", held to {self.held}" * bool(self.held)


@dataclass(frozen=True, slots=True)
class Session:
    """All workloads that were timed; siffra is the first of the `peers`."""

    conditions: Conditions
    peers: list[str]
    results: list[Result]

    @property
    def images(self) -> str:
        """How many are in an epoch, in words."""
        counts = {r.images for r in self.results if r.workload.task == "train"}
        return " or ".join(f"{count:,}" for count in sorted(counts)) or "no"

    @property
    def limits(self) -> Limits:
        """The medians of all measurements."""
        return middle([limits for result in self.results for limits in result.limits])


def installed(names: str | None, say: Callable[[str], None]) -> list[str]:
    """The peers that can run, siffra first; those named, or all but the extra ones.

    `say` is told of each that cannot.
    """
    usual = [info.name for info in PEERS.values() if not info.extra]
    wanted = ["siffra", *(known("peers", names, list(PEERS)) if names else usual)]
    return list(_able([name for name in PEERS if name in wanted], say))


def _able(names: Sequence[str], say: Callable[[str], None]) -> Iterator[str]:
    for info in (PEERS[name] for name in names):
        if info.missing:
            lacking = " and ".join(info.missing)
            get = " ".join(info.packages)
            say(f"{info.title} is skipped: no {lacking} here; `pip install {get}` gets it.")
        else:
            yield info.name


def bench(
    workloads: Sequence[str],
    peers: Sequence[str],
    *,
    threads: int,
    images: int,
    effort: Effort,
    say: Callable[[str], None],
    on_result: Callable[[Result], None] = lambda result: None,
    held: str = "",
) -> Session:
    """Time `workloads` for `peers`; `on_result` is given each result as soon as it is there.

    Who does not keep to the vectors that all are `held` to is not timed.

    Raises:
        BenchError: siffra itself failed, or took too long.
    """
    dataset = read_images(images, min(images, SCORED))
    results = []
    for name in workloads:
        workload = WORKLOADS[name]
        problem = Problem(workload.setting, dataset, SEED, threads)
        try:
            results.append(measure(workload, problem, peers, effort, say, held))
        except BenchError as error:
            raise BenchError(f"{workload.title}: siffra failed: {error}.") from error
        on_result(results[-1])
    return Session(Conditions.here(threads, peers, held), list(peers), results)
