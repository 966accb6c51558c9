"""What images are normalised by: found on the training part alone, and carried by the weights."""

from dataclasses import replace

import numpy as np
import pytest
from reference import ReferenceEngine
from sklearn.preprocessing import StandardScaler
from small import small_dataset

from siffra.config import Setting
from siffra.data.dataset import Dataset, Images
from siffra.engine.native.engine import NativeEngine
from siffra.engine.network import Network, build_network
from siffra.engine.normalization import scale_and_shift, statistics
from siffra.engine.torch.engine import TorchEngine

EPS = float(np.finfo(np.float32).eps)
DATASET = small_dataset()
KNOBS = {"neurons": 5, "normalization": True, "batch_size": 20, "epochs": 1, "ema": 0.5}


def network_of(shape: tuple[int, int, int], *, normalization: bool = True) -> Network:
    return build_network(Setting.from_knobs({"normalization": normalization}).model, shape, 3)


def images_of(x: np.ndarray) -> Images:
    return Images(x, np.zeros(len(x), np.int64))


def normalized(x: np.ndarray, by: Images) -> np.ndarray:
    shape = by.x.shape[1], by.x.shape[2], by.x.shape[3]
    scale, shift = scale_and_shift(statistics(network_of(shape), by), shape)
    return x * scale + shift


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_all_pixels_of_a_channel_come_to_mean_0_and_deviation_1(dtype):
    rng = np.random.default_rng(0)
    # Channels of different means and deviations, more images than are looked at in one go.
    x = rng.integers([0, 100, 30], [50, 256, 40], (2100, 5, 4, 3)).astype(np.uint8)
    pixels = x / np.float32(255)

    found = normalized(pixels, images_of(x if dtype == np.uint8 else pixels))

    assert found.mean(axis=(0, 1, 2), dtype=np.float64) == pytest.approx(0, abs=100 * EPS)
    assert found.std(axis=(0, 1, 2), dtype=np.float64) == pytest.approx(1, abs=100 * EPS)


def test_of_a_table_it_is_each_feature_as_in_scikit_learn():
    rng = np.random.default_rng(0)
    rows = rng.random((50, 6), np.float32) * np.linspace(0.1, 1, 6, dtype=np.float32)
    rows[:, 2] = 0.3  # a constant: scikit-learn divides it by 1

    found = normalized(rows.reshape(-1, 1, 6, 1), images_of(rows.reshape(-1, 1, 6, 1)))

    expected = StandardScaler().fit_transform(rows.astype(np.float64))
    # Means are up to a dozen deviations: what is off by eps is so by as much.
    np.testing.assert_allclose(found.reshape(50, 6), expected, atol=50 * EPS)


def test_what_never_varies_becomes_0():
    x = np.full((4, 3, 3, 2), 77, np.uint8)
    x[:, 0, 0, 1] = 200

    found = normalized(x / np.float32(255), images_of(x))

    assert found[..., 0] == pytest.approx(0, abs=EPS)
    assert found[..., 1].std() == pytest.approx(1)


def test_a_network_that_does_not_normalise_has_nothing_of_it():
    assert statistics(network_of((12, 10, 2), normalization=False), DATASET.train) == {}


@pytest.mark.parametrize("engine", [NativeEngine(), TorchEngine(1, "cpu")], ids=["native", "torch"])
class TestEngines:
    def fit(self, engine, dataset: Dataset):
        setting = Setting.from_knobs({**KNOBS, "learning_rate": 0.1})
        return engine.fit(setting.model, setting.training, dataset, 0, lambda *_: None)

    def test_the_training_part_alone_decides(self, engine):
        bright = images_of(np.full((20, 12, 10, 2), 255, np.uint8))
        others = replace(DATASET, val=bright, test=bright, shifted={})

        found, other = (self.fit(engine, dataset).weights() for dataset in (DATASET, others))

        mean = DATASET.train.x.mean(axis=(0, 1, 2)) / 255
        assert found["normalization.mean"] == pytest.approx(mean, rel=4 * EPS)
        for name in found:
            np.testing.assert_array_equal(found[name], other[name])

    def test_what_is_loaded_predicts_as_what_was_trained(self, engine):
        fitted = self.fit(engine, DATASET)
        model = Setting.from_knobs(KNOBS).model
        weights = fitted.weights()

        for each in (engine, ReferenceEngine()):
            loaded = each.load(model, DATASET.image_shape, DATASET.classes, weights)
            for images in (DATASET.test.x, DATASET.shifted["moved"].x):  # bytes, and float32
                np.testing.assert_allclose(
                    loaded.predict(images), fitted.predict(images), atol=64 * EPS
                )

    def test_the_two_numbers_are_not_trained(self, engine):
        fitted = self.fit(engine, DATASET)

        assert fitted.parameters == 12 * 10 * 2 * 5 + 5 + 5 * 3 + 3


def test_images_that_are_mostly_0_are_trained_on_all_their_pixels(digits):
    """A 0 is no 0 any more: the kernels that skip it are not for this."""
    dataset = digits(train=40)
    knobs = {"neurons": 5, "normalization": True, "batch_size": 40, "epochs": 1}
    setting = Setting.from_knobs({**knobs, "learning_rate": 0.1})

    found, expected = (
        engine.fit(setting.model, setting.training, dataset, 0, lambda *_: None).weights()
        for engine in (NativeEngine(), ReferenceEngine())
    )

    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=64 * EPS, err_msg=name)
