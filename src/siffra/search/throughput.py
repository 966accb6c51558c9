"""How many steps of a candidate fit the budget: some are made and timed.

A single step of a network that is far too slow could outlast the search. One whose multiply-adds
alone exceed the budget is not run; one that may be far too slow is timed with a few images first.
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
from siffra.search.all_threads import AllThreads
from siffra.search.race import Candidate
from siffra.search.time_budget import TimeBudget
from siffra.training.timing import clock_of, seconds_alone

FEWEST_STEPS = 24
"""The fewest steps in the whole budget; candidates that make fewer take no part."""

_WORTH = 0.04
"""The share of the budget that is spent on timing a candidate."""
_FAR = 10.0
"""An engine may beat this machine's matrix products by this factor: it skips blank pixels."""
_SLOW = 100.0
"""It is hardly slower than they are by this factor."""
_ON_CPU = ("native", "torch")
"""Engines whose speed this machine's matrix products bound."""
_FIRST_STEPS = 8
"""Steps before the timed ones: the first steps are slower than the others."""
_FIRST_SLOWER = 4
"""By about this factor at most."""
_VARIES = 1.05
"""A step may take so much longer in a run than when it is timed by itself."""
_MORE = 8
"""The next step has this many times as many images."""


class Throughput:
    """Times candidates on a data set, and predicts from earlier ones which are too slow.

    Close it in the end.
    """

    def __init__(self, dataset: Dataset, engine: Engine, time: TimeBudget) -> None:
        self._dataset, self._engine, self._time = dataset, engine, time
        self._all_threads = AllThreads(dataset, engine)
        self._alone: dict[Setting, float] = {}
        self._on_one_thread: dict[Setting, float] = {}
        # Multiply-adds per second, by the kind of model.
        self._slowest: dict[str, float] = {}

    def steps(self, setting: Setting) -> int:
        """How many steps of a setting fit the budget, by a timing; 0 if too few do."""
        most = self._time.planned() / FEWEST_STEPS
        seconds = self.least(setting)
        if seconds <= most:
            carefully = self.most(setting) > most
            seconds = seconds_per_step(
                setting, self._dataset, self._engine, _WORTH * self._time.budget, most,
                carefully=carefully,
            )  # fmt: skip
            if not carefully or seconds <= _FIRST_SLOWER * most:  # else it may be as slow as that
                seconds = undisturbed(seconds, self.alone(setting))
            self.learn(setting, seconds)
        steps = self._time.steps(seconds)
        return steps if steps >= FEWEST_STEPS else 0

    def alone(self, setting: Setting) -> float:
        """Seconds of a step, alone on the machine, at most; 0 if not to be had."""
        if setting not in self._alone:
            worth = _WORTH * self._time.budget
            steps = steps_per_epoch(setting.training, len(self._dataset.train))
            an_epoch = seconds_alone(setting, self._dataset, self._engine, worth) or 0.0
            self._on_one_thread[setting] = an_epoch / steps
            if an_epoch:
                an_epoch = min(an_epoch, self._all_threads.seconds(setting, worth))
            self._alone[setting] = an_epoch / steps
        return self._alone[setting]

    def pace(self, candidate: Candidate) -> float:
        """How many times the budget a candidate's whole run takes on one thread; 1 if unknown."""
        self.alone(candidate.setting)
        seconds = self._on_one_thread[candidate.setting] * candidate.steps
        return max(1.0, seconds / self._time.budget)

    def close(self) -> None:
        """End what was started for timing."""
        self._all_threads.close()

    def may_fit(self, setting: Setting, able: Sequence[Candidate]) -> bool:
        """Whether it would make enough steps at the usual rate of arithmetic for its kind of model.

        If no `able` candidate is of its kind, at the best rate seen.
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
        """The fewest seconds that a step can take; 0 where unknown."""
        return self._by_products(setting) / _FAR if self._is_bound else 0.0

    def most(self, setting: Setting) -> float:
        """Seconds of a step at the slowest rate seen for its kind of model.

        Before any was seen, at a rate far below that of matrix products; infinite where these
        do not bound it.
        """
        if rate := self._slowest.get(setting.model.kind):
            return self.work(setting) / rate
        return _SLOW * self._by_products(setting) if self._is_bound else math.inf

    def learn(self, setting: Setting, seconds: float) -> None:
        """Note how long a step took."""
        kind, rate = setting.model.kind, self.work(setting) / max(seconds, 1e-9)
        self._slowest[kind] = min(rate, self._slowest.get(kind, rate))

    @property
    def _is_bound(self) -> bool:
        return self._engine.name in _ON_CPU

    def _by_products(self, setting: Setting) -> float:
        return self.work(setting) / multiplications_per_second(self._engine.threads)


def undisturbed(seconds: float, alone: float) -> float:
    """Seconds of a step where nothing disturbs it, if it took this many in a run.

    `alone` can be timed whatever else the machine does: by processor time. So a machine on which a
    run took longer was busy, and that must not shorten runs.
    """
    return min(seconds, _VARIES * alone) if alone else seconds


def with_steps(setting: Setting, steps: int, images: int) -> Setting:
    """`setting` with a schedule of `steps` steps, on this many training `images`."""
    epochs = steps / steps_per_epoch(setting.training, images)
    training = setting.training.model_copy(
        update={"epochs": int(epochs) if epochs.is_integer() else epochs}
    )
    return replace(setting, training=training)


def timed_fit(
    setting: Setting, dataset: Dataset, seed: int, engine: Engine
) -> tuple[float, Fitted]:
    """Train once: seconds of training, without compilation, and the network."""
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
    """Seconds of a training step on this machine.

    Args:
        setting: What is trained.
        dataset: What it is trained on.
        engine: What trains it.
        worth: How long to measure, in seconds.
        most: A step that takes longer is timed no further.
        carefully: Time steps with few images first, and a whole batch only if it may be quick
            enough.
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
    """Expected seconds of a step, extrapolated from steps with 1, 8, 64, ... images.

    Part of a step's time is the same for any batch, so the difference between two steps gives the
    time per image. It stops when the next step may exceed `most` and a whole batch is expected
    to, and repetition confirms that: also on one thread by its own clock, since several wait for
    each other where another program has a core.
    """
    alone = engine.on_one_thread
    read = clock_of(alone)
    whole = min(setting.training.batch_size, len(dataset.train))

    def step_of(few: int) -> Setting:
        training = setting.training.model_copy(update={"batch_size": few})
        return with_steps(replace(setting, training=training), 1, len(dataset.train))

    def timed(few: int) -> float:
        return timed_fit(step_of(few), dataset, 0, engine)[0]

    def timed_alone(few: int) -> float:
        if engine.threads == 1:
            return timed(few)
        step = step_of(few)
        alone.prepare(step.model, step.training, dataset)
        started = read()
        timed_fit(step, dataset, 0, alone)
        return read() - started

    def expected(few: int, took: float) -> float:
        per_image = max(took - seconds, 0.0) / (few - images) if images else 0.0
        return took + per_image * (whole - few)

    def is_too_long(few: int, took: float) -> bool:
        return _MORE * took > most and expected(few, took) > most

    few, images, seconds = 1, 0, 0.0
    while few < whole:
        took = timed(few)
        for again in (timed, timed_alone):
            took = min(took, again(few)) if is_too_long(few, took) else took
        if is_too_long(few, took):
            return expected(few, took)
        few, images, seconds = _MORE * few, few, took
    return seconds
