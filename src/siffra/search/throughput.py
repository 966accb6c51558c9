"""How many steps of a candidate fit the budget here: some are made and timed.

Nobody is to wait for a step of a network that is far too slow only to find that out. What its
multiply-adds alone would be too slow for is not tried; where it may be far too slow, steps of few
images are timed before one of a whole batch.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine, EpochEnd, Fitted
from siffra.engine.network import build_network
from siffra.engine.schedule import steps_per_epoch
from siffra.lab.execute.cost import multiplications_per_second
from siffra.search.race import Candidate
from siffra.search.time_budget import TimeBudget

FEWEST_STEPS = 24
"""Steps in the whole budget; what makes fewer here does not take part."""

_WORTH = 0.04
"""The share of a budget that is spent on timing a candidate."""
_FAR = 10.0
"""By this factor an engine may beat this machine's matrix products: it leaves out blank pixels."""
_SLOW = 100.0
"""By this factor it is not slower, or so."""
_ON_CPU = ("native", "torch")
"""Engines that this machine's matrix products bound."""
_FIRST_STEPS = 8
"""Trained before the clock is looked at: the first steps are slower than the others."""
_FIRST_SLOWER = 4
"""By no more than this factor, or so."""
_AGAIN = 2
"""Times that a step of few images is made again before it is taken for too long."""
_MORE = 8
"""Times as many images has the next step of few."""


class Throughput:
    """Times candidates on a data set, and tells by those that were which are not worth it."""

    def __init__(self, dataset: Dataset, engine: Engine, time: TimeBudget) -> None:
        self._dataset, self._engine, self._time = dataset, engine, time
        # Multiply-adds per second, by the kind of model.
        self._slowest: dict[str, float] = {}

    def steps(self, setting: Setting) -> int:
        """How many steps of it fit the budget, by a timing; 0 where they are too few."""
        most = self._time.planned() / FEWEST_STEPS
        seconds = self.least(setting)
        if seconds <= most:
            seconds = seconds_per_step(
                setting, self._dataset, self._engine, _WORTH * self._time.budget, most,
                carefully=self.most(setting) > most,
            )  # fmt: skip
            self.learn(setting, seconds)
        steps = self._time.steps(seconds)
        return steps if steps >= FEWEST_STEPS else 0

    def may_fit(self, setting: Setting, able: Sequence[Candidate]) -> bool:
        """Whether it would make enough steps at the rate of arithmetic that is usual for its kind.

        Where none of its kind is among those that are `able` to, at the best rate that was seen.
        """
        budget = self._time.budget
        rates = [(c.setting.model.kind, c.steps * self.work(c.setting) / budget) for c in able]
        if not rates:
            return True
        alike = [rate for kind, rate in rates if kind == setting.model.kind]
        rate = median(alike) if alike else max(rate for _, rate in rates)
        return budget * rate >= FEWEST_STEPS * self.work(setting)

    def work(self, setting: Setting) -> float:
        """Multiply-adds of a step's forward pass."""
        shape, classes = self._dataset.image_shape, self._dataset.classes
        network = build_network(setting.model, shape, classes)
        return network.multiplications * min(setting.training.batch_size, len(self._dataset.train))

    def least(self, setting: Setting) -> float:
        """Seconds that a step takes at the very least; 0 where nobody knows."""
        return self._by_products(setting) / _FAR if self._is_bound else 0.0

    def most(self, setting: Setting) -> float:
        """Seconds of a step at the slowest rate that was seen of its kind.

        Before any was, at one that is slow beside matrix products; endless where those do not tell.
        """
        if rate := self._slowest.get(setting.model.kind):
            return self.work(setting) / rate
        return _SLOW * self._by_products(setting) if self._is_bound else math.inf

    def learn(self, setting: Setting, seconds: float) -> None:
        """A step of it took so long."""
        kind, rate = setting.model.kind, self.work(setting) / max(seconds, 1e-9)
        self._slowest[kind] = min(rate, self._slowest.get(kind, rate))

    @property
    def _is_bound(self) -> bool:
        return self._engine.name in _ON_CPU

    def _by_products(self, setting: Setting) -> float:
        return self.work(setting) / multiplications_per_second(self._engine.threads)


def with_steps(setting: Setting, steps: int, images: int) -> Setting:
    """`setting` trained for so many steps on that many images, its schedule ending there."""
    epochs = steps / steps_per_epoch(setting.training, images)
    training = setting.training.model_copy(
        update={"epochs": int(epochs) if epochs.is_integer() else epochs}
    )
    return replace(setting, training=training)


def timed_fit(
    setting: Setting, dataset: Dataset, seed: int, engine: Engine
) -> tuple[float, Fitted]:
    """The seconds that training took, compiling not included, and the network."""
    seconds: list[float] = []

    def end_epoch(end: EpochEnd, fitted: Fitted) -> None:
        seconds.append(end.seconds)

    engine.prepare(setting.model, setting.training, dataset)
    fitted = engine.fit(setting.model, setting.training, dataset, seed, end_epoch)
    return sum(seconds), fitted


def seconds_per_step(
    setting: Setting,
    dataset: Dataset,
    engine: Engine,
    worth: float,
    most: float = math.inf,
    *,
    carefully: bool = False,
) -> float:
    """How long a step of this training takes here, measured for about `worth` seconds.

    Where it takes longer than `most`, nobody needs to know by how much: it is timed no further.
    To do it `carefully`, steps of few images come first, and one of a whole batch only if they
    leave it a chance.
    """
    images = len(dataset.train)
    if carefully:
        expected = _expected(setting, dataset, engine, _FIRST_SLOWER * most)
        if expected > _FIRST_SLOWER * most:
            return expected
    engine.prepare(setting.model, setting.training, dataset)

    def timed(steps: int) -> float:
        return timed_fit(with_steps(setting, steps, images), dataset, 0, engine)[0] / steps

    first = timed(1)
    if first > _FIRST_SLOWER * most:
        return first
    first = timed(_FIRST_STEPS)
    if first > most:
        return first
    return timed(max(_FIRST_STEPS, int(worth / max(first, 1e-9))))


def _expected(setting: Setting, dataset: Dataset, engine: Engine, most: float) -> float:
    """Seconds that a step is expected to take, by steps of few images: one, then more and more.

    Part of a step's time is the same for any batch; what two of them differ by goes on. No more
    are tried where the next may be longer than `most` and a whole batch is expected to be, if to
    time them again does not mend it.
    """
    whole = min(setting.training.batch_size, len(dataset.train))

    def timed(few: int) -> float:
        training = setting.training.model_copy(update={"batch_size": few})
        step = with_steps(replace(setting, training=training), 1, len(dataset.train))
        return timed_fit(step, dataset, 0, engine)[0]

    def expected(few: int, took: float) -> float:
        per_image = max(took - seconds, 0.0) / (few - images) if images else 0.0
        return took + per_image * (whole - few)

    def is_too_long(few: int, took: float) -> bool:
        return _MORE * took > most and expected(few, took) > most

    few, images, seconds = 1, 0, 0.0
    while few < whole:
        took = timed(few)
        for _ in range(_AGAIN):
            took = min(took, timed(few)) if is_too_long(few, took) else took
        if is_too_long(few, took):
            return expected(few, took)
        few, images, seconds = _MORE * few, few, took
    return seconds
