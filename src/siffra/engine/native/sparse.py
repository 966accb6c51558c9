"""Images as compressed sparse rows, and a dense layer that reads them.

Four pixels in five of a handwritten digit are 0. A first layer that skips them does a fifth
of the multiplications, forward and in the gradient of its weights. In plain SGD it can take
its step at once: a pixel's row of weights changes only where that pixel is not 0.
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
MAX_DENSITY = 0.4
"""Share of pixels that are not 0 above which whole rows of pixels are faster."""
_BLOCKS = 2
_COLUMN = 128
"""Images transposed at once: a few units' gradients of those stay in the cache."""
_LINE = 32  # entries of a list: at most a cache line's 64 bytes


class SparseRows(NamedTuple):
    """Images in CSR form: the pixels that are not 0, image after image.

    The pixels are split into blocks of about equally many entries, so that threads can share a
    layer's rows of weights.

    Attributes:
        indptr: (images, blocks + 1) int64. Image i's entries of block b are `indptr[i, b]` to
            `indptr[i, b + 1]`.
        indices: (entries + 1,) uint16 or uint32, the pixel of each entry.
        data: (entries + 1,) uint8 or float32, the value of each entry.
        bounds: (blocks + 1,) int64, the first pixel of each block, and the number of pixels.
    """

    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray
    bounds: np.ndarray

    @classmethod
    def of(cls, images: np.ndarray, dtype: type[np.generic] | None = None) -> "SparseRows":
        """Those of (n, pixels) images, with values of their own type or another."""
        counts = np.zeros(images.shape[1], np.int64)
        count_nonzero(images, counts)
        total = int(counts.sum())
        cumulative = np.cumsum(counts) / max(total, 1)
        inner = np.searchsorted(cumulative, np.arange(1, _BLOCKS) / _BLOCKS) + 1
        bounds = np.array([0, *np.minimum(inner, len(counts)), len(counts)], np.int64)
        indptr = np.zeros((len(images), _BLOCKS + 1), np.int64)
        indices = np.zeros(total + 1, index_type(len(counts)))
        data = np.zeros(total + 1, dtype or images.dtype)
        _fill_all(images, bounds, indptr, indices, data)
        return cls(indptr, indices, data, bounds)


def is_sparse(images: np.ndarray) -> bool:
    """Whether enough of (n, pixels) images is 0, judged by up to a thousand of them."""
    sample = images[:: max(1, len(images) // 1000)]
    return bool(np.count_nonzero(sample) <= MAX_DENSITY * sample.size)


def index_type(pixels: int) -> type[np.integer[Any]]:
    """What holds the number of a pixel, in as few bytes as it takes."""
    return number_type(pixels, "pixels of an image", np.uint16, np.uint32)


@compiled
def count_nonzero(images, counts):
    """Add to `counts` the number of images in which each pixel is not 0.

    Args:
        images: (n, pixels) uint8 or float32.
        counts: (pixels,) int64.
    """
    for i in range(images.shape[0]):
        row = images[i]
        for p in range(row.size):
            counts[p] += row[p] != 0


@compiled
def _fill_all(images, bounds, indptr, indices, data):
    """See `fill`, which Python cannot call.

    Args:
        images: (n, pixels) uint8 or float32.
        bounds: (blocks + 1,) int64.
        indptr: (n, blocks + 1) int64.
        indices: (entries + 1,) uint16 or uint32.
        data: (entries + 1,) uint8 or float32.
    """
    fill(images, bounds, indptr, indices, data, 0)


@noinline
def fill(images, bounds, indptr, indices, data, entry):
    """Fill the arrays of a `SparseRows`; both lists need room for one entry more.

    Args:
        images: (n, pixels) uint8 or float32.
        bounds: (blocks + 1,) int64, read.
        indptr: (n, blocks + 1) int64.
        indices: (entries + 1,) uint16 or uint32.
        data: (entries + 1,) uint8 or float32.
        entry: int, the first.
    """
    for i in range(images.shape[0]):
        row = images[i]
        for block in range(bounds.size - 1):
            indptr[i, block] = entry
            for p in range(bounds[block], bounds[block + 1]):
                # No branch: it would be mispredicted at every stroke's edge. A zero is written,
                # and overwritten by the next entry; the last one needs the extra room.
                indices[entry] = p
                data[entry] = row[p]
                entry += row[p] != 0
        indptr[i, bounds.size - 1] = entry


@inline
def prefetch_ahead(csr, order, i):
    """Prefetch the entries of images that come a little later, in this batch or the next.

    Images are shuffled, so that the hardware cannot predict where the next ones are.

    Args:
        csr: SparseRows.
        order: (images,) int64, indices of images.
        i: int, the place in `order` that is at work.
    """
    columns = csr.indptr.shape[1]
    if i + 16 < order.size:
        prefetch(csr.indptr, order[i + 16] * columns)
    if i + 8 < order.size:
        prefetch_blocks(csr, order[i + 8], 0, columns - 1)


@inline
def prefetch_blocks(csr, image, first, last):
    """Prefetch an image's entries of blocks `first` to `last`.

    Args:
        csr: SparseRows.
        image, first, last: int.
    """
    for entry in range(csr.indptr[image, first], csr.indptr[image, last], _LINE):
        prefetch(csr.indices, entry)
        prefetch(csr.data, entry)


def _outputs(count: int):
    """The kernel for the outputs of `count` vectors of units."""
    # Few sums would wait for each other; many would not fit into narrow registers.
    chains = 1 if count * LANES >= 64 else 2

    @noinline
    def run(csr, order, first, last, scale, params, units, column, biases, bias, floor, out):
        """Fill `count` vectors of units of `out` from unit `column` on.

        Args:
            csr: SparseRows.
            order: (images,) int64.
            first, last: int, the images `order[first:last]`.
            scale: float32, what a pixel's value is multiplied by.
            params: (parameters,) float32, starts with the kernel (pixels, units).
            units, column: int, units of the layer, and the first one here.
            biases: (floats,) float32, with the bias.
            bias: int, where it starts.
            floor: float32, the least output.
            out: (images * units,) float32.
        """
        indices, data = csr.indices, csr.data
        added = load_rows(biases, bias + column, LANES, LANES, count)
        least = spread(floor, LANES)
        for i in range(first, last):
            if column == 0:
                prefetch_ahead(csr, order, i)
            image = order[i]
            a, b = csr.indptr[image, 0], csr.indptr[image, csr.indptr.shape[1] - 1]
            even = odd = zeros(LANES, count)
            for j in range(a, b - chains + 1, chains):
                x = np.float32(peek(data, j)) * scale
                row = np.int64(peek(indices, j)) * units + column
                even = add_scaled_rows(even, x, load_rows(params, row, LANES, LANES, count))
                if chains == 2:
                    x = np.float32(peek(data, j + 1)) * scale
                    row = np.int64(peek(indices, j + 1)) * units + column
                    odd = add_scaled_rows(odd, x, load_rows(params, row, LANES, LANES, count))
            if chains == 2:
                if (b - a) % 2 == 1:
                    x = np.float32(peek(data, b - 1)) * scale
                    row = np.int64(peek(indices, b - 1)) * units + column
                    odd = add_scaled_rows(odd, x, load_rows(params, row, LANES, LANES, count))
                even = add_scaled_rows(even, np.float32(1), odd)
            even = floored(add_each(even, added), least)
            store_rows(out, (i - first) * units + column, LANES, even)

    return run


_outputs_1, _outputs_2, _outputs_4, _outputs_8 = map(_outputs, (1, 2, 4, 8))


@inline
def forward(csr, order, first, last, scale, params, units, biases, bias, floor, out):
    """Fill `out` with a first layer's outputs for images `order[first:last]`.

    Args:
        csr: SparseRows.
        order: (images,) int64.
        first, last: int.
        scale: float32, what a pixel's value is multiplied by.
        params: (parameters,) float32, starts with the kernel (pixels, units).
        units: int, a multiple of LANES.
        biases: (floats,) float32, with the bias; `params` or another array.
        bias: int, where it starts.
        floor: float32, the least output: 0 for a ReLU.
        out: (images * units,) float32.
    """
    vectors = units // LANES
    for v in range(0, vectors - 7, 8):
        column = v * LANES
        _outputs_8(csr, order, first, last, scale, params, units, column, biases, bias, floor, out)
    # Counted from the end: Numba would compile the kernels once more for a literal.
    if vectors & 4:
        column = (vectors - vectors % 8) * LANES
        _outputs_4(csr, order, first, last, scale, params, units, column, biases, bias, floor, out)
    if vectors & 2:
        column = (vectors - vectors % 4) * LANES
        _outputs_2(csr, order, first, last, scale, params, units, column, biases, bias, floor, out)
    if vectors & 1:
        column = (vectors - 1) * LANES
        _outputs_1(csr, order, first, last, scale, params, units, column, biases, bias, floor, out)


def _outer(count: int):
    """The kernel that adds images times gradients, `count` vectors of units, to rows of weights."""

    @inline
    def run(csr, block, order, first, last, scale, gradient, units, column, weights):
        """See `add_outer`; from unit `column` on.

        Args:
            csr: SparseRows.
            block: int.
            order: (images,) int64.
            first, last: int.
            scale: float32.
            gradient: (images * units,) float32.
            units, column: int.
            weights: (pixels * units,) float32.
        """
        indices, data = csr.indices, csr.data
        for i in range(first, last):
            if column == 0 and i + 4 < last:
                # Another thread may have read it last, so that it is in that core's cache only.
                prefetch_blocks(csr, order[i + 4], block, block + 1)
            image = order[i]
            slope = load_rows(gradient, (i - first) * units + column, LANES, LANES, count)
            for j in range(csr.indptr[image, block], csr.indptr[image, block + 1]):
                start = np.int64(peek(indices, j)) * units + column
                x = np.float32(peek(data, j)) * scale
                row = load_rows(weights, start, LANES, LANES, count)
                store_rows(weights, start, LANES, add_scaled_rows(row, x, slope))

    return run


_outer_1, _outer_2, _outer_4 = map(_outer, (1, 2, 4))


class SparseColumns(NamedTuple):
    """Up to `_COLUMN` images in CSC form: each pixel's images, in a row of fixed length.

    Attributes:
        counts: (pixels,) int64, in how many of the images the pixel is not 0.
        rows: (pixels, _COLUMN) uint8, which of them, in order.
        data: (pixels, _COLUMN) uint8 or float32, its values there.
    """

    counts: np.ndarray
    rows: np.ndarray
    data: np.ndarray

    @classmethod
    def room_for(cls, pixels: int, dtype: type[np.generic]) -> "SparseColumns":
        """Room for some images of so many pixels."""
        rows = np.zeros((pixels, _COLUMN), np.uint8)
        return cls(np.zeros(pixels, np.int64), rows, np.zeros((pixels, _COLUMN), dtype))


@noinline
def _transpose(csr, block, order, first, last, csc):
    """Fill the pixels of `block` in `csc` from images `order[first:last]`.

    Args:
        csr: SparseRows.
        block: int.
        order: (images,) int64.
        first, last: int, at most `_COLUMN` apart.
        csc: SparseColumns.
    """
    counts, rows, data = csc.counts, csc.rows.reshape(-1), csc.data.reshape(-1)
    counts[csr.bounds[block] : csr.bounds[block + 1]] = 0
    for i in range(first, last):
        image = order[i]
        if i + 4 < last:
            # Another thread may have read it last, so that it is in that core's cache only.
            prefetch_blocks(csr, order[i + 4], block, block + 1)
        for j in range(csr.indptr[image, block], csr.indptr[image, block + 1]):
            pixel = np.int64(peek(csr.indices, j))
            entry = pixel * _COLUMN + counts[pixel]
            rows[entry], data[entry] = i - first, peek(csr.data, j)
            counts[pixel] += 1


@noinline
def _outer_8(csc, low, high, scale, gradient, units, column, weights):
    """`_outer` of 8 vectors: a pixel's row of weights is read and written once.

    Args:
        csc: SparseColumns.
        low, high: int, the pixels.
        scale: float32.
        gradient: (images * units,) float32.
        units, column: int.
        weights: (pixels * units,) float32.
    """
    rows, data = csc.rows.reshape(-1), csc.data.reshape(-1)
    for pixel in range(low, high):
        start, entry = pixel * units + column, pixel * _COLUMN
        sums = load_rows(weights, start, LANES, LANES, 8)
        for k in range(entry, entry + csc.counts[pixel]):
            slope = np.int64(peek(rows, k)) * units + column
            x = np.float32(peek(data, k)) * scale
            sums = add_scaled_rows(sums, x, load_rows(gradient, slope, LANES, LANES, 8))
        store_rows(weights, start, LANES, sums)


@inline
def add_outer(csr, block, order, first, last, scale, gradient, units, csc, weights):
    """Add to `weights` the sum of `scale` * image * gradient over images `order[first:last]`.

    Only rows of pixels in `block` change, so that threads with different blocks never meet.

    Args:
        csr: SparseRows.
        block: int.
        order: (images,) int64.
        first, last: int.
        scale: float32.
        gradient: (images * units,) float32.
        units: int, a multiple of LANES.
        csc: SparseColumns, work space.
        weights: (pixels * units,) float32.
    """
    vectors = units // LANES
    if vectors >= 8:
        low, high = csr.bounds[block], csr.bounds[block + 1]
        for start in range(first, last, _COLUMN):
            _transpose(csr, block, order, start, min(start + _COLUMN, last), csc)
            slopes = gradient[(start - first) * units :]
            for v in range(0, vectors - 7, 8):
                _outer_8(csc, low, high, scale, slopes, units, v * LANES, weights)
    if vectors & 4:
        column = (vectors - vectors % 8) * LANES
        _outer_4(csr, block, order, first, last, scale, gradient, units, column, weights)
    if vectors & 2:
        column = (vectors - vectors % 4) * LANES
        _outer_2(csr, block, order, first, last, scale, gradient, units, column, weights)
    if vectors & 1:
        column = (vectors - 1) * LANES
        _outer_1(csr, block, order, first, last, scale, gradient, units, column, weights)
