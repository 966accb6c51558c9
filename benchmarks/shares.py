"""What share of siffra's training time other things take: augmentation, and scoring."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from siffra.bench.peers.base import Problem
from siffra.bench.session import SEED
from siffra.bench.workers import Worker
from siffra.bench.works import LEARNING_RATE, WORKS
from siffra.config import Setting
from siffra.data.dataset import Dataset

_REPEATS = 7
SHARES = {
    "augmentation conv": "augmentation (moved, turned, shaken), conv 16@8×8, batch 256",
    "augmentation 3x3": "augmentation (moved, turned, shaken), 3×3 net, batch 128",
    "scoring dense": "scoring 10,000 images an epoch, dense 784-32-10, batch 256",
    "scoring conv": "scoring 10,000 images an epoch, conv 16@8×8, batch 256",
    "scoring 3x3": "scoring 10,000 images an epoch, 3×3 net, batch 128",
}


@dataclass(frozen=True, slots=True)
class ShareTime:
    """One thing beside training: seconds of epochs of `images` without it, and what it adds."""

    name: str
    images: int
    training: list[float]
    added: list[float]

    @property
    def title(self) -> str:
        """What it is."""
        return SHARES.get(self.name, self.name)

    @property
    def share(self) -> float:
        """What it adds to the training time, as a share of it."""
        return median(self.added) / median(self.training)


def measure_shares(
    names: Sequence[str], dataset: Dataset, threads: int, say: Callable[[str], None]
) -> list[ShareTime]:
    """Time each of `names` in `SHARES`: epochs without and with it, in turn."""
    return [_measure(name, dataset, threads, say) for name in names]


def _measure(name: str, dataset: Dataset, threads: int, say: Callable[[str], None]) -> ShareTime:
    say(SHARES[name])
    what, net = name.split()
    knobs = {"learning_rate": LEARNING_RATE, **WORKS[net].knobs}
    shaken = {"augment": "shifts"} if what == "augmentation" else {}
    plain, other = (
        Problem(Setting.from_knobs(knobs | more), dataset, SEED, threads) for more in ({}, shaken)
    )
    with Worker.start() as trainer, Worker.start() as beside:
        trainer.open("siffra", "train", plain)
        beside.open("siffra", "train" if shaken else "score", other)
        trainer.turn()
        beside.turn()
        training, with_it = [], []
        for _ in range(_REPEATS):
            training.append(trainer.turn().seconds)
            with_it.append(beside.turn().seconds)
    if what == "scoring":
        return ShareTime(name, len(dataset.train), training, with_it)
    added = [after - before for after, before in zip(with_it, training, strict=True)]
    return ShareTime(name, len(dataset.train), training, added)
