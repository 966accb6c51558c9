"""Convolution, bias, ReLU and max-pooling as one kernel, and its gradients.

Activations are flat float32 arrays in the order (image, row, column, channel), channels
padded with zeros to whole vectors. In that order a kernel's row covers `kernel_size * channels`
neighbouring floats, so one loop nest serves any number of channels. No size is compiled in:
only the number of positions and filters that are worked on at once.

A position is where the kernel is applied: the offset, in its image, of the first float that it
covers. Positions are listed window by window of the pooling, so that those of one window stand
together.

Of images, whose margins are wide, a large kernel's forward pass leaves out what meets no ink: the
products that it skips are zeros, so that the sums are the same bits.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit, prange

from siffra.engine.native.vector import (
    WIDE,
    add_scaled,
    add_scaled_rows,
    add_to,
    high_zeros,
    load,
    load_rows,
    low_zeros,
    nonzero,
    peek,
    peek_many,
    repeat,
    store_rows,
    store_window,
)
from siffra.kernels import parallel
from siffra.network import Conv

LANES = 16
"""Filters worked on at once."""
TILE = 8 if WIDE else 4
"""Positions worked on at once: their sums, and what they are sums of, fit into the registers."""
_MAX_ROWS = 8
_LARGE = 1000
"""Weights from which a look for what is blank is worth its time."""


def padded(channels: int) -> int:
    """`channels` rounded up to whole vectors."""
    return -(-channels // LANES) * LANES


class Shape(NamedTuple):
    """The sizes a kernel needs, in floats unless said.

    An image of `image` floats has rows of `row`; a kernel has `kernel_rows` rows of `kernel_row`;
    an output has `windows` windows of `filters` (padded).
    """

    image: int
    row: int
    kernel_rows: int
    kernel_row: int
    windows: int
    filters: int

    @classmethod
    def of(cls, conv: Conv) -> "Shape":
        """The shape of `conv`; all but the image's own channels are padded."""
        height, width, channels = conv.input
        if conv.name != "conv_1":
            channels = padded(channels)
        rows, columns, filters = conv.output
        return cls(
            image=height * width * channels,
            row=width * channels,
            kernel_rows=conv.kernel_size,
            kernel_row=conv.kernel_size * channels,
            windows=rows * columns,
            filters=padded(filters),
        )

    @property
    def slack(self) -> int:
        """Floats that kernels may read past the last image."""
        return _MAX_ROWS * self.row + 2 * LANES


def positions(conv: Conv) -> np.ndarray:
    """Every position of `conv`, window by window, as int64; the last tile is filled up."""
    shape = Shape.of(conv)
    rows, columns, _ = conv.output
    p, s = conv.pool, conv.strides
    channels = shape.row // conv.input[1]
    y = np.arange(rows)[:, None, None, None] * p + np.arange(p)[:, None]
    x = np.arange(columns)[:, None, None] * p + np.arange(p)
    flat = (y * s * shape.row + x * s * channels).reshape(-1)
    return np.concatenate([flat, np.repeat(flat[-1:], 2 * TILE)])


def spans(conv: Conv) -> np.ndarray:
    """For each tile of `positions`: its top and bottom row, its first and last float, int64.

    Those are where a position's kernel starts; floats are counted in a row. There are none for
    a convolution that has little to gain from leaving out what is blank.
    """
    if conv.name != "conv_1" or conv.strides > 1 or conv.fans[0] * padded(conv.filters) < _LARGE:
        return np.zeros((0, 4), np.int64)
    row = Shape.of(conv).row
    windows = TILE // conv.pool**2 * conv.pool**2
    tiles = positions(conv)
    tiles = tiles[: -(-(len(tiles) - 2 * TILE) // windows) * windows].reshape(-1, windows)
    y, x = np.divmod(tiles, row)
    return np.stack([y.min(axis=1), y.max(axis=1), x.min(axis=1), x.max(axis=1)], axis=1)


def together(filters: int) -> int:
    """Blocks of `filters` (padded) that are worked on at once: two, if that comes out even.

    So a value that was loaded is multiplied by two vectors, which is what keeps AVX-512's
    multipliers busy.
    """
    return 2 if WIDE and filters // LANES % 2 == 0 else 1


@cache
def forward(window: int, together: int):  # noqa: C901  a loop nest, spelled out
    """The forward kernel for pooling windows of `window` positions (4, or 1 for no pooling).

    It works on `together` blocks of filters at a time.
    """
    per_tile = TILE // window

    @parallel
    def run(x, images, shape, at, spans, kernel, bias, out, choices):
        """Fill `out` and `choices` (image, window, filter) from `x`.

        `kernel` is (block of LANES filters, kernel float, filter), `bias` (filter), both flat.
        """
        size = shape.kernel_rows * shape.kernel_row * LANES
        for image in prange(images):
            base = image * shape.image
            lefts, rights = np.empty((2, shape.image // shape.row), np.int64)
            if len(spans) > 0:
                _find_ink(x, base, shape.row, lefts, rights)
            for first in range(0, shape.windows, per_tile):
                offsets = peek_many(at, first * window, TILE)
                top, bottom, low, high = 0, shape.kernel_rows, 0, shape.kernel_row
                if len(spans) > 0:
                    span = spans[first // per_tile]
                    top, bottom, low, high = _inked(span, shape, lefts, rights)
                for block in range(0, shape.filters // LANES, together):
                    biases = load_rows(bias, block * LANES, LANES, LANES, together)
                    sums = repeat(biases, TILE)
                    for row in range(top, bottom):
                        corner = base + row * shape.row
                        k = block * size + (row * shape.kernel_row + low) * LANES
                        for column in range(low, high):
                            weights = load_rows(kernel, k, size, LANES, together)
                            sums = add_scaled(sums, x, corner + column, offsets, weights)
                            k += LANES
                    to = (image * shape.windows) * shape.filters + block * LANES
                    if window == 4:
                        to += first * shape.filters
                        store_window(sums, 0, 4, together, out, choices, to)
                        if TILE == 8 and first + 1 < shape.windows:
                            store_window(sums, 4, 4, together, out, choices, to + shape.filters)
                    else:
                        _store_each(sums, together, out, choices, to, first, shape)

    return run


@njit(inline="always")
def _find_ink(x, base, row, lefts, rights):
    """Where each row of the image at `base` has its first and last float that is not 0."""
    for y in range(lefts.size):
        left, right = row, -1
        for j in range(0, row, LANES):
            bits = nonzero(x, base + y * row + j, LANES)
            if row - j < LANES:
                bits &= (1 << (row - j)) - 1
            if bits:
                left = min(left, j + low_zeros(bits))
                right = j + 63 - high_zeros(bits)
        lefts[y], rights[y] = left, right


@njit(inline="always")
def _inked(span, shape, lefts, rights):
    """The rows and columns of a kernel that meet a tile's ink: firsts, and past the lasts.

    Beyond them are only zeros. Digits have wide margins: it is two thirds of a kernel of 8 x 8.
    """
    up, down, left, right = span[0], span[1], span[2], span[3] + shape.kernel_row
    first, last, top, bottom = shape.row, -1, down + shape.kernel_rows, -1
    for y in range(up, down + shape.kernel_rows):
        if lefts[y] < right and rights[y] >= left:
            first, last = min(first, lefts[y]), max(last, rights[y])
            top, bottom = min(top, y), y
    return (
        max(0, top - down),
        min(shape.kernel_rows, bottom - up + 1),
        max(0, first - span[3]),
        min(shape.kernel_row, last - left + 1),
    )


@njit(inline="always")
def _store_each(sums, together, out, choices, to, first, shape):
    """Store a tile of windows of one position, as many as there are."""
    step = shape.filters
    left = shape.windows - first
    to += first * step
    store_window(sums, 0, 1, together, out, choices, to)
    if left > 1:
        store_window(sums, 1, 1, together, out, choices, to + step)
    if left > 2:
        store_window(sums, 2, 1, together, out, choices, to + 2 * step)
    if left > 3:
        store_window(sums, 3, 1, together, out, choices, to + 3 * step)
    if TILE == 8:
        if left > 4:
            store_window(sums, 4, 1, together, out, choices, to + 4 * step)
        if left > 5:
            store_window(sums, 5, 1, together, out, choices, to + 5 * step)
        if left > 6:
            store_window(sums, 6, 1, together, out, choices, to + 6 * step)
        if left > 7:
            store_window(sums, 7, 1, together, out, choices, to + 7 * step)


@njit(inline="always")
def _live(gradient, choices, start, at, window, shape, where, values):
    """List the positions of one image and filter that a gradient passes through, and count them.

    Only the position that won its window and passed the ReLU has one. `start` is the filter's
    first float in `gradient`.
    """
    count = 0
    for w in range(shape.windows):
        i = start + w * shape.filters
        choice = np.int64(peek(choices, i))
        # Without a branch, since a third of the choices are dead, at random: what a dead one
        # writes, the next overwrites. DEAD is 255, the only choice with its highest bit set.
        where[count] = peek(at, w * window + (choice & (window - 1)))
        values[count] = peek(gradient, i)
        count += 1 - (choice >> 7)
    return count


def gradient_rows(conv: Conv) -> tuple[int, int]:
    """Kernel rows summed at once and floats of a vector, for `conv`'s weight gradient."""
    shape = Shape.of(conv)
    blocks = -(-shape.kernel_rows // _MAX_ROWS)
    return -(-shape.kernel_rows // blocks), 8 if shape.kernel_row <= 8 else 16


@cache
def weight_gradient(rows: int, lanes: int):
    """The kernel for the gradient of weights, `rows` kernel rows of `lanes` floats at a time."""

    @parallel
    def run(x, images, shape, at, window, gradient, choices, kernels, biases):
        """Fill `kernels` (shard, filter, padded row, padded float) and `biases` (shard, filter).

        The images are split evenly over the shards.
        """
        shards, filters = biases.shape
        padded_row = -(-shape.kernel_row // lanes) * lanes
        filter_size = kernels.size // (shards * filters)
        flat = kernels.reshape(-1)
        for shard in prange(shards):
            where = np.empty(shape.windows + 1, np.int64)
            values = np.empty(shape.windows + 1, np.float32)
            own = shard * filters * filter_size
            flat[own : own + filters * filter_size] = 0
            biases[shard] = 0
            for image in range(images * shard // shards, images * (shard + 1) // shards):
                base = image * shape.image
                start = image * shape.windows * shape.filters
                for f in range(filters):
                    count = _live(gradient, choices, start + f, at, window, shape, where, values)
                    to = own + f * filter_size
                    total = np.float32(0)
                    for row in range(0, shape.kernel_rows, rows):
                        for column in range(0, shape.kernel_row, lanes):
                            corner = base + row * shape.row + column
                            cell = to + row * padded_row + column
                            sums = load_rows(flat, cell, padded_row, lanes, rows)
                            # The bias's gradient is the same in every block, and free beside it.
                            total = np.float32(0)
                            for i in range(count):
                                slope = peek(values, i)
                                total += slope
                                pixels = load_rows(
                                    x, corner + peek(where, i), shape.row, lanes, rows
                                )
                                sums = add_scaled_rows(sums, slope, pixels)
                            store_rows(flat, cell, padded_row, sums)
                    biases[shard, f] += total

    return run


@parallel
def input_gradient(images, shape, at, window, gradient, choices, kernel, filters, dx):
    """Fill `dx` (image, float) from the outputs' `gradient`.

    `kernel` is (filter, kernel row, float padded to whole vectors), flat.
    """
    padded_row = -(-shape.kernel_row // LANES) * LANES
    for image in prange(images):
        where = np.empty(shape.windows + 1, np.int64)
        values = np.empty(shape.windows + 1, np.float32)
        base = image * shape.image
        dx[base : base + shape.image] = 0
        start = image * shape.windows * shape.filters
        for f in range(filters):
            count = _live(gradient, choices, start + f, at, window, shape, where, values)
            for row in range(shape.kernel_rows):
                for column in range(0, shape.kernel_row, LANES):
                    weights = load(
                        kernel, (f * shape.kernel_rows + row) * padded_row + column, LANES
                    )
                    corner = base + row * shape.row + column
                    for i in range(count):
                        add_to(dx, corner + where[i], values[i], weights)
