"""Batches as they go into the first layer, against NumPy."""

import numpy as np
import pytest

from siffra.config import Setting
from siffra.engine.native.gather import PIXEL, InputLayout, gather
from siffra.engine.native.parameters import Parameters
from siffra.engine.network import build_network

EPS = float(np.finfo(np.float32).eps)


def first_grid(shape, **knobs):
    network = build_network(Setting.from_knobs({"model": "conv", **knobs}).model, shape, 10)
    grid = Parameters(network).layouts[0].input
    return InputLayout.of(network, grid), grid


def images(shape, count=6):
    return np.random.default_rng(1).integers(0, 256, (count, *shape), dtype=np.uint8)


@pytest.mark.parametrize("shape", [(12, 10, 1), (10, 12, 3)])
def test_an_image_lies_inside_its_border(shape):
    layout, grid = first_grid(shape, kernel_size=4, padding="same")
    x, order, out = images(shape), np.array([4, 1]), grid.batch(2)

    gather(x.reshape(6, -1), order, PIXEL, layout, out)

    expected = np.pad(x[order] / np.float32(255), ((0, 0), (1, 2), (1, 2), (0, 0)))
    found = out[: 2 * grid.image].reshape(expected.shape)
    np.testing.assert_allclose(found, expected, rtol=2 * EPS)


def test_blocks_of_pixels_become_channels_row_by_row():
    layout, grid = first_grid((12, 10, 2), kernel_size=2, space_to_depth=2)
    x, out = images((12, 10, 2), 1), grid.batch(1)

    gather(x.reshape(1, -1), np.array([0]), np.float32(1), layout, out)

    found = out[: grid.image].reshape(6, 5, 8)
    # Channel (row * 2 + column) * 2 + c, as TensorFlow's space_to_depth has it.
    for row, column, c in np.ndindex(2, 2, 2):
        np.testing.assert_array_equal(
            found[..., (row * 2 + column) * 2 + c], x[0, row::2, column::2, c]
        )
