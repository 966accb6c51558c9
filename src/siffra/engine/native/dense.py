"""A stack of dense layers with ReLU between them and softmax cross-entropy at its end.

The matrix products are BLAS's, held to one thread; a batch is cut into a fixed number of
shards, each with its own gradients, which are added up in a fixed order. So the result does
not depend on how many threads there are.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numba import njit, prange

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


@njit(cache=True)
def matrix(flat, start, rows, columns):
    """A (rows, columns) view of part of a flat array."""
    return flat[start : start + rows * columns].reshape(rows, columns)


@njit(cache=True)
def gather(images, order, first, last, scale, out):
    """Copy rows `order[first:last]` of `images` to the start of flat `out`, times `scale`."""
    size = images.shape[1]
    for i in range(last - first):
        row = images[order[first + i]]
        to = out[i * size : (i + 1) * size]
        for j in range(size):
            to[j] = np.float32(row[j]) * scale


@njit(cache=True)
def forward(x, rows, params, layers, work):
    """Fill `work` with the activations of `rows` images `x` (rows, inputs), layer by layer.

    Returns where the logits start in `work`.
    """
    source, at, end = x, 0, 0
    for i in range(layers.shape[0]):
        inputs, units, kernel, bias = layers[i]
        out = matrix(work, end, rows, units)
        np.dot(source, matrix(params, kernel, inputs, units), out)
        shift = params[bias : bias + units]
        last = i == layers.shape[0] - 1
        for r in range(rows):
            for u in range(units):
                z = out[r, u] + shift[u]
                # Written so that NaN passes through.
                out[r, u] = z if last or not z <= 0 else np.float32(0)
        source, at = out, end
        end += rows * units
    return at


@njit(cache=True)
def softmax(logits):
    """Replace each row by its softmax."""
    for r in range(logits.shape[0]):
        row = logits[r]
        top = row.max()
        total = np.float64(0)
        for u in range(row.size):
            row[u] = np.exp(row[u] - top)
            total += row[u]
        scale = np.float32(1 / total)
        for u in range(row.size):
            row[u] *= scale


@njit(cache=True, error_model="numpy")
def cross_entropy(logits, labels, order, first, share):
    """Summed loss and right answers; `logits` become the loss's gradient times `share`.

    Row r's label is `labels[order[first + r]]`.
    """
    loss, hits = 0.0, 0
    for r in range(logits.shape[0]):
        row = logits[r]
        label = labels[order[first + r]]
        best = row.argmax()
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


@njit(cache=True)
def step(x, rows, labels, order, first, share, params, layers, work, grads, dx):
    """Forward and backward for `rows` images `x`, whose labels are `labels[order[first + r]]`.

    Fills `grads` (flat, as `params`) with the gradients of the summed loss times `share`, and
    `dx` (flat, rows x inputs) with that of the input unless `dx` is empty. Returns the summed
    loss and the number of right answers.
    """
    at = forward(x, rows, params, layers, work)
    spare = work.size - rows * layers[:, 1].max()
    last = layers.shape[0] - 1
    logits = matrix(work, at, rows, layers[last, 1])
    loss, hits = cross_entropy(logits, labels, order, first, share)
    for i in range(last, -1, -1):
        inputs, units, kernel, bias = layers[i]
        gradient = matrix(work, at, rows, units)
        before = x if i == 0 else matrix(work, at - rows * inputs, rows, inputs)
        np.dot(before.T, gradient, matrix(grads, kernel, inputs, units))
        sums = grads[bias : bias + units]
        sums[:] = 0
        for r in range(rows):
            for u in range(units):
                sums[u] += gradient[r, u]
        weights = matrix(params, kernel, inputs, units)
        if i > 0:
            back = matrix(work, spare, rows, inputs)
            np.dot(gradient, weights.T, back)
            for r in range(rows):
                for u in range(inputs):
                    before[r, u] = back[r, u] if before[r, u] > 0 else np.float32(0)
            at -= rows * inputs
        elif dx.size > 0:
            np.dot(gradient, weights.T, matrix(dx, 0, rows, inputs))
    return loss, hits


@njit(cache=True)
def descend(params, velocity, grads, first, last, learning_rate, momentum):
    """One step of SGD with momentum on `params[first:last]`; `grads` (shard, parameter).

    Source: Keras' SGD: v = momentum * v - learning_rate * g; w = w + v.
    """
    for i in range(first, last):
        g = grads[0, i]
        for shard in range(1, grads.shape[0]):
            g += grads[shard, i]
        change = momentum * velocity[i] - learning_rate * g
        velocity[i] = change
        params[i] += change


def _epoch(
    images, labels, order, batch_size, params, velocity, grads, layers, x, work, rate, momentum
):
    """One pass over `images` (n, floats), in `order`; returns summed loss and right answers.

    `grads`, `x` and `work` have a row for each shard.
    """
    shards = grads.shape[0]
    losses, hits = np.zeros(shards), np.zeros(shards, np.int64)
    nothing = np.empty(0, np.float32)
    inputs = images.shape[1]
    chunk = -(-params.size // shards)
    for start in range(0, order.size, batch_size):
        size = min(batch_size, order.size - start)
        for s in prange(shards):
            first, last = start + size * s // shards, start + size * (s + 1) // shards
            gather(images, order, first, last, np.float32(1 / 255), x[s])
            rows = last - first
            loss, right = step(
                matrix(x[s], 0, rows, inputs), rows, labels, order, first, 1.0 / size,
                params, layers, work[s], grads[s], nothing,
            )  # fmt: skip
            losses[s] += loss
            hits[s] += right
        for s in prange(shards):
            end = min(params.size, (s + 1) * chunk)
            descend(params, velocity, grads, s * chunk, end, rate, momentum)
    return losses.sum(), hits.sum()


epoch_on_one_thread = njit(cache=True)(_epoch)
epoch_on_many_threads = njit(parallel=True, cache=True)(_epoch)


@njit(parallel=True, cache=True)
def gather_batch(images, order, first, last, scale, out):
    """`gather`, with images shared out over threads."""
    size = images.shape[1]
    for i in prange(last - first):
        gather(images, order, first + i, first + i + 1, scale, out[i * size : (i + 1) * size])


@njit(parallel=True, cache=True)
def batch_step(x, size, labels, order, start, params, layers, work, grads, dx):
    """`step` for a batch of `size` rows of flat `x`, shard by shard; fills flat `dx`."""
    shards = grads.shape[0]
    inputs = layers[0, 0]
    losses, hits = np.zeros(shards), np.zeros(shards, np.int64)
    for s in prange(shards):
        first, last = size * s // shards, size * (s + 1) // shards
        rows = last - first
        losses[s], hits[s] = step(
            matrix(x, first * inputs, rows, inputs), rows, labels, order, start + first,
            1.0 / size, params, layers, work[s], grads[s], dx[first * inputs : last * inputs],
        )  # fmt: skip
    return losses.sum(), hits.sum()


@njit(parallel=True, cache=True)
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
            softmax(logits)
            out[first:last] = logits
