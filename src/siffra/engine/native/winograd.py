"""3 x 3 convolutions at every position, by fewer multiplications: Winograd's F(2 x 2, 3 x 3).

Positions are taken in tiles of 2 x 2, which read 4 x 4 pixels. Pixels and kernels are transformed
to 16 *points*, at which a tile is a product of matrices: 16 multiplications where there were 36.
One matrix has a row for each tile of each image of a group, tile by tile:

    x (image, row, column, channel)               z (image, row, column, filter)
      |  4 x 4 pixels of each tile                  ^  2 x 2 positions of each tile
      v                                             |
    V (point, tile and image, channel) @ U (point, channel, filter) = M (point, tile and image,
                                         ^                                filter)
    kernel (3, 3, channel, filter) ------+

V and M are a thread's own, and hold so few tiles that they stay in its cache; a point of theirs
lies block by block of channels, so that products read neighbouring lines. The gradient of the
inputs is the same with the kernel turned about; that of the weights is V.T @ dM, summed over all
tiles and brought back to 3 x 3 at the end.

Where rows or columns are odd, the last tiles lack positions, and what those alone need is left out:
the last 4 points of each such row or column. Of 7 x 7 positions that leaves 225 products of 441.

Source: Lavin & Gray 2015, "Fast Algorithms for Convolutional Neural Networks", section 4.1.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.core import cgutils
from numba.np.ufunc import get_thread_id

from siffra.engine.native.conv import LANES, TILE, together
from siffra.engine.native.grid import GROUP, Grid
from siffra.engine.native.simd import (
    WIDE,
    add_outer,
    add_scaled,
    fma,
    intrinsic,
    load,
    load_at,
    load_rows,
    multiples,
    store_at,
    store_each,
    store_rows,
    zeros,
)
from siffra.engine.native.simd_math import store
from siffra.system.jit import compiled, inline, parallel

POINTS = 16
"""Products of a tile."""
_TAPS = 9
_ROOM = 128 * 1024
"""Bytes of V and M together, about: a part of a core's second cache, which has U as well."""
_GAP = LANES
"""Floats between points, without which a tile's sixteen would often share a set of the cache."""

_WIDTH = LANES if WIDE else LANES // 2
"""Channels that are transformed at once: what a register holds, since a square is sixteen."""

# How a tile's pixels, its sums and a kernel are transformed, along columns and along rows.
_PIXELS = (1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)
_SUMS = (1, 1, 1, 0), (0, 1, -1, -1)
_KERNEL = (1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)


class Tiles(NamedTuple):
    """Where tiles are read and written, in floats from the start of an image.

    `reads` and `writes` (tiles,) int64 are their first pixels and positions. First come those
    that lack the second column (up to `wide_from`), last those that lack the second row (from
    `tall_to` on), of which the one that lacks both is the very last (from `wide_to` on).
    """

    reads: np.ndarray
    writes: np.ndarray
    wide_from: int
    wide_to: int
    tall_to: int
    image: int
    row: int
    channels: int
    out_image: int
    out_row: int
    filters: int
    at_once: int

    @classmethod
    def of(cls, source: Grid, target: Grid, top: int, left: int) -> "Tiles":
        """The tiles of `target`, whose position 0 reads so many pixels above and left of 0."""
        rows, columns = target.rows, target.columns
        down, across = np.arange(0, rows, 2), np.arange(0, columns, 2)
        i, j = np.indices((down.size, across.size)).reshape(2, -1)
        is_short, is_narrow = down[i] + 1 == rows, across[j] + 1 == columns
        order = np.argsort(np.where(is_short, 2 + is_narrow, 1 - is_narrow), kind="stable")
        blocks = -(-order.size // _most_at_once(source.channels + target.channels))
        return cls(
            reads=source.offsets(down - top, across - left).reshape(-1)[order],
            writes=target.offsets(down, across).reshape(-1)[order],
            wide_from=int((is_narrow & ~is_short).sum()),
            wide_to=order.size - int((is_narrow & is_short).sum()),
            tall_to=int((~is_short).sum()),
            image=source.image,
            row=source.row,
            channels=source.channels,
            out_image=target.image,
            out_row=target.row,
            filters=target.channels,
            at_once=-(-order.size // blocks),
        )

    @property
    def together(self) -> int:
        """Blocks of filters that are worked on at once."""
        return together(self.filters)

    @property
    def weights(self) -> int:
        """Floats of U."""
        return POINTS * self.channels * self.filters

    @property
    def room(self) -> int:
        """Floats of V and M, for as many tiles as would be taken at once of any image."""
        channels = self.channels + self.filters
        return POINTS * (_most_at_once(channels) * GROUP * channels + 2 * _GAP)


def _most_at_once(channels: int) -> int:
    """Tiles whose rows of V and M, of so many channels together, have room."""
    return max(1, _ROOM // (4 * POINTS * GROUP * channels))


def _combined(builder, weights, vectors):
    """The sum of `vectors`, each times its weight."""
    total = None
    for weight, vector in zip(weights, vectors, strict=True):
        times = ir.Constant(vector.type, [float(weight)] * vector.type.count)
        if weight == 0:
            continue
        if total is None:
            total = vector if weight == 1 else builder.fmul(vector, times)
        elif abs(weight) == 1:
            total = (builder.fadd if weight == 1 else builder.fsub)(total, vector)
        else:
            total = fma(builder, vector, times, total)
    return total


def _transform(matrix):
    """What transforms a square of vectors: `matrix @ square @ matrix.T`."""

    @intrinsic
    def run(typingctx, array, index, rows, columns, to, start, to_rows, to_columns):
        """Read at `array[index + rows[i] + columns[j] :]`, write at `to[start + ...]` likewise.

        The last come first, so that of two that go to the same place the first stays.
        """

        def codegen(context, builder, signature, args):
            array_, index_, rows_, columns_, to_, start_, to_rows_, to_columns_ = args

            def places(first, down, across):
                pairs = cgutils.unpack_tuple(builder, down), cgutils.unpack_tuple(builder, across)
                for offset in pairs[0]:
                    above = builder.add(first, offset)
                    yield [builder.add(above, further) for further in pairs[1]]

            square = [
                [load_at(context, builder, array, array_, at, _WIDTH) for at in row]
                for row in places(index_, rows_, columns_)
            ]
            # Each turn transforms the columns, and makes them rows.
            for _ in range(2):
                square = [
                    [_combined(builder, weights, column) for weights in matrix]
                    for column in zip(*square, strict=True)
                ]
            targets = list(places(start_, to_rows_, to_columns_))
            for row, line in zip(reversed(targets), reversed(square), strict=True):
                for at, vector in zip(reversed(row), reversed(line), strict=True):
                    store_at(context, builder, to, to_, at, vector)
            return context.get_dummy_value()

        places = rows, columns, to, types.intp, to_rows, to_columns
        return types.void(array, types.intp, *places), codegen

    return run


def _transposed(matrix):
    return tuple(zip(*matrix, strict=True))


_take_pixels, _give_sums, _take_kernel = map(_transform, (_PIXELS, _SUMS, _KERNEL))
_take_slopes, _give_kernel = map(_transform, map(_transposed, (_SUMS, _KERNEL)))


@compiled
def transform(kernel, tiles, together, out):
    """Fill `out` with U.

    Args:
        kernel: (filters / LANES * 9 * channels * LANES,) float32, (block, tap, channel, filter).
        tiles: Tiles.
        together: int, `tiles.together`.
        out: (16 * channels * filters,) float32, (point, blocks that go together, channel, filter
            of those blocks).
    """
    channels, filters = tiles.channels, tiles.filters
    tap, point = channels * LANES, channels * filters
    for block in range(filters // LANES):
        for c in range(channels):
            start = (block * _TAPS * channels + c) * LANES
            to = ((block // together * channels + c) * together + block % together) * LANES
            for f in range(0, LANES, _WIDTH):
                _take_kernel(
                    kernel, start + f, multiples(3 * tap, 3), multiples(tap, 3),
                    out, to + f, multiples(4 * point, 4), multiples(point, 4),
                )  # fmt: skip


@inline
def _place(channel, width, rows):
    """Where a channel starts in a point of `rows` rows: blocks of `width` channels, row by row.

    Args:
        channel, width, rows: int.
    """
    return channel // width * rows * width + channel % width


@inline
def _fill_v(x, image, images, tiles, first, last, point, room):
    """Transform the pixels of some tiles of some images.

    Args:
        x: (floats,) float32.
        image, images: int, the first image, and how many.
        tiles: Tiles.
        first, last: int, the first tile, and the one past the last.
        point: int, floats from a point of V to the next.
        room: (floats,) float32, V is filled.
    """
    row, channels, most = tiles.row, tiles.channels, tiles.at_once * GROUP
    to_rows, to_columns = multiples(4 * point, 4), multiples(point, 4)
    to = 0
    for tile in range(first, last):
        # What lies past an image is not read, but once more what lies before.
        below = 3 if tile < tiles.tall_to else 2
        right = 3 if tiles.wide_from <= tile < tiles.wide_to else 2
        rows = 0, row, 2 * row, below * row
        columns = 0, channels, 2 * channels, right * channels
        for i in range(image, image + images):
            start = i * tiles.image + tiles.reads[tile]
            for c in range(0, channels, _WIDTH):
                at = to + _place(c, LANES, most)
                _take_pixels(x, start + c, rows, columns, room, at, to_rows, to_columns)
            to += LANES


@inline
def _needed(point, tiles, first, last):
    """Which of the tiles from `first` on need a point: the first, and past the last.

    Args:
        point: int.
        tiles: Tiles.
        first, last: int.
    """
    low, high = first, last
    if point // 4 == 3:
        high = min(high, tiles.tall_to)
    if point % 4 == 3:
        low, high = max(low, tiles.wide_from), min(high, tiles.wide_to)
    return low - first, high - first


@inline
def _give_z(room, m, point, width, image, tiles, first, last, out):
    """Transform M to the positions of some tiles of a group of images.

    Args:
        room: (floats,) float32, with M.
        m, point, width: int, where M starts, floats from a point to the next, channels of a block.
        image: int, the first image.
        tiles: Tiles.
        first, last: int, the first tile, and the one past the last.
        out: (floats,) float32.
    """
    filters, most = tiles.filters, tiles.at_once * GROUP
    rows, columns = multiples(4 * point, 4), multiples(point, 4)
    start = m
    for tile in range(first, last):
        # What is beyond an image takes no place: the position before it goes there.
        below = tiles.out_row if tile < tiles.tall_to else 0
        right = filters if tiles.wide_from <= tile < tiles.wide_to else 0
        for i in range(image, image + GROUP):
            to = i * tiles.out_image + tiles.writes[tile]
            for f in range(0, filters, _WIDTH):
                at = start + _place(f, width, most)
                _give_sums(room, at, rows, columns, out, to + f, (0, below), (0, right))
            start += width


@cache
def products(together: int):
    """The kernel for products, `together` blocks of filters at a time."""
    count, width = TILE * together, LANES * together

    @parallel
    def run(x, images, tiles, weights, out, rooms):
        """Fill `out` with the kernel's products at every position.

        Whole groups of images are filled, so the last may hold nonsense beyond `images`.

        Args:
            x: (groups * GROUP * tiles.image,) float32.
            images: int.
            tiles: Tiles.
            weights: (16 * channels * filters,) float32, U.
            out: (groups * GROUP * tiles.out_image,) float32.
            rooms: (threads, tiles.room) float32, work space.
        """
        channels, filters, most = tiles.channels, tiles.filters, tiles.at_once * GROUP
        v_point, m_point = most * channels + _GAP, most * filters + _GAP
        m = POINTS * v_point
        rows, to_rows = multiples(LANES, TILE), multiples(width, TILE)
        groups = (images + GROUP - 1) // GROUP
        blocks = (tiles.reads.size + tiles.at_once - 1) // tiles.at_once
        # A job has its group and tiles to itself: no two threads write the same floats.
        for job in prange(groups * blocks):
            room = rooms[get_thread_id()]
            image, first = job // blocks * GROUP, job % blocks * tiles.at_once
            last = min(first + tiles.at_once, tiles.reads.size)
            _fill_v(x, image, GROUP, tiles, first, last, v_point, room)
            for point in range(POINTS):
                low, high = _needed(point, tiles, first, last)
                for f in range(0, filters, width):
                    for row in range(low * GROUP, high * GROUP, TILE):
                        sums = zeros(LANES, count)
                        start = point * v_point + row * LANES
                        k = (point * filters + f) * channels
                        for _ in range(channels // LANES):
                            for c in range(LANES):
                                vectors = load_rows(weights, k, LANES, LANES, together)
                                sums = add_scaled(sums, room, start + c, rows, vectors)
                                k += width
                            start += most * LANES
                        to = m + point * m_point + f * most + row * width
                        store_each(room, to, to_rows, sums)
            _give_z(room, m, m_point, width, image, tiles, first, last, out)

    return run


def inputs_together(together: int) -> tuple[int, int, int]:
    """Inputs of a block that a weight gradient is summed for at once: at first, up to where, then.

    As many as the registers have room for.
    """
    return (16 // together, LANES, 16 // together) if WIDE else (6, 12, 4)


@cache
def _add_rows(inputs: int, together: int):
    """What sums up the gradient of U for so many inputs and blocks of filters."""
    count, width = inputs * together, LANES * together

    @inline
    def run(flat, at, room, pixels, slopes, rows):
        """Add the products of some rows of V and dM to a part of a gradient.

        Args:
            flat: (floats,) float32, with the part's (inputs, width) floats from `at` on.
            at: int.
            room: (floats,) float32, with the rows of V and dM.
            pixels, slopes, rows: int, the first float in each, and how many rows.
        """
        sums = load_rows(flat, at, LANES, LANES, count)
        for row in range(rows):
            vectors = load_rows(room, slopes + row * width, LANES, LANES, together)
            sums = add_outer(sums, room, pixels + row * LANES, vectors)
        store_rows(flat, at, LANES, sums)

    return run


@inline
def _fill_slopes(gradient, image, images, tiles, first, last, m, point, width, room):
    """Transform the gradient of some tiles of some images to that of M.

    Args:
        gradient: (floats,) float32, of the products; its border is 0.
        image, images: int, the first image, and how many.
        tiles: Tiles.
        first, last: int, the first tile, and the one past the last.
        m, point, width: int, where M starts, floats from a point to the next, channels of a block.
        room: (floats,) float32, M is filled.
    """
    filters, most = tiles.filters, tiles.at_once * GROUP
    rows, columns = multiples(tiles.out_row, 2), multiples(filters, 2)
    to_rows, to_columns = multiples(4 * point, 4), multiples(point, 4)
    to = m
    for tile in range(first, last):
        for i in range(image, image + images):
            start = i * tiles.out_image + tiles.writes[tile]
            for f in range(0, filters, _WIDTH):
                at = to + _place(f, width, most)
                _take_slopes(gradient, start + f, rows, columns, room, at, to_rows, to_columns)
            to += width


@cache
def weight_gradient(most_inputs: int, split: int, least_inputs: int, together: int):
    """The kernel for the gradient of U: see `inputs_together`, and so many blocks of filters."""
    width = LANES * together
    add_most, add_least = _add_rows(most_inputs, together), _add_rows(least_inputs, together)

    @parallel
    def run(x, images, tiles, gradient, shards, rooms):
        """Fill each of the `shards` with the gradient of U over its part of the images.

        Args:
            x: (images * tiles.image,) float32.
            images: int.
            tiles: Tiles.
            gradient: (images * tiles.out_image,) float32, of the products; its border is 0.
            shards: (shards, 16 * channels * filters) float32, as U.
            rooms: (threads, tiles.room) float32, work space.
        """
        channels, filters, most = tiles.channels, tiles.filters, tiles.at_once * GROUP
        v_point, m_point = most * channels + _GAP, most * filters + _GAP
        m = POINTS * v_point
        flat, size = shards.reshape(-1), shards.shape[1]
        # The number of shards is fixed, not that of threads: sums are the same on any number.
        for shard in prange(shards.shape[0]):
            room = rooms[get_thread_id()]
            flat[shard * size : (shard + 1) * size] = 0
            end = images * (shard + 1) // shards.shape[0]
            for image in range(images * shard // shards.shape[0], end, GROUP):
                some = min(GROUP, end - image)
                for first in range(0, tiles.reads.size, tiles.at_once):
                    last = min(first + tiles.at_once, tiles.reads.size)
                    _fill_v(x, image, some, tiles, first, last, v_point, room)
                    _fill_slopes(gradient, image, some, tiles, first, last, m, m_point, width, room)
                    for point in range(POINTS):
                        low, high = _needed(point, tiles, first, last)
                        low, rows = low * some, (high - low) * some
                        for f in range(0, filters, width):
                            slopes = m + point * m_point + f * most + low * width
                            at = shard * size + (point * filters + f) * channels
                            for block in range(0, channels, LANES):
                                pixels = point * v_point + block * most + low * LANES
                                for c in range(0, split, most_inputs):
                                    add_most(flat, at, room, pixels + c, slopes, rows)
                                    at += most_inputs * width
                                for c in range(split, LANES, least_inputs):
                                    add_least(flat, at, room, pixels + c, slopes, rows)
                                    at += least_inputs * width

    return run


@parallel
def add_up(shards, tiles, together, out):
    """Add up the `shards` of a gradient of U, in their order, and transform it to the kernel's.

    The sums take the place of the first shard's.

    Args:
        shards: (shards, 16 * channels * filters) float32, as U.
        tiles: Tiles.
        together: int, `tiles.together`.
        out: (weights,) float32, (block, tap, channel, filter), flat.
    """
    flat, size = shards.reshape(-1), shards.shape[1]
    channels, filters = tiles.channels, tiles.filters
    tap, point = channels * LANES, channels * filters
    for job in prange(filters // LANES * channels):
        block, c = job // channels, job % channels
        start = ((block // together * channels + c) * together + block % together) * LANES
        for at in range(start, start + POINTS * point, point):
            total = load(flat, at, LANES)
            for shard in range(1, shards.shape[0]):
                total = total + load(flat, shard * size + at, LANES)
            store(flat, at, total)
        to = (block * _TAPS * channels + c) * LANES
        for f in range(0, LANES, _WIDTH):
            _give_kernel(
                flat, start + f, multiples(4 * point, 4), multiples(point, 4),
                out, to + f, multiples(3 * tap, 3), multiples(tap, 3),
            )  # fmt: skip
