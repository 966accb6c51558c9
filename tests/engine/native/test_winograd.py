"""Winograd's convolution against a plain one, and which networks have it."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siffra.config import Setting
from siffra.engine.native.engine import NativeEngine
from siffra.engine.native.grid import Grid
from siffra.engine.native.layers import LayerLayout, layer_layouts
from siffra.engine.native.linear import WinogradLinear
from siffra.engine.native.parameters import Parameters
from siffra.engine.native.sequential import Sequential
from siffra.engine.native.unfused import UnfusedBlock
from siffra.engine.network import build_network

IMAGES = 11  # a whole group, and one that is not
UNIT = float(np.finfo(np.float32).eps) / 2


def layout_of(side: tuple[int, int], channels: int, filters: int, padding: str) -> LayerLayout:
    """The second of two convolutions, whose inputs have `side`."""
    knobs = {"model": "conv", "filters": [channels, filters], "kernel_size": [1, 3],
             "pool_size": 1, "padding": padding, "batch_norm": True}  # fmt: skip
    network = build_network(Setting.from_knobs(knobs).model, (*side, 1), 10)
    return layer_layouts(network)[1]


class Case:
    """The same numbers for Winograd's convolution and for a plain one."""

    def __init__(self, layout: LayerLayout, draw) -> None:
        self.layout, self.linear = layout, WinogradLinear(layout, IMAGES)
        self.x = draw((IMAGES, layout.input.rows, layout.input.columns, layout.input.channels))
        self.dz = draw((IMAGES, layout.z.rows, layout.z.columns, layout.z.channels))
        self.kernel = draw((3, 3, layout.input.channels, layout.z.channels))

    def found(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The products, and the gradients of the inputs and of the kernel."""
        layout, linear = self.layout, self.linear
        kernel = layout.as_kernel(self.kernel.reshape(-1, layout.z.channels)).reshape(-1)
        x, dz = on(layout.input, self.x), on(layout.z, self.dz)
        z, dx = layout.z.batch(IMAGES), layout.input.batch(IMAGES)
        gradient = np.full_like(kernel, np.nan)
        linear.forward(x, IMAGES, kernel, z)
        linear.weight_gradient(x, IMAGES, dz, gradient)
        linear.input_gradient(IMAGES, dz, kernel, dx)
        for grid, flat in ((layout.z, z), (layout.input, dx)):
            assert_border_is_blank(grid, flat)
        matrix = layout.as_matrix(gradient)
        return off(layout.z, z), off(layout.input, dx), matrix.reshape(self.kernel.shape)

    def expected(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same, in float64."""
        x, dz, kernel = (a.astype(np.float64) for a in (self.x, self.dz, self.kernel))
        padded = np.pad(x, ((0, 0), *self.layout.padding, (0, 0)))
        z, gradient, dx = np.zeros_like(dz), np.zeros_like(kernel), np.zeros_like(padded)
        for i in range(3):
            for j in range(3):
                part = np.s_[:, i : i + dz.shape[1], j : j + dz.shape[2]]
                z += padded[part] @ kernel[i, j]
                gradient[i, j] = np.einsum("nrcx,nrcy->xy", padded[part], dz)
                dx[part] += dz @ kernel[i, j].T
        (top, _), (left, _) = self.layout.padding
        return z, dx[:, top : top + x.shape[1], left : left + x.shape[2]], gradient


def on(grid: Grid, values: np.ndarray) -> np.ndarray:
    """(image, row, column, channel) as it lies in memory."""
    flat = grid.batch(IMAGES)
    at = np.arange(IMAGES)[:, None] * grid.image + grid.pixels
    flat[at[..., None] + np.arange(grid.channels)] = values.reshape(IMAGES, -1, grid.channels)
    return flat


def off(grid: Grid, flat: np.ndarray) -> np.ndarray:
    """`on` undone."""
    at = np.arange(IMAGES)[:, None] * grid.image + grid.pixels
    pixels = flat[at[..., None] + np.arange(grid.channels)]
    return pixels.reshape(IMAGES, grid.rows, grid.columns, grid.channels)


def assert_border_is_blank(grid: Grid, flat: np.ndarray) -> None:
    images = flat[: IMAGES * grid.image].copy()
    at = np.arange(IMAGES)[:, None] * grid.image + grid.pixels
    images[at[..., None] + np.arange(grid.channels)] = 0
    assert not images.any()


def whole_numbers(seed: int):
    rng = np.random.default_rng(seed)
    return lambda shape: rng.integers(-3, 4, shape).astype(np.float32)


def normal_numbers(seed: int):
    rng = np.random.default_rng(seed)
    return lambda shape: rng.standard_normal(shape, dtype=np.float32)


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(st.integers(3, 13), st.integers(3, 13)),
    st.sampled_from([16, 20, 64]),
    st.sampled_from([16, 20, 48]),
    st.sampled_from(["same", "valid"]),
)
def test_whole_numbers_come_out_whole(side, channels, filters, padding):
    """Kernels become quarters and sums stay below 2 ** 22, so nothing is rounded."""
    case = Case(layout_of(side, channels, filters, padding), whole_numbers(sum(side)))

    for found, expected in zip(case.found(), case.expected(), strict=True):
        np.testing.assert_array_equal(found, expected)


PIXELS = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
KERNEL = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
SUMS = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])


def largest_errors(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """How far `x` (images, rows, columns, channels), padded by 1, may be off after `kernel`.

    Each path through transforms and sums rounds at most 2 + 2 times a pixel's transform, 3 + 3 a
    kernel's, `channels` times its products and 2 + 2 times the sums: a relative error of
    (channels + 14) units each (Higham 2002, section 3.1), of the sum of all absolute values.
    """
    _, rows, columns, channels = x.shape
    beyond = (0, 0), (1, 1 + rows % 2), (1, 1 + columns % 2), (0, 0)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(np.abs(x), beyond), (4, 4), (1, 2))
    pixels, kernels, sums = (np.abs(matrix) for matrix in (PIXELS, KERNEL, SUMS))
    v = pixels @ windows[:, ::2, ::2] @ pixels.T
    u = np.einsum("pi,ijcf,qj->pqcf", kernels, np.abs(kernel), kernels)
    m = np.einsum("nabcpq,pqcf,ip,jq->naibjf", v, u, sums, sums, optimize=True)
    n, a, _, b, _, f = m.shape
    return (channels + 14) * UNIT * m.reshape(n, 2 * a, 2 * b, f)[:, :rows, :columns]


@pytest.mark.parametrize("side", [(7, 7), (6, 9), (3, 3)])
@pytest.mark.parametrize(("channels", "filters"), [(16, 32), (64, 16)])
def test_products_are_as_near_as_their_rounding_allows(side, channels, filters):
    case = Case(layout_of(side, channels, filters, "same"), normal_numbers(1))
    (z, dx, _), (exact_z, exact_dx, _) = case.found(), case.expected()
    turned = case.kernel[::-1, ::-1].swapaxes(2, 3)

    assert np.all(np.abs(z - exact_z) <= largest_errors(case.x, case.kernel))
    assert np.all(np.abs(dx - exact_dx) <= largest_errors(case.dz, turned))


def test_a_kernels_gradient_is_as_near_as_its_rounding_allows():
    """Tiles and images are added up one by one, so each sum has as many roundings, and 14 more.

    A tile's part is a sum of 4 x 4 pixels by 2 x 2 slopes, at most 4 and 4 times the largest; each
    weight has a quarter of nine points or more, all of them in absolute value below 9 of those.
    """
    case = Case(layout_of((7, 7), 16, 32, "same"), normal_numbers(2))
    gradient, exact = case.found()[2], case.expected()[2]
    tiles = IMAGES * 16
    largest = 9 * 4 * 4 * np.abs(case.x).max() * np.abs(case.dz).max()

    assert np.abs(gradient - exact).max() <= (tiles + 14) * UNIT * tiles * largest


@pytest.mark.skipif(NativeEngine().threads < 2, reason="needs two threads")
def test_any_number_of_threads_computes_the_same_bits():
    layout, results = layout_of((7, 9), 32, 48, "same"), []
    before = numba.get_num_threads()
    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            results.append(Case(layout, normal_numbers(4)).found())
    finally:
        numba.set_num_threads(before)

    for alone, shared in zip(*results, strict=True):
        np.testing.assert_array_equal(alone, shared)


MODELS = (
    {"kernel_size": 8},
    {"filters": [3, 4], "kernel_size": 3, "pool_size": [2, 1]},
    {"filters": [3, 4], "kernel_size": 3, "pool_size": [1, 3]},
    {"filters": [3, 4], "kernel_size": 3, "pool_size": [1, 2], "pooling": "average"},
    {"filters": [3, 4], "kernel_size": 3, "pool_size": 1, "activation": "gelu"},
    {"filters": [3, 4], "kernel_size": 3, "pool_size": 1, "global_pooling": "max"},
    {"filters": [3, 4, 5], "kernel_size": 3, "pool_size": 1, "padding": "same"},
    {"filters": [3, 4], "kernel_size": 3, "pool_size": 1, "padding": "same", "strides": [1, 2]},
    {"filters": [3, 4], "kernel_size": [3, 5], "pool_size": 1, "padding": "same"},
    {"filters": [3, 4], "kernel_size": [5, 3], "pool_size": 1, "batch_norm": True},
    {"filters": 3, "kernel_size": 3, "padding": "same", "space_to_depth": 4},
)


@pytest.mark.parametrize("knobs", MODELS, ids=str)
def test_networks_that_have_it_have_a_version_of_their_own(knobs):
    """So the others' runs keep their keys."""
    model = Setting.from_knobs({"model": "conv", **knobs}).model
    network = build_network(model, (28, 28, 1), 10)
    sequential = Sequential(network, Parameters(network), 4)

    has_it = any(
        isinstance(block, UnfusedBlock) and isinstance(block._linear, WinogradLinear)
        for block in sequential.blocks
    )

    assert NativeEngine(1).version_of(model) == (7 if has_it else 5)


def test_dense_networks_keep_their_version():
    assert NativeEngine(1).version_of(Setting.from_knobs({"neurons": 5}).model) == 6
