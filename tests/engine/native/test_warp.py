"""Augmented images as they go into the first layer, against `siffra.data.shifts`."""

import numpy as np
import pytest

from siffra.config import Setting
from siffra.data.shifts import warp
from siffra.engine.native.gather import PIXEL, InputLayout
from siffra.engine.native.parameters import Parameters
from siffra.engine.native.warp import gather_warped
from siffra.engine.network import build_network
from siffra.engine.rng import epoch_maps

EPS = float(np.finfo(np.float32).eps)
# The source point is a sum of a few float32 products of numbers below 64, so it is off by a few
# eps of that, and a pixel's neighbours differ by at most 1.
A_PIXEL_S_ROUNDING = 8 * 64 * EPS


def warped(x, maps, order):
    """Images `order` of `x` as a network of one convolution is given them."""
    network = build_network(
        Setting.from_knobs({"model": "conv", "kernel_size": 3}).model, x.shape[1:], 10
    )
    grid = Parameters(network).layouts[0].input
    out = grid.batch(len(order))
    scale = PIXEL if x.dtype == np.uint8 else np.float32(1)
    gather_warped(x, order, maps, scale, InputLayout.of(network, grid), out)
    return out[: len(order) * grid.image].reshape(len(order), *x.shape[1:])


def expected(x, maps, order):
    whole = np.concatenate([maps, np.tile([[[0, 0, 1]]], (len(maps), 1, 1))], axis=1)
    return warp(x, np.linalg.inv(whole.astype(np.float64)))[order]


def images(shape, count):
    return np.random.default_rng(1).integers(0, 256, (count, *shape), dtype=np.uint8)


@pytest.mark.parametrize("shape", [(28, 28, 1), (12, 15, 3), (8, 9, 1), (20, 50, 1), (9, 40, 3)])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_augmented_images_are_those_of_the_shifted_sets_warp(shape, kind):
    training = Setting.from_knobs({"augment": "shifts", "augment_rotate": 170}).training
    x = images(shape, 40)
    x = x if kind is np.uint8 else (x / np.float32(255)).astype(kind)
    maps = next(epoch_maps(training, len(x), seed=5))
    order = np.random.default_rng(2).permutation(40)

    found = warped(x, maps, order)

    np.testing.assert_allclose(found, expected(x, maps, order), atol=A_PIXEL_S_ROUNDING)


@pytest.mark.parametrize("shape", [(28, 28, 1), (10, 40, 3)])
def test_little_ink_is_found_wherever_it_is(shape):
    # One pixel of each image has ink, in its corners and on its edges too.
    height, width, _ = shape
    spots = [
        (y, x)
        for y in (0, 1, height // 2, height - 1)
        for x in (0, width // 3, width - 2, width - 1)
    ]
    x = np.zeros((len(spots), *shape), np.uint8)
    for i, (row, column) in enumerate(spots):
        x[i, row, column] = 255
    training = Setting.from_knobs({"augment": "shifts", "augment_rotate": 90}).training
    order = np.arange(len(spots))

    for seed in range(20):
        maps = next(epoch_maps(training, len(x), seed))
        np.testing.assert_allclose(
            warped(x, maps, order), expected(x, maps, order), atol=A_PIXEL_S_ROUNDING
        )


MAPS = {
    "as it is": [[1, 0, 0], [0, 1, 0]],
    "a quarter turned": [[0, -1, 0], [1, 0, 0]],
    "upside down": [[-1, 0, 0], [0, -1, 0]],
    "next to not turned": [[1, 1e-7, 0], [-1e-7, 1, 0]],
    "larger": [[0.3, 0, 1], [0, 0.3, 2]],
    "smaller": [[3, 0.5, 0], [-0.5, 3, 0]],
    "out of sight": [[1, 0, 60], [0, 1, 0]],
}


@pytest.mark.parametrize("name", MAPS)
def test_any_map_is_followed(name):
    # The middle has ink, with blank pixels around it, as digits have.
    x = np.zeros((3, 28, 28, 1), np.uint8)
    x[:, 5:23, 8:20] = images((18, 12, 1), 3)
    maps = np.tile(np.array(MAPS[name], np.float32), (3, 1, 1))
    order = np.array([2, 0, 1])

    found = warped(x, maps, order)

    np.testing.assert_allclose(found, expected(x, maps, order), atol=A_PIXEL_S_ROUNDING)


def test_a_blank_image_stays_blank():
    x = np.zeros((2, 28, 28, 1), np.uint8)
    training = Setting.from_knobs({"augment": "shifts"}).training

    found = warped(x, next(epoch_maps(training, 2, 0)), np.arange(2))

    assert not found.any()
