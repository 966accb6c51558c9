"""Predictions of a dense network from sparse rows, made anew or kept, against its twin."""

import gc
from dataclasses import replace

import numpy as np
import pytest
from governors import AtRandom, Whole
from reference import ReferenceEngine
from small import small_dataset, unlabelled

from siffra.config import Setting
from siffra.data.dataset import Images
from siffra.engine.native.engine import NativeEngine
from siffra.engine.native.sparse import is_sparse
from siffra.engine.network import build_network
from siffra.engine.rng import initial_weights

SHAPE, CLASSES = (9, 8, 1), 4
SETTING = Setting.from_knobs({"neurons": [33, 7]})
EPS = float(np.finfo(np.float32).eps)
# A probability is a function of sums of at most 72 products of numbers below 1.
NEAR = 64 * EPS


def images(count: int, density: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(1, 256, (count, *SHAPE))
    return (pixels * (rng.random(pixels.shape) < density)).astype(np.uint8)


def loaded(engine, seed):
    network = build_network(SETTING.model, SHAPE, CLASSES)
    return engine.load(SETTING.model, SHAPE, CLASSES, initial_weights(network, seed))


@pytest.fixture
def fitted():
    return loaded(NativeEngine(), 0)


# One image; some that end within a chunk of 512, and within a shard's 64.
@pytest.mark.parametrize("count", [1, 63, 512, 1100])
@pytest.mark.parametrize("as_float", [False, True])
def test_kept_images_are_predicted_to_the_bit_as_others_are(fitted, count, as_float):
    x = images(count, 0.2, 1)
    x = x / np.float32(255) if as_float else x
    assert is_sparse(x.reshape(count, -1))

    kept = fitted.keep(unlabelled(x))

    np.testing.assert_array_equal(kept(), fitted.predict(x))
    expected = loaded(ReferenceEngine(), 0).predict(x)
    np.testing.assert_allclose(kept(), expected, rtol=0, atol=NEAR)


@pytest.mark.parametrize("density", [0.2, 1.0])
@pytest.mark.parametrize("knobs", [{"neurons": [33, 7]}, {"neurons": [40], "batch_norm": True}])
@pytest.mark.parametrize("count", [513, 3000])
def test_wherever_the_governor_cuts_the_bits_are_the_same(knobs, count, density):
    model, x = Setting.from_knobs(knobs).model, images(count, density, 2)
    network = build_network(model, SHAPE, CLASSES)

    def predicted(governor):
        engine = NativeEngine()
        engine.governor = governor
        fitted = engine.load(model, SHAPE, CLASSES, initial_weights(network, 0))
        return fitted.predict(x), fitted.keep(unlabelled(x))()

    expected = predicted(Whole())
    np.testing.assert_array_equal(expected[0], expected[1])
    np.testing.assert_array_equal(predicted(AtRandom(3)), expected)


def test_what_is_predicted_between_leaves_what_is_kept(fitted):
    fitted.predict(images(700, 0.38, 1))  # fuller lists, in the arrays that later ones are made in
    some, others = images(700, 0.1, 2), images(600, 0.3, 3)
    first, second = fitted.keep(unlabelled(some)), fitted.keep(unlabelled(others))

    for _ in range(2):
        np.testing.assert_array_equal(first(), fitted.predict(some))
        np.testing.assert_array_equal(second(), fitted.predict(others))


def test_networks_of_one_engine_share_the_rows_that_are_kept_for_as_long_as_the_images_are():
    engine = NativeEngine()
    some = unlabelled(images(700, 0.2, 6))
    first, second = loaded(engine, 0), loaded(engine, 1)

    probabilities = [fitted.keep(some)() for fitted in (first, second)]

    assert len(engine.kept_rows) == 1
    for fitted, kept in zip((first, second), probabilities, strict=True):
        np.testing.assert_array_equal(kept, fitted.predict(some.x))
    del some
    gc.collect()
    assert len(engine.kept_rows) == 0


def test_rows_of_very_many_images_are_not_kept(fitted, monkeypatch):
    monkeypatch.setattr("siffra.engine.native.prediction._MOST_KEPT", 1000)
    some = unlabelled(images(600, 0.2, 7))

    np.testing.assert_array_equal(fitted.keep(some)(), fitted.predict(some.x))
    assert len(fitted._engine.kept_rows) == 0


def test_images_full_of_ink_are_kept_too(fitted):
    full = images(100, 1.0, 4)
    assert not is_sparse(full.reshape(100, -1))

    np.testing.assert_array_equal(fitted.keep(unlabelled(full))(), fitted.predict(full))


def test_kept_images_follow_the_training():
    x = images(600, 0.2, 5)
    dataset = replace(
        small_dataset(), classes=CLASSES, train=Images(x, np.arange(len(x)) % CLASSES)
    )
    kept, told = [], []

    def on_epoch(end, fitted):
        kept.append(fitted.keep(unlabelled(x)))
        told.append([again() for again in kept])
        for shares in told[-1]:
            np.testing.assert_array_equal(shares, fitted.predict(x))

    training = SETTING.training.model_copy(update={"epochs": 3})
    NativeEngine().fit(SETTING.model, training, dataset, 0, on_epoch)

    assert [len(each) for each in told] == [1, 2, 3]
    assert (told[0][0] != told[2][0]).any()
