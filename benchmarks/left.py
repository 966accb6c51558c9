"""Where the seconds of an epoch go: what is left to gain, and what is not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.peers.base import Problem
from siffra.bench.roofline import matrix_peak
from siffra.bench.worker import Worker
from siffra.bench.workloads import SEED, WORKLOADS
from siffra.data.dataset import Dataset

REPEATS = 5
PARTS = ("products", "pointwise", "descent", "gather", "rest")
LEFT = {f"parts {w.name}": w.title for w in WORKLOADS.values() if w.task == "train"}


@dataclass(frozen=True, slots=True)
class Left:
    """An epoch of `images` by part, in seconds of each epoch timed, on so many threads.

    `multiplications` are what its products ask for; `peak` is the matrix peak in GFLOP/s on as
    many threads.
    """

    name: str
    images: int
    threads: int
    multiplications: int
    peak: float
    parts: dict[str, list[float]]

    @property
    def title(self) -> str:
        """What it is."""
        return LEFT.get(self.name, self.name)

    def seconds(self, part: str) -> float:
        """The median of a part."""
        return median(self.parts[part])

    @property
    def whole(self) -> float:
        """The seconds of an epoch."""
        return sum(self.seconds(part) for part in self.parts)

    @property
    def least(self) -> float:
        """The seconds of all multiply-adds at the matrix peak."""
        return 2e-9 * self.multiplications / self.peak


def measure_left(
    names: Sequence[str], dataset: Dataset, threads: int, say: Callable[[str], None]
) -> list[Left]:
    """Time the parts of each of `names` in `LEFT`, each in a process of its own."""
    return [_measure(name, dataset, threads, say) for name in names]


def _measure(name: str, dataset: Dataset, threads: int, say: Callable[[str], None]) -> Left:
    say(LEFT[name])
    problem = Problem(WORKLOADS[name.split()[1]].setting, dataset, SEED, threads)
    with Worker.start() as gauge, Worker.start() as worker:
        on, multiplications, parts = worker.ask_rested(_parts, problem)
        peak = gauge.ask_rested(matrix_peak, on)
    return Left(name, len(dataset.train), on, multiplications, peak, parts)


def _parts(problem: Problem) -> tuple[int, int, dict[str, list[float]]]:
    from benchmarks.dissection import dissect  # it imports the engine: in the worker alone

    return dissect(problem, REPEATS)
