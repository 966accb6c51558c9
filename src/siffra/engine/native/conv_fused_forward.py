"""The fused convolution's forward pass: products, bias, ReLU and max-pooling as one kernel.

It works on *quads*, four positions two by two: a window of the pooling, or four neighbours where
nothing is pooled. Quads differ by their corners alone, so that the addresses of four of them fit
into the registers, and a vector of weights that was loaded is multiplied with sixteen values:
loads are what such a kernel waits for.

Of images, whose margins are wide, it leaves out what meets only zeros: the products that it skips
are zeros, so that the sums are the same bits.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, prange, types

from siffra.engine.native.conv import LANES, Shape, padded, step, together
from siffra.engine.native.simd import (
    WIDE,
    fma,
    high_zeros,
    intrinsic,
    load_rows,
    low_zeros,
    nonzero,
    peek_many,
    pointer,
    repeat,
    splat,
    store_at,
)
from siffra.engine.network import Conv
from siffra.system.jit import parallel

DEAD = 255
"""The choice where ReLU let nothing through."""

_MOST = 4 if WIDE else 1
"""Quads of one block of filters whose sums, and what they are sums of, fit into the registers."""
_TILE_COST = 0.5
"""What a tile takes beside its quads, in quads."""


class Tiles(NamedTuple):
    """Where a convolution is applied, tile by tile, and where its outputs go. All int64.

    `corners` (tile, quad): where in its image a quad's first position starts; the others start
    `right` of it, `below` it, and both. `outs` (tile, window): which windows of the output they
    are, four to a quad without pooling. `spans` (tile, 4): the top and bottom row in which a
    position starts, and the first and last float of a row; none for a convolution that has
    little to gain from leaving out what is blank.
    """

    corners: np.ndarray
    right: int
    below: int
    outs: np.ndarray
    spans: np.ndarray

    @classmethod
    def of(cls, conv: Conv) -> "Tiles":
        """The tiles of `conv`. The last is filled up with a quad that is there already."""
        shape, pool, count = Shape.of(conv), conv.pool, quads_together(conv)
        rows, columns, _ = conv.output
        down_by, right_by = conv.strides * shape.row, step(conv)
        y, x = _quads(rows * pool, columns * pool, count)
        # What has no neighbour, in an output of one row or column, is its own.
        down, along = int(rows * pool > 1), int(columns * pool > 1)
        outs = (y // pool * columns + x // pool)[:, None]
        if pool == 1:
            outs = outs + np.array([0, along, down * columns, down * columns + along])
        y, x = y.reshape(-1, count), x.reshape(-1, count)
        spans = [y.min(1), y.max(1) + down, x.min(1), x.max(1) + along]
        # Of activations little is blank, and a stride that skips pixels leaves little to skip.
        has_gain = conv.reads_image and conv.strides == 1
        return cls(
            corners=y * down_by + x * right_by,
            right=along * right_by,
            below=down * down_by,
            outs=outs.reshape(len(y), -1),
            spans=np.stack(spans, 1)[: len(y) * has_gain] * [1, 1, right_by, right_by],
        )


def quads_together(conv: Conv) -> int:
    """How many quads of `conv` are worked on at once: as many as can, but for a poor last tile."""
    rows, columns, _ = conv.output
    quads = len(_firsts(rows * conv.pool)) * len(_firsts(columns * conv.pool))
    most = max(1, _MOST // together(padded(conv.filters)))
    return min(range(most, 0, -1), key=lambda count: -(-quads // count) * (count + _TILE_COST))


def _firsts(positions: int) -> np.ndarray:
    """The first of each two of so many positions; of an odd number the last two overlap."""
    return np.maximum(0, np.minimum(np.arange(0, positions, 2), positions - 2))


def _quads(rows: int, columns: int, count: int) -> np.ndarray:
    """Row and column of the first position of each quad, (2, quads), a multiple of `count`.

    Two by two, where that comes out even: then a tile of four is as compact as can be, and more
    of it may be blank.
    """
    down, along = _firsts(rows), _firsts(columns)
    i, j = np.indices((len(down), len(along))).reshape(2, -1)
    is_left_over = (i >= len(down) // 2 * 2) | (j >= len(along) // 2 * 2)
    order = np.lexsort((j, i, j // 2, i // 2, is_left_over))
    order = np.concatenate([order, np.repeat(order[-1:], -len(order) % count)])
    return np.stack([down[i[order]], along[j[order]]])


@cache
def forward(quads: int, together: int, pools: bool):
    """The forward kernel for so many quads and blocks of filters at once."""
    positions = 4 * quads
    windows, window = (quads, 4) if pools else (positions, 1)

    @parallel
    def run(x, images, shape, tiles, spans, kernel, bias, out, choices):
        """Fill `out` with the largest of each window, and `choices` with which that was.

        Args:
            x: (images * shape.image or more,) float32.
            images: int.
            shape: Shape.
            tiles: Tiles.
            spans: (images or more, 2, rows) int64, work space for where rows are not 0.
            kernel: (weights,) float32, (block of LANES filters, kernel float, filter), flat.
            bias: (filters,) float32.
            out: (images * windows * filters,) float32.
            choices: (images * windows * filters,) uint8, 0 to 3, or DEAD.
        """
        size = shape.kernel_rows * shape.kernel_row * LANES
        for image in prange(images):
            base = image * shape.image
            lefts, rights = spans[image]
            if len(tiles.spans) > 0:
                _find_nonzero(x, base, shape.row, lefts, rights)
            for tile in range(len(tiles.corners)):
                top, bottom, low, high = 0, shape.kernel_rows, 0, shape.kernel_row
                if len(tiles.spans) > 0:
                    top, bottom, low, high = _nonzero_part(tiles.spans[tile], shape, lefts, rights)
                corners = peek_many(tiles.corners, tile * quads, quads)
                outs = peek_many(tiles.outs, tile * windows, windows)
                for block in range(0, shape.filters // LANES, together):
                    biases = load_rows(bias, block * LANES, LANES, LANES, together)
                    sums = repeat(biases, positions)
                    for row in range(top, bottom):
                        at = base + row * shape.row + low
                        right, below = at + tiles.right, at + tiles.below
                        both = below + tiles.right
                        k = block * size + (row * shape.kernel_row + low) * LANES
                        for _ in range(low, high):
                            weights = load_rows(kernel, k, size, LANES, together)
                            places = at, right, below, both
                            sums = _add_quads(sums, x, corners, places, weights)
                            at, right, below, both = _next(at, right, below, both)
                            k += LANES
                    to = image * shape.windows * shape.filters + block * LANES
                    _store_windows(sums, window, together, out, choices, to, outs, shape.filters)

    return run


@njit(inline="always")
def _find_nonzero(x, base, row, lefts, rights):
    """Where each row of the image at `base` has its first and last float that is not 0.

    Args:
        x: (floats,) float32.
        base, row: int, where the image starts; floats of a row.
        lefts, rights: (rows,) int64, filled; `row` and -1 for a row of zeros.
    """
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
def _nonzero_part(span, shape, lefts, rights):
    """The rows and columns of a kernel that meet what is not 0 in a tile: firsts, past the lasts.

    Beyond them are only zeros. Digits have wide margins: it is two thirds of a kernel of 8 x 8.

    Args:
        span: (4,) int64, see `Tiles`.
        shape: Shape.
        lefts, rights: (rows,) int64, as `_find_nonzero` left them.
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
def _next(at, right, below, both):
    """Each one float further.

    Hidden from LLVM, which else keeps an address for every position, more than there are
    registers, instead of one for every quad and four for all.

    Args:
        at, right, below, both: int.
    """
    return _hidden(at + 1), _hidden(right + 1), _hidden(below + 1), _hidden(both + 1)


@intrinsic
def _hidden(typingctx, number):
    """The number itself; LLVM can't tell where it is from."""

    def codegen(context, builder, signature, args):
        if not WIDE:  # there is but one quad
            return args[0]
        kind = args[0].type
        return builder.asm(ir.FunctionType(kind, [kind]), "", "=r,0", args, side_effect=False)

    return types.intp(types.intp), codegen


@intrinsic
def _add_quads(typingctx, sums, array, corners, places, vectors):
    """Values of an array, each times each of some vectors, added to a sum of its own.

    `sums[(q * 4 + p) * n + j] + array[corners[q] + places[p]] * vectors[j]` for each q, p and j,
    where n is the number of `vectors`. All but `array` are tuples.
    """

    def codegen(context, builder, signature, args):
        sums_, array_, corners_, places_, vectors_ = args
        results = []
        for q in range(corners.count):
            corner = pointer(context, builder, array, array_, builder.extract_value(corners_, q))
            for p in range(places.count):
                at = builder.gep(corner, [builder.extract_value(places_, p)])
                value = splat(builder, builder.load(at), vectors.dtype.lanes)
                for j in range(vectors.count):
                    old = builder.extract_value(sums_, len(results))
                    results.append(fma(builder, value, builder.extract_value(vectors_, j), old))
        return context.make_tuple(builder, sums, results)

    return sums(sums, array, corners, places, vectors), codegen


@intrinsic(prefer_literal=True)
def _store_windows(typingctx, sums, size, together, array, choices, index, outs, filters):
    """For each window, ReLU of the largest of its `size` vectors, lane by lane, and its number.

    Window w's vectors are those of `sums` from `w * size * n` on, n apart, for each j below n,
    which is `together`. The values go to `array[index + outs[w] * filters + j * lanes :]`, the
    numbers (of the first of equals; DEAD where ReLU let nothing through) to `choices` likewise,
    uint8.
    """
    count, n = size.literal_value, together.literal_value

    def codegen(context, builder, signature, args):
        sums_, array_, choices_, index_, outs_, filters_ = args[0], *args[3:]
        for w in range(outs.count):
            start = builder.add(index_, builder.mul(builder.extract_value(outs_, w), filters_))
            for j in range(n):
                numbers = range(w * count * n + j, (w + 1) * count * n, n)
                vectors = [builder.extract_value(sums_, i) for i in numbers]
                best, choice = _largest(builder, vectors)
                lanes, byte = best.type.count, choice.type.element
                at = builder.add(start, start.type(j * lanes))
                store_at(context, builder, array, array_, at, best)
                to = pointer(context, builder, choices, choices_, at, byte, lanes)
                builder.store(choice, to, align=1)
        return context.get_dummy_value()

    parameters = sums, size, together, array, choices, types.intp, outs, types.intp
    return types.void(*parameters), codegen


def _largest(builder, vectors):
    best = vectors[0]
    number = ir.VectorType(ir.IntType(8), best.type.count)

    def numbers(value):
        return ir.Constant(number, [value] * number.count)

    choice = numbers(0)
    for i, other in enumerate(vectors[1:], start=1):
        larger = builder.fcmp_ordered(">", other, best)
        best = builder.select(larger, other, best)
        choice = builder.select(larger, numbers(i), choice)
    zero = ir.Constant(best.type, None)
    # Unordered, so that a diverged network's NaN is passed on instead of hidden.
    alive = builder.fcmp_unordered(">", best, zero)
    return builder.select(alive, best, zero), builder.select(alive, choice, numbers(DEAD))
