"""Training times that can be compared: settings timed side by side, in slices, by turns.

A machine has slow phases, in which everything takes up to twice as long. Runs that are minutes
apart fall into them or not, whatever is paired. So all settings that are to be compared are
trained at once, by one thread: some 10 ms of the first, some 10 ms of the second, and so on, in
many laps. What slows the machine then slows all of them, and times are compared within a lap.

How long an epoch takes depends neither on the number of epochs nor, much, on the seed. So a round
takes a quarter of a second for each setting, however long the trainings are.
"""

import math
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Self, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from siffra.config import Model, Setting, Training
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine, EpochEnd, Fitted, Steps
from siffra.engine.choice import engine_for
from siffra.engine.rng import epoch_orders
from siffra.engine.schedule import steps_per_epoch
from siffra.system.load import Load, LoadMeter
from siffra.training.run import Machine, digest_of, this_machine

TIMING = 2
"""Raised whenever times come to be measured in another way; part of the key."""
SLICES, SLICE_SECONDS = 25, 0.01
"""Of each setting in a round, and how long each should take."""
_FEWEST = 5
"""Slices of each setting, where steps are so long that a round would take too long otherwise."""
_FASTEST_STEP = 1e-6
"""Seconds: a slice has no more steps than it would have of such."""
_SHARP = 1e-4
"""Seconds that a clock's tick may take."""

_T = TypeVar("_T")
Clock = Callable[[], float]
"""Seconds from any origin."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TimedSetting(_Frozen):
    """A model and a training that were timed, and what trained them."""

    model: Model
    training: Training
    engine: str
    engine_version: int

    @property
    def setting(self) -> Setting:
        """What was trained."""
        return Setting(self.model, self.training)


class Timing(_Frozen):
    """One round in which the training of `settings` was timed by turns, on one thread.

    `seconds` is how long an epoch takes for each of the settings, without compiling and scoring.
    They are to be compared with each other: what slowed the machine slowed all of them. `round`
    counts from 0 and is the seed of the trainings.
    """

    key: str
    round: int
    settings: tuple[TimedSetting, ...]
    seconds: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...]
    dataset: str
    fingerprint: str
    machine: Machine
    load: Load | None
    finished: datetime

    @model_validator(mode="after")
    def _has_a_time_for_each(self) -> Self:
        if len(self.seconds) != len(self.settings):
            raise ValueError("there is one time for each setting")
        return self


def timing_key(settings: Sequence[Setting], dataset: Dataset, number: int, engine: Engine) -> str:
    """SHA-256 (hex) of everything that a round's times depend on, as canonical JSON.

    That is this machine and the packages as well, but not how many epochs a training has.
    """
    machine = _machine(settings, engine)
    described = {
        "settings": [
            timed.model_dump(mode="json", exclude={"training": {"epochs"}})
            for timed in _timed(settings, engine)
        ],
        "dataset": dataset.fingerprint,
        "round": number,
        "timing": TIMING,
        "cpu": machine.cpu,
        "cores": machine.cores,
        "versions": machine.versions,
    }
    return digest_of(described)


def time_by_turns(
    settings: Sequence[Setting],
    dataset: Dataset,
    engine: Engine,
    number: int,
    *,
    slices: int = SLICES,
    slice_seconds: float = SLICE_SECONDS,
    clock: Clock | None = None,
) -> Timing:
    """Time the training of `settings` on `dataset.train` in round `number`, counted from 0.

    In each lap every setting trains for a slice, a whole number of steps, in an order that is
    drawn anew. The first lap, in which memory and caches fill, is not counted. How the settings
    compare is the median over the laps of how they compare within a lap (the first step of Tukey's
    median polish, of logarithms); how long they take is the lower quartile of the laps. Where steps
    are longer than a slice, there are fewer laps. A training that cannot go step by step, such as
    an estimator's, is fitted once.

    Args:
        settings: What to compare.
        dataset: The data as it is, whatever a run's seed makes of it.
        engine: As for `run`. One thread of it is used.
        number: Of the round; equal numbers train on equal draws.
        slices: That count, of each setting, at most.
        slice_seconds: How long each should take.
        clock: What slices are timed by: by default processor time, which a busy machine takes
            none of, or where that is not what a training takes (on a GPU) wall time.

    Raises:
        ConfigError: A model cannot be built for the data set's images.
    """
    by_place: dict[int, _Slices | _WholeFit] = {}
    on_cpu = True
    # Where in memory a training lies, and so how fast it is, follows from when it is made: in one
    # order for all rounds, equal settings would differ by up to half a per cent in each of them.
    for place in _drawn(range(len(settings)), f"{number}"):
        setting = settings[place]
        trains = engine_for(setting.model, engine).on_one_thread
        trains.prepare(setting.model, setting.training, dataset)
        on_cpu = on_cpu and "gpu" not in trains.versions
        read = clock or clock_of(trains)
        by_place[place] = _turns_of(setting, dataset, trains, number, slices, slice_seconds, read)
    meter = LoadMeter(counts_cpu=on_cpu)
    meter.start()
    for turn in by_place.values():
        turn.begin()
    turns = [by_place[place] for place in range(len(settings))]
    by_turns = [turn for turn in turns if isinstance(turn, _Slices)]
    for lap in range(_laps(by_turns, slices, slice_seconds)):
        for turn in _drawn(by_turns, f"{number}:{lap}"):
            turn.take()
    meter.stop()
    sliced = iter(_seconds_by_laps(by_turns))
    return Timing(
        key=timing_key(settings, dataset, number, engine),
        round=number,
        settings=_timed(settings, engine),
        seconds=tuple(t.seconds if isinstance(t, _WholeFit) else next(sliced) for t in turns),
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        machine=_machine(settings, engine),
        load=meter.load(),
        finished=datetime.now(UTC),
    )


def _drawn(things: Iterable[_T], seed: str) -> list[_T]:
    """The `things` in an order that the seed draws."""
    order = list(things)
    random.Random(seed).shuffle(order)
    return order


def seconds_alone(setting: Setting, dataset: Dataset, engine: Engine, worth: float) -> float | None:
    """Seconds that an epoch takes on one thread of a machine that does nothing else.

    It is the lower quartile of the slices that fill `worth` seconds, or of a few, by the clock of
    `time_by_turns`. None for a training that cannot go step by step.

    Raises:
        ConfigError: The model cannot be built for the data set's images.
    """
    trains = engine_for(setting.model, engine).on_one_thread
    return _seconds_of_slices(setting, dataset, trains, worth, clock_of(trains))


def seconds_shared(
    setting: Setting,
    dataset: Dataset,
    engine: Engine,
    worth: float,
    *,
    clock: Clock = time.perf_counter,
) -> float | None:
    """Seconds that an epoch takes by the `clock` on all threads of `engine`, never on fewer.

    It is the lower quartile of the slices that fill `worth` seconds, or of a few. None for a
    training that cannot go step by step.

    Raises:
        ConfigError: The model cannot be built for the data set's images.
    """
    trains = engine_for(setting.model, engine).on_all_threads
    return _seconds_of_slices(setting, dataset, trains, worth, clock)


def _seconds_of_slices(
    setting: Setting, dataset: Dataset, engine: Engine, worth: float, clock: Clock
) -> float | None:
    engine.prepare(setting.model, setting.training, dataset)
    slices = 2 * _FEWEST
    turn = _turns_of(setting, dataset, engine, 0, slices, worth / slices, clock)
    if isinstance(turn, _WholeFit):
        return None
    turn.begin()
    for _ in range(_laps([turn], slices, worth / slices)):
        turn.take()
    (seconds,) = _seconds_by_laps([turn])
    return seconds


@dataclass(slots=True)
class _WholeFit:
    """A training that is all or nothing, which is done once."""

    setting: Setting
    dataset: Dataset
    engine: Engine
    seed: int
    seconds: float = 0.0
    """Of an epoch."""

    def begin(self) -> None:
        """Fit it."""
        model, training = self.setting.model, self.setting.training

        def end_epoch(end: EpochEnd, fitted: Fitted) -> None:
            self.seconds += end.seconds / training.epochs

        self.engine.fit(model, training, self.dataset, self.seed, end_epoch)


@dataclass(slots=True)
class _Slices:
    """The turns of a training that goes step by step, on this many `images` an epoch.

    `laps` has what an epoch would take, in seconds, by each turn.
    """

    steps: Steps
    training: Training
    images: int
    seed: int
    slice_seconds: float
    clock: Clock
    count: int = 0
    """Steps of a slice."""
    step_seconds: float = 0.0
    laps: list[float] = field(default_factory=list)
    _orders: Iterator[np.ndarray] = field(init=False)
    _order: np.ndarray = field(init=False)
    _next: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._orders = epoch_orders(self.images, self.seed)
        self._order = next(self._orders)

    def begin(self) -> None:
        """Warm up, and find out by more and more steps how many fill a slice."""
        most = math.ceil(self.slice_seconds / _FASTEST_STEP)
        self.steps.begin_epoch()
        self._train(1)  # which touches memory for the first time
        count, (seconds, _) = 1, self._train(1)
        while seconds < self.slice_seconds / 4 and 4 * count <= most:
            count *= 2
            seconds, _ = self._train(count)
        self.step_seconds = seconds / count
        epoch = steps_per_epoch(self.training, self.images)
        fitting = round(self.slice_seconds / max(self.step_seconds, _FASTEST_STEP))
        # Whole epochs where they are short, so that each slice has its share of partial batches.
        self.count = fitting - fitting % epoch if fitting > epoch else max(1, fitting)

    def take(self) -> None:
        """Train for a slice."""
        started = self.clock()
        self.steps.begin_epoch()
        beginning = self.clock() - started
        seconds, images = self._train(self.count)
        self.laps.append(beginning + seconds / images * self.images)

    def _train(self, count: int) -> tuple[float, int]:
        """Take this many steps; the seconds that they took, and their images."""
        seconds, images, size = 0.0, 0, self.training.batch_size
        while count:
            if self._next == len(self._order):
                self._order, self._next = next(self._orders), 0
            part = self._order[self._next : self._next + count * size]
            started = self.clock()
            self.steps.take(part)
            seconds += self.clock() - started
            self._next += len(part)
            images += len(part)
            count -= math.ceil(len(part) / size)
        return seconds, images


def _turns_of(
    setting: Setting,
    dataset: Dataset,
    engine: Engine,
    number: int,
    slices: int,
    slice_seconds: float,
    clock: Clock,
) -> _Slices | _WholeFit:
    images = len(dataset.train)
    # A schedule must not end before the round does; an epoch takes as long with any.
    most = (slices + 2) * math.ceil(slice_seconds / _FASTEST_STEP)
    epochs = math.ceil(most / steps_per_epoch(setting.training, images))
    training = setting.training.model_copy(update={"epochs": epochs})
    steps = engine.steps(setting.model, training, dataset, number)
    if steps is None:
        return _WholeFit(setting, dataset, engine, number)
    return _Slices(steps, training, images, number, slice_seconds, clock)


def _laps(turns: Sequence[_Slices], slices: int, slice_seconds: float) -> int:
    """As many as there should be slices, or as can be had in the time of those."""
    lap = sum(turn.count * turn.step_seconds for turn in turns)
    in_time = len(turns) * slices * slice_seconds / lap if lap else 0
    return min(slices, max(_FEWEST, round(in_time)))


def _seconds_by_laps(turns: Sequence[_Slices]) -> list[float]:
    """What an epoch takes in each of the turns."""
    if not turns:
        return []
    logs = np.log([turn.laps for turn in turns])
    of_laps = logs.mean(axis=0)
    of_turns = np.median(logs - of_laps, axis=1)
    return np.exp(np.quantile(of_laps, 0.25) + of_turns).tolist()


def clock_of(engine: Engine) -> Clock:
    """What slices of an engine with one thread are timed by: see `time_by_turns`."""
    ticks = time.get_clock_info("process_time").resolution
    return time.perf_counter if "gpu" in engine.versions or ticks > _SHARP else time.process_time


def _timed(settings: Sequence[Setting], engine: Engine) -> tuple[TimedSetting, ...]:
    timed = []
    for setting in settings:
        trains = engine_for(setting.model, engine)
        timed.append(
            TimedSetting(
                model=setting.model,
                training=setting.training,
                engine=trains.name,
                engine_version=trains.version_of(setting.model),
            )
        )
    return tuple(timed)


def _machine(settings: Sequence[Setting], engine: Engine) -> Machine:
    machine = this_machine(1)
    versions = dict(machine.versions)
    for setting in settings:
        versions |= engine_for(setting.model, engine).versions
    return machine.model_copy(update={"versions": versions})
