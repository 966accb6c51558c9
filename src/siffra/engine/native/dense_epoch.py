"""Trainings of stacks of dense layers: many steps in one call.

A batch is split into a fixed number of shards, each with its own gradients, which are added up in
a fixed order. So the result does not depend on the number of threads.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import prange

from siffra.engine.native import sparse
from siffra.engine.native.dense import gradient_first, sparse_step, step
from siffra.engine.native.dense_norm import (
    products_first,
    sparse_products_first,
    stage,
    stages_of,
)
from siffra.engine.native.optimizers import (
    MOMENTUM,
    NESTEROV,
    NONE,
    RMSPROP,
    adam_rule,
    momentum_rule,
    move_average,
    nesterov_rule,
    rmsprop_rule,
)
from siffra.system.jit import compiled, inline, noinline, parallel


class Net(NamedTuple):
    """A network in training, shard by shard.

    Attributes:
        params: (parameters,) float32.
        layers: (layers, 9) int64, see `dense.Stack`.
        grads: (shards, trained) float32.
        work: (shards, workspace) float32.
        sums: (shards, 6, hidden units) float64, of norms, or empty.
        activation: of hidden layers, by its number in `dense_norm.ACTIVATIONS`.
    """

    params: np.ndarray
    layers: np.ndarray
    grads: np.ndarray
    work: np.ndarray
    sums: np.ndarray
    activation: int


class Descent(NamedTuple):
    """How steps are taken.

    Attributes:
        state: (1 or 2, trained) float32, what the optimizer remembers.
        mean: (parameters,) float32, the average of the weights, or empty.
        paces: (steps, 4) float32: what `Optimizer.paces` gives, and the share of the average that
            stays.
        rule: which of the optimizers' rules.
        momentum: float32.
        smoothing: float64, of labels.
    """

    state: np.ndarray
    mean: np.ndarray
    paces: np.ndarray
    rule: int
    momentum: np.float32
    smoothing: float


@inline
def _shrink(params, layers, first, last, keep):
    """Weight decay of the kernels among the parameters `first` to `last`.

    Args:
        params: (parameters,) float32.
        layers: (layers, 9) int64.
        first, last: int.
        keep: float32, what stays.
    """
    for i in range(layers.shape[0]):
        start = layers[i, 2]
        kernel = params[max(first, start) : min(last, start + layers[i, 0] * layers[i, 1])]
        for j in range(kernel.size):
            kernel[j] *= keep


@noinline
def update(net, descent, grads, first, last, t):
    """Step, and average, the parameters `first` to `last`; with the last ones, all others.

    Args:
        net: Net.
        descent: Descent.
        grads: (shards, trained) float32, of one shard or two.
        first, last, t: int, and which of the steps it is.
    """
    params, state, mean = net.params, descent.state, descent.mean
    momentum, pace = descent.momentum, descent.paces[t]
    if descent.rule == NONE:  # the gradient is all that is wanted, added up
        if grads.shape[0] == 2:
            one, other = grads[0, first:last], grads[1, first:last]
            for i in range(one.size):
                one[i] += other[i]
        return
    if pace[2] != 1:
        _shrink(params, net.layers, first, last, pace[2])
    if descent.rule == MOMENTUM:
        momentum_rule(params, grads, state, first, last, momentum, pace)
    elif descent.rule == NESTEROV:
        nesterov_rule(params, grads, state, first, last, momentum, pace)
    elif descent.rule == RMSPROP:
        rmsprop_rule(params, grads, state, first, last, momentum, pace)
    else:
        adam_rule(params, grads, state, first, last, momentum, pace)
    if mean.size > 0:
        is_last = first < last == grads.shape[1]
        move_average(mean, params, first, mean.size if is_last else last, pace[3])


@noinline
def sparse_update(csr, csc, begin, end, order, start, size, scale, net, descent, t):
    """`update` of blocks `begin` to `end` of all parameters, with the first kernel's gradient.

    A block of the first kernel is the rows of its pixels; of the other parameters it is as many as
    of any block. So blocks can be updated by different threads.

    Args:
        csr: SparseRows.
        csc: SparseColumns, work space.
        begin, end: int.
        order: (n,) int64.
        start, size: int, the batch is images `order[start : start + size]`.
        scale: float32, what a pixel's value is multiplied by.
        net: Net, whose work spaces start with the gradient of the first products.
        descent: Descent.
        t: int, which of the steps it is.
    """
    params, layers, grads, pace = net.params, net.layers, net.grads, descent.paces[t]
    shards, blocks, units = grads.shape[0], csr.bounds.size - 1, layers[0, 1]
    trained, rest = grads.shape[1], layers[0, 0] * units
    chunk = -(-(trained - rest) // blocks)
    # In plain SGD the gradient goes straight into the weights: only rows of pixels that are not 0
    # change. Else every weight moves at every step, and the gradient needs a place.
    is_direct = descent.rule == MOMENTUM and descent.momentum == 0
    rows, factor = grads[0], scale
    if is_direct:
        rows, factor = params, -pace[0] * scale
    for block in range(begin, end):
        low, high = csr.bounds[block] * units, csr.bounds[block + 1] * units
        if not is_direct:
            rows[low:high] = 0
        elif pace[2] != 1:
            _shrink(params, layers, low, high, pace[2])
        for s in range(shards):
            first, last = start + size * s // shards, start + size * (s + 1) // shards
            sparse.add_outer(csr, block, order, first, last, factor, net.work[s], units, csc, rows)
        if not is_direct:
            update(net, descent, grads[:1], low, high, t)
        elif descent.mean.size > 0:
            move_average(descent.mean, params, low, high, pace[3])
        low = rest + block * chunk
        update(net, descent, grads, low, min(trained, low + chunk), t)


@noinline
def norm_step(
    images, x, begin, end, shard, labels, order, first, last, size, scale, descent, net, drops
):
    """Stages `begin` to `end` of a step that has them, on images `order[first:last]`.

    Args:
        images: (n, pixels) uint8 or float32.
        x: (rows * inputs,) float32, rows filled up to whole tiles; work space.
        begin, end, shard: int.
        labels, order: (n,) int64.
        first, last, size: int, and images of the batch.
        scale: float32.
        descent: Descent.
        net: Net.
        drops: Drops.
    """
    rows, layers, work, grads = last - first, net.layers, net.work[shard], net.grads[shard]
    if begin == 0:
        products_first(images, order, first, last, scale, net.params, layers, x, work)
    result = _stages(begin, end, shard, rows, first, size, labels, order, descent, net, drops)
    if end == stages_of(layers)[0]:
        gradient_first(rows, layers, x, work, grads)
    return result


@noinline
def sparse_norm_step(
    csr, begin, end, shard, labels, order, first, last, size, scale, descent, net, drops
):
    """`norm_step` that skips pixels that are 0; the first kernel's gradient is left to others.

    Args:
        csr: SparseRows.
        begin, end, shard: int.
        labels, order: (n,) int64.
        first, last, size: int.
        scale: float32.
        descent: Descent.
        net: Net.
        drops: Drops.
    """
    if begin == 0:
        sparse_products_first(
            csr, order, first, last, scale, net.params, net.layers, net.work[shard]
        )
    return _stages(begin, end, shard, last - first, first, size, labels, order, descent, net, drops)


@inline
def _stages(begin, end, shard, rows, first, size, labels, order, descent, net, drops):
    """Stages `begin` to `end` but for the first layer's products; see `stage`.

    Args:
        begin, end, shard, rows, first, size: int.
        labels, order: (n,) int64.
        descent: Descent.
        net: Net.
        drops: Drops.
    """
    losses, correct = 0.0, 0
    for number in range(begin, end):
        loss, right = stage(
            number, net.activation, shard, rows, first, size, labels, order, descent.smoothing,
            net.params, net.layers, drops, net.work[shard], net.grads[shard], net.sums,
        )  # fmt: skip
        losses += loss
        correct += right
    return losses, correct


def _steps(is_plain: bool):
    """Many steps on rows of pixels."""

    def run(images, x, labels, order, batch_size, scale, net, drops, descent, losses, correct):
        """Steps on `images` in `order`; adds to each shard's losses and correct answers.

        Args:
            images: (n, pixels) uint8 or float32.
            x: (shards, rows * inputs) float32, rows filled up to whole tiles; work space.
            labels: (n,) int64.
            order: (images,) int64.
            batch_size: int.
            scale: float32, what a pixel's value is multiplied by.
            net: Net.
            drops: Drops.
            descent: Descent.
            losses: (shards,) float64, in nats.
            correct: (shards,) int64.
        """
        shards, trained = net.grads.shape
        stages, together = (1, 1) if is_plain else stages_of(net.layers)
        chunk = -(-trained // shards)
        for t in range(-(-order.size // batch_size)):
            start = t * batch_size
            size = min(batch_size, order.size - start)
            for begin in range(0, stages, together):
                for shard in prange(shards):
                    # One type of integer, whoever counts: with prange's own, kernels are compiled
                    # again.
                    s = np.int64(shard)
                    first, last = start + size * s // shards, start + size * (s + 1) // shards
                    if is_plain:
                        loss, right = step(
                            images, x[s], labels, order, first, last, size, scale,
                            descent.smoothing, net.params, net.layers, drops, net.work[s],
                            net.grads[s],
                        )  # fmt: skip
                    else:
                        loss, right = norm_step(
                            images, x[s], begin, begin + together, s, labels, order, first, last,
                            size, scale, descent, net, drops,
                        )  # fmt: skip
                    losses[s] += loss
                    correct[s] += right
            # All shards' gradients are complete only here.
            for shard in prange(shards):
                s = np.int64(shard)
                update(net, descent, net.grads, s * chunk, min(trained, (s + 1) * chunk), t)

    return run


def _sparse_steps(is_plain: bool):
    """Many steps that skip pixels that are 0."""

    def run(csr, csc, labels, order, batch_size, scale, net, drops, descent, losses, correct):
        """Steps on images in `order`; adds to each shard's losses and correct answers.

        Args:
            csr: SparseRows.
            csc: SparseColumns, work space.
            labels: (n,) int64.
            order: (images,) int64.
            batch_size: int.
            scale: float32.
            net: Net.
            drops: Drops.
            descent: Descent.
            losses: (shards,) float64, in nats.
            correct: (shards,) int64.
        """
        shards, blocks = net.grads.shape[0], csr.bounds.size - 1
        stages, together = (1, 1) if is_plain else stages_of(net.layers)
        jobs = blocks if shards > 1 else 1  # one thread does them all in one call
        for t in range(-(-order.size // batch_size)):
            start = t * batch_size
            size = min(batch_size, order.size - start)
            for begin in range(0, stages, together):
                for shard in prange(shards):
                    s = np.int64(shard)
                    first, last = start + size * s // shards, start + size * (s + 1) // shards
                    if is_plain:
                        loss, right = sparse_step(
                            csr, labels, order, first, last, size, scale, descent.smoothing,
                            net.params, net.layers, drops, net.work[s], net.grads[s],
                        )  # fmt: skip
                    else:
                        loss, right = sparse_norm_step(
                            csr, begin, begin + together, s, labels, order, first, last, size,
                            scale, descent, net, drops,
                        )  # fmt: skip
                    losses[s] += loss
                    correct[s] += right
            for job in prange(jobs):
                j = np.int64(job)
                sparse_update(
                    csr, csc, blocks * j // jobs, blocks * (j + 1) // jobs, order, start, size,
                    scale, net, descent, t,
                )  # fmt: skip

    return run


@cache
def steps(is_plain: bool, is_sparse: bool, shards: int):
    """The kernel for many steps."""
    # Waking a second thread costs more than a small batch: each has a form without threads.
    kind = parallel if shards > 1 else compiled
    return kind((_sparse_steps if is_sparse else _steps)(is_plain))
