"""The fused convolution's gradients: of its weights and biases, and of its inputs.

Only the position that won its window, and passed the ReLU, has one: with pooling a quarter of
them, another for each filter.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, prange, types

from siffra.engine.native.conv import LANES, Shape, step
from siffra.engine.native.conv_fused_forward import DEAD
from siffra.engine.native.grid import aligned_zeros
from siffra.engine.native.limits import number_type
from siffra.engine.native.simd import (
    WIDE,
    Vector,
    add_to,
    fma,
    intrinsic,
    load,
    load_at,
    load_rows,
    peek,
    peek_many,
    pointer,
    splat,
    store_at,
    store_rows,
    zeros,
)
from siffra.engine.native.simd_math import store
from siffra.engine.network import Conv
from siffra.system.jit import compiled, parallel

_WIDTH = 16 if WIDE else 8
"""Floats of a register."""
_MOST_SUMS = 24 if WIDE else 12
"""Registers that sums may take."""


class Patches(NamedTuple):
    """How the patches under a kernel are laid out while its weights' gradient is summed.

    From each column of positions on, an image's rows are copied to a *sheet*, a vector of `width`
    floats each. So a patch is whole vectors, and none lies in two lines of the cache. Where a
    kernel's row fits into half a vector, `halves` is 2: a vector holds that row and the next.
    There are `sheets` of `rows` vectors, `step` floats of the image apart.

    A kernel is `blocks` of such columns, each `parts` times `vectors` vectors, which are summed at
    once, for `together` filters at a time.

    `corners` (window,) int64 is where a window's first position has its patch. The others' are
    `right` of it, `below` it, and both.
    """

    halves: int
    width: int
    rows: int
    sheets: int
    step: int
    blocks: int
    parts: int
    vectors: int
    together: int
    corners: np.ndarray
    right: int
    below: int

    @classmethod
    def of(cls, conv: Conv) -> "Patches":
        """The layout for `conv`."""
        shape, pool = Shape.of(conv), conv.pool
        rows, columns, _ = conv.output
        halves = 2 if 2 * shape.kernel_row <= _WIDTH else 1
        vectors = -(-shape.kernel_rows // halves)
        parts = -(-vectors // _MOST_SUMS)
        vectors = -(-vectors // parts)
        right, below = conv.input[0] * _WIDTH, conv.strides * _WIDTH
        y, x = np.indices((rows, columns)).reshape(2, -1) * pool
        return cls(
            halves=halves,
            width=_WIDTH // halves,
            rows=conv.input[0],
            sheets=columns * pool,
            step=step(conv),
            blocks=-(-halves * shape.kernel_row // _WIDTH),
            parts=parts,
            vectors=vectors,
            together=max(n for n in (1, 2, 4) if n == 1 or n * vectors <= _MOST_SUMS),
            corners=_WIDTH + x * right + y * below,
            right=right * (pool > 1),
            below=below * (pool > 1),
        )

    @property
    def filter_floats(self) -> int:
        """Floats that the gradient of one filter's weights takes."""
        return self.blocks * self.parts * self.vectors * _WIDTH

    @property
    def sheet_floats(self) -> int:
        """Floats that all sheets take, with what is read beyond them, and written before."""
        beyond = self.parts * self.vectors * self.halves
        return (1 + self.sheets * self.rows + beyond) * _WIDTH


class Room(NamedTuple):
    """What shards of a weight gradient work with; each has a row.

    `kernels` are their sums: (groups of filters that go together, block, part, filter, vector),
    flat. `biases` are (padded filter). `sheets` are an image's; `slopes` and `places` (window,
    padded filter) float32 and int32 are its gradient, 0 where ReLU let nothing through, and which
    patch won.
    """

    kernels: np.ndarray
    biases: np.ndarray
    sheets: np.ndarray
    slopes: np.ndarray
    places: np.ndarray

    @classmethod
    def of(cls, patches: Patches, shape: Shape, filters: int, shards: int) -> "Room":
        """Room for so many shards."""
        whole = -(-filters // patches.together) * patches.together
        windows = shards, shape.windows * shape.filters
        places = number_type(patches.sheet_floats, "floats of a sheet", np.int32)
        return cls(
            aligned_zeros((shards, whole * patches.filter_floats)),
            aligned_zeros((shards, shape.filters)),
            aligned_zeros((shards, patches.sheet_floats)),
            np.zeros(windows, np.float32),
            np.zeros(windows, places),
        )


@cache
def weight_gradient(vectors: int, together: int, halves: int):
    """The kernel for the gradient of weights, for `Patches` with these."""
    width, stride = _WIDTH // halves, _WIDTH * halves
    count = vectors * together

    @parallel
    def run(x, images, shape, patches, filters, gradient, choices, room):
        """Sum the gradients of `filters` filters in `room`, images split evenly over its shards.

        Args:
            x: (images * shape.image or more,) float32.
            images: int.
            shape: Shape.
            patches: Patches.
            filters: int, padding not counted.
            gradient: (images * windows * padded filters,) float32, of the outputs.
            choices: (images * windows * padded filters,) uint8.
            room: Room.
        """
        kernels, biases = room.kernels.reshape(-1), room.biases.reshape(-1)
        shards, floats = room.kernels.shape
        for shard in prange(shards):
            kernels[shard * floats : (shard + 1) * floats] = 0
            biases[shard * shape.filters : (shard + 1) * shape.filters] = 0
            sheets, slopes, places = room.sheets[shard], room.slopes[shard], room.places[shard]
            for image in range(images * shard // shards, images * (shard + 1) // shards):
                start = image * shape.windows * shape.filters
                for f in range(0, shape.filters, LANES):
                    to = shard * shape.filters + f
                    total = _route(gradient, choices, start, f, shape, patches, slopes, places)
                    store(biases, to, load(biases, to, LANES) + total)
                # Gradients are routed first: the loops over weights read them in any order.
                for block in range(patches.blocks):
                    corner = image * shape.image + block * _WIDTH
                    _lay_out(x, corner, shape.row, patches, halves, width, sheets)
                    for f in range(0, filters, together):
                        for part in range(patches.parts):
                            cell = (f // together * patches.blocks + block) * patches.parts + part
                            cell = shard * floats + cell * count * _WIDTH
                            sums = load_rows(kernels, cell, _WIDTH, _WIDTH, count)
                            first = part * vectors * stride
                            for i in range(f, shape.windows * shape.filters, shape.filters):
                                patch = peek_many(places, i, together)
                                slope = peek_many(slopes, i, together)
                                sums = _add_patches(sums, sheets, first, patch, stride, slope)
                            store_rows(kernels, cell, _WIDTH, sums)

    return run


@njit(inline="always")
def _route(gradient, choices, start, f, shape, patches, slopes, places):
    """`_route_window` for LANES filters from `f` on, in every window; the sums of their slopes.

    Args:
        gradient: (images * windows * filters,) float32.
        choices: (images * windows * filters,) uint8.
        start, f: int, where the image starts in both; the first filter.
        shape: Shape.
        patches: Patches.
        slopes: (windows * filters,) float32, filled.
        places: (windows * filters,) int32, filled.
    """
    total = zeros(LANES, 1)[0]
    right, below = patches.right, patches.below
    for w in range(shape.windows):
        i, corner = w * shape.filters + f, peek(patches.corners, w)
        index = start + i
        slope = _route_window(gradient, choices, index, corner, right, below, slopes, places, i)
        total = total + slope
    return total


@njit(inline="always")
def _lay_out(x, corner, image_row, patches, halves, width, sheets):
    """Copy an image to the `sheets`.

    Args:
        x: (floats,) float32.
        corner, image_row: int, the first float; floats of a row.
        patches: Patches.
        halves, width: int.
        sheets: (sheet floats,) float32.
    """
    for column in range(patches.sheets):
        for row in range(patches.rows):
            source = corner + row * image_row + column * patches.step
            piece = load_rows(x, source, 0, width, 1)
            to = _WIDTH * (1 + column * patches.rows + row)
            store_rows(sheets, to, 0, piece)
            if halves == 2:
                store_rows(sheets, to - width, 0, piece)


@intrinsic
def _route_window(typingctx, gradient, choices, index, corner, right, below, slopes, places, to):
    """The gradient of LANES filters in one window, and the patch of the position that it is of.

    They go to `slopes[to:]` and `places[to:]`; the gradient, 0 where DEAD, is returned too.
    """

    def codegen(context, builder, signature, args):
        gradient_, choices_, index_, corner_, right_, below_, slopes_, places_, to_ = args
        byte, word = ir.IntType(8), ir.VectorType(ir.IntType(32), LANES)
        at = pointer(context, builder, choices, choices_, index_, byte, LANES)
        choice = builder.load(at, align=1)
        dead = builder.icmp_unsigned("==", choice, ir.Constant(choice.type, [DEAD] * LANES))
        slope = load_at(context, builder, gradient, gradient_, index_, LANES)
        slope = builder.select(dead, ir.Constant(slope.type, None), slope)
        store_at(context, builder, slopes, slopes_, to_, slope)
        choice = builder.zext(choice, word)
        place = splat(builder, builder.trunc(corner_, word.element), LANES)
        for bit, further in ((1, right_), (2, below_)):
            has = builder.and_(choice, ir.Constant(word, [bit] * LANES))
            has = builder.icmp_unsigned("!=", has, ir.Constant(word, None))
            more = splat(builder, builder.trunc(further, word.element), LANES)
            more = builder.select(has, more, ir.Constant(word, None))
            place = builder.add(place, more)
        to_place = pointer(context, builder, places, places_, to_, word.element, LANES)
        builder.store(place, to_place, align=4)
        return slope

    parameters = gradient, choices, types.intp, types.intp, types.intp, types.intp
    return Vector(LANES)(*parameters, slopes, places, types.intp), codegen


@intrinsic
def _add_patches(typingctx, sums, array, first, places, stride, slopes):
    """`sums[i * n + j] + slopes[i] * array[first + places[i] + j * stride :]` for each i and j.

    There are n times as many `sums` as `places`.
    """

    def codegen(context, builder, signature, args):
        sums_, array_, first_, places_, stride_, slopes_ = args
        lanes, results = sums.dtype.lanes, []
        for i in range(places.count):
            at = builder.add(first_, builder.extract_value(places_, i))
            slope = splat(builder, builder.extract_value(slopes_, i), lanes)
            for _ in range(sums.count // places.count):
                values = load_at(context, builder, array, array_, at, lanes)
                old = builder.extract_value(sums_, len(results))
                results.append(fma(builder, slope, values, old))
                at = builder.add(at, stride_)
        return context.make_tuple(builder, sums, results)

    return sums(sums, array, types.intp, places, types.intp, slopes), codegen


@compiled
def add_up(room, shape, patches, filters, kernel, bias):
    """Sum the gradients of `room`'s shards, in their order, into the parameters' layout.

    The sums take the place of the first shard's. On one thread: they take a few microseconds, and
    so does it to share them out.

    Args:
        room: Room.
        shape: Shape.
        patches: Patches.
        filters: int, padding not counted.
        kernel: (weights,) float32, (block of LANES filters, kernel float, filter), flat.
        bias: (padded filters,) float32.
    """
    kernels, biases = room.kernels.reshape(-1), room.biases.reshape(-1)
    _add_shards(kernels, len(room.kernels))
    _add_shards(biases, len(room.biases))
    together, width = patches.together, patches.width
    block_size = shape.kernel_rows * shape.kernel_row * LANES
    for f in range(filters):
        start = f // LANES * block_size + f % LANES
        for row in range(shape.kernel_rows):
            vector, half = divmod(row, patches.halves)
            part, vector = divmod(vector, patches.vectors)
            for block in range(patches.blocks):
                source = (f // together * patches.blocks + block) * patches.parts + part
                source = (source * together + f % together) * patches.vectors + vector
                source = source * _WIDTH + half * width
                first = block * width
                to = start + (row * shape.kernel_row + first) * LANES
                for lane in range(min(width, shape.kernel_row - first)):
                    kernel[to + lane * LANES] = kernels[source + lane]
        bias[f] = biases[f]


@njit(inline="always")
def _add_shards(flat, shards):
    """Add up rows of whole vectors, of which there are `shards`, into the first.

    Args:
        flat: (shards * row,) float32.
        shards: int.
    """
    size = flat.size // shards
    for i in range(0, size, LANES):
        total = zeros(LANES, 1)[0]
        for shard in range(shards):
            total = total + load(flat, shard * size + i, LANES)
        store(flat, i, total)


@parallel
def input_gradient(images, shape, positions, window, gradient, choices, kernel, filters, dx):
    """Fill `dx` from the outputs' `gradient`.

    Vectors of the kernel's row are added past its end, where the kernel is 0: to the next row's
    first floats, or to what `dx` has beyond its last image. No two threads share an image.

    Args:
        images: int.
        shape: Shape.
        positions: (windows * window,) int64, the positions, window by window.
        window: int, positions of a window.
        gradient: (images * windows * padded filters,) float32, of the outputs.
        choices: (images * windows * padded filters,) uint8.
        kernel: (filters * rows * padded row,) float32, (filter, row, float), flat.
        filters: int, padding not counted.
        dx: (images * shape.image + slack,) float32.
    """
    padded_row = -(-shape.kernel_row // LANES) * LANES
    for image in prange(images):
        # Of the thread's own; one more, which a dead choice writes to.
        where = np.empty(shape.windows + 1, np.int64)
        values = np.empty(shape.windows + 1, np.float32)
        base = image * shape.image
        dx[base : base + shape.image] = 0
        start = image * shape.windows * shape.filters
        for f in range(filters):
            count = _live(gradient, choices, start + f, positions, window, shape, where, values)
            for row in range(shape.kernel_rows):
                for column in range(0, shape.kernel_row, LANES):
                    weights = load(
                        kernel, (f * shape.kernel_rows + row) * padded_row + column, LANES
                    )
                    corner = base + row * shape.row + column
                    for i in range(count):
                        add_to(dx, corner + where[i], values[i], weights)


@njit(inline="always")
def _live(gradient, choices, start, positions, window, shape, where, values):
    """List the positions of one image and filter that a gradient passes through, and count them.

    Only the position that won its window and passed the ReLU has one.

    Args:
        gradient: (images * windows * filters,) float32.
        choices: (images * windows * filters,) uint8.
        start: int, the filter's first float in both.
        positions: (windows * window,) int64.
        window: int.
        shape: Shape.
        where: (windows + 1,) int64, filled.
        values: (windows + 1,) float32, filled.
    """
    count = 0
    for w in range(shape.windows):
        i = start + w * shape.filters
        choice = np.int64(peek(choices, i))
        # Without a branch, since a third of the choices are dead, at random: what a dead one
        # writes, the next overwrites. DEAD is 255, the only choice with its highest bit set.
        where[count] = peek(positions, w * window + (choice & (window - 1)))
        values[count] = peek(gradient, i)
        count += 1 - (choice >> 7)
    return count
