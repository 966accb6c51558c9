"""The fused convolution against NumPy, on whole numbers: no sum is rounded, so all is equal."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siffra.config import Setting
from siffra.engine.native.conv_fused import FusedBlock
from siffra.engine.native.conv_fused_forward import Tiles, quads_together
from siffra.engine.native.parameters import Parameters
from siffra.engine.native.sequential import Sequential
from siffra.engine.network import Conv, Network, build_network
from siffra.engine.rng import initial_weights
from siffra.errors import ConfigError

IMAGES = 11
SHAPES = [(28, 28, 1), (13, 10, 1), (9, 14, 3)]


def network_of(shape: tuple[int, int, int], **knobs) -> Network:
    model = Setting.from_knobs({"model": "conv", "batch_size": IMAGES, **knobs}).model
    return build_network(model, shape, 10)


class Case:
    """A network of fused convolutions, with whole numbers for weights and images."""

    def __init__(self, shape: tuple[int, int, int], **knobs) -> None:
        self.network = network_of(shape, **knobs)
        self.parameters = Parameters(self.network)
        self.sequential = Sequential(self.network, self.parameters, IMAGES)
        rng = np.random.default_rng(3)
        self.weights = {
            name: rng.integers(-2, 3, weights.shape).astype(np.float32)
            for name, weights in initial_weights(self.network, 0).items()
        }
        self.params = self.parameters.flatten(self.weights)
        self.images = rng.integers(0, 3, (IMAGES, *shape)).astype(np.float32)
        self.images[:, :3] = self.images[:, :, -2:] = self.images[4] = 0  # margins, and a blank
        self.images[5, 1, 1] = 1
        self.rng = rng

    def block(self, number: int) -> FusedBlock:
        block = self.sequential.blocks[number]
        assert isinstance(block, FusedBlock)
        return block

    def filters(self, number: int, values: np.ndarray) -> np.ndarray:
        """(image, row, column, filter) of what the layer leaves, padding not counted."""
        conv = self.network.convs[number]
        count = IMAGES * self.block(number).layout.output.image
        return values[:count].reshape(IMAGES, *conv.output[:2], -1)[..., : conv.filters]

    def kernel(self, conv: Conv) -> np.ndarray:
        return self.weights[f"{conv.name}.kernel"].astype(np.int64)


class Expected(NamedTuple):
    """What a layer comes to in NumPy; `won` is 1 for the positions that have a gradient."""

    out: np.ndarray
    won: np.ndarray
    patches: np.ndarray


def numpy_forward(conv: Conv, kernel: np.ndarray, bias: np.ndarray, x: np.ndarray) -> Expected:
    k, s, pool = conv.kernel_size, conv.strides, conv.pool
    rows, columns, filters = conv.output
    patches = np.lib.stride_tricks.sliding_window_view(x.astype(np.int64), (k, k), axis=(1, 2))
    patches = patches[:, ::s, ::s][:, : rows * pool, : columns * pool]  # image, y, x, channel, k, k
    sums = np.einsum("nyxcij,ijcf->nyxf", patches, kernel) + bias.astype(np.int64)
    windows = sums.reshape(len(x), rows, pool, columns, pool, filters).transpose(0, 1, 3, 2, 4, 5)
    windows = windows.reshape(len(x), rows, columns, pool**2, filters)
    won = np.arange(pool**2)[:, None] == windows.argmax(axis=3)[:, :, :, None]
    won &= windows > 0
    won = won.reshape(len(x), rows, columns, pool, pool, filters).transpose(0, 1, 3, 2, 4, 5)
    return Expected(
        np.maximum(windows.max(axis=3), 0), won.reshape(sums.shape).astype(np.int64), patches
    )


def assert_equal_to_numpy(case: Case) -> None:
    x, own = case.images, case.sequential.inputs
    own[: x.size] = x.reshape(-1)
    for number, conv in enumerate(case.network.convs):
        block, kernel = case.block(number), case.kernel(conv)
        expected = numpy_forward(conv, kernel, case.weights[f"{conv.name}.bias"], x)

        out = block.forward(own, IMAGES, case.params)

        np.testing.assert_array_equal(case.filters(number, out), expected.out)
        gradient = np.zeros_like(out)
        case.filters(number, gradient)[:] = case.rng.integers(-3, 4, expected.out.shape)
        slopes = case.filters(number, gradient).astype(np.int64)
        slopes = slopes.repeat(conv.pool, axis=1).repeat(conv.pool, axis=2) * expected.won
        for count in (IMAGES, 7):  # the last batch of an epoch may be small
            found = np.zeros_like(case.params)
            block.backward(own, count, gradient, case.params, found)

            grads = case.parameters.unflatten(found)
            by_patch = np.einsum("nyxcij,nyxf->ijcf", expected.patches[:count], slopes[:count])
            np.testing.assert_array_equal(grads[f"{conv.name}.kernel"], by_patch)
            sums = slopes[:count].sum(axis=(0, 1, 2))
            np.testing.assert_array_equal(grads[f"{conv.name}.bias"], sums)
        if number > 0:
            dx = np.zeros(x.shape, np.int64)
            at = np.einsum("nyxf,ijcf->nyxijc", slopes, kernel)
            for y, column in np.ndindex(slopes.shape[1:3]):
                down, right = y * conv.strides, column * conv.strides
                k = conv.kernel_size
                dx[:, down : down + k, right : right + k] += at[:, y, column]
            back = block.input_gradient(IMAGES, gradient, case.params)
            np.testing.assert_array_equal(case.filters(number - 1, back), dx)
        x, own = case.filters(number, out), out


@pytest.mark.parametrize("pool_size", [1, 2])
@pytest.mark.parametrize("kernel_size", [3, 5, 8, 12, 20])
def test_a_layer_on_digits_is_numpys(kernel_size, pool_size):
    knobs = {"filters": 16, "strides": 1}
    assert_equal_to_numpy(Case((28, 28, 1), kernel_size=kernel_size, pool_size=pool_size, **knobs))


@pytest.mark.parametrize("kernel_size", [10, 28])
def test_so_is_one_that_leaves_a_single_row_or_pixel(kernel_size):
    shape = (10, 13, 1) if kernel_size == 10 else (28, 28, 1)
    assert_equal_to_numpy(Case(shape, kernel_size=kernel_size, pool_size=1, filters=3))


@pytest.mark.parametrize("shape", SHAPES)
def test_so_are_layers_upon_others(shape):
    sizes = {"kernel_size": [3, 2], "pool_size": [1, 2], "strides": [1, 1]}
    assert_equal_to_numpy(Case(shape, filters=[20, 33], **sizes))


@settings(max_examples=25, deadline=None)  # the first of a kind compiles
@given(
    shape=st.sampled_from(SHAPES),
    kernel_size=st.integers(1, 9),
    strides=st.integers(1, 3),
    pool_size=st.integers(1, 2),
    filters=st.sampled_from([1, 16, 30]),
)
def test_so_is_any_layer(shape, **knobs):
    try:
        case = Case(shape, **knobs)
    except ConfigError:
        return
    assert_equal_to_numpy(case)


@given(
    rows=st.integers(1, 17),
    columns=st.integers(1, 17),
    strides=st.integers(1, 3),
    pool_size=st.integers(1, 2),
    filters=st.sampled_from([3, 32]),
)
def test_tiles_cover_every_window_once_or_again_with_the_same(
    rows, columns, strides, pool_size, filters
):
    kernel_size = 3
    side = [kernel_size + (n * pool_size - 1) * strides for n in (rows, columns)]
    conv = Conv(
        "conv_1", (side[0], side[1], 1), kernel_size, strides, filters, pool_size, reads_image=True
    )
    tiles = Tiles.of(conv)

    assert conv.output[:2] == (rows, columns)
    assert tiles.corners.shape[1] == quads_together(conv)
    assert set(tiles.outs.flat) == set(range(rows * columns))
    # Where a window is from is the same wherever it is listed.
    first = tiles.corners.reshape(-1, 1)
    if pool_size == 1:
        first = first + np.array([0, tiles.right, tiles.below, tiles.right + tiles.below])
    y, x = np.divmod(tiles.outs.reshape(first.shape), columns)
    np.testing.assert_array_equal(first, (y * side[1] + x) * strides * pool_size)
