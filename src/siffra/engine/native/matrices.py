"""The three products of a dense layer whose inputs and units are whole vectors.

They are those of a stack's layers: a few dozen units, and as many images. BLAS spends as long on
packing such matrices, and on choosing how, as on the products. Here a panel of weights, as wide as
the registers have room for, is all that is packed, and what follows a product (bias and ReLU, or
the ReLU's slope) is done to it before it leaves the registers. Every sum is one chain of
multiply-adds, in order, so that an image's results don't depend on how many there are.

All arrays are flat; a matrix lies row by row from a place in one of them on.
"""

from siffra.engine.native.conv import LANES, TILE
from siffra.engine.native.simd import (
    WIDE,
    add_outer,
    add_scaled,
    add_scaled_rows,
    load_each,
    load_rows,
    multiples,
    store_each,
    store_rows,
    transposed,
    zeros,
)
from siffra.engine.native.simd_math import add_each, floored, gated, spread
from siffra.system.jit import inline, noinline

_MOST = 2 if WIDE else 1
"""Vectors of units that are worked on at once."""
_DOWN = 8 if WIDE else 4
"""Inputs whose weights' gradients are summed at once; a divisor of `LANES`."""
PANEL = _MOST * LANES


@inline
def tiled(rows):
    """`rows` rounded up to those that are worked on at once."""
    return -(-rows // TILE) * TILE


def _forward(count: int):
    of_a_tile = TILE * count

    @noinline
    def run(x, at, rows, inputs, panel, params, bias, floor, units, out, to):
        from_, places = multiples(inputs, TILE), multiples(units, TILE)
        biases = load_rows(params, bias, LANES, LANES, count)
        least = spread(floor, LANES)
        for first in range(0, rows, TILE):
            sums = zeros(LANES, of_a_tile)
            start = at + first * inputs
            for i in range(inputs):
                weights = load_rows(panel, i * count * LANES, LANES, LANES, count)
                sums = add_scaled(sums, x, start + i, from_, weights)
            sums = floored(add_each(sums, biases), least)
            store_each(out, to + first * units, places, sums)

    return run


_forward_1, _forward_most = _forward(1), _forward(_MOST)


@inline
def forward(x, at, rows, inputs, params, kernel, bias, units, floor, panel, out, to):
    """Fill `out` (rows, units) with a layer's outputs: at least `floor`, which is 0 for a ReLU.

    `x` is (rows, inputs); the layer's kernel (inputs, units) and bias are places in `params`. Whole
    tiles are filled: `x` is read and `out` written for `tiled(rows)`, with nonsense past `rows`.
    `panel` is room for `PANEL * inputs` floats.
    """
    rest = units % PANEL
    for c in range(0, units - rest, PANEL):
        _pack(params, kernel + c, inputs, units, PANEL, panel)
        _forward_most(x, at, rows, inputs, panel, params, bias + c, floor, units, out, to + c)
    if rest:
        c = units - rest
        _pack(params, kernel + c, inputs, units, LANES, panel)
        _forward_1(x, at, rows, inputs, panel, params, bias + c, floor, units, out, to + c)


@inline
def _pack(params, kernel, inputs, units, width, panel):
    """Copy `width` columns of a kernel to `panel`."""
    for i in range(inputs):
        for j in range(width):
            panel[i * width + j] = params[kernel + i * units + j]


def _backward(count: int):
    of_a_tile = TILE * count

    @noinline
    def run(slopes, at, rows, units, panel, inputs, x, to):
        from_, places = multiples(units, TILE), multiples(inputs, TILE)
        for first in range(0, rows, TILE):
            sums = zeros(LANES, of_a_tile)
            start = at + first * units
            for u in range(units):
                weights = load_rows(panel, u * count * LANES, LANES, LANES, count)
                sums = add_scaled(sums, slopes, start + u, from_, weights)
            before = load_each(x, to + first * inputs, places, LANES, count)
            store_each(x, to + first * inputs, places, gated(before, sums))

    return run


_backward_1, _backward_most = _backward(1), _backward(_MOST)


@inline
def backward(slopes, at, rows, units, params, kernel, inputs, panel, x, to):
    """Put the gradient of a layer's inputs in the place of `x` (rows, inputs), outputs of a ReLU.

    `slopes` (rows, units) is that of its products. Tiles and `panel`, for `PANEL * units` floats,
    are as in `forward`.
    """
    rest = inputs % PANEL
    for c in range(0, inputs - rest, PANEL):
        _pack_turned(params, kernel + c * units, units, _MOST, panel)
        _backward_most(slopes, at, rows, units, panel, inputs, x, to + c)
    if rest:
        c = inputs - rest
        _pack_turned(params, kernel + c * units, units, 1, panel)
        _backward_1(slopes, at, rows, units, panel, inputs, x, to + c)


@noinline
def _pack_turned(params, kernel, units, count, panel):
    """Copy `count` vectors of rows of a kernel to `panel`, transposed."""
    for v in range(count):
        for u in range(0, units, LANES):
            rows = load_rows(params, kernel + v * LANES * units + u, units, LANES, LANES)
            store_rows(panel, (u * count + v) * LANES, count * LANES, transposed(rows))


def _weight_gradient(count: int):
    of_a_tile = _DOWN * count

    @noinline
    def run(x, at, rows, inputs, slopes, slope, units, out, to):
        places = multiples(units, _DOWN)
        for first in range(0, inputs, _DOWN):
            sums = zeros(LANES, of_a_tile)
            start, own = at + first, slope
            for _ in range(rows):
                sums = add_outer(sums, x, start, load_rows(slopes, own, LANES, LANES, count))
                start += inputs
                own += units
            store_each(out, to + first * units, places, sums)

    return run


_weight_gradient_1, _weight_gradient_most = _weight_gradient(1), _weight_gradient(_MOST)


@inline
def weight_gradient(x, at, rows, inputs, slopes, slope, units, out, to):
    """Fill `out` (inputs, units) with the gradient of a kernel.

    `x` is (rows, inputs), `slopes` (rows, units).
    """
    rest = units % PANEL
    for c in range(0, units - rest, PANEL):
        _weight_gradient_most(x, at, rows, inputs, slopes, slope + c, units, out, to + c)
    if rest:
        c = units - rest
        _weight_gradient_1(x, at, rows, inputs, slopes, slope + c, units, out, to + c)


@noinline
def bias_gradient(slopes, slope, rows, units, out, to):
    """Fill `out` (units) with the sums of `slopes` (rows, units) over its rows."""
    for c in range(0, units, LANES):
        sums = zeros(LANES, 1)
        for r in range(rows):
            row = load_rows(slopes, slope + r * units + c, LANES, LANES, 1)
            sums = add_scaled_rows(sums, 1, row)
        store_rows(out, to + c, LANES, sums)
