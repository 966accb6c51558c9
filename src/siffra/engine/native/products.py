"""Sums of products over any grid: convolutions, dense layers, and the gradients of both.

A kernel's row covers neighbouring floats of an image (its columns times the channels), so one
loop nest serves all of them: a dense layer is a convolution over an image of one pixel. Where
things are read and written is in tables of offsets, for a group of images at a time. Kernels
are flat, (block of LANES filters, kernel float, filter). No size is compiled in.
"""

from functools import cache
from typing import NamedTuple

from numba import njit, prange

from siffra.engine.native.conv import LANES, TILE, together
from siffra.engine.native.grid import GROUP
from siffra.engine.native.simd import (
    WIDE,
    add_outer,
    add_scaled,
    load,
    load_rows,
    peek,
    peek_many,
    prefetch,
    store_each,
    store_rows,
    zeros,
)
from siffra.engine.native.simd_math import store
from siffra.system.jit import compiled, parallel

_LINE = 16
"""Floats of a line of the cache."""
_PIECES = 4
"""Into how many pieces a block of filters is cut for its shards to be added up."""
_ENOUGH = 48
"""Positions over which a weight gradient is summed in registers, at least: those of few images."""


class Tap(NamedTuple):
    """What a kernel reads of an image, in floats: `rows` rows of `row`, `step` apart.

    An input image takes `image` floats, an output `out`, of which there are `filters` a position.
    """

    image: int
    step: int
    rows: int
    row: int
    out: int
    filters: int

    @property
    def size(self) -> int:
        """Weights of the kernel."""
        return self.rows * self.row * self.filters

    @property
    def together(self) -> int:
        """Blocks of filters that are worked on at once."""
        return together(self.filters)

    @property
    def inputs(self) -> int:
        """Inputs of a kernel's row that a weight gradient is summed for at a time."""
        most = 12 if WIDE else 6
        return next(n for n in (4, 6, 8, 12) if n >= min(self.row, most))


@cache
def products(together: int):
    """The kernel for products, `together` blocks of filters at a time."""
    count = TILE * together

    @parallel
    def run(x, images, tap, reads, writes, kernel, out):
        """Fill `out` with the kernel's products at every position.

        Whole groups of images are filled, so the last may hold nonsense beyond `images`.

        Args:
            x: (groups * GROUP * tap.image,) float32.
            images: int.
            tap: Tap.
            reads, writes: (GROUP * positions,) int64, offsets in a group of images of `x`, `out`.
            kernel: (filters / LANES * weights * LANES,) float32, (block, kernel float, filter).
            out: (groups * GROUP * tap.out,) float32.
        """
        size = tap.rows * tap.row * LANES
        jobs = tap.filters // (LANES * together)
        groups = (images + GROUP - 1) // GROUP
        # A job has its group and blocks to itself: no two threads write the same floats.
        for job in prange(groups * jobs):
            group, block = job // jobs, job % jobs * together
            base = group * GROUP * tap.image
            to_base = group * GROUP * tap.out + block * LANES
            for first in range(0, reads.size, TILE):
                # In registers while the loops below run; reading memory again would stall them.
                offsets = peek_many(reads, first, TILE)
                sums = zeros(LANES, count)
                k = block * size
                for row in range(tap.rows):
                    start = base + row * tap.step
                    for column in range(tap.row):
                        weights = load_rows(kernel, k, size, LANES, together)
                        sums = add_scaled(sums, x, start + column, offsets, weights)
                        k += LANES
                store_each(out, to_base, peek_many(writes, first, TILE), sums)

    return run


def gradient_room(tap: Tap) -> int:
    """Floats that a shard of a weight gradient takes: rows are filled up to whole `inputs`."""
    return tap.rows * -(-tap.row // tap.inputs) * tap.inputs * tap.filters


@cache
def weight_gradient(inputs: int, together: int):
    """The kernel for the gradient of weights: so many inputs and blocks of filters at a time."""
    count = inputs * together

    @parallel
    def run(x, images, tap, reads, writes, gradient, shards):
        """Fill each of the `shards` with the kernel's gradient over its part of the images.

        Args:
            x: (images * tap.image,) float32.
            images: int.
            tap: Tap.
            reads, writes: (GROUP * positions,) int64, as the products' own.
            gradient: (images * tap.out,) float32, of the products.
            shards: (shards, gradient_room) float32; a shard is (blocks that go together, row,
                column filled up to whole `inputs`, filter of those blocks), flat.
        """
        positions = reads.size // GROUP
        step = together * LANES
        padded_row = -(-tap.row // inputs) * inputs
        flat = shards.reshape(-1)
        # The number of shards is fixed, not that of threads: sums are the same on any number.
        for shard in prange(shards.shape[0]):
            base = shard * shards.shape[1]
            flat[base : base + shards.shape[1]] = 0
            last = images * (shard + 1) // shards.shape[0]
            # Sums stay in registers over as many images as it takes to pay for their way there.
            few = 1 + _ENOUGH // positions
            for first in range(images * shard // shards.shape[0], last, few):
                past = min(first + few, last)
                _fetch(x, past * tap.image, min(past + few, last) * tap.image)
                _fetch(gradient, past * tap.out, min(past + few, last) * tap.out)
                for block in range(tap.filters // step):
                    for row in range(tap.rows):
                        for column in range(0, tap.row, inputs):
                            cell = (block * tap.rows + row) * padded_row + column
                            cell = base + cell * step
                            sums = load_rows(flat, cell, LANES, LANES, count)
                            for image in range(first, past):
                                corner = image * tap.image + row * tap.step + column
                                slope = image * tap.out + block * step
                                for p in range(positions):
                                    start = slope + peek(writes, p)
                                    slopes = load_rows(gradient, start, LANES, LANES, together)
                                    sums = add_outer(sums, x, corner + peek(reads, p), slopes)
                            store_rows(flat, cell, LANES, sums)

    return run


@njit(inline="always")
def _fetch(array, start, end):
    """Prefetch the next few images, while these are at work.

    Args:
        array: (floats,) float32.
        start, end: int.
    """
    for i in range(start, end, _LINE):
        prefetch(array, i)


@parallel
def add_up(shards, tap, inputs, together, out):
    """Add up the `shards` of a weight gradient into `out`.

    In the order of the shards, whichever thread does it: the sum has the same bits.

    Args:
        shards: (shards, gradient_room) float32.
        tap: Tap.
        inputs, together: int, as in `weight_gradient`.
        out: (weights,) float32, (block, kernel float, filter), flat.
    """
    padded_row = -(-tap.row // inputs) * inputs
    flat, room = shards.reshape(-1), shards.shape[1]
    size = tap.rows * tap.row
    for job in prange(tap.filters // LANES * _PIECES):
        block, piece = job // _PIECES, job % _PIECES
        first = block // together * tap.rows * padded_row * together + block % together
        for i in range(size * piece // _PIECES, size * (piece + 1) // _PIECES):
            row, column = i // tap.row, i % tap.row
            start = (first + (row * padded_row + column) * together) * LANES
            total = load(flat, start, LANES)
            for shard in range(1, shards.shape[0]):
                total = total + load(flat, shard * room + start, LANES)
            store(out, (block * size + i) * LANES, total)


@compiled
def pick(source, places, out):
    """`out[i] = source[places[i]]`, without an array of NumPy's in between.

    Args:
        source: (weights,) float32.
        places: (n,) int64.
        out: (n,) float32.
    """
    for i in range(places.size):
        out[i] = source[places[i]]
