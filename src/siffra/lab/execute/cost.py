"""How long runs take: as long as like runs took, else what a rough count of their work says."""

import abc
import math
import time
from collections.abc import Callable, Iterable
from functools import cache
from statistics import median

import numpy as np

from siffra.config import EstimatorModel, Model, ModuleModel, Setting
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine
from siffra.engine.choice import ESTIMATORS
from siffra.engine.network import build_network
from siffra.engine.process import hold_blas
from siffra.lab.plan.plan import PlannedTiming
from siffra.store.store import Store
from siffra.training.run import Record, WrittenRecord, this_machine
from siffra.training.scored_sets import scored_sets
from siffra.training.timing import SLICE_SECONDS, SLICES, Timing

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
    def learn(self, setting: Setting, record: Record | WrittenRecord) -> None:
        """Take note of what a run of `setting` on this machine took."""

    @abc.abstractmethod
    def learn_times(self, timings: Iterable[Timing]) -> None:
        """Take note of what settings took that were timed by turns: all rounds that there are."""

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
        """How much of a run is over after this many epochs, from 0 to 1."""
        return min(1.0, epoch / setting.training.epochs)

    def of_timing(self, planned: PlannedTiming) -> float:
        """Predicted seconds of a round: of each setting the slices that count, and one before."""
        return len(planned.settings) * (SLICES + 1) * SLICE_SECONDS


class MeanCosts(Costs):
    """Predicts by the mean of those runs of a setting that were made, or of all; 0 before any."""

    def __init__(self) -> None:
        self._by_model: dict[Model, list[float]] = {}
        self._epochs: dict[Model, float] = {}

    def learn(self, setting: Setting, record: Record | WrittenRecord) -> None:
        record = record.read()
        if record.failure:  # it ended early, or never
            return
        self._by_model.setdefault(record.model, []).append(record.seconds)
        ends = [curve[-1][0] for curve in record.curves.values()]
        self._epochs[record.model] = max(ends, default=0.0)

    def learn_times(self, timings: Iterable[Timing]) -> None:
        """See `Costs.learn_times`; what siffra does not train it does not time."""

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
    runs on this machine, as many at a time, it is the mean of what those took. Where they were
    timed by turns, it is that. Else it is the count of multiplications over this machine's rate of
    matrix products. The latter two are corrected by how far they are off for the model of the same
    kind that is nearest in work of those that are known better. A count without any such model can
    be off by a factor of three or so.

    Scoring in the end is worth a part of an epoch, which counts where epochs are few.

    What was learned from runs is what their store would say, to whoever asks it next.
    """

    def __init__(self, dataset: Dataset, engine: Engine, store: Store, jobs: int = 1) -> None:
        self._dataset = dataset
        self._rate = cache(lambda: multiplications_per_second(engine.threads))
        self._images, scored = len(dataset.train), scored_sets(dataset)
        # Training multiplies three times: forward, for the weights, for the layer below.
        self._passes = 3 * self._images + sum(map(len, scored.curves.values()))
        self._scoring = sum(map(len, scored.whole.values())) / self._passes
        self._known: dict[Like, float] = {}
        self._epochs: dict[Like, float] = {}  # of which those are the means
        self._timed: dict[Like, float] = {}
        self._rounds = 0  # that those are of
        self._counted = cache(self._count)
        self._by_time = cache(self._from_timed)
        self._by_count = cache(self._from_counted)
        machine = this_machine(engine.threads).model_copy(update={"jobs": jobs})
        for name in (engine.name, ESTIMATORS):
            for model, batch_size, seconds, epochs, runs, alike in store.epoch_seconds(
                dataset=dataset.name, engine=name, machine=machine
            ):
                like = model, batch_size
                epochs += runs * self._scoring
                self._known[like] = seconds / epochs
                self._epochs[like] = epochs if alike else 0.0

    def learn(self, setting: Setting, record: Record | WrittenRecord) -> None:
        like = setting.model, setting.training.batch_size
        before, epochs = self._epochs.get(like, 0.0), setting.training.epochs + self._scoring
        seconds = self._known.get(like, 0.0) * before + record.took
        self._known[like], self._epochs[like] = seconds / (before + epochs), before + epochs
        self._forget()

    def learn_times(self, timings: Iterable[Timing]) -> None:
        """See `Costs.learn_times`."""
        rounds = list(timings)
        if len(rounds) == self._rounds:
            return
        self._rounds = len(rounds)
        times: dict[Like, list[float]] = {}
        for timing in rounds:
            for timed, seconds in zip(timing.settings, timing.seconds, strict=True):
                times.setdefault((timed.model, timed.training.batch_size), []).append(seconds)
        with_scoring = self._passes / (3 * self._images)
        self._timed = {like: with_scoring * median(each) for like, each in times.items()}
        self._forget()

    def knows(self, setting: Setting) -> bool:
        return (setting.model, setting.training.batch_size) in self._known

    def knows_kind(self, kind: str) -> bool:
        return any(model.kind == kind for model, _ in self._known)

    def seconds(self, setting: Setting) -> float:
        like = setting.model, setting.training.batch_size
        epochs = setting.training.epochs + self._scoring
        if like in self._known:
            return epochs * self._known[like]
        return epochs * (self._by_time(like) if like in self._timed else self._by_count(like))

    def _forget(self) -> None:
        self._by_time.cache_clear()
        self._by_count.cache_clear()

    def _from_timed(self, like: Like) -> float:
        """Seconds of an epoch that was timed: beside other runs it takes longer than alone."""
        both = {other: self._known[other] for other in self._timed if other in self._known}
        return self._timed[like] * self._correction(like, both, self._timed.__getitem__)

    def _from_counted(self, like: Like) -> float:
        """Seconds of an epoch by its work: small networks take much longer, large ones hardly."""
        better = {other: self._by_time(other) for other in self._timed} | self._known
        return self._counted(like) * self._correction(like, better, self._counted)

    def _correction(
        self, like: Like, known: dict[Like, float], predicted: Callable[[Like], float]
    ) -> float:
        """How much longer than `predicted` the nearest `known` model of its kind takes."""
        work = self._counted(like)
        ratios = [
            (abs(math.log(counted / work)), seconds / predicted(other))
            for other, seconds in known.items()
            if other[0].kind == like[0].kind and seconds > 0 and (counted := self._counted(other))
        ]
        return min(ratios)[1] if ratios else 1.0

    def _count(self, like: Like) -> float:
        """Seconds of an epoch, from the work in it."""
        model, batch_size = like
        steps = -(-self._images // batch_size)
        if isinstance(model, EstimatorModel):
            return _FIT
        if isinstance(model, ModuleModel):
            return steps * _STEP_OF_A_MODULE
        network = build_network(model, self._dataset.image_shape, self._dataset.classes)
        products = self._passes * network.multiplications
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
