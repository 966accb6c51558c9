"""What comes between a layer's products and its output: norm, activation and pooling.

Of a layer's products z, channel by channel, u = scale * z + shift (a bias is a shift with scale
1; a batch norm gives both), v = activation(u), and the output is the largest v, or the mean,
of every pooling window. `members` has the positions' offsets in an image of z, window by window
(`windows` of them); `places` says where in an image each window's output goes. All arrays but
tables are flat, and channels come in whole vectors.
"""

import math
from functools import cache
from typing import Any

import numpy as np
from numba import njit, prange
from numba.extending import overload

from siffra.config.model import Activation
from siffra.engine.native.conv import LANES
from siffra.engine.native.simd import load, load_rows, peek
from siffra.engine.native.simd_math import (
    each,
    load_numbers,
    spread,
    store,
    where_above,
    where_equal,
)
from siffra.system.jit import compiled, parallel

_ROOT_HALF = math.sqrt(0.5)
_ROOT_TAU = math.sqrt(2 * math.pi)


@njit(inline="always")
def _relu(u):
    zero = spread(0, LANES)
    return where_above(u, zero, u, zero)


@njit(inline="always")
def _relu_slope(u):
    zero = spread(0, LANES)
    return where_above(u, zero, spread(1, LANES), zero)


@each
def _gelu(u):
    return np.float32(0.5 * u * (1 + math.erf(u * _ROOT_HALF)))


@each
def _gelu_slope(u):
    density = math.exp(-0.5 * u * u) / _ROOT_TAU
    return np.float32(0.5 * (1 + math.erf(u * _ROOT_HALF)) + u * density)


@each
def _tanh(u):
    return np.float32(math.tanh(u))


@each
def _tanh_slope(u):
    v = math.tanh(u)
    return np.float32(1 - v * v)


@each
def _sigmoid(u):
    return np.float32(0.5 + 0.5 * math.tanh(0.5 * u))  # an exponential could overflow


@each
def _sigmoid_slope(u):
    v = math.tanh(0.5 * u)
    return np.float32(0.25 * (1 - v * v))


@njit(inline="always")
def _itself(u):
    return u


@njit(inline="always")
def _one(u):
    return spread(1, LANES)


_FUNCTIONS = {
    "relu": (_relu, _relu_slope),
    "gelu": (_gelu, _gelu_slope),
    "tanh": (_tanh, _tanh_slope),
    "sigmoid": (_sigmoid, _sigmoid_slope),
    "linear": (_itself, _one),
}
"""Each activation and its slope, both of vectors."""


def value(activation: str, u: Any) -> Any:
    """The activation of this name: which one is settled when a kernel is compiled.

    A kernel that held the function itself would never be found among those kept: Numba asks
    whether a kernel's variables are the same, and a compiled function is another in each process.
    """
    raise NotImplementedError("in kernels only")


def slope(activation: str, u: Any) -> Any:
    """Its slope."""
    raise NotImplementedError("in kernels only")


def _look_up(which: int) -> Any:
    def implementation(activation, u):
        function = _FUNCTIONS[activation.literal_value][which]
        return lambda activation, u: function(u)

    return implementation


for _which, _function in enumerate((value, slope)):
    overload(_function, inline="always", prefer_literal=True)(_look_up(_which))


@parallel
def moments(z, images, image_size, positions, channels, sums, squares):
    """Sums and sums of squares of every image's channels over its positions.

    Args:
        z: (images * image_size,) float32.
        images, image_size: int.
        positions: (positions,) int64, offsets in an image of z.
        channels: int.
        sums, squares: (images or more, channels) float32, filled.
    """
    for image in prange(images):
        for c in range(0, channels, LANES):
            total = square = spread(0, LANES)
            for p in range(positions.size):
                row = load(z, image * image_size + peek(positions, p) + c, LANES)
                total = total + row
                square = square + row * row
            store(sums, image * channels + c, total)
            store(squares, image * channels + c, square)


@cache
def forward(activation: Activation | None, largest: bool):
    """The kernel from products to outputs, for one activation and kind of pooling."""
    name = activation or "linear"

    @parallel
    def run(z, images, sizes, members, places, scale, shift, out, choices):
        """Fill `out` with the outputs, and `choices` with the member that was largest.

        Args:
            z: (images * image of z,) float32.
            images: int.
            sizes: int triple, floats of an image of z and of `out`, positions of a window.
            members: (windows * positions of a window,) int64, offsets in an image of z.
            places: (windows,) int64, offsets in an image of `out`.
            scale, shift: (channels,) float32.
            out: (images * image of out,) float32.
            choices: (images * windows * channels,) uint8, uint16 or uint32.
        """
        z_image, out_image, window = sizes
        channels, windows = scale.size, places.size
        for image in prange(images):
            for c in range(0, channels, LANES):
                scales, shifts = load(scale, c, LANES), load(shift, c, LANES)
                base = image * z_image + c
                for w in range(windows):
                    row = load(z, base + peek(members, w * window), LANES)
                    best, choice = value(name, scales * row + shifts), spread(0, LANES)
                    for m in range(1, window):
                        row = load(z, base + peek(members, w * window + m), LANES)
                        v = value(name, scales * row + shifts)
                        if largest:
                            choice = where_above(v, best, spread(m, LANES), choice)
                            best = where_above(v, best, v, best)
                        else:
                            best = best + v
                    if not largest:
                        best = best / spread(window, LANES)
                    store(out, image * out_image + peek(places, w) + c, best)
                    store(choices, (image * windows + w) * channels + c, choice)

    return run


@cache
def backward(activation: Activation | None, largest: bool):
    """The kernel for the gradient of z, for one activation and kind of pooling."""
    name = activation or "linear"

    @parallel
    def run(z, images, sizes, tables, norm, gradient, choices, terms, writes, sums, products):
        """Sum up g, the gradient of u, which comes of the outputs' `gradient`; and replace z.

        If this call `writes`, every z becomes a * g + b * z + c, its own gradient.

        Args:
            z: (images * image of z,) float32.
            images: int.
            sizes: int triple, as in `forward`.
            tables: array triple, int64: `members` and `places` as in `forward`, and the positions
                of no window, in which g is 0.
            norm: (3, channels) float32, scale, shift and mean.
            gradient: (images * image of out,) float32.
            choices: (images * windows * channels,) uint8, uint16 or uint32.
            terms: (3, channels) float32, a, b and c.
            writes: bool.
            sums, products: (images or more, channels) float32, filled with the sums over
                positions of g, and of g * (z - mean).
        """
        z_image, out_image, window = sizes
        members, places, dropped = tables
        channels, windows = norm.shape[1], places.size
        zero, share = spread(0, LANES), spread(1 / window, LANES)
        for image in prange(images):
            for lane in range(0, channels, LANES):
                scales, shifts, means = load_rows(norm, lane, channels, LANES, 3)
                a, b, c = load_rows(terms, lane, channels, LANES, 3)
                total = product = zero
                for w in range(windows):
                    above = load(gradient, image * out_image + peek(places, w) + lane, LANES)
                    choice = load_numbers(choices, (image * windows + w) * channels + lane, LANES)
                    for m in range(window):
                        index = image * z_image + peek(members, w * window + m) + lane
                        row = load(z, index, LANES)
                        if largest:
                            g = where_equal(choice, spread(m, LANES), above, zero)
                        else:
                            g = above * share
                        g = g * slope(name, scales * row + shifts)
                        total = total + g
                        product = product + g * (row - means)
                        if writes:  # in place: no other window reads this position
                            store(z, index, a * g + b * row + c)
                store(sums, image * channels + lane, total)
                store(products, image * channels + lane, product)
                if writes:
                    # A batch norm's mean depends on all positions, so they have a gradient too.
                    for i in range(dropped.size):
                        index = image * z_image + peek(dropped, i) + lane
                        store(z, index, b * load(z, index, LANES) + c)

    return run


@parallel
def scale(x, images, image_size, channels, scales):
    """Multiply `channels` of every image by its row of `scales`.

    Args:
        x: (images * image_size,) float32.
        images, image_size: int.
        channels: (channels,) int64, offsets in an image.
        scales: (images, channels) float32.
    """
    for image in prange(images):
        for i in range(channels.size):
            x[image * image_size + channels[i]] *= scales[image, i]


@compiled
def column_sums(rows, count, out):
    """Sums over the first `count` rows, in order and on one thread: the bits depend on it.

    Args:
        rows: (count or more, channels) float32.
        count: int.
        out: (channels,) float64, filled.
    """
    out[:] = 0
    for i in range(count):
        for c in range(out.size):
            out[c] += rows[i, c]
