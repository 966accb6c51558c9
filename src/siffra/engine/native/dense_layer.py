"""A shard of a batch on its way through one layer of a stack, there and back."""

from functools import cache

import numpy as np

from siffra.engine.native import matrices, sparse
from siffra.engine.native.conv import LANES
from siffra.engine.native.dense import (
    BIAS,
    INPUTS,
    KERNEL,
    OUTPUTS,
    UNITS,
    Kind,
    outputs_of,
    panel_of,
    products_of,
)
from siffra.engine.native.dense_norm import activate, settle_norm, sum_up, undo_norm
from siffra.engine.native.gather import gather_rows
from siffra.engine.native.simd import load
from siffra.engine.native.simd_math import dropped, store
from siffra.system.jit import inline, noinline


@cache
def first_forward(is_sparse: bool, is_normed: bool):
    """The kernel from images to the products of the first layer."""

    @inline
    def run(first, last, images, order, scale, room, part):
        """From images `order[first:last]` to the first layer's products.

        Args:
            first, last: int.
            images: array or SparseRows, see `Inputs`.
            order: (images,) int64.
            scale: float32.
            room: array or SparseColumns.
            part: Part.
        """
        rows, units, biases, bias = (
            last - first,
            part.layers[0, UNITS],
            part.params,
            part.layers[0, BIAS],
        )
        if is_normed:
            biases, bias = part.zeros, 0
        if is_sparse:
            sparse.forward(
                images, order, first, last, scale, part.params, units, biases, bias, part.floor,
                part.work[products_of(part, 0, rows) :],
            )  # fmt: skip
        else:
            x, width = room[part.s], part.layers[0, INPUTS]
            gather_rows(images, order, first, last, scale, width, x)
            matrices.forward(
                x, 0, rows, width, part.params, part.layers[0, KERNEL], biases, bias, units,
                part.floor, panel_of(part), part.work, products_of(part, 0, rows),
            )  # fmt: skip

    return run


@cache
def forward(kind: Kind):
    """The kernel from a layer's products to those of the next."""
    activated, is_plain, is_normed = activate(*kind), kind.is_plain, kind.is_normed

    @inline
    def run(i, rows, first, size, drops, part):
        """From the products of the layer before, whose outputs are filled in, to those of `i`.

        Args:
            i, rows, first: int, the layer, which is not the first, and images, `first` to
                `first + rows` of those that `drops` were drawn for.
            size: int, images of the batch; 0 where none is trained on, see `settle_norm`.
            drops: Drops.
            part: Part.
        """
        if is_normed:
            settle_norm(i - 1, size, part)
        if is_plain:
            pass  # the ReLU was part of the products
        else:
            activated(i - 1, rows, part, False)
        if drops.words.size > 0:
            drop(i, rows, first, drops, part)
        is_last, biases, bias = i == part.layers.shape[0] - 1, part.params, part.layers[i, BIAS]
        if is_normed and not is_last:
            biases, bias = part.zeros, 0
        matrices.forward(
            part.work, outputs_of(part, i - 1, rows), rows, part.layers[i, INPUTS], part.params,
            part.layers[i, KERNEL], biases, bias, part.layers[i, UNITS],
            np.float32(-np.inf) if is_last else part.floor, panel_of(part),
            part.work, products_of(part, i, rows),
        )  # fmt: skip

    return run


@cache
def backward(kind: Kind):
    """The kernel from the gradient of a layer to that of the one before."""
    activated, is_plain, is_normed = activate(*kind), kind.is_plain, kind.is_normed

    @inline
    def run(i, rows, first, size, drops, part):
        """Fill layer `i`'s part of the gradients, but for the first layer's kernel.

        Before, its outputs' place has the gradient of its products, or of its norm if it has one;
        after, this is so of the layer before.

        Args:
            i, rows, first, size: int, as in `forward`; the layer may be the first.
            drops: Drops.
            part: Part.
        """
        work, grads, here = part.work, part.grads, outputs_of(part, i, rows)
        width, units, kernel = part.layers[i, INPUTS], part.layers[i, UNITS], part.layers[i, KERNEL]
        if is_normed and i < part.layers.shape[0] - 1:
            undo_norm(i, rows, size, part)
        else:
            matrices.bias_gradient(work, here, rows, units, grads, part.layers[i, BIAS])
        if i == 0:
            return
        x = outputs_of(part, i - 1, rows)
        # The kernel's gradient comes first: it reads the inputs that the next call overwrites.
        matrices.weight_gradient(work, x, rows, width, work, here, units, grads, kernel)
        matrices.backward(
            work, here, rows, units, part.params, kernel, width, part.floor, panel_of(part), work, x
        )
        if drops.words.size > 0:  # what was left out of a ReLU's outputs is 0 already
            drop(i, rows, first, drops, part)
        if is_plain:
            return  # the ReLU's slope was part of the products
        activated(i - 1, rows, part, True)
        if is_normed:
            sum_up(2, i - 1, rows, part)

    return run


@inline
def first_gradient(rows, room, part):
    """Fill the gradient of the first kernel, from that of its products.

    Args:
        rows: int.
        room: (shards, rows * inputs) float32, with the inputs.
        part: Part.
    """
    width, units = part.layers[0, INPUTS], part.layers[0, UNITS]
    matrices.weight_gradient(
        room[part.s], 0, rows, width, part.work, 0, units, part.grads, part.layers[0, KERNEL]
    )


@noinline
def drop(i, rows, first, drops, part):
    """Leave out what was drawn of layer `i`'s inputs, or of the gradient in their place.

    Args:
        i, rows, first: int, as in `forward`.
        drops: Drops.
        part: Part.
    """
    before = 0
    for k in range(1, i):
        before += part.layers[k - 1, OUTPUTS]
    inputs, width = part.layers[i - 1, OUTPUTS], part.layers[i, INPUTS]
    work, start = part.work, outputs_of(part, i - 1, rows)
    for r in range(rows):
        word, to = drops.rows * before + (first + r) * inputs, start + r * width
        for c in range(0, inputs, LANES):  # what is past the inputs is 0, and stays so
            row = load(work, to + c, LANES)
            store(work, to + c, dropped(row, drops.words, word + c, drops.below, drops.gain))
