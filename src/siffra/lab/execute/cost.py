"""How long runs take: as long as like runs took, else what a rough count of their work says."""

import abc
import math
import time
from functools import cache

import numpy as np

from siffra.config import EstimatorModel, Model, ModuleModel, Setting
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine
from siffra.engine.choice import ESTIMATORS
from siffra.engine.network import build_network
from siffra.engine.process import hold_blas
from siffra.lab.plan.plan import PlannedTiming
from siffra.store.store import Store
from siffra.training.run import Record, this_machine
from siffra.training.scored_sets import scored_sets
from siffra.training.timing import SLICE_SECONDS, SLICES

Like = tuple[Model, int]
"""What an epoch's cost depends on: the model and the batch size."""

_STEP = 2e-5
"""Seconds that a step takes for each layer beside its arithmetic."""
_STEP_OF_A_MODULE = 0.01
"""Seconds of a step of a user's module, until runs of such have shown what it is."""
_FIT = 10.0
"""Seconds of an estimator's fit and its scores, likewise."""


class Costs(abc.ABC):
    """Predicts the wall seconds of runs, training and scoring, without compiling."""

    @abc.abstractmethod
    def learn(self, record: Record) -> None:
        """Take note of what a run on this machine took."""

    @abc.abstractmethod
    def seconds(self, setting: Setting) -> float:
        """Predicted wall seconds of a run."""

    @abc.abstractmethod
    def knows(self, setting: Setting) -> bool:
        """Whether a run like this is known; else what it takes is worked out."""

    @abc.abstractmethod
    def knows_kind(self, kind: str) -> bool:
        """Whether any run of such a `Model.kind` is known; else what they take is a guess."""

    def share(self, setting: Setting, epoch: float) -> float:
        """How much of a run is over after so many epochs, from 0 to 1."""
        return min(1.0, epoch / setting.training.epochs)

    def of_timing(self, planned: PlannedTiming) -> float:
        """Predicted seconds of a round: of each setting the slices that count, and one before."""
        return len(planned.settings) * (SLICES + 1) * SLICE_SECONDS


class MeanCosts(Costs):
    """Predicts by the mean of those runs of a setting that were made, or of all; 0 before any."""

    def __init__(self) -> None:
        self._by_model: dict[Model, list[float]] = {}
        self._epochs: dict[Model, float] = {}

    def learn(self, record: Record) -> None:
        if record.failure:  # it ended early, or never
            return
        self._by_model.setdefault(record.model, []).append(record.seconds)
        ends = [curve[-1][0] for curve in record.curves.values()]
        self._epochs[record.model] = max(ends, default=0.0)

    def seconds(self, setting: Setting) -> float:
        every = [seconds for known in self._by_model.values() for seconds in known]
        known = self._by_model.get(setting.model, every)
        return sum(known) / len(known) if known else 0.0

    def knows(self, setting: Setting) -> bool:
        return setting.model in self._by_model

    def knows_kind(self, kind: str) -> bool:
        return any(model.kind == kind for model in self._by_model)

    def share(self, setting: Setting, epoch: float) -> float:
        """See `Costs.share`; by the last epoch of such a run, or of any other; 0 before any."""
        last = self._epochs.get(setting.model) or max(self._epochs.values(), default=0.0)
        return min(1.0, epoch / last) if last else 0.0


class EngineCosts(Costs):
    """Predicts by what an engine did on `dataset`.

    The cost of an epoch depends on the model and the batch size alone. Where both are known from
    runs on this machine, as many at a time, it is the mean of what those took. Else it is the count
    of multiplications over this machine's rate of matrix products, corrected by how far that was
    off for the known model of the same kind that is nearest in work; without any, it can be off by
    a factor of three or so.

    What was learned from runs is what their store would say, to whoever asks it next.
    """

    def __init__(self, dataset: Dataset, engine: Engine, store: Store, jobs: int = 1) -> None:
        self._dataset = dataset
        self._rate = cache(lambda: multiplications_per_second(engine.threads))
        self._known: dict[Like, float] = {}
        self._epochs: dict[Like, float] = {}  # of which those are the means
        self._counted = cache(self._count)
        self._correction = cache(self._correct)
        machine = this_machine(engine.threads).model_copy(update={"jobs": jobs})
        for name in (engine.name, ESTIMATORS):
            for model, batch_size, seconds, epochs in store.epoch_seconds(
                dataset=dataset.name, engine=name, machine=machine
            ):
                self._known[model, batch_size] = seconds
                self._epochs[model, batch_size] = epochs

    def learn(self, record: Record) -> None:
        like = record.model, record.training.batch_size
        before, epochs = self._epochs.get(like, 0.0), record.training.epochs
        seconds = self._known.get(like, 0.0) * before + record.seconds + record.scoring_seconds
        self._known[like], self._epochs[like] = seconds / (before + epochs), before + epochs
        self._correction.cache_clear()

    def knows(self, setting: Setting) -> bool:
        return (setting.model, setting.training.batch_size) in self._known

    def knows_kind(self, kind: str) -> bool:
        return any(model.kind == kind for model, _ in self._known)

    def seconds(self, setting: Setting) -> float:
        like = setting.model, setting.training.batch_size
        an_epoch = self._known.get(like)
        if an_epoch is None:
            an_epoch = self._counted(like) * self._correction(like)
        return setting.training.epochs * an_epoch

    def _correct(self, like: Like) -> float:
        """How much longer than counted the nearest known model of its kind takes.

        Small networks take much longer than their multiplications, large ones hardly any.
        """
        work = self._counted(like)
        ratios = [
            (abs(math.log(counted / work)), seconds / counted)
            for other, seconds in self._known.items()
            if other[0].kind == like[0].kind and seconds > 0 and (counted := self._counted(other))
        ]
        return min(ratios)[1] if ratios else 1.0

    def _count(self, like: Like) -> float:
        """Seconds of an epoch, from the work in it."""
        model, batch_size = like
        images = len(self._dataset.train)
        steps = -(-images // batch_size)
        if isinstance(model, EstimatorModel):
            return _FIT
        if isinstance(model, ModuleModel):
            return steps * _STEP_OF_A_MODULE
        network = build_network(model, self._dataset.image_shape, self._dataset.classes)
        scored = sum(map(len, scored_sets(self._dataset).curves.values()))
        # Training multiplies three times: forward, for the weights, for the layer below.
        products = (3 * images + scored) * network.multiplications
        return products / self._rate() + steps * len(network.layers) * _STEP


@cache
def multiplications_per_second(threads: int) -> float:
    """Multiply-adds a second in float32 matrix products on this machine; takes about 0.1 s."""
    side = 768
    ones = np.ones((side, side), np.float32)
    times = []
    with hold_blas(threads):
        for _ in range(4):
            started = time.perf_counter()
            np.dot(ones, ones)
            times.append(time.perf_counter() - started)
    return side**3 / min(times)
