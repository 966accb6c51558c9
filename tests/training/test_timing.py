"""Times by turns: who trains when, and what the times say, on clocks that tests make up.

A `Clock` is wound by a made-up engine: a step takes so many seconds for each neuron and image,
times how slow the machine is at that moment.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count, cycle, islice
from statistics import fmean

import numpy as np
import pytest
from estimators import Nearest
from reference import ReferenceEngine
from small import small_dataset

from siffra.config import DenseModel, Model, Setting, Training, as_model
from siffra.data.dataset import Dataset
from siffra.engine.native.engine import NativeEngine
from siffra.training import timing
from siffra.training.run import this_machine
from siffra.training.timing import Timing, time_by_turns, timing_key

DATASET = small_dataset()
IMAGES = len(DATASET.train.y)
IMAGE_SECONDS = 1e-5
"""Of a neuron."""


def setting(neurons: int = 4, **knobs: object) -> Setting:
    return Setting.from_knobs({"neurons": neurons, "batch_size": 10, "epochs": 2, **knobs})


@dataclass
class Clock:
    """Stands still while nobody trains; `slowness` has how slow the machine is, step by step."""

    slowness: Iterator[float] = field(default_factory=lambda: cycle([1.0]))
    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def wind(self, seconds: float) -> None:
        self.now += seconds * next(self.slowness)


class ClockedEngine(ReferenceEngine):
    """Takes time instead of training; `turns` has the neurons of whoever had a turn."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.turns = clock, list[int]()
        self.make = ClockedSteps

    def prepare(self, model: Model, training: Training, dataset: Dataset) -> None:
        self.clock.wind(1000.0)

    def steps(
        self, model: Model, training: Training, dataset: Dataset, seed: int
    ) -> "ClockedSteps":
        assert isinstance(model, DenseModel)
        return self.make(self, model.neurons[0], training)


@dataclass
class ClockedSteps:
    engine: ClockedEngine
    neurons: int
    training: Training
    is_cold: bool = True
    slowness: float = 1.0

    def begin_epoch(self) -> None:
        self.engine.turns.append(self.neurons)
        if self.training.augment != "none":
            self.engine.clock.wind(0.5)

    def take(self, order: np.ndarray) -> None:
        assert 0 < len(order) <= IMAGES
        each = IMAGE_SECONDS * self.neurons * self.slowness
        self.engine.clock.wind(len(order) * each + 10.0 * self.is_cold)
        self.is_cold = False


def timed(
    *settings: Setting, clock: Clock | None = None, number: int = 0, slices: int = 25
) -> Timing:
    clock = clock or Clock()
    return time_by_turns(
        settings, DATASET, ClockedEngine(clock), number, slices=slices, clock=clock
    )


def noise(seed: int, spread: float) -> Iterator[float]:
    rng = np.random.default_rng(seed)
    return (float(np.exp(rng.normal(0, spread))) for _ in count())


def test_an_epoch_takes_what_its_images_take_without_preparing_and_the_first_touch():
    assert timed(setting(4)).seconds == pytest.approx([IMAGES * 4 * IMAGE_SECONDS])


def test_what_an_epoch_does_before_its_steps_is_counted_once():
    (seconds,) = timed(setting(4, augment="move")).seconds

    assert seconds == pytest.approx(0.5 + IMAGES * 4 * IMAGE_SECONDS)


def test_equal_settings_take_equally_long_and_twice_the_work_twice_as_long():
    first, second, double = timed(setting(4), setting(4), setting(8)).seconds

    assert first == pytest.approx(second)
    assert double == pytest.approx(2 * first)


def test_a_slow_phase_slows_all_and_changes_no_ratio():
    # Twice as slow from one moment on, for good: in the middle of a lap at the worst.
    slowness = (1.0 if n < 500 else 2.0 for n in count())

    first, double = timed(setting(4), setting(8), clock=Clock(slowness)).seconds

    assert double / first == pytest.approx(2)


def test_slices_that_something_disturbs_are_left_out():
    # A tenth of the steps take ten times as long.
    rng = np.random.default_rng(0)
    slowness = (10.0 if rng.random() < 0.02 else 1.0 for _ in count())

    first, double = timed(setting(40), setting(80), clock=Clock(slowness)).seconds

    assert double / first == pytest.approx(2, rel=0.02)


def test_noise_averages_out_over_rounds():
    ratios = []
    for number in range(20):
        first, double = timed(
            setting(40), setting(80), clock=Clock(noise(number, 0.2)), number=number
        ).seconds
        ratios.append(np.log(double / first / 2))

    # The median of 25 differences of two slices, of at least one step each.
    round_spread = 0.2 * np.sqrt(2) * np.sqrt(np.pi / 2 / 25)
    assert abs(fmean(ratios)) < 4 * round_spread / np.sqrt(20)


def test_what_is_made_first_gains_nothing_over_many_rounds():
    """Memory that a training is given later may be slower, in every round alike."""
    spread = 0.01

    class Placed(ClockedEngine):
        made = 0

        def steps(
            self, model: Model, training: Training, dataset: Dataset, seed: int
        ) -> ClockedSteps:
            steps = super().steps(model, training, dataset, seed)
            # Each step of an image is slower by a per cent for each training made before.
            steps.slowness, self.made = 1 + spread * self.made, self.made + 1
            return steps

    ratios = []
    for number in range(60):
        placed = Placed(clock := Clock())
        first, second, _ = time_by_turns(
            [setting(40)] * 3, DATASET, placed, number, slices=6, clock=clock
        ).seconds
        ratios.append(np.log(second / first))

    # Of three places two are drawn: their distance is 1, 1 or 2 per cent, either way.
    expected = spread * np.sqrt((1 + 1 + 4) / 3)
    assert np.sqrt(np.mean(np.square(ratios))) == pytest.approx(expected, rel=0.3)
    assert abs(fmean(ratios)) < 4 * expected / np.sqrt(60)


class TestTurns:
    def turns(self, number: int) -> list[list[int]]:
        """Lap by lap; the first is the warm-up."""
        engine = ClockedEngine(clock := Clock())
        settings = [setting(4), setting(5), setting(6)]
        time_by_turns(settings, DATASET, engine, number, slices=30, clock=clock)
        turns = iter(engine.turns)
        return list(iter(lambda: list(islice(turns, 3)), []))

    def test_everybody_has_a_turn_in_each_lap(self):
        laps = self.turns(0)

        assert len(laps) > 20
        assert all(sorted(lap) == [4, 5, 6] for lap in laps)

    def test_nobody_always_comes_after_the_same_one(self):
        orders = {tuple(lap) for lap in self.turns(0)[1:]}

        assert len(orders) == 6

    def test_each_round_has_an_order_of_its_own_which_is_the_same_every_time(self):
        assert self.turns(0) == self.turns(0)
        assert self.turns(0) != self.turns(1)


class TestSlices:
    def images(self, one: Setting, slices: int = 25) -> list[int]:
        """The images of each slice; the first is the warm-up."""
        engine, taken = ClockedEngine(clock := Clock()), list[int]()

        class Watched(ClockedSteps):
            def begin_epoch(self) -> None:
                taken.append(0)

            def take(self, order: np.ndarray) -> None:
                taken[-1] += len(order)
                super().take(order)

        engine.make = Watched
        time_by_turns([one], DATASET, engine, 0, slices=slices, clock=clock)
        return taken

    def test_a_slice_of_short_epochs_is_whole_epochs(self):
        # An epoch of 53 images takes 2.1 ms: four whole ones fit into 10 ms.
        assert self.images(setting(4), slices=6)[1:] == [4 * 53] * 6

    def test_a_slice_of_long_epochs_is_whole_steps(self):
        # A step of 10 images takes 4 ms: two are nearest to 10 ms. The last of an epoch is of 3.
        assert set(self.images(setting(40), slices=9)[1:]) == {20, 13}

    def test_where_steps_are_long_there_are_fewer_laps(self):
        # A step takes 100 ms, and 25 slices should take 250.
        assert len(self.images(setting(1000))) == 1 + 5


class TestWhatIsAllOrNothing:
    def test_it_is_fitted_once_and_an_epoch_takes_its_share(self):
        fitted = []

        class Whole(ReferenceEngine):
            def fit(self, model, training, dataset, seed, on_epoch):
                fitted.append(seed)
                return super().fit(
                    model, training, dataset, seed,
                    lambda end, fit: on_epoch(replace(end, seconds=float(end.epoch)), fit),
                )  # fmt: skip

        found = time_by_turns([setting(epochs=3)], DATASET, Whole(), 7)

        assert fitted == [7]
        assert found.seconds == pytest.approx([2.0])

    def test_an_estimator_is_timed_beside_a_network(self):
        nearest = Setting.from_knobs({"model": as_model(Nearest)})

        found = time_by_turns([setting(), nearest], DATASET, NativeEngine(1), 0, slices=2)

        assert [each.engine for each in found.settings] == ["native", "sklearn"]
        assert min(found.seconds) > 0


class TestKey:
    ENGINE = ReferenceEngine()
    SETTINGS = (setting(4), setting(8))

    def key(self, *settings: Setting, dataset: Dataset = DATASET, number: int = 0) -> str:
        return timing_key(settings or self.SETTINGS, dataset, number, self.ENGINE)

    def test_it_is_the_key_of_what_is_timed(self):
        engine = ClockedEngine(clock := Clock())
        found = time_by_turns(self.SETTINGS, DATASET, engine, 3, clock=clock)

        assert found.key == timing_key(self.SETTINGS, DATASET, 3, engine)
        assert found.round == 3
        assert tuple(each.setting for each in found.settings) == self.SETTINGS
        assert (found.dataset, found.fingerprint) == (DATASET.name, DATASET.fingerprint)
        assert Timing.model_validate_json(found.model_dump_json()) == found

    def test_it_depends_on_settings_and_their_order_data_and_round(self):
        keys = {
            self.key(),
            self.key(setting(4), setting(9)),
            self.key(setting(8), setting(4)),
            self.key(setting(4)),
            self.key(number=1),
            self.key(dataset=small_dataset(train=54)),
        }

        assert len(keys) == 5  # the fingerprint of small data sets is made up, and always the same

    @pytest.mark.parametrize("changed", [{"cpu": "another"}, {"cores": 99}, {"versions": {}}])
    def test_it_depends_on_the_machine(self, monkeypatch, changed):
        before = self.key()
        machine = this_machine(1).model_copy(update=changed)
        monkeypatch.setattr(timing, "this_machine", lambda threads: machine)

        assert self.key() != before

    def test_it_does_not_depend_on_the_number_of_epochs(self):
        assert self.key(setting(4, epochs=2)) == self.key(setting(4, epochs=20))


def test_a_real_engine_trains_by_turns():
    found = time_by_turns(
        [setting(), setting(augment="move", schedule="one_cycle", ema=0.9)],
        DATASET, NativeEngine(1), 0, slices=3, slice_seconds=1e-3,
    )  # fmt: skip

    assert len(found.seconds) == 2
    assert all(0 < seconds < 60 for seconds in found.seconds)
    assert found.machine.threads == 1
    assert found.load
    assert found.load.wall > 0
