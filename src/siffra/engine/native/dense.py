"""A stack of dense layers with ReLU between them and softmax cross-entropy at its end.

A batch is cut into a fixed number of shards, each with its own gradients, which are added up in a
fixed order. So the result does not depend on how many threads there are. All layers' inputs and
units are filled up with zeros to whole vectors.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numba import prange

from siffra.engine.native import matrices
from siffra.engine.native.conv import padded
from siffra.engine.native.sparse import Ink, add_outer, list_ink
from siffra.engine.native.sparse import forward as forward_on_ink
from siffra.system.jit import compiled, inline, noinline, parallel

_PARALLEL_FROM = 4_000_000
"""Multiply-adds of a step from which two threads are worth waking."""


class Stack(NamedTuple):
    """Where a stack's layers are in a flat array of parameters.

    `layers` is (layers, 5) int64: inputs and units, padding counted, where the kernel and the bias
    start, and the units that are no padding.
    """

    layers: np.ndarray
    total: int

    @classmethod
    def of(cls, widths: list[int]) -> "Stack":
        """The stack whose inputs and units are `widths`, kernel and bias layer by layer."""
        rows, start = [], 0
        for (inputs, units), own in zip(pairwise(map(padded, widths)), widths[1:], strict=True):
            rows.append((inputs, units, start, start + inputs * units, own))
            start += inputs * units + units
        return cls(np.array(rows, np.int64), start)

    def workspace(self, rows: int) -> int:
        """Floats that `step` needs for `rows` images: every activation, and a panel of weights."""
        activations = matrices.tiled(rows) * int(self.layers[:, 1].sum())
        return activations + matrices.PANEL * int(self.layers[:, :2].max())

    def shards(self, batch_size: int) -> int:
        """Into how many parts a batch is cut: decided by sizes alone, never by the machine."""
        work = 3 * batch_size * int((self.layers[:, 0] * self.layers[:, 1]).sum())
        return 1 if work < _PARALLEL_FROM else 2


class Descent(NamedTuple):
    """How a training goes down: what a pixel's value is multiplied by, and SGD's two numbers."""

    scale: np.float32
    rate: np.float32
    momentum: np.float32


@inline
def matrix(flat, start, rows, columns):
    """A (rows, columns) view of part of a flat array."""
    return flat[start : start + rows * columns].reshape(rows, columns)


@noinline
def gather(images, order, first, last, scale, size, out):
    """Copy rows `order[first:last]` of `images`, times `scale`, to `out`, `size` floats each."""
    for i in range(last - first):
        row = images[order[first + i]]
        to = out[i * size : (i + 1) * size]
        for j in range(row.size):
            to[j] = np.float32(row[j]) * scale


@inline
def floor(layers, i):
    """What the outputs of layer `i` are at least: 0, as ReLU leaves them, but for the last one."""
    return np.float32(0 if i < layers.shape[0] - 1 else -np.inf)


@inline
def panel_of(rows, layers, work):
    """Room for a panel of weights: what is in `work` behind the activations of `rows` images."""
    return work[matrices.tiled(rows) * layers[:, 1].sum() :]


@inline
def forward_after_first(rows, params, layers, work):
    """From the first layer's outputs, in `work`, to the logits; returns where those start."""
    at, room, panel = 0, matrices.tiled(rows), panel_of(rows, layers, work)
    for i in range(1, layers.shape[0]):
        inputs, units, kernel, bias, _ = layers[i]
        to = at + room * inputs
        matrices.forward(
            work, at, rows, inputs, params, kernel, bias, units, floor(layers, i), panel, work,
            to,
        )  # fmt: skip
        at = to
    return at


@inline
def forward_first(images, order, first, last, scale, params, layers, x, work):
    """Gather images `order[first:last]` in `x`, and fill `work` with the first layer's outputs."""
    inputs, units, kernel, bias, _ = layers[0]
    gather(images, order, first, last, scale, inputs, x)
    matrices.forward(
        x, 0, last - first, inputs, params, kernel, bias, units, floor(layers, 0),
        panel_of(last - first, layers, work), work, 0,
    )  # fmt: skip


@inline
def forward_first_on_ink(ink, order, first, last, scale, params, layers, work):
    """`forward_first` that skips blank pixels."""
    units, bias = layers[0, 1], layers[0, 3]
    forward_on_ink(ink, order, first, last, scale, params, units, bias, floor(layers, 0), work)


@inline
def largest(row):
    """The place of the largest number, the first of equals; a NaN counts as larger than all.

    NumPy's `argmax`, but compiled in no time.
    """
    best = 0
    for u in range(1, row.size):
        if row[u] > row[best] or (np.isnan(row[u]) and not np.isnan(row[best])):
            best = u
    return best


@noinline
def softmax(logits, out):
    """Fill each row of `out` with the softmax of that of `logits`, its padding left out."""
    for r in range(out.shape[0]):
        row, to = logits[r, : out.shape[1]], out[r]
        top = row[largest(row)]
        total = np.float64(0)
        for u in range(row.size):
            to[u] = np.exp(row[u] - top)
            total += to[u]
        scale = np.float32(1 / total)
        for u in range(row.size):
            to[u] *= scale


@inline(error_model="numpy")
def cross_entropy(logits, classes, labels, order, first, share):
    """Summed loss and right answers; `logits` become the loss's gradient times `share`.

    Row r's label is `labels[order[first + r]]`. What is past the `classes` is padding: it is 0, and
    stays so. An answer that is not a number is never right.
    """
    loss, hits = 0.0, 0
    for r in range(logits.shape[0]):
        row = logits[r, :classes]
        label = labels[order[first + r]]
        best = largest(row)
        hits += best == label and not np.isnan(row[best])
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


@noinline
def step_after_first(rows, labels, order, first, share, params, layers, work, grads):
    """Forward and backward of all but the first layer's kernel.

    Row r's label is `labels[order[first + r]]`. `work` holds the first layer's outputs, and
    then the gradient of its products; `grads` (flat, as `params`) gets the gradients of the summed
    loss times `share` but for the first kernel's. Returns the summed loss and the right answers.
    """
    last = layers.shape[0] - 1
    at = forward_after_first(rows, params, layers, work)
    logits = matrix(work, at, rows, layers[last, 1])
    loss, hits = cross_entropy(logits, layers[last, 4], labels, order, first, share)
    for i in range(last, -1, -1):
        matrices.bias_gradient(work, at, rows, layers[i, 1], grads, layers[i, 3])
        if i > 0:
            at = backward(i, at, rows, params, layers, work, grads)
    return loss, hits


@inline
def backward(i, at, rows, params, layers, work, grads):
    """From the gradient of layer `i`'s products, at `at` in `work`, to that of the layer before.

    That takes the place of the layer's inputs, where this returns; `grads` gets its kernel's.
    """
    inputs, units, kernel, _, _ = layers[i]
    before, panel = at - matrices.tiled(rows) * inputs, panel_of(rows, layers, work)
    matrices.weight_gradient(work, before, rows, inputs, work, at, units, grads, kernel)
    matrices.backward(work, at, rows, units, params, kernel, inputs, panel, work, before)
    return before


@inline
def descend(params, velocity, grads, first, last, descent):
    """One step of SGD with momentum on `params[first:last]`; `grads` (one shard or two, parameter).

    Source: Keras' SGD: v = momentum * v - learning_rate * g; w = w + v.
    """
    two = grads.shape[0] == 2
    for i in range(first, last):
        g = grads[0, i]
        if two:
            g += grads[1, i]
        change = descent.momentum * velocity[i] - descent.rate * g
        velocity[i] = change
        params[i] += change


@noinline
def step(images, labels, order, first, last, share, params, layers, work, grads, x, scale):
    """`step_after_first` of images `order[first:last]`, whose first layer takes all pixels."""
    inputs, units, kernel, _, _ = layers[0]
    rows = last - first
    forward_first(images, order, first, last, scale, params, layers, x, work)
    told = step_after_first(rows, labels, order, first, share, params, layers, work, grads)
    matrices.weight_gradient(x, 0, rows, inputs, work, 0, units, grads, kernel)
    return told


@noinline
def step_on_ink(ink, labels, order, first, last, share, params, layers, work, grads, scale):
    """`step` whose first layer skips blank pixels; its kernel is left to `descend_parts`."""
    forward_first_on_ink(ink, order, first, last, scale, params, layers, work)
    return step_after_first(last - first, labels, order, first, share, params, layers, work, grads)


@noinline
def descend_parts(
    ink, begin, end, order, start, size, params, velocity, grads, layers, work, first_grads,
    turned, descent,
):  # fmt: skip
    """The descent of parts `begin` to `end` of all parameters, after `step_on_ink` of all shards.

    Those were of images `order[start : start + size]`.
    """
    shards, parts, units = grads.shape[0], ink.parts.size - 1, layers[0, 1]
    rest = layers[0, 0] * units
    chunk = -(-(params.size - rest) // parts)
    if descent.momentum > 0:
        rows, scale = first_grads[0], descent.scale
    else:
        rows, scale = params, -descent.rate * descent.scale
    for part in range(begin, end):
        low, high = ink.parts[part] * units, ink.parts[part + 1] * units
        if descent.momentum > 0:
            rows[low:high] = 0
        for s in range(shards):
            first, last = start + size * s // shards, start + size * (s + 1) // shards
            add_outer(ink, part, order, first, last, scale, work[s], units, turned, rows)
        if descent.momentum > 0:
            descend(params, velocity, first_grads, low, high, descent)
        low = rest + part * chunk
        descend(params, velocity, grads, low, min(params.size, low + chunk), descent)


def _epoch(
    images, labels, order, batch_size, params, velocity, grads, layers, work, x, descent,
    losses, hits,
):  # fmt: skip
    """One pass over `images` (n, pixels) in `order`; adds to `losses` and right answers (shard).

    `grads`, `work` and `x` have a row for each shard. `descent` is scale, rate and momentum.
    """
    shards = grads.shape[0]
    chunk = -(-params.size // shards)
    for start in range(0, order.size, batch_size):
        size = min(batch_size, order.size - start)
        for shard in prange(shards):
            # One kind of integer, whoever counts: prange's own would be another variant.
            s = np.int64(shard)
            first, last = start + size * s // shards, start + size * (s + 1) // shards
            loss, right = step(
                images, labels, order, first, last, 1.0 / size, params, layers, work[s], grads[s],
                x[s], descent.scale,
            )  # fmt: skip
            losses[s] += loss
            hits[s] += right
        for shard in prange(shards):
            s = np.int64(shard)
            end = min(params.size, (s + 1) * chunk)
            descend(params, velocity, grads, s * chunk, end, descent)


def _epoch_on_ink(
    ink, labels, order, batch_size, params, velocity, grads, layers, work, first_grads, turned,
    descent, losses, hits,
):  # fmt: skip
    """`_epoch` with a first layer that skips blank pixels.

    `first_grads` (1, first kernel's parameter) is used only if there is momentum: plain descent
    changes the weights at once.
    """
    shards, parts = grads.shape[0], ink.parts.size - 1
    jobs = parts if shards > 1 else 1  # one thread does them all in one call
    for start in range(0, order.size, batch_size):
        size = min(batch_size, order.size - start)
        for shard in prange(shards):
            s = np.int64(shard)
            first, last = start + size * s // shards, start + size * (s + 1) // shards
            loss, right = step_on_ink(
                ink, labels, order, first, last, 1.0 / size, params, layers, work[s], grads[s],
                descent.scale,
            )  # fmt: skip
            losses[s] += loss
            hits[s] += right
        for job in prange(jobs):
            j = np.int64(job)
            descend_parts(
                ink, parts * j // jobs, parts * (j + 1) // jobs, order, start, size,
                params, velocity, grads, layers, work, first_grads, turned, descent,
            )  # fmt: skip


epoch_on_one_thread = compiled(_epoch)
epoch_on_many_threads = parallel(_epoch)
ink_epoch_on_one_thread = compiled(_epoch_on_ink)
ink_epoch_on_many_threads = parallel(_epoch_on_ink)


@inline
def score_after_first(params, layers, work, out):
    """From the first layer's outputs, in `work`, to class probabilities, a row of `out` each."""
    rows = out.shape[0]
    at = forward_after_first(rows, params, layers, work)
    softmax(matrix(work, at, rows, layers[-1, 1]), out)


@noinline
def predict_some(images, order, first, last, scale, params, layers, x, work, out):
    """Class probabilities of images `order[first:last]`, into those rows of `out`."""
    forward_first(images, order, first, last, scale, params, layers, x, work)
    score_after_first(params, layers, work, out[first:last])


@parallel
def predict(images, order, scale, params, layers, x, work, out):
    """Class probabilities of `images` (n, floats), (n, classes); `x`, `work`: a row per shard.

    `order` are the images' numbers.
    """
    shards = x.shape[0]
    n, most = images.shape[0], x.shape[1] // layers[0, 0]
    for shard in prange(shards):
        s = np.int64(shard)
        for first in range(n * s // shards, n * (s + 1) // shards, most):
            last = min(first + most, n * (s + 1) // shards)
            predict_some(images, order, first, last, scale, params, layers, x[s], work[s], out)


@parallel
def list_shards(images, whole, start, pixel, value):
    """The ink of `images` (n, pixels), split evenly over lists that have a row for each shard.

    A row of `pixel` and `value` has room for all pixels of its images, and one entry more. `whole`
    are the bounds of an image's only part.
    """
    shards, n = start.shape[0], images.shape[0]
    for s in prange(shards):
        first, last = n * s // shards, n * (s + 1) // shards
        list_ink(images[first:last], whole, start[s], pixel[s], value[s])


@noinline
def predict_some_on_ink(ink, order, rows, scale, params, layers, work, out):
    """Class probabilities of images `order[:rows]`, into `out`."""
    forward_first_on_ink(ink, order, 0, rows, scale, params, layers, work)
    score_after_first(params, layers, work, out)


@parallel
def predict_on_ink(start, pixel, value, whole, order, scale, params, layers, work, out):
    """`predict` from the lists of `list_shards`: its first layer skips blank pixels."""
    shards, n = start.shape[0], out.shape[0]
    for shard in prange(shards):
        s = np.int64(shard)
        begin, end = n * s // shards, n * (s + 1) // shards
        ink = Ink(start[s], pixel[s], value[s], whole)
        some = out[begin:end]
        predict_some_on_ink(ink, order, end - begin, scale, params, layers, work[s], some)
