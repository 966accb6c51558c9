"""Images as lists of their pixels that are not zero, and a dense layer that works on those.

Four pixels in five of a handwritten digit are blank. A first layer that skips them does a fifth
of the multiplications, forward and in the gradient of its weights, and in plain SGD it can take
its step at once: a pixel's row of weights changes only where that pixel has ink.
"""

from typing import Any, NamedTuple

import numpy as np

from siffra.engine.native.limits import number_type
from siffra.engine.native.simd import (
    WIDE,
    add_scaled_rows,
    load_rows,
    peek,
    prefetch,
    store_rows,
    zeros,
)
from siffra.engine.native.simd_math import add_each, floored, spread
from siffra.system.jit import compiled, inline, noinline

LANES = 16 if WIDE else 8
MOST_INK = 0.4
"""Share of pixels with ink above which whole rows of pixels are faster."""
_PARTS = 2
_TURNED = 128
"""Images whose ink is turned at once: a few units' gradients of those stay in the cache."""
_LINE = 32  # entries of a list: at most a cache line's 64 bytes


class Ink(NamedTuple):
    """Lists of pixels with ink: `pixel` says where, `value` how much, image after image.

    The pixels are cut into parts of about equal ink, `parts` (part + 1) being their bounds, so
    that threads can share a layer's rows of weights. Image i's list in part p starts at
    `start[i, p]` and ends at `start[i, p + 1]`.
    """

    start: np.ndarray
    pixel: np.ndarray
    value: np.ndarray
    parts: np.ndarray


def is_sparse(images: np.ndarray) -> bool:
    """Whether (n, pixels) images have little enough ink, judged by up to a thousand of them."""
    some = images[:: max(1, len(images) // 1000)]
    return bool(np.count_nonzero(some) <= MOST_INK * some.size)


def pixel_type(pixels: int) -> type[np.integer[Any]]:
    """What holds the number of a pixel, in as few bytes as it takes."""
    return number_type(pixels, "pixels of an image", np.uint16, np.uint32)


def ink_of(images: np.ndarray) -> Ink:
    """The ink of (n, pixels) images."""
    ink = np.zeros(images.shape[1], np.int64)
    count_ink(images, ink)
    total = int(ink.sum())
    shares = np.cumsum(ink) / max(total, 1)
    bounds = np.searchsorted(shares, np.arange(1, _PARTS) / _PARTS) + 1
    parts = np.array([0, *np.minimum(bounds, len(ink)), len(ink)], np.int64)
    start = np.zeros((len(images), _PARTS + 1), np.int64)
    small = pixel_type(len(ink))
    pixel, value = np.zeros(total + 1, small), np.zeros(total + 1, images.dtype)
    _list_all(images, parts, start, pixel, value)
    return Ink(start, pixel, value, parts)


@compiled
def count_ink(images, ink):
    """Add to `ink`, by pixel, the number of images that have some there."""
    for i in range(images.shape[0]):
        row = images[i]
        for p in range(row.size):
            ink[p] += row[p] != 0


@compiled
def _list_all(images, parts, start, pixel, value):
    list_ink(images, parts, start, pixel, value)


@noinline
def list_ink(images, parts, start, pixel, value):
    """Fill an `Ink`; `pixel` and `value` need room for one entry more than there is ink."""
    at = 0
    for i in range(images.shape[0]):
        row = images[i]
        for part in range(parts.size - 1):
            start[i, part] = at
            for p in range(parts[part], parts[part + 1]):
                # Without a branch, which would be guessed wrong at every stroke's edge.
                pixel[at] = p
                value[at] = row[p]
                at += row[p] != 0
        start[i, parts.size - 1] = at


@inline
def fetch_ahead(ink, order, i):
    """Ask for the lists of images that come a little later, in this batch or the next.

    They are anywhere in memory.
    """
    parts = ink.start.shape[1]
    if i + 16 < order.size:
        prefetch(ink.start, order[i + 16] * parts)
    if i + 8 < order.size:
        fetch(ink, order[i + 8], 0, parts - 1)


@inline
def fetch(ink, image, first, last):
    """Ask for parts `first` to `last` of an image's list."""
    for at in range(ink.start[image, first], ink.start[image, last], _LINE):
        prefetch(ink.pixel, at)
        prefetch(ink.value, at)


def _outputs(count: int):
    """Outputs for `count` vectors of units."""
    # Few sums would wait for each other; many would not fit into narrow registers.
    chains = 1 if count * LANES >= 64 else 2

    @noinline
    def run(ink, order, first, last, scale, params, units, column, bias, floor, out):
        pixel, value = ink.pixel, ink.value
        biases = load_rows(params, bias + column, LANES, LANES, count)
        least = spread(floor, LANES)
        for i in range(first, last):
            if column == 0:
                fetch_ahead(ink, order, i)
            image = order[i]
            a, b = ink.start[image, 0], ink.start[image, ink.start.shape[1] - 1]
            even = odd = zeros(LANES, count)
            for j in range(a, b - chains + 1, chains):
                x = np.float32(peek(value, j)) * scale
                at = np.int64(peek(pixel, j)) * units + column
                even = add_scaled_rows(even, x, load_rows(params, at, LANES, LANES, count))
                if chains == 2:
                    x = np.float32(peek(value, j + 1)) * scale
                    at = np.int64(peek(pixel, j + 1)) * units + column
                    odd = add_scaled_rows(odd, x, load_rows(params, at, LANES, LANES, count))
            if chains == 2:
                if (b - a) % 2 == 1:
                    x = np.float32(peek(value, b - 1)) * scale
                    at = np.int64(peek(pixel, b - 1)) * units + column
                    odd = add_scaled_rows(odd, x, load_rows(params, at, LANES, LANES, count))
                even = add_scaled_rows(even, np.float32(1), odd)
            even = floored(add_each(even, biases), least)
            store_rows(out, (i - first) * units + column, LANES, even)

    return run


_outputs_1, _outputs_2, _outputs_4, _outputs_8 = map(_outputs, (1, 2, 4, 8))


@inline
def forward(ink, order, first, last, scale, params, units, bias, floor, out):
    """Fill `out` (row, unit) with a first layer's outputs for images `order[first:last]`.

    `params` starts with its kernel; `bias` says where that is. Outputs are at least `floor`.
    """
    vectors = units // LANES
    for v in range(0, vectors - 7, 8):
        _outputs_8(ink, order, first, last, scale, params, units, v * LANES, bias, floor, out)
    # Counted from the end: a number that is known when this is compiled would make the kernels
    # be compiled once more for it.
    if vectors & 4:
        column = (vectors - vectors % 8) * LANES
        _outputs_4(ink, order, first, last, scale, params, units, column, bias, floor, out)
    if vectors & 2:
        column = (vectors - vectors % 4) * LANES
        _outputs_2(ink, order, first, last, scale, params, units, column, bias, floor, out)
    if vectors & 1:
        _outputs_1(
            ink, order, first, last, scale, params, units, (vectors - 1) * LANES, bias, floor, out
        )


def _outer(count: int):
    """Add images' ink times their gradients, `count` vectors of units wide, to rows of weights."""

    @inline
    def run(ink, part, order, first, last, scale, gradient, units, column, rows):
        pixel, value = ink.pixel, ink.value
        for i in range(first, last):
            if column == 0 and i + 4 < last:
                fetch(ink, order[i + 4], part, part + 1)  # another thread may have read it last
            image = order[i]
            slope = load_rows(gradient, (i - first) * units + column, LANES, LANES, count)
            for j in range(ink.start[image, part], ink.start[image, part + 1]):
                to = np.int64(peek(pixel, j)) * units + column
                x = np.float32(peek(value, j)) * scale
                row = load_rows(rows, to, LANES, LANES, count)
                store_rows(rows, to, LANES, add_scaled_rows(row, x, slope))

    return run


_outer_1, _outer_2, _outer_4 = map(_outer, (1, 2, 4))


class Turned(NamedTuple):
    """The ink of up to `_TURNED` images, pixel by pixel: `many` (pixel) of them have some there.

    `image` and `value` (pixel, one of them) say which, in order, and how much.
    """

    many: np.ndarray
    image: np.ndarray
    value: np.ndarray

    @classmethod
    def room(cls, ink: Ink) -> "Turned":
        """Room for some of these images."""
        pixels = int(ink.parts[-1])
        return cls(
            np.zeros(pixels, np.int64),
            np.zeros((pixels, _TURNED), np.uint8),
            np.zeros((pixels, _TURNED), ink.value.dtype),
        )


@noinline
def _turn(ink, part, order, first, last, turned):
    """Fill `turned`, where `part` is, with the ink of images `order[first:last]`."""
    many, images, values = turned.many, turned.image.reshape(-1), turned.value.reshape(-1)
    many[ink.parts[part] : ink.parts[part + 1]] = 0
    for i in range(first, last):
        image = order[i]
        if i + 4 < last:
            fetch(ink, order[i + 4], part, part + 1)  # another thread may have read it last
        for j in range(ink.start[image, part], ink.start[image, part + 1]):
            pixel = np.int64(peek(ink.pixel, j))
            to = pixel * _TURNED + many[pixel]
            images[to], values[to] = i - first, peek(ink.value, j)
            many[pixel] += 1


@noinline
def _outer_8(turned, low, high, scale, gradient, units, column, rows):
    """`_outer` of 8 vectors for pixels `low` to `high`: a pixel's row is read and written once."""
    images, values = turned.image.reshape(-1), turned.value.reshape(-1)
    for pixel in range(low, high):
        to, at = pixel * units + column, pixel * _TURNED
        sums = load_rows(rows, to, LANES, LANES, 8)
        for k in range(at, at + turned.many[pixel]):
            start = np.int64(peek(images, k)) * units + column
            x = np.float32(peek(values, k)) * scale
            sums = add_scaled_rows(sums, x, load_rows(gradient, start, LANES, LANES, 8))
        store_rows(rows, to, LANES, sums)


@inline
def add_outer(ink, part, order, first, last, scale, gradient, units, turned, rows):
    """Add to `rows` (pixel, unit), flat: `scale` x ink x `gradient` of images `order[first:last]`.

    Only rows of pixels in `part` change. `gradient` is (image, unit), flat.
    """
    vectors = units // LANES
    if vectors >= 8:
        low, high = ink.parts[part], ink.parts[part + 1]
        for some in range(first, last, _TURNED):
            _turn(ink, part, order, some, min(some + _TURNED, last), turned)
            own = gradient[(some - first) * units :]
            for v in range(0, vectors - 7, 8):
                _outer_8(turned, low, high, scale, own, units, v * LANES, rows)
    if vectors & 4:
        column = (vectors - vectors % 8) * LANES
        _outer_4(ink, part, order, first, last, scale, gradient, units, column, rows)
    if vectors & 2:
        column = (vectors - vectors % 4) * LANES
        _outer_2(ink, part, order, first, last, scale, gradient, units, column, rows)
    if vectors & 1:
        column = (vectors - 1) * LANES
        _outer_1(ink, part, order, first, last, scale, gradient, units, column, rows)
