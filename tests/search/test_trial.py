"""A candidate is timed: a step of few images first, where a whole one may be far too long."""

import numpy as np
import pytest

from siffra.config import Setting
from siffra.data.load import DataSource, load_dataset
from siffra.engine.network import build_network
from siffra.search.pace import Pace
from siffra.search.trial import seconds_per_step, try_out

SETTING = Setting.from_knobs({"neurons": 32, "batch_size": 256})


@pytest.fixture
def dataset(fake_data):
    return load_dataset(DataSource(path=fake_data, moved=0.0, rotated=0.0))


@pytest.fixture
def an_image(dataset, engine):
    """Seconds of an image in a step."""
    network = build_network(SETTING.model, dataset.image_shape, dataset.classes)
    return network.multiplications / engine.multiplications_per_second


@pytest.mark.parametrize("carefully", [False, True])
def test_a_step_is_as_long_as_it_is_measured(dataset, engine, an_image, carefully):
    engine.seconds_per_step = 0.01

    found = seconds_per_step(SETTING, dataset, engine, 1.0, 10.0, carefully=carefully)

    assert found == pytest.approx(0.01 + 256 * an_image)


def test_what_a_step_takes_for_any_batch_is_not_taken_for_its_images(dataset, engine, an_image):
    engine.seconds_per_step = 100 * an_image  # such as Muon's: a step of one is 101 of 356 parts

    found = seconds_per_step(SETTING, dataset, engine, 0.0, 400 * an_image, carefully=True)

    assert found == pytest.approx(356 * an_image)


def test_a_step_of_a_whole_batch_is_not_made_where_those_of_few_images_tell_enough(
    dataset, engine, clock, an_image
):
    found = seconds_per_step(SETTING, dataset, engine, 1.0, 20 * an_image, carefully=True)

    assert found == pytest.approx(256 * an_image)
    # Of one, of eight, and of 64: that is made again twice before it is believed.
    assert clock.now == pytest.approx((1 + 8 + 3 * 64) * an_image)


def test_a_step_of_few_images_that_was_long_by_chance_is_made_again(dataset, engine, an_image):
    longer = iter([1.0, 50.0])  # for the machine is busy
    engine.slowness = lambda took, seed: next(longer, 1.0)

    found = seconds_per_step(SETTING, dataset, engine, 0.0, 300 * an_image, carefully=True)

    assert found == pytest.approx(256 * an_image)


def test_scoring_is_as_long_as_in_the_set_where_it_was_quickest(dataset, engine, clock):
    engine.seconds_per_image = 0.01
    busy = iter([0.0, 5.0, 5.0, 5.0])  # 5 s go to something else while the first set is scored
    judged_by = {"test": dataset.val.some(50), "moved": dataset.val.some(100)}

    tried = try_out(SETTING, dataset, 7, engine, judged_by, lambda: clock() + next(busy))

    assert tried.accuracy.keys() == judged_by.keys()
    assert tried.scoring == pytest.approx(0.01 * 150)


class Lost:
    def predict(self, images: np.ndarray) -> np.ndarray:
        return np.full((len(images), 10), np.nan, np.float32)


def test_a_network_that_diverged_is_never_right(dataset, engine, clock, monkeypatch):
    monkeypatch.setattr(engine, "fit", lambda *about: Lost())

    tried = try_out(SETTING, dataset, 7, engine, {"test": dataset.val}, clock)

    assert tried.accuracy == {"test": 0.0}


def test_a_pace_is_the_slowest_of_its_kind(dataset, engine):
    pace, setting = Pace(dataset, engine), SETTING
    conv = Setting.from_knobs({"model": "conv"})
    work = pace.work(setting)

    assert pace.most(setting) == float("inf")
    for seconds in (2.0, 4.0, 1.0):
        pace.learn(setting, seconds)

    assert pace.most(setting) == pytest.approx(4.0)
    assert work == build_network(setting.model, (12, 12, 1), 3).multiplications * 256
    assert pace.most(conv) == float("inf")


def test_what_a_gpu_needs_at_least_nobody_knows(dataset, engine, monkeypatch):
    monkeypatch.setattr("siffra.search.pace.multiplications_per_second", lambda threads: 1e6)
    pace = Pace(dataset, engine)

    engine.name = "torch-cuda"
    assert pace.least(SETTING) == 0.0
    engine.name = "torch"
    assert pace.least(SETTING) == pytest.approx(pace.work(SETTING) / 1e7)
    assert pace.most(SETTING) == pytest.approx(pace.work(SETTING) / 1e4)
