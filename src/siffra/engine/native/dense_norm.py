"""What comes between the products and the outputs of a layer of a stack: norm and activation.

A norm needs the moments of the whole batch, and each shard knows those of its own images. So each
sums up its own, and reads all shards' once these are complete: see `dense_epoch`.
"""

import math
from functools import cache

import numpy as np

from siffra.engine.native import pointwise
from siffra.engine.native.conv import LANES
from siffra.engine.native.dense import (
    BEFORE,
    BIAS,
    MEAN,
    OUTPUTS,
    SCALE,
    UNITS,
    VARIANCE,
    outputs_of,
    products_of,
)
from siffra.engine.native.simd import load, load_rows
from siffra.engine.native.simd_math import spread, store
from siffra.engine.network import NORM_EPSILON, NORM_MOMENTUM
from siffra.system.jit import inline, noinline


@cache
def activate(activation: str, is_normed: bool):
    """The kernel from a layer's products to its outputs, or back."""

    @noinline
    def run(i, rows, part, back):
        """Fill in layer `i`'s outputs, or multiply their gradient by the activation's slopes.

        Args:
            i, rows: int.
            part: Part.
            back: bool.
        """
        units, work, norms = part.layers[i, UNITS], part.work, part.norms
        z, to = products_of(part, i, rows), outputs_of(part, i, rows)
        for c in range(0, units, LANES):
            scale, shift = spread(1, LANES), spread(0, LANES)
            if is_normed:
                unit = part.layers[i, BEFORE] + c
                scale, shift = load_rows(norms, unit, norms.shape[1], LANES, 2)
            for r in range(rows):
                place = r * units + c
                u = load(work, z + place, LANES)
                if is_normed:
                    u = scale * u + shift
                if back:
                    above = load(work, to + place, LANES)
                    store(work, to + place, above * pointwise.slope(activation, u))
                else:
                    store(work, to + place, pointwise.value(activation, u))
        if activation == "sigmoid" and not back:
            # Of 0 it is a half, and padding has to stay 0 for the next layer's weights' sake.
            for r in range(rows):
                work[to + r * units + part.layers[i, OUTPUTS] : to + (r + 1) * units] = 0

    return run


@inline
def _unit_rows(part, i, row):
    """The numbers of layer `i`'s units in a row of a shard's `sums`.

    Args:
        part: Part.
        i, row: int.
    """
    first = part.layers[i, BEFORE]
    return part.sums[part.s, row, first : first + part.layers[i, UNITS]]


@noinline
def sum_up(row, i, rows, part):
    """Fill two rows of a shard's `sums`, unit by unit.

    Args:
        row, i, rows: int, the first of the two rows: 0 for the sums of layer `i`'s z and of its
            squares; 2 for those of what is in the place of its outputs, and of that times z less
            its mean.
        part: Part.
    """
    units, work, z = part.layers[i, UNITS], part.work, products_of(part, i, rows)
    of = z if row == 0 else outputs_of(part, i, rows)
    total, product = _unit_rows(part, i, row), _unit_rows(part, i, row + 1)
    mean = _unit_rows(part, i, 4)
    total[:] = 0
    product[:] = 0
    if row == 0:
        mean[:] = 0
    for r in range(rows):
        values = work[of + r * units : of + (r + 1) * units]
        factors = work[z + r * units : z + (r + 1) * units]
        for c in range(units):
            value = np.float64(values[c])
            total[c] += value
            product[c] += value * (factors[c] - mean[c])


@noinline
def settle_norm(i, size, part):
    """Find the scale and shift of layer `i`'s norm; in training, moving averages move.

    Args:
        i: int.
        size: int, images of the batch whose moments count; 0 if the moving averages do.
        part: Part.
    """
    params, first, norms = part.params, part.layers[i, BEFORE], part.norms
    shift, scale = part.layers[i, BIAS], part.layers[i, SCALE]
    moving, variances = part.layers[i, MEAN], part.layers[i, VARIANCE]
    for c in range(part.layers[i, UNITS]):
        if size > 0:
            total, square = np.float64(0), np.float64(0)
            for shard in range(part.sums.shape[0]):
                total += part.sums[shard, 0, first + c]
                square += part.sums[shard, 1, first + c]
            mean = total / size
            variance = max(square / size - mean * mean, 0.0)
        else:
            mean, variance = np.float64(params[moving + c]), np.float64(params[variances + c])
        inverse = 1 / math.sqrt(variance + NORM_EPSILON)
        factor = params[scale + c] * inverse
        norms[0, first + c] = factor
        norms[1, first + c] = params[shift + c] - mean * factor
        if size > 0:
            part.sums[part.s, 4, first + c], part.sums[part.s, 5, first + c] = mean, inverse
            if part.s == 0:
                for where, new in ((moving + c, mean), (variances + c, variance)):
                    params[where] = NORM_MOMENTUM * params[where] + (1 - NORM_MOMENTUM) * new


@noinline
def undo_norm(i, rows, size, part):
    """From the gradient of layer `i`'s norm to that of its products, in its place.

    The norm's own scale and shift get this shard's part of their gradients.

    Source: Ioffe & Szegedy 2015, section 3, z's terms gathered: a * gradient + b * z + c.

    Args:
        i, rows, size: int, the layer, images of the shard, and of the batch.
        part: Part.
    """
    units, first = part.layers[i, UNITS], part.layers[i, BEFORE]
    work, grads, norms, own = part.work, part.grads, part.norms, part.sums[part.s]
    for c in range(units):
        slopes, products = np.float64(0), np.float64(0)
        for shard in range(part.sums.shape[0]):
            slopes += part.sums[shard, 2, first + c]
            products += part.sums[shard, 3, first + c]
        mean, inverse = own[4, first + c], own[5, first + c]
        grads[part.layers[i, BIAS] + c] = own[2, first + c]
        grads[part.layers[i, SCALE] + c] = own[3, first + c] * inverse
        a = np.float64(norms[0, first + c])
        b = -a * inverse * inverse * products / size
        norms[2, first + c] = b
        norms[3, first + c] = -a * slopes / size - b * mean
    z, to = products_of(part, i, rows), outputs_of(part, i, rows)
    for v in range(0, units, LANES):
        a_, _, b_, c_ = load_rows(norms, first + v, norms.shape[1], LANES, 4)
        for r in range(rows):
            place = r * units + v
            slope = load(work, to + place, LANES)
            store(work, to + place, a_ * slope + b_ * load(work, z + place, LANES) + c_)
