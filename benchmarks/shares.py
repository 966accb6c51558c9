"""What share of siffra's training time other things take: augmentation, and scoring."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from benchmarks.peers.base import Problem
from benchmarks.workers import PeerWorker
from siffra.bench.workloads import LEARNING_RATE, SEED, WORKLOADS
from siffra.config import Setting
from siffra.data.dataset import Dataset

_REPEATS = 15
SHARES = {
    "augmentation conv": "augmentation (moved, turned, shaken), conv 16@8×8, batch 256",
    "augmentation 3x3": "augmentation (moved, turned, shaken), 3×3 net, batch 128",
    "curves dense": "scoring after an epoch, dense 784-32-10, batch 256",
    "curves conv": "scoring after an epoch, conv 16@8×8, batch 256",
    "curves 3x3": "scoring after an epoch, 3×3 net, batch 128",
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
    knobs = {"learning_rate": LEARNING_RATE, **WORKLOADS[net].knobs}
    setting, shaken = (Setting.from_knobs(knobs | more) for more in ({}, {"augment": "shifts"}))
    if what == "curves":
        with PeerWorker.start() as worker:
            training, added = worker.ask(scoring, setting, len(dataset.train), threads)
    else:
        plain, other = (Problem(s, dataset, SEED, threads) for s in (setting, shaken))
        training, added = _augmentation(plain, other)
    return ShareTime(name, len(dataset.train), training, added)


def _augmentation(plain: Problem, shaken: Problem) -> tuple[list[float], list[float]]:
    with PeerWorker.start() as trainer, PeerWorker.start() as beside:
        trainer.open("siffra", "train", plain)
        beside.open("siffra", "train", shaken)
        trainer.turn()
        beside.turn()
        training, added = [], []
        for _ in range(_REPEATS):
            training.append(trainer.turn().seconds)
            added.append(beside.turn().seconds - training[-1])
    return training, added


def scoring(setting: Setting, images: int, threads: int) -> tuple[list[float], list[float]]:
    """Seconds of a run's epochs on so many images, and of the scoring after each."""
    from siffra.data.load import load_dataset
    from siffra.engine.base import EpochEnd, Fitted
    from siffra.engine.native.engine import NativeEngine
    from siffra.training.scored_sets import scored_sets

    dataset, engine = load_dataset(), NativeEngine(threads)
    dataset = replace(dataset, train=dataset.train.some(images))
    kept: list[Callable[[], Any]] = []
    training, scored = [], []

    def score(end: EpochEnd, fitted: Fitted) -> None:
        if not kept:
            kept.extend(fitted.keep(images) for images in scored_sets(dataset).curves.values())
        started = time.perf_counter()
        for predict in kept:
            predict()
        scored.append(time.perf_counter() - started)
        training.append(end.seconds)

    engine.prepare(setting.model, setting.training, dataset)
    epochs = setting.training.model_copy(update={"epochs": _REPEATS + 1})
    engine.fit(setting.model, epochs, dataset, SEED, score)
    return training[1:], scored[1:]
