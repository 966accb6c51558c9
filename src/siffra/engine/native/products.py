"""Sums of products over any grid: convolutions, dense layers, and the gradients of both.

A kernel's row covers neighbouring floats of an image (its columns times the channels), so one
loop nest serves all of them: a dense layer is a convolution over an image of one pixel. Where
things are read and written is in tables of offsets, for a group of images at a time. Kernels
are flat, (block of LANES filters, kernel float, filter). No size is compiled in.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import prange

from siffra.engine.native.conv import LANES, TILE
from siffra.engine.native.grid import GROUP
from siffra.engine.native.vector import (
    WIDE,
    add_scaled,
    load,
    peek_many,
    store_each,
    store_rows,
    zeros,
)
from siffra.kernels import compiled, parallel


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


@parallel
def products(x, images, tap, at, to, kernel, out):
    """Fill `out` with the kernel's products at every position.

    `at` has the positions' offsets in a group of images of `x`, `to` theirs in `out`. Whole
    groups are filled, so the last may hold nonsense beyond `images`.
    """
    size = tap.rows * tap.row * LANES
    blocks = tap.filters // LANES
    groups = (images + GROUP - 1) // GROUP
    for job in prange(groups * blocks):
        group, block = job // blocks, job % blocks
        base = group * GROUP * tap.image
        to_base = group * GROUP * tap.out + block * LANES
        for first in range(0, at.size, TILE):
            offsets = peek_many(at, first, TILE)
            sums = zeros(LANES, TILE)
            k = block * size
            for row in range(tap.rows):
                start = base + row * tap.step
                for column in range(tap.row):
                    sums = add_scaled(sums, x, start + column, offsets, load(kernel, k, LANES))
                    k += LANES
            store_each(out, to_base, peek_many(to, first, TILE), sums)


def inputs_at_once(tap: Tap) -> int:
    """How many inputs of a kernel's row a weight gradient is summed for at a time."""
    most = 16 if WIDE else 4
    return next(n for n in (4, 8, 16) if n >= min(tap.row, most))


def gradient_room(tap: Tap) -> int:
    """Floats that a shard of a weight gradient takes: the last sums of a row may go over."""
    return tap.filters // LANES * _block(tap, inputs_at_once(tap))


@compiled
def _block(tap, inputs):
    return (tap.rows * tap.row + inputs) * LANES


@cache
def weight_gradient(inputs: int):
    """The kernel for the gradient of weights, `inputs` inputs of a row at a time."""

    @parallel
    def run(x, images, tap, at, to, gradient, shards):
        """Fill `shards` (shard, `gradient_room`) with parts of the kernel's gradient.

        `gradient` lies as the products' `out` does; images are split evenly over the shards.
        """
        count = shards.shape[0]
        positions = at.size // GROUP
        steps = np.arange(inputs)
        flat = shards.reshape(-1)
        for shard in prange(count):
            first, last = images * shard // count, images * (shard + 1) // count
            offsets = peek_many(steps, 0, inputs)
            for block in range(tap.filters // LANES):
                start = shard * shards.shape[1] + block * _block(tap, inputs)
                for row in range(tap.rows):
                    for column in range(0, tap.row, inputs):
                        sums = zeros(LANES, inputs)
                        for image in range(first, last):
                            corner = image * tap.image + row * tap.step + column
                            slope = image * tap.out + block * LANES
                            for p in range(positions):
                                vector = load(gradient, slope + to[p], LANES)
                                sums = add_scaled(sums, x, corner + at[p], offsets, vector)
                        cell = start + (row * tap.row + column) * LANES
                        store_rows(flat, cell, LANES, sums)

    return run


@parallel
def add_up(shards, inputs, tap, out):
    """Add up the `shards` of a weight gradient, in their order, into flat `out`."""
    size = tap.rows * tap.row * LANES
    for block in prange(tap.filters // LANES):
        start = block * _block(tap, inputs)
        for i in range(size):
            out[block * size + i] = shards[0, start + i]
        for shard in range(1, shards.shape[0]):
            for i in range(size):
                out[block * size + i] += shards[shard, start + i]


@compiled
def pick(source, places, out):
    """`out[i] = source[places[i]]`."""
    for i in range(places.size):
        out[i] = source[places[i]]
