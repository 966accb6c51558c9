"""A stack of dense layers with ReLU between them and softmax cross-entropy at its end.

The matrix products are BLAS's, held to one thread; a batch is cut into a fixed number of
shards, each with its own gradients, which are added up in a fixed order. So the result does
not depend on how many threads there are.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numba import prange

from siffra.engine.native.ink import Ink, add_outer, list_ink
from siffra.engine.native.ink import forward as ink_forward
from siffra.kernels import compiled, parallel

_PARALLEL_FROM = 4_000_000
"""Multiply-adds of a step from which two threads are worth waking."""


class Stack(NamedTuple):
    """Where a stack's layers are in a flat array of parameters.

    `layers` is (layers, 4) int64: inputs, units, start of the kernel, start of the bias.
    """

    layers: np.ndarray
    widest: int
    total: int

    @classmethod
    def of(cls, widths: list[int]) -> "Stack":
        """The stack whose inputs and units are `widths`, kernel and bias layer by layer."""
        rows, start = [], 0
        for inputs, units in pairwise(widths):
            rows.append((inputs, units, start, start + inputs * units))
            start += inputs * units + units
        return cls(np.array(rows, np.int64), max(widths[1:]), start)

    def workspace(self, rows: int) -> int:
        """Floats that `step` needs for `rows` images: every activation, and one more."""
        return rows * (int(self.layers[:, 1].sum()) + self.widest)

    def shards(self, batch_size: int) -> int:
        """Into how many parts a batch is cut: decided by sizes alone, never by the machine."""
        work = 3 * batch_size * int((self.layers[:, 0] * self.layers[:, 1]).sum())
        return 1 if work < _PARALLEL_FROM else 2


class Descent(NamedTuple):
    """How a training goes down: what a pixel's value is multiplied by, and SGD's two numbers."""

    scale: np.float32
    rate: np.float32
    momentum: np.float32


@compiled
def matrix(flat, start, rows, columns):
    """A (rows, columns) view of part of a flat array."""
    return flat[start : start + rows * columns].reshape(rows, columns)


@compiled
def gather(images, order, first, last, scale, out):
    """Copy rows `order[first:last]` of `images` to the start of flat `out`, times `scale`."""
    size = images.shape[1]
    for i in range(last - first):
        row = images[order[first + i]]
        to = out[i * size : (i + 1) * size]
        for j in range(size):
            to[j] = np.float32(row[j]) * scale


@compiled
def activate(out, bias, relu):
    """Add `bias` to each row of `out`, then ReLU if asked, in place."""
    for r in range(out.shape[0]):
        for u in range(out.shape[1]):
            z = out[r, u] + bias[u]
            # Written so that NaN passes through.
            out[r, u] = np.float32(0) if relu and z <= 0 else z


@compiled
def forward_after_first(rows, params, layers, work):
    """From the first layer's products, in `work`, to the logits; returns where those start."""
    at, last = 0, layers.shape[0] - 1
    for i in range(last + 1):
        inputs, units, kernel, bias = layers[i]
        if i > 0:
            before = matrix(work, at, rows, inputs)
            at += rows * inputs
            weights = matrix(params, kernel, inputs, units)
            np.dot(before, weights, matrix(work, at, rows, units))
        activate(matrix(work, at, rows, units), params[bias : bias + units], i < last)
    return at


@compiled
def forward(x, rows, params, layers, work):
    """Fill `work` with the activations of `rows` images `x` (rows, inputs), layer by layer.

    Returns where the logits start in `work`.
    """
    inputs, units, kernel, _ = layers[0]
    np.dot(x, matrix(params, kernel, inputs, units), matrix(work, 0, rows, units))
    return forward_after_first(rows, params, layers, work)


@compiled
def largest(row):
    """The place of the largest number, the first of equals; a NaN counts as larger than all.

    NumPy's `argmax`, but compiled in no time.
    """
    best = 0
    for u in range(1, row.size):
        if row[u] > row[best] or (np.isnan(row[u]) and not np.isnan(row[best])):
            best = u
    return best


@compiled
def softmax(logits, out):
    """Fill each row of `out` with the softmax of that of `logits`; they may be the same."""
    for r in range(logits.shape[0]):
        row, to = logits[r], out[r]
        top = row[largest(row)]
        total = np.float64(0)
        for u in range(row.size):
            to[u] = np.exp(row[u] - top)
            total += to[u]
        scale = np.float32(1 / total)
        for u in range(row.size):
            to[u] *= scale


@compiled(error_model="numpy")
def cross_entropy(logits, labels, order, first, share):
    """Summed loss and right answers; `logits` become the loss's gradient times `share`.

    Row r's label is `labels[order[first + r]]`.
    """
    loss, hits = 0.0, 0
    for r in range(logits.shape[0]):
        row = logits[r]
        label = labels[order[first + r]]
        best = largest(row)
        hits += best == label
        top, own = np.float64(row[best]), np.float64(row[label])
        total = np.float64(0)
        for u in range(row.size):
            row[u] = np.exp(row[u] - np.float32(top))
            total += row[u]
        loss += np.log(total) + top - own
        scale = np.float32(share / total)
        for u in range(row.size):
            row[u] *= scale
        row[label] -= np.float32(share)
    return loss, hits


@compiled
def step_after_first(rows, labels, order, first, share, params, layers, work, grads):
    """Forward and backward of all but the first layer's products.

    Row r's label is `labels[order[first + r]]`. `work` holds the first layer's products, and
    then the gradient of those; `grads` (flat, as `params`) gets the gradients of the summed loss
    times `share` but for the first kernel's. Returns the summed loss and the right answers.
    """
    last = layers.shape[0] - 1
    at = forward_after_first(rows, params, layers, work)
    spare = rows * layers[:, 1].sum()
    logits = matrix(work, at, rows, layers[last, 1])
    loss, hits = cross_entropy(logits, labels, order, first, share)
    for i in range(last, -1, -1):
        inputs, units, kernel, bias = layers[i]
        gradient = matrix(work, at, rows, units)
        sums = grads[bias : bias + units]
        sums[:] = 0
        for r in range(rows):
            for u in range(units):
                sums[u] += gradient[r, u]
        if i > 0:
            at -= rows * inputs
            before = matrix(work, at, rows, inputs)
            np.dot(before.T, gradient, matrix(grads, kernel, inputs, units))
            back = matrix(work, spare, rows, inputs)
            np.dot(gradient, matrix(params, kernel, inputs, units).T, back)
            for r in range(rows):
                for u in range(inputs):
                    before[r, u] = back[r, u] if before[r, u] > 0 else np.float32(0)
    return loss, hits


@compiled
def step(x, rows, labels, order, first, share, params, layers, work, grads):
    """`step_after_first` with a first layer on `rows` images `x` (rows, inputs)."""
    inputs, units, kernel, _ = layers[0]
    weights = matrix(params, kernel, inputs, units)
    gradient = matrix(work, 0, rows, units)
    np.dot(x, weights, gradient)
    loss, hits = step_after_first(rows, labels, order, first, share, params, layers, work, grads)
    np.dot(x.T, gradient, matrix(grads, kernel, inputs, units))
    return loss, hits


@compiled
def descend(params, velocity, grads, first, last, descent):
    """One step of SGD with momentum on `params[first:last]`; `grads` (shard, parameter).

    Source: Keras' SGD: v = momentum * v - learning_rate * g; w = w + v.
    """
    for i in range(first, last):
        g = grads[0, i]
        for shard in range(1, grads.shape[0]):
            g += grads[shard, i]
        change = descent.momentum * velocity[i] - descent.rate * g
        velocity[i] = change
        params[i] += change


def _epoch(images, labels, order, batch_size, params, velocity, grads, layers, work, x, descent):
    """One pass over `images` (n, pixels) in `order`; returns summed loss and right answers.

    `grads`, `work` and `x` have a row for each shard. `descent` is scale, rate and momentum.
    """
    shards, inputs = grads.shape[0], images.shape[1]
    losses, hits = np.zeros(shards), np.zeros(shards, np.int64)
    chunk = -(-params.size // shards)
    for start in range(0, order.size, batch_size):
        size = min(batch_size, order.size - start)
        for s in prange(shards):
            first, last = start + size * s // shards, start + size * (s + 1) // shards
            gather(images, order, first, last, descent.scale, x[s])
            loss, right = step(
                matrix(x[s], 0, last - first, inputs), last - first, labels, order, first,
                1.0 / size, params, layers, work[s], grads[s],
            )  # fmt: skip
            losses[s] += loss
            hits[s] += right
        for s in prange(shards):
            end = min(params.size, (s + 1) * chunk)
            descend(params, velocity, grads, s * chunk, end, descent)
    return losses.sum(), hits.sum()


def _epoch_on_ink(
    ink, labels, order, batch_size, params, velocity, grads, layers, work, first_grads, descent
):
    """`_epoch` with a first layer that skips blank pixels.

    `first_grads` (flat, as the first kernel) is used only if there is momentum: plain descent
    changes the weights at once.
    """
    shards, units = grads.shape[0], layers[0, 1]
    parts = ink.parts.size - 1
    losses, hits = np.zeros(shards), np.zeros(shards, np.int64)
    rest = layers[0, 0] * units
    chunk = -(-(params.size - rest) // parts)
    for start in range(0, order.size, batch_size):
        size = min(batch_size, order.size - start)
        for s in prange(shards):
            first, last = start + size * s // shards, start + size * (s + 1) // shards
            ink_forward(ink, order, first, last, descent.scale, params, units, work[s])
            loss, right = step_after_first(
                last - first, labels, order, first, 1.0 / size, params, layers, work[s], grads[s]
            )
            losses[s] += loss
            hits[s] += right
        for part in prange(parts):
            # One kind of integer, whoever counts: prange's own would be another variant.
            own = np.int64(part)
            low, high = ink.parts[own] * units, ink.parts[own + 1] * units
            if descent.momentum > 0:
                first_grads[low:high] = 0
            for s in range(shards):
                first, last = start + size * s // shards, start + size * (s + 1) // shards
                # Two calls: which array changes is then known when the kernel is compiled.
                if descent.momentum > 0:
                    scale = descent.scale
                    add_outer(ink, own, order, first, last, scale, work[s], units, first_grads)
                else:
                    scale = -descent.rate * descent.scale
                    add_outer(ink, own, order, first, last, scale, work[s], units, params)
            if descent.momentum > 0:
                descend(params, velocity, first_grads.reshape(1, -1), low, high, descent)
            low = rest + part * chunk
            descend(params, velocity, grads, low, min(params.size, low + chunk), descent)
    return losses.sum(), hits.sum()


epoch_on_one_thread = compiled(_epoch)
epoch_on_many_threads = parallel(_epoch)
ink_epoch_on_one_thread = compiled(_epoch_on_ink)
ink_epoch_on_many_threads = parallel(_epoch_on_ink)


@parallel
def predict(images, scale, params, layers, x, work, out):
    """Class probabilities of `images` (n, floats), (n, classes); `x`, `work`: a row per shard."""
    shards = x.shape[0]
    n, inputs = images.shape
    classes = out.shape[1]
    most = x.shape[1] // inputs
    order = np.arange(n)
    for s in prange(shards):
        for first in range(n * s // shards, n * (s + 1) // shards, most):
            last = min(first + most, n * (s + 1) // shards)
            rows = last - first
            gather(images, order, first, last, scale, x[s])
            at = forward(matrix(x[s], 0, rows, inputs), rows, params, layers, work[s])
            logits = matrix(work[s], at, rows, classes)
            softmax(logits, out[first:last])


@parallel
def list_shards(images, start, pixel, value):
    """The ink of `images` (n, pixels), split evenly over lists that have a row for each shard.

    A row of `pixel` and `value` has room for all pixels of its images, and one entry more.
    """
    shards, n = start.shape[0], images.shape[0]
    whole = np.array([0, images.shape[1]])
    for s in prange(shards):
        first, last = n * s // shards, n * (s + 1) // shards
        list_ink(images[first:last], whole, start[s], pixel[s], value[s])


@parallel
def predict_on_ink(start, pixel, value, scale, params, layers, work, out):
    """`predict` from the lists of `list_shards`: its first layer skips blank pixels."""
    shards, n = start.shape[0], out.shape[0]
    order, whole = np.arange(start.shape[1]), np.array([0, layers[0, 0]])
    for s in prange(shards):
        begin, end = n * s // shards, n * (s + 1) // shards
        rows = end - begin
        ink = Ink(start[s], pixel[s], value[s], whole)
        ink_forward(ink, order, order[0], rows, scale, params, layers[0, 1], work[s])
        at = forward_after_first(rows, params, layers, work[s])
        logits = matrix(work[s], at, rows, out.shape[1])
        softmax(logits, out[begin:end])
