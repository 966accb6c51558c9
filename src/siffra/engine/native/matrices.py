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
    """`rows` rounded up to those that are worked on at once.

    Args:
        rows: int.
    """
    return -(-rows // TILE) * TILE


def _forward(count: int):
    """The kernel for the outputs of `count` vectors of units."""
    of_a_tile = TILE * count

    @noinline
    def run(x, x_start, rows, inputs, panel, biases, bias, floor, units, out, out_start):
        """See `forward`; `panel` has the weights of these units.

        Args:
            x: (floats,) float32.
            x_start, rows, inputs: int.
            panel: (inputs * count * LANES,) float32.
            biases: (floats,) float32.
            bias: int.
            floor: float32.
            units: int.
            out: (floats,) float32.
            out_start: int.
        """
        from_, places = multiples(inputs, TILE), multiples(units, TILE)
        added = load_rows(biases, bias, LANES, LANES, count)
        least = spread(floor, LANES)
        for first in range(0, rows, TILE):
            sums = zeros(LANES, of_a_tile)
            start = x_start + first * inputs
            for i in range(inputs):
                weights = load_rows(panel, i * count * LANES, LANES, LANES, count)
                sums = add_scaled(sums, x, start + i, from_, weights)
            sums = floored(add_each(sums, added), least)
            store_each(out, out_start + first * units, places, sums)

    return run


_forward_1, _forward_most = _forward(1), _forward(_MOST)


@inline
def forward(
    x, x_start, rows, inputs, params, kernel, biases, bias, units, floor, panel, out, out_start
):
    """Fill a matrix (rows, units) of `out` with a layer's outputs, x @ kernel + bias, or `floor`.

    Whole tiles are filled: `tiled(rows)` rows are read and written, with nonsense past `rows`.

    Args:
        x: (floats,) float32, with a matrix (rows, inputs) from `x_start` on.
        x_start, rows, inputs: int.
        params: (parameters,) float32, with the kernel (inputs, units).
        kernel: int, where that starts.
        biases: (floats,) float32, with the bias (units); `params` or another array.
        bias, units: int, where that starts; a multiple of LANES.
        floor: float32, the least output: 0 for a ReLU.
        panel: (PANEL * inputs or more,) float32, work space.
        out: (floats,) float32, `x` or another array.
        out_start: int.
    """
    rest = units % PANEL
    for c in range(0, units - rest, PANEL):
        _pack(params, kernel + c, inputs, units, PANEL, panel)
        _forward_most(
            x, x_start, rows, inputs, panel, biases, bias + c, floor, units, out, out_start + c
        )
    if rest:
        c = units - rest
        _pack(params, kernel + c, inputs, units, LANES, panel)
        _forward_1(
            x, x_start, rows, inputs, panel, biases, bias + c, floor, units, out, out_start + c
        )


@inline
def _pack(params, kernel, inputs, units, width, panel):
    """Copy `width` columns of a kernel to `panel`: read again and again, in order.

    Args:
        params: (parameters,) float32.
        kernel, inputs, units, width: int, where the first column starts, and sizes.
        panel: (inputs * width or more,) float32.
    """
    for i in range(inputs):
        for j in range(width):
            panel[i * width + j] = params[kernel + i * units + j]


def _backward(count: int):
    """The kernel for the gradient of `count` vectors of inputs."""
    of_a_tile = TILE * count

    @noinline
    def run(slopes, slopes_start, rows, units, panel, inputs, floor, x, x_start):
        """See `backward`; `panel` has the transposed weights of these inputs.

        Args:
            slopes: (floats,) float32.
            slopes_start, rows, units: int.
            panel: (units * count * LANES,) float32.
            inputs: int.
            floor: float32.
            x: (floats,) float32.
            x_start: int.
        """
        from_, places = multiples(units, TILE), multiples(inputs, TILE)
        least = spread(floor, LANES)
        for first in range(0, rows, TILE):
            sums = zeros(LANES, of_a_tile)
            start = slopes_start + first * units
            for u in range(units):
                weights = load_rows(panel, u * count * LANES, LANES, LANES, count)
                sums = add_scaled(sums, slopes, start + u, from_, weights)
            # A ReLU's slope is read off its output, which is then overwritten.
            before = load_each(x, x_start + first * inputs, places, LANES, count)
            store_each(x, x_start + first * inputs, places, gated(before, least, sums))

    return run


_backward_1, _backward_most = _backward(1), _backward(_MOST)


@inline
def backward(slopes, slopes_start, rows, units, params, kernel, inputs, floor, panel, x, x_start):
    """Replace a layer's inputs with their gradient, or 0 where they are not above `floor`.

    So inputs that a ReLU gave are replaced with the gradient of what that was given. Whole tiles
    are filled, as in `forward`.

    Args:
        slopes: (floats,) float32, with the gradient (rows, units) of the layer's products.
        slopes_start, rows, units: int.
        params: (parameters,) float32, with the kernel (inputs, units).
        kernel, inputs: int, where that starts; a multiple of LANES.
        floor: float32, 0 after a ReLU, else -inf.
        panel: (PANEL * units or more,) float32, work space.
        x: (floats,) float32, with the inputs (rows, inputs); `slopes` or another array.
        x_start: int.
    """
    rest = inputs % PANEL
    for c in range(0, inputs - rest, PANEL):
        _pack_transposed(params, kernel + c * units, units, _MOST, panel)
        _backward_most(slopes, slopes_start, rows, units, panel, inputs, floor, x, x_start + c)
    if rest:
        c = inputs - rest
        _pack_transposed(params, kernel + c * units, units, 1, panel)
        _backward_1(slopes, slopes_start, rows, units, panel, inputs, floor, x, x_start + c)


@noinline
def _pack_transposed(params, kernel, units, count, panel):
    """Copy `count` vectors of rows of a kernel to `panel`, transposed.

    Args:
        params: (parameters,) float32.
        kernel, units, count: int, where the first row starts.
        panel: (units * count * LANES or more,) float32.
    """
    for v in range(count):
        for u in range(0, units, LANES):
            rows = load_rows(params, kernel + v * LANES * units + u, units, LANES, LANES)
            store_rows(panel, (u * count + v) * LANES, count * LANES, transposed(rows))


def _weight_gradient(count: int):
    """The kernel for the gradient of the weights of `count` vectors of units."""
    of_a_tile = _DOWN * count

    @noinline
    def run(x, x_start, rows, inputs, slopes, slopes_start, units, out, out_start):
        """See `weight_gradient`.

        Args:
            x: (floats,) float32.
            x_start, rows, inputs: int.
            slopes: (floats,) float32.
            slopes_start, units: int.
            out: (parameters,) float32.
            out_start: int.
        """
        places = multiples(units, _DOWN)
        for first in range(0, inputs, _DOWN):
            sums = zeros(LANES, of_a_tile)
            start, slope = x_start + first, slopes_start
            for _ in range(rows):
                sums = add_outer(sums, x, start, load_rows(slopes, slope, LANES, LANES, count))
                start += inputs
                slope += units
            store_each(out, out_start + first * units, places, sums)

    return run


_weight_gradient_1, _weight_gradient_most = _weight_gradient(1), _weight_gradient(_MOST)


@inline
def weight_gradient(x, x_start, rows, inputs, slopes, slopes_start, units, out, out_start):
    """Fill a matrix (inputs, units) of `out` with the gradient of a kernel, x.T @ slopes.

    Args:
        x: (floats,) float32, with a matrix (rows, inputs) from `x_start` on.
        x_start, rows, inputs: int.
        slopes: (floats,) float32, with a matrix (rows, units); `x` or another array.
        slopes_start, units: int.
        out: (parameters,) float32.
        out_start: int.
    """
    rest = units % PANEL
    for c in range(0, units - rest, PANEL):
        _weight_gradient_most(
            x, x_start, rows, inputs, slopes, slopes_start + c, units, out, out_start + c
        )
    if rest:
        c = units - rest
        _weight_gradient_1(
            x, x_start, rows, inputs, slopes, slopes_start + c, units, out, out_start + c
        )


@noinline
def bias_gradient(slopes, slopes_start, rows, units, out, out_start):
    """Fill a vector (units) of `out` with the gradient of a bias: sums over rows.

    Args:
        slopes: (floats,) float32, with a matrix (rows, units) from `slopes_start` on.
        slopes_start, rows, units: int.
        out: (parameters,) float32.
        out_start: int.
    """
    for c in range(0, units, LANES):
        sums = zeros(LANES, 1)
        for r in range(rows):
            row = load_rows(slopes, slopes_start + r * units + c, LANES, LANES, 1)
            sums = add_scaled_rows(sums, 1, row)
        store_rows(out, out_start + c, LANES, sums)
