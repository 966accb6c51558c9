"""The training loop of a stack of dense layers: many steps in one call.

A batch is split into a fixed number of shards, each with its own gradients, which are added up in
a fixed order. So the result does not depend on the number of threads.

A step of n hidden layers has stages: 0 to n go forward, each to the products of the next layer, and
n to 2n back. Where a norm needs the moments of the whole batch, all shards are through with a stage
before any begins the next; else each goes through all of them at one go.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import prange

from siffra.engine.native import sparse
from siffra.engine.native.dense import (
    INPUTS,
    KERNEL,
    OUTPUTS,
    UNITS,
    Kind,
    outputs_of,
    part_of,
)
from siffra.engine.native.dense_layer import (
    backward,
    first_forward,
    first_gradient,
    forward,
)
from siffra.engine.native.dense_norm import sum_up
from siffra.engine.native.loss import cross_entropy
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


@cache
def steps(kind: Kind, is_sparse: bool, shards: int):
    """The kernel for many steps."""
    go_through, is_normed = stages(kind, is_sparse), kind.is_normed

    def run(images, order, scale, room, labels, batch_size, drops, descent, net, losses, correct):
        """Steps on images `order`; adds to each shard's losses and correct answers.

        Args:
            images: array or SparseRows, see `Inputs`.
            order: (images,) int64.
            scale: float32.
            room: array or SparseColumns.
            labels: (n,) int64.
            batch_size: int.
            drops: Drops.
            descent: Descent.
            net: Net.
            losses: (shards,) float64, in nats.
            correct: (shards,) int64.
        """
        shards, trained = net.grads.shape
        chunk = -(-trained // shards)
        count = 2 * net.layers.shape[0] - 1
        together = 1 if is_normed else count
        for t in range(-(-order.size // batch_size)):
            start = t * batch_size
            size = min(batch_size, order.size - start)
            for begin in range(0, count, together):
                for shard in prange(shards):
                    # One type of integer, whoever counts: with prange's own, kernels are compiled
                    # again.
                    s = np.int64(shard)
                    loss, right = go_through(
                        begin, begin + together, s, start, size, images, order, scale, room,
                        labels, drops, descent, net,
                    )  # fmt: skip
                    losses[s] += loss
                    correct[s] += right
            # All shards' gradients are complete only here.
            for shard in prange(shards):
                s = np.int64(shard)
                if is_sparse:
                    sparse_update(
                        s, shards, start, size, images, order, scale, room, net, descent, t
                    )
                else:
                    update(net, descent, net.grads, s * chunk, min(trained, (s + 1) * chunk), t)

    # Waking a second thread costs more than a small batch: each has a form without threads.
    return (parallel if shards > 1 else compiled)(run)


@cache
def stages(kind: Kind, is_sparse: bool):
    """The kernel for a shard's way through some stages of a step."""
    from_images, there, back = (
        first_forward(is_sparse, kind.is_normed),
        forward(kind),
        backward(kind),
    )
    view, is_normed = part_of(kind.is_normed), kind.is_normed

    @noinline
    def run(
        begin, end, s, start, size, images, order, scale, room, labels, drops, descent, net
    ):  # fmt: skip
        """Stages `begin` to `end` of shard `s`.

        Returns the summed loss in nats and the number of correct answers, which are 0 but in the
        middle stage.

        Args:
            begin, end, s: int.
            start, size: int, the batch is images `order[start : start + size]`.
            images: array or SparseRows, see `Inputs`.
            order: (images,) int64.
            scale: float32.
            room: array or SparseColumns.
            labels: (n,) int64.
            drops: Drops.
            descent: Descent.
            net: Net.
        """
        shards, top = net.grads.shape[0], net.layers.shape[0] - 1
        first, last = start + size * s // shards, start + size * (s + 1) // shards
        part, rows, loss, correct = view(net, s), last - first, 0.0, 0
        for stage in range(begin, end):
            if stage == 0:
                from_images(first, last, images, order, scale, room, part)
            elif stage <= top:
                there(stage, rows, first, size, drops, part)
            if is_normed and stage < top:
                sum_up(0, stage, rows, part)
            if stage == top:
                loss, correct = cross_entropy(
                    part.work, outputs_of(part, top, rows), rows, part.layers[top, UNITS],
                    part.layers[top, OUTPUTS], labels, order, first, 1.0 / size,
                    descent.smoothing,
                )  # fmt: skip
            if stage >= top:
                back(2 * top - stage, rows, first, size, drops, part)
        if end == 2 * top + 1:
            if is_sparse:
                pass  # it is part of the update
            else:
                first_gradient(rows, room, part)
        return loss, correct

    return run


@inline
def _shrink(params, layers, first, last, keep):
    """Weight decay of the kernels among the parameters `first` to `last`.

    Args:
        params: (parameters,) float32.
        layers: (layers, 10) int64, see `Net`.
        first, last: int.
        keep: float32, what stays.
    """
    for i in range(layers.shape[0]):
        start = layers[i, KERNEL]
        end = start + layers[i, INPUTS] * layers[i, UNITS]
        kernel = params[max(first, start) : min(last, end)]
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
def sparse_update(part, parts, start, size, csr, order, scale, columns, net, descent, t):
    """`update` of a part of all parameters, with the first kernel's gradient.

    Of the first kernel a part is the rows of some blocks of pixels, of the other parameters as many
    as in any part. So different threads can update them.

    Args:
        part, parts: int, which of how many; each is of whole blocks.
        start, size: int, the batch is images `order[start : start + size]`.
        csr: SparseRows.
        order: (images,) int64.
        scale: float32, what a pixel's value is multiplied by.
        columns: SparseColumns, work space.
        net: Net, whose work spaces start with the gradient of the first products.
        descent: Descent.
        t: int, which of the steps it is.
    """
    params, grads = net.params, net.grads
    shards, blocks, units = grads.shape[0], csr.bounds.size - 1, net.layers[0, UNITS]
    trained, rest, pace = grads.shape[1], net.layers[0, INPUTS] * units, descent.paces[t]
    chunk = -(-(trained - rest) // blocks)
    # In plain SGD the gradient goes straight into the weights: only rows of pixels that are not 0
    # change. Else every weight moves at every step, and the gradient needs a place.
    is_direct = descent.rule == MOMENTUM and descent.momentum == 0
    rows, factor = grads[0], scale
    if is_direct:
        rows, factor = params, -pace[0] * scale
    for block in range(blocks * part // parts, blocks * (part + 1) // parts):
        low, high = csr.bounds[block] * units, csr.bounds[block + 1] * units
        if not is_direct:
            rows[low:high] = 0
        elif pace[2] != 1:
            _shrink(params, net.layers, low, high, pace[2])
        for s in range(shards):
            first, last = start + size * s // shards, start + size * (s + 1) // shards
            sparse.add_outer(
                csr, block, order, first, last, factor, net.work[s], units, columns, rows
            )
        if not is_direct:
            update(net, descent, grads[:1], low, high, t)
        elif descent.mean.size > 0:
            move_average(descent.mean, params, low, high, pace[3])
        low = rest + block * chunk
        update(net, descent, grads, low, min(trained, low + chunk), t)
