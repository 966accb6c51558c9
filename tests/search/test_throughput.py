"""A candidate is timed: a step of few images first, where a whole one may be far too long."""

import math

import pytest

from siffra.config import Setting
from siffra.data.load import DataSource, load_dataset
from siffra.engine.network import build_network
from siffra.engine.schedule import total_steps
from siffra.search.throughput import Throughput, seconds_per_step, undisturbed, with_steps
from siffra.search.time_budget import TimeBudget

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

    seconds = seconds_per_step(SETTING, dataset, engine, 1.0, 10.0, carefully=carefully)

    assert seconds == pytest.approx(0.01 + 256 * an_image)


def test_a_step_of_a_run_is_no_longer_than_by_processor_time(dataset, stepping, an_image, clock):
    throughput = Throughput(dataset, stepping, TimeBudget(10.0, 300.0, 0.0, clock))
    images = len(dataset.train)
    alone = images * an_image / math.ceil(images / 256)  # the last batch is a smaller one

    assert undisturbed(0.5 * alone, throughput.alone(SETTING)) == 0.5 * alone
    assert undisturbed(1.01 * alone, throughput.alone(SETTING)) == 1.01 * alone
    assert undisturbed(9.0 * alone, throughput.alone(SETTING)) == pytest.approx(1.05 * alone)


def test_what_is_known_to_be_quick_is_not_left_out_of_a_busy_moment(
    dataset, stepping, an_image, clock
):
    throughput = Throughput(dataset, stepping, TimeBudget(10.0, 300.0, 0.0, clock))
    steps = throughput.steps(SETTING)

    stepping.slowness = lambda seconds, seed: 1000.0

    assert throughput.steps(SETTING) >= int(steps / 1.05)


def test_what_cannot_be_taken_step_by_step_is_believed(dataset, engine, clock):
    throughput = Throughput(dataset, engine, TimeBudget(10.0, 300.0, 0.0, clock))

    assert undisturbed(123.0, throughput.alone(SETTING)) == 123.0


def test_what_a_step_takes_for_any_batch_is_not_taken_for_its_images(dataset, engine, an_image):
    engine.seconds_per_step = 100 * an_image  # such as Muon's: a step of one is 101 of 356 parts

    seconds = seconds_per_step(SETTING, dataset, engine, 0.0, 400 * an_image, carefully=True)

    assert seconds == pytest.approx(356 * an_image)


def test_a_step_of_a_whole_batch_is_not_made_where_those_of_few_images_tell_enough(
    dataset, engine, clock, an_image
):
    seconds = seconds_per_step(SETTING, dataset, engine, 1.0, 20 * an_image, carefully=True)

    assert seconds == pytest.approx(256 * an_image)
    # Of one, of eight, and of 64: that is made again twice before it is believed.
    assert clock.now == pytest.approx((1 + 8 + 3 * 64) * an_image)


def test_a_step_of_few_images_that_was_long_by_chance_is_made_again(dataset, engine, an_image):
    longer = iter([1.0, 50.0])  # for the machine is busy
    engine.slowness = lambda took, seed: next(longer, 1.0)

    seconds = seconds_per_step(SETTING, dataset, engine, 0.0, 300 * an_image, carefully=True)

    assert seconds == pytest.approx(256 * an_image)


def test_a_step_takes_at_most_what_the_slowest_of_its_kind_does(dataset, engine):
    throughput, setting = (
        Throughput(dataset, engine, TimeBudget(10.0, 60.0, 0.0, engine.clock)),
        SETTING,
    )
    conv = Setting.from_knobs({"model": "conv"})
    work = throughput.work(setting)

    assert throughput.most(setting) == float("inf")
    for seconds in (2.0, 4.0, 1.0):
        throughput.learn(setting, seconds)

    assert throughput.most(setting) == pytest.approx(4.0)
    assert work == build_network(setting.model, (12, 12, 1), 3).multiplications * 256
    assert throughput.most(conv) == float("inf")


def test_what_a_gpu_needs_at_least_nobody_knows(dataset, engine, monkeypatch):
    monkeypatch.setattr("siffra.search.throughput.multiplications_per_second", lambda threads: 1e6)
    throughput = Throughput(dataset, engine, TimeBudget(10.0, 60.0, 0.0, engine.clock))

    engine.name = "torch-cuda"
    assert throughput.least(SETTING) == 0.0
    engine.name = "torch"
    assert throughput.least(SETTING) == pytest.approx(throughput.work(SETTING) / 1e7)
    assert throughput.most(SETTING) == pytest.approx(throughput.work(SETTING) / 1e4)


@pytest.mark.parametrize("steps", [1, 24, 75, 374, 375, 376, 1000, 12345])
def test_a_number_of_steps_is_kept_to(steps):
    setting = Setting.from_knobs({"batch_size": 128})

    assert total_steps(with_steps(setting, steps, 48_000).training, 48_000) == steps
