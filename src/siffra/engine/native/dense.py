"""A stack of dense layers with ReLU between them and softmax cross-entropy at its end.

A batch is split into a fixed number of shards, each with its own gradients, which are added up in
a fixed order. So the result does not depend on the number of threads. All layers' inputs and
units are padded with zeros to whole vectors.

A shard's work space, flat float32, holds activations on the way forward and gradients on the way
back; each layer's gradient replaces the outputs that it is of, which are not needed any more:

    forward     | outputs 1        | outputs 2        | logits           | panel |
    loss        | outputs 1        | outputs 2        | d loss / d z 3   | panel |
    backward 3  | outputs 1        | d loss / d z 2   | d loss / d z 3   | panel |
    backward 2  | d loss / d z 1   | d loss / d z 2   | d loss / d z 3   | panel |

A field has `tiled(images)` rows of the layer's units, padding counted; z are the products before
the ReLU, and its slope is read off the outputs just before they are replaced. The panel is room
for the weights that `matrices` packs. `step` gets the first layer's inputs in an array of its own.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from siffra.engine.native import matrices, sparse
from siffra.engine.native.gather import gather_rows
from siffra.engine.native.loss import cross_entropy
from siffra.engine.native.parameters import Parameters
from siffra.system.jit import compiled, inline, noinline, parallel

_PARALLEL_FROM = 4_000_000
"""Multiply-adds of a step from which two threads are worth waking."""


class Stack(NamedTuple):
    """Where a stack's layers are in a flat array of parameters.

    `layers` is (layers, 5) int64: inputs and units, padding counted, where the kernel and the bias
    start, and the units that are no padding.
    """

    layers: np.ndarray

    @classmethod
    def of(cls, parameters: Parameters) -> "Stack":
        """The stack of these `parameters`, which are laid out as one."""
        rows = [
            (each.input.image, each.z.channels, to.kernel.start, to.shift.start, each.outputs)
            for each, to in zip(parameters.layouts, parameters.slices, strict=True)
        ]
        return cls(np.array(rows, np.int64))

    def workspace(self, rows: int) -> int:
        """Floats of a shard's work space for `rows` images."""
        activations = matrices.tiled(rows) * int(self.layers[:, 1].sum())
        return activations + matrices.PANEL * int(self.layers[:, :2].max())

    def shards(self, batch_size: int) -> int:
        """Into how many parts a batch is cut: decided by sizes alone, never by the machine."""
        work = 3 * batch_size * int((self.layers[:, 0] * self.layers[:, 1]).sum())
        return 1 if work < _PARALLEL_FROM else 2


class Sgd(NamedTuple):
    """The numbers of SGD: what a pixel's value is multiplied by, learning rate and momentum."""

    scale: np.float32
    rate: np.float32
    momentum: np.float32


@inline
def matrix(flat, start, rows, columns):
    """A (rows, columns) view of part of a flat array.

    Args:
        flat: (floats,) float32.
        start, rows, columns: int.
    """
    return flat[start : start + rows * columns].reshape(rows, columns)


@inline
def floor(layers, i):
    """The least output of layer `i`: 0, as ReLU leaves it, but -inf for the last one.

    Args:
        layers: (layers, 5) int64, see `Stack`.
        i: int.
    """
    return np.float32(0 if i < layers.shape[0] - 1 else -np.inf)


@inline
def panel_of(rows, layers, work):
    """The part of `work` behind the activations of `rows` images.

    Args:
        rows: int.
        layers: (layers, 5) int64.
        work: (workspace,) float32.
    """
    return work[matrices.tiled(rows) * layers[:, 1].sum() :]


@inline
def forward_after_first(rows, params, layers, work):
    """From the first layer's outputs, in `work`, to the logits; returns where those start.

    Args:
        rows: int, images.
        params: (parameters,) float32.
        layers: (layers, 5) int64.
        work: (workspace,) float32.
    """
    start, room, panel = 0, matrices.tiled(rows), panel_of(rows, layers, work)
    for i in range(1, layers.shape[0]):
        inputs, units, kernel, bias, _ = layers[i]
        to = start + room * inputs
        matrices.forward(
            work, start, rows, inputs, params, kernel, bias, units, floor(layers, i), panel, work,
            to,
        )  # fmt: skip
        start = to
    return start


@inline
def forward_first(images, order, first, last, scale, params, layers, x, work):
    """Gather images `order[first:last]` in `x`, and fill `work` with the first layer's outputs.

    Args:
        images: (n, pixels) uint8 or float32.
        order: (images,) int64.
        first, last: int.
        scale: float32, what a pixel's value is multiplied by.
        params: (parameters,) float32.
        layers: (layers, 5) int64.
        x: (rows * inputs,) float32, rows filled up to whole tiles.
        work: (workspace,) float32.
    """
    inputs, units, kernel, bias, _ = layers[0]
    gather_rows(images, order, first, last, scale, inputs, x)
    matrices.forward(
        x, 0, last - first, inputs, params, kernel, bias, units, floor(layers, 0),
        panel_of(last - first, layers, work), work, 0,
    )  # fmt: skip


@inline
def sparse_forward_first(csr, order, first, last, scale, params, layers, work):
    """`forward_first` that skips pixels that are 0.

    Args:
        csr: SparseRows.
        order: (images,) int64.
        first, last: int.
        scale: float32.
        params: (parameters,) float32.
        layers: (layers, 5) int64.
        work: (workspace,) float32.
    """
    units, bias = layers[0, 1], layers[0, 3]
    sparse.forward(csr, order, first, last, scale, params, units, bias, floor(layers, 0), work)


@noinline
def step_after_first(rows, labels, order, first, share, params, layers, work, grads):
    """Forward and backward of all but the first layer's kernel.

    Leaves the gradient of the first layer's products at the start of `work`. Returns the summed
    loss in nats and the number of correct answers.

    Args:
        rows: int, images.
        labels: (n,) int64; that of row r is `labels[order[first + r]]`.
        order: (n,) int64.
        first: int.
        share: float64, what the gradient of the summed loss is multiplied by.
        params: (parameters,) float32.
        layers: (layers, 5) int64.
        work: (workspace,) float32, starts with the first layer's outputs.
        grads: (parameters,) float32, all filled but the first kernel's.
    """
    last = layers.shape[0] - 1
    start = forward_after_first(rows, params, layers, work)
    logits = matrix(work, start, rows, layers[last, 1])
    loss, correct = cross_entropy(logits, layers[last, 4], labels, order, first, share)
    for i in range(last, -1, -1):
        matrices.bias_gradient(work, start, rows, layers[i, 1], grads, layers[i, 3])
        if i > 0:
            start = backward(i, start, rows, params, layers, work, grads)
    return loss, correct


@inline
def backward(i, start, rows, params, layers, work, grads):
    """From the gradient of layer `i`'s products to that of the layer before; fills its kernel's.

    The result takes the place of the layer's inputs; returns where that is in `work`.

    Args:
        i: int, above 0.
        start: int, where the gradient of layer `i`'s products is in `work`.
        rows: int, images.
        params: (parameters,) float32.
        layers: (layers, 5) int64.
        work: (workspace,) float32.
        grads: (parameters,) float32.
    """
    inputs, units, kernel, _, _ = layers[i]
    before, panel = start - matrices.tiled(rows) * inputs, panel_of(rows, layers, work)
    # The weights' gradient comes first: it reads the inputs that the next call overwrites.
    matrices.weight_gradient(work, before, rows, inputs, work, start, units, grads, kernel)
    matrices.backward(work, start, rows, units, params, kernel, inputs, panel, work, before)
    return before


@inline
def update(params, velocity, grads, first, last, sgd):
    """One step of SGD with momentum on `params[first:last]`.

    Source: Keras' SGD: v = momentum * v - learning_rate * g; w = w + v.

    Args:
        params, velocity: (parameters,) float32.
        grads: (shards, parameters) float32, of one shard or two.
        first, last: int.
        sgd: Sgd.
    """
    two = grads.shape[0] == 2
    for i in range(first, last):
        g = grads[0, i]
        if two:
            g += grads[1, i]
        change = sgd.momentum * velocity[i] - sgd.rate * g
        velocity[i] = change
        params[i] += change


@noinline
def step(images, labels, order, first, last, share, params, layers, work, grads, x, scale):
    """`step_after_first` of images `order[first:last]`, whose first layer takes all pixels.

    Args:
        images: (n, pixels) uint8 or float32.
        labels, order: (n,) int64.
        first, last: int.
        share: float64.
        params: (parameters,) float32.
        layers: (layers, 5) int64.
        work: (workspace,) float32.
        grads: (parameters,) float32.
        x: (rows * inputs,) float32, rows filled up to whole tiles; work space.
        scale: float32.
    """
    inputs, units, kernel, _, _ = layers[0]
    rows = last - first
    forward_first(images, order, first, last, scale, params, layers, x, work)
    result = step_after_first(rows, labels, order, first, share, params, layers, work, grads)
    matrices.weight_gradient(x, 0, rows, inputs, work, 0, units, grads, kernel)
    return result


@noinline
def sparse_step(csr, labels, order, first, last, share, params, layers, work, grads, scale):
    """`step` that skips pixels that are 0; the first kernel is left to `sparse_update`.

    Args:
        csr: SparseRows.
        labels, order: (n,) int64.
        first, last: int.
        share: float64.
        params: (parameters,) float32.
        layers: (layers, 5) int64.
        work: (workspace,) float32.
        grads: (parameters,) float32.
        scale: float32.
    """
    sparse_forward_first(csr, order, first, last, scale, params, layers, work)
    return step_after_first(last - first, labels, order, first, share, params, layers, work, grads)


@noinline
def sparse_update(
    csr, begin, end, order, start, size, params, velocity, grads, layers, work, first_grads,
    csc, sgd,
):  # fmt: skip
    """The update of blocks `begin` to `end` of all parameters, after `sparse_step` of all shards.

    A block of the first kernel is the rows of its pixels; of the other parameters it is as many
    as of any block. So blocks can be updated by different threads.

    Args:
        csr: SparseRows.
        begin, end: int.
        order: (n,) int64.
        start, size: int, the batch is images `order[start : start + size]`.
        params, velocity: (parameters,) float32.
        grads: (shards, parameters) float32.
        layers: (layers, 5) int64.
        work: (shards, workspace) float32, starting with the gradient of the first products.
        first_grads: (1, first kernel) float32, used with momentum only; else (1, 0).
        csc: SparseColumns, work space.
        sgd: Sgd.
    """
    shards, blocks, units = grads.shape[0], csr.bounds.size - 1, layers[0, 1]
    rest = layers[0, 0] * units
    chunk = -(-(params.size - rest) // blocks)
    # Without momentum the gradient goes straight into the weights: only rows of pixels that are
    # not 0 change. With it every weight moves at every step, and the gradient needs a place.
    if sgd.momentum > 0:
        rows, scale = first_grads[0], sgd.scale
    else:
        rows, scale = params, -sgd.rate * sgd.scale
    for block in range(begin, end):
        low, high = csr.bounds[block] * units, csr.bounds[block + 1] * units
        if sgd.momentum > 0:
            rows[low:high] = 0
        for s in range(shards):
            first, last = start + size * s // shards, start + size * (s + 1) // shards
            sparse.add_outer(csr, block, order, first, last, scale, work[s], units, csc, rows)
        if sgd.momentum > 0:
            update(params, velocity, first_grads, low, high, sgd)
        low = rest + block * chunk
        update(params, velocity, grads, low, min(params.size, low + chunk), sgd)


def _epoch(
    images, labels, order, batch_size, params, velocity, grads, layers, work, x, sgd, losses,
    correct,
):  # fmt: skip
    """One pass over `images` in `order`; adds to each shard's losses and correct answers.

    Args:
        images: (n, pixels) uint8 or float32.
        labels: (n,) int64.
        order: (images,) int64.
        batch_size: int.
        params, velocity: (parameters,) float32.
        grads: (shards, parameters) float32.
        layers: (layers, 5) int64.
        work: (shards, workspace) float32.
        x: (shards, rows * inputs) float32, rows filled up to whole tiles; work space.
        sgd: Sgd.
        losses: (shards,) float64, in nats.
        correct: (shards,) int64.
    """
    shards = grads.shape[0]
    chunk = -(-params.size // shards)
    for start in range(0, order.size, batch_size):
        size = min(batch_size, order.size - start)
        for shard in prange(shards):
            # One type of integer, whoever counts: with prange's own, kernels are compiled again.
            s = np.int64(shard)
            first, last = start + size * s // shards, start + size * (s + 1) // shards
            loss, right = step(
                images, labels, order, first, last, 1.0 / size, params, layers, work[s], grads[s],
                x[s], sgd.scale,
            )  # fmt: skip
            losses[s] += loss
            correct[s] += right
        # Both shards' gradients are complete only here, at the end of the first loop.
        for shard in prange(shards):
            s = np.int64(shard)
            end = min(params.size, (s + 1) * chunk)
            update(params, velocity, grads, s * chunk, end, sgd)


def _sparse_epoch(
    csr, labels, order, batch_size, params, velocity, grads, layers, work, first_grads, csc, sgd,
    losses, correct,
):  # fmt: skip
    """`_epoch` with a first layer that skips pixels that are 0.

    Args:
        csr: SparseRows.
        labels: (n,) int64.
        order: (images,) int64.
        batch_size: int.
        params, velocity: (parameters,) float32.
        grads: (shards, parameters) float32.
        layers: (layers, 5) int64.
        work: (shards, workspace) float32.
        first_grads: (1, first kernel) float32, used with momentum only; else (1, 0).
        csc: SparseColumns, work space.
        sgd: Sgd.
        losses: (shards,) float64, in nats.
        correct: (shards,) int64.
    """
    shards, blocks = grads.shape[0], csr.bounds.size - 1
    jobs = blocks if shards > 1 else 1  # one thread does them all in one call
    for start in range(0, order.size, batch_size):
        size = min(batch_size, order.size - start)
        for shard in prange(shards):
            s = np.int64(shard)
            first, last = start + size * s // shards, start + size * (s + 1) // shards
            loss, right = sparse_step(
                csr, labels, order, first, last, 1.0 / size, params, layers, work[s], grads[s],
                sgd.scale,
            )  # fmt: skip
            losses[s] += loss
            correct[s] += right
        for job in prange(jobs):
            j = np.int64(job)
            sparse_update(
                csr, blocks * j // jobs, blocks * (j + 1) // jobs, order, start, size,
                params, velocity, grads, layers, work, first_grads, csc, sgd,
            )  # fmt: skip


# Waking a second thread costs more than a small batch: each loop has a form without threads.
epoch_on_one_thread = compiled(_epoch)
epoch_on_many_threads = parallel(_epoch)
sparse_epoch_on_one_thread = compiled(_sparse_epoch)
sparse_epoch_on_many_threads = parallel(_sparse_epoch)
