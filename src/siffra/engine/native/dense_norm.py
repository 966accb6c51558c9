"""Layers of a stack with a batch norm, or an activation that is no ReLU: `dense`, step by step.

Products and outputs are kept both, and a step is cut into stages, since a norm needs the moments of
the whole batch: each stage begins with what all shards summed up in the one before. Of n hidden
layers, stages 0 to n go forward, each to the products of the next layer, and stages n to 2n back.
Without norms all stages may be gone through at one go.

A shard's work space starts as that of `dense`, with outputs and gradients. Behind these lie

    | z 1 | z 2 | .. | numbers of the norms | a bias of zeros | panel |

with four numbers a unit: scale and shift from z to what is activated, and two of the way back.

`sums` is (shards, 6, hidden units) float64: sums of z and of its squares, of its gradient and of
that times z less its mean, and the mean and the inverse deviation that came of the first two.
"""

import math

import numpy as np

from siffra.engine.native import matrices, pointwise, sparse
from siffra.engine.native.conv import LANES
from siffra.engine.native.dense import (
    drop,
    forward,
    forward_first,
    kernel_gradient,
    loss_of,
    panel_of,
    start_of,
)
from siffra.engine.native.simd import load, load_rows
from siffra.engine.native.simd_math import store
from siffra.engine.network import NORM_EPSILON, NORM_MOMENTUM
from siffra.system.jit import inline, noinline

SUMS = 6
"""Numbers a hidden unit that a shard sums up."""


ACTIVATIONS = ("relu", "gelu", "tanh", "sigmoid")


@inline
def stages_of(layers):
    """Into how many stages a step is cut, and how many can be gone through at one go.

    Args:
        layers: (layers, 9) int64, see `Stack`.
    """
    count = 2 * layers.shape[0] - 1
    return count, 1 if layers[0, 6] >= 0 else count


@inline
def products_of(layers, rows, i):
    """Where in the work space for `rows` images layer `i`'s products start.

    Args:
        layers: (layers, 9) int64, see `Stack`.
        rows, i: int.
    """
    return matrices.tiled(rows) * (layers[-1, 5] + layers[-1, 1] + layers[i, 5])


@inline
def zeros_of(layers, work):
    """Where in the work space a bias of zeros is.

    Args:
        layers: (layers, 9) int64.
        work: (workspace,) float32.
    """
    return work.size - (matrices.PANEL + 1) * layers[:, :2].max()


@inline
def norms_of(layers, work, i):
    """Where in the work space the four numbers of layer `i`'s units are, (4, units).

    Args:
        layers: (layers, 9) int64.
        work: (workspace,) float32.
        i: int.
    """
    return zeros_of(layers, work) - 4 * (layers[-1, 5] - layers[i, 5])


@noinline
def sum_moments(i, rows, layers, work, sums):
    """Sum up layer `i`'s products and their squares, if it has a norm.

    Args:
        i, rows: int.
        layers: (layers, 9) int64.
        work: (workspace,) float32.
        sums: (6, hidden units) float64.
    """
    if layers[i, 6] < 0:
        return
    units, start = layers[i, 1], products_of(layers, rows, i)
    total, square = unit_rows(sums, layers, i, 0), unit_rows(sums, layers, i, 1)
    total[:] = 0
    square[:] = 0
    for r in range(rows):
        z = work[start + r * units : start + (r + 1) * units]
        for c in range(units):
            value = np.float64(z[c])
            total[c] += value
            square[c] += value * value


@inline
def unit_rows(sums, layers, i, row):
    """The numbers of layer `i`'s units in a row of `sums`.

    Args:
        sums: (6, hidden units) float64.
        layers: (layers, 9) int64.
        i, row: int.
    """
    return sums[row, layers[i, 5] : layers[i, 5] + layers[i, 1]]


@noinline
def settle_norm(i, shard, size, params, layers, work, sums):
    """Find layer `i`'s scale and shift, from the moments of all shards; moving averages move.

    Args:
        i, shard, size: int, the shard that asks, and images of the batch.
        params: (parameters,) float32.
        layers: (layers, 9) int64.
        work: (workspace,) float32.
        sums: (shards, 6, hidden units) float64.
    """
    at = norms_of(layers, work, i)
    units, first, own = layers[i, 1], layers[i, 5], sums[shard]
    shift, scale, moving, variances = layers[i, 3], layers[i, 6], layers[i, 7], layers[i, 8]
    for c in range(units):
        if scale < 0:
            work[at + c], work[at + units + c] = 1, params[shift + c]
            continue
        total, square = np.float64(0), np.float64(0)
        for s in range(sums.shape[0]):
            total += sums[s, 0, first + c]
            square += sums[s, 1, first + c]
        mean = total / size
        variance = max(square / size - mean * mean, 0.0)
        inverse = 1 / math.sqrt(variance + NORM_EPSILON)
        own[4, first + c], own[5, first + c] = mean, inverse
        factor = params[scale + c] * inverse
        work[at + c] = factor
        work[at + units + c] = params[shift + c] - mean * factor
        if shard == 0:
            for where, new in ((moving + c, mean), (variances + c, variance)):
                params[where] = NORM_MOMENTUM * params[where] + (1 - NORM_MOMENTUM) * new


@noinline
def use_moving(i, params, layers, work):
    """Find layer `i`'s scale and shift as training left them.

    Args:
        i: int.
        params: (parameters,) float32.
        layers: (layers, 9) int64.
        work: (workspace,) float32.
    """
    at, units = norms_of(layers, work, i), layers[i, 1]
    shift, scale, moving, variances = layers[i, 3], layers[i, 6], layers[i, 7], layers[i, 8]
    for c in range(units):
        if scale < 0:
            work[at + c], work[at + units + c] = 1, params[shift + c]
        else:
            inverse = 1 / math.sqrt(params[variances + c] + NORM_EPSILON)
            factor = params[scale + c] * inverse
            work[at + c] = factor
            work[at + units + c] = params[shift + c] - params[moving + c] * factor


def _activate(activation: str):
    """What goes from products to outputs, and back, by one activation."""

    @noinline
    def run(i, rows, layers, work, back):
        """Fill in layer `i`'s outputs, or multiply their gradient by the activation's slopes.

        Args:
            i, rows: int.
            layers: (layers, 9) int64.
            work: (workspace,) float32.
            back: bool.
        """
        units, at = layers[i, 1], norms_of(layers, work, i)
        z, to = products_of(layers, rows, i), start_of(layers, rows, i)
        for c in range(0, units, LANES):
            scale, shift = load_rows(work, at + c, units, LANES, 2)
            for r in range(rows):
                place = r * units + c
                u = scale * load(work, z + place, LANES) + shift
                if back:
                    above = load(work, to + place, LANES)
                    store(work, to + place, above * pointwise.slope(activation, u))
                else:
                    store(work, to + place, pointwise.value(activation, u))

    return run


_relu, _gelu, _tanh, _sigmoid = map(_activate, ACTIVATIONS)


@inline
def activate(activation, i, rows, layers, work, back):
    """Fill in layer `i`'s outputs, or multiply their gradient by the activation's slopes.

    Args:
        activation, i, rows: int, the activation by its number in `ACTIVATIONS`.
        layers: (layers, 9) int64.
        work: (workspace,) float32.
        back: bool.
    """
    if activation == 0:
        _relu(i, rows, layers, work, back)
    elif activation == 1:
        _gelu(i, rows, layers, work, back)
    elif activation == 2:
        _tanh(i, rows, layers, work, back)
    else:
        # Of 0 it is a half, and padding has to stay 0 for the next layer's weights' sake.
        units, outputs = layers[i, 1], layers[i, 4]
        shift = norms_of(layers, work, i) + units
        work[shift + outputs : shift + units] = -np.inf
        _sigmoid(i, rows, layers, work, back)


@noinline
def sum_slopes(i, rows, layers, work, sums):
    """Sum up the gradient of layer `i`'s norm, if it has one, and that times z less its mean.

    Args:
        i, rows: int.
        layers: (layers, 9) int64.
        work: (workspace,) float32.
        sums: (6, hidden units) float64.
    """
    if layers[i, 6] < 0:
        return
    units, start, z = layers[i, 1], start_of(layers, rows, i), products_of(layers, rows, i)
    total, product = unit_rows(sums, layers, i, 2), unit_rows(sums, layers, i, 3)
    mean = unit_rows(sums, layers, i, 4)
    total[:] = 0
    product[:] = 0
    for r in range(rows):
        slopes = work[start + r * units : start + (r + 1) * units]
        values = work[z + r * units : z + (r + 1) * units]
        for c in range(units):
            slope = np.float64(slopes[c])
            total[c] += slope
            product[c] += slope * (values[c] - mean[c])


@noinline
def undo_norm(i, shard, rows, size, layers, work, grads, sums):
    """From the gradient of layer `i`'s norm to that of its products.

    Source: Ioffe & Szegedy 2015, section 3, z's terms gathered: a * gradient + b * z + c.

    Args:
        i, shard, rows, size: int, the shard that asks, its images and those of the batch.
        layers: (layers, 9) int64.
        work: (workspace,) float32.
        grads: (parameters,) float32; scale and shift get this shard's part.
        sums: (shards, 6, hidden units) float64.
    """
    at = norms_of(layers, work, i)
    units, first, own = layers[i, 1], layers[i, 5], sums[shard]
    for c in range(units):
        slopes, products = np.float64(0), np.float64(0)
        for s in range(sums.shape[0]):
            slopes += sums[s, 2, first + c]
            products += sums[s, 3, first + c]
        mean, inverse = own[4, first + c], own[5, first + c]
        grads[layers[i, 3] + c] = own[2, first + c]
        grads[layers[i, 6] + c] = own[3, first + c] * inverse
        a = np.float64(work[at + c])
        b = -a * inverse * inverse * products / size
        work[at + 2 * units + c] = b
        work[at + 3 * units + c] = -a * slopes / size - b * mean
    z, to = products_of(layers, rows, i), start_of(layers, rows, i)
    for v in range(0, units, LANES):
        a_, b_ = load(work, at + v, LANES), load(work, at + 2 * units + v, LANES)
        c_ = load(work, at + 3 * units + v, LANES)
        for r in range(rows):
            place = r * units + v
            slope = load(work, to + place, LANES)
            store(work, to + place, a_ * slope + b_ * load(work, z + place, LANES) + c_)


@inline
def forward_products(i, rows, params, layers, work):
    """Layer `i`'s products, from the outputs of the layer before; the last one has a bias.

    Args:
        i, rows: int, the layer, which is not the first, and images.
        params: (parameters,) float32.
        layers: (layers, 9) int64.
        work: (workspace,) float32.
    """
    if i == layers.shape[0] - 1:
        forward(i, rows, params, layers, work)
    else:
        matrices.forward(
            work, start_of(layers, rows, i - 1), rows, layers[i, 0], params, layers[i, 2], work,
            zeros_of(layers, work), layers[i, 1], np.float32(-np.inf), panel_of(layers, work),
            work, products_of(layers, rows, i),
        )  # fmt: skip


@inline
def backward_products(i, rows, params, layers, work, grads):
    """Fill layer `i`'s gradient of the kernel, and replace its inputs with their gradient.

    Args:
        i, rows: int, the layer, which is not the first, and images.
        params: (parameters,) float32.
        layers: (layers, 9) int64.
        work: (workspace,) float32.
        grads: (parameters,) float32.
    """
    kernel_gradient(i, rows, layers, work, grads)
    matrices.backward_all(
        work, start_of(layers, rows, i), rows, layers[i, 1], params, layers[i, 2], layers[i, 0],
        panel_of(layers, work), work, start_of(layers, rows, i - 1),
    )  # fmt: skip


@noinline
def stage(
    number, activation, shard, rows, place, size, labels, order, smoothing, params, layers, drops,
    work, grads, sums,
):  # fmt: skip
    """A stage of a step, after the first layer's products in stage 0.

    The last stage leaves their gradient at the start of `work`. Returns the summed loss in nats and
    the number of correct answers, which are 0 but in the middle stage.

    Args:
        number, activation, shard: int, which stage it is, and of which shard.
        rows, place, size: int, images of the shard, `order[place : place + rows]`, and of the
            batch.
        labels, order: (n,) int64.
        smoothing: float64 in [0, 1).
        params: (parameters,) float32.
        layers: (layers, 9) int64.
        drops: Drops.
        work: (workspace,) float32.
        grads: (parameters,) float32.
        sums: (shards, 6, hidden units) float64.
    """
    last, loss, correct = layers.shape[0] - 1, 0.0, 0
    if number <= last:
        if number > 0:
            settle_norm(number - 1, shard, size, params, layers, work, sums)
            activate(activation, number - 1, rows, layers, work, False)
            if drops.words.size > 0:
                drop(drops, layers, number, place, rows, work, start_of(layers, rows, number - 1))
            forward_products(number, rows, params, layers, work)
        if number < last:
            sum_moments(number, rows, layers, work, sums[shard])
            return loss, correct
        loss, correct = loss_of(
            rows, labels, order, place, 1.0 / size, smoothing, params, layers, work, grads
        )
    i = 2 * last - number  # of whose products the gradient comes next, or is there
    if i < last:
        if layers[i, 6] >= 0:
            undo_norm(i, shard, rows, size, layers, work, grads, sums)
        else:
            start = start_of(layers, rows, i)
            matrices.bias_gradient(work, start, rows, layers[i, 1], grads, layers[i, 3])
    if i > 0:
        backward_products(i, rows, params, layers, work, grads)
        if drops.words.size > 0:
            drop(drops, layers, i, place, rows, work, start_of(layers, rows, i - 1))
        activate(activation, i - 1, rows, layers, work, True)
        sum_slopes(i - 1, rows, layers, work, sums[shard])
    return loss, correct


@noinline
def score(activation, rows, params, layers, work):
    """From the first layer's products to the logits, with norms as training left them.

    Args:
        activation, rows: int.
        params: (parameters,) float32.
        layers: (layers, 9) int64.
        work: (workspace,) float32, with the first layer's products.
    """
    for i in range(1, layers.shape[0]):
        use_moving(i - 1, params, layers, work)
        activate(activation, i - 1, rows, layers, work, False)
        forward_products(i, rows, params, layers, work)


@inline
def products_first(images, order, first, last, scale, params, layers, x, work):
    """Gather images `order[first:last]` in `x`, and fill in the first layer's products.

    Args:
        images: (n, pixels) uint8 or float32.
        order: (images,) int64.
        first, last: int.
        scale: float32, what a pixel's value is multiplied by.
        params: (parameters,) float32.
        layers: (layers, 9) int64.
        x: (rows * inputs,) float32, rows filled up to whole tiles.
        work: (workspace,) float32.
    """
    forward_first(
        images, order, first, last, scale, params, layers, work, zeros_of(layers, work),
        np.float32(-np.inf), x, work, products_of(layers, last - first, 0),
    )  # fmt: skip


@inline
def sparse_products_first(csr, order, first, last, scale, params, layers, work):
    """`products_first` that skips pixels that are 0.

    Args:
        csr: SparseRows.
        order: (images,) int64.
        first, last: int.
        scale: float32.
        params: (parameters,) float32.
        layers: (layers, 9) int64.
        work: (workspace,) float32.
    """
    to = work[products_of(layers, last - first, 0) :]
    sparse.forward(
        csr, order, first, last, scale, params, layers[0, 1], work, zeros_of(layers, work),
        np.float32(-np.inf), to,
    )  # fmt: skip
