"""Softmax and the losses of its probabilities.

There are two of the cross-entropy, since their rounding is part of each network's bits:
`cross_entropy` for stacks of dense layers computes powers in float32, a vector at a time;
`smoothed_cross_entropy` computes in float64. Merging them takes a new version for convolutions.
"""

import math

import numpy as np
from numba import prange

from siffra.engine.native.conv import LANES
from siffra.engine.native.simd import load
from siffra.engine.native.simd_math import (
    exponential,
    largest,
    ramp,
    spread,
    store,
    total,
    where_above,
)
from siffra.system.jit import inline, noinline, parallel

_LARGE = 1e150
"""A product of sums that may be multiplied by one more, of any number of classes."""


@inline
def argmax(row):
    """The index of the largest number, the first of equals; NaN counts as larger than all.

    NumPy's `argmax`, which takes Numba much longer to compile.

    Args:
        row: (classes,) float32.
    """
    best = 0
    for u in range(1, row.size):
        if row[u] > row[best] or (np.isnan(row[u]) and not np.isnan(row[best])):
            best = u
    return best


@noinline
def softmax(logits, out):
    """Fill each row of `out` with the softmax of that of `logits`.

    Args:
        logits: (images, classes or more) float32; what is past the classes is padding.
        out: (images, classes) float32.
    """
    for r in range(out.shape[0]):
        row, to = logits[r, : out.shape[1]], out[r]
        top = row[argmax(row)]
        total = np.float64(0)
        for u in range(row.size):
            to[u] = np.exp(row[u] - top)
            total += to[u]
        scale = np.float32(1 / total)
        for u in range(row.size):
            to[u] *= scale


@inline
def _among(values, left, padding):
    """The first `left` of a vector's lanes, and `padding` in the others.

    Args:
        values: vector of float32.
        left: int.
        padding: float32.
    """
    return where_above(spread(left, LANES), ramp(LANES), values, spread(padding, LANES))


@inline
def _is_first(row, label, top):
    """Whether no class before `label` has the logit `top` too: the first of equals is the answer.

    Args:
        row: (classes or more,) float32.
        label: int.
        top: float32.
    """
    for c in range(label):  # noqa: SIM110  Numba compiles no generators here
        if row[c] == top:
            return False
    return True


@noinline
def cross_entropy(flat, start, rows, units, classes, labels, order, first, share, smoothing):
    """The summed loss in nats and the number of correct answers.

    The logits become the gradient of the loss times `share`. The target is 1 - smoothing on the
    label plus smoothing / classes on every class: Szegedy et al. 2016, section 7. An answer that is
    not a number is never correct.

    Args:
        flat: (floats,) float32, with the logits (rows, units) from `start` on.
        start, rows, units: int; units are whole vectors.
        classes: int; what is past them is 0, and stays so.
        labels: (n,) int64; that of row r is `labels[order[first + r]]`.
        order: (n,) int64.
        first: int.
        share: float64, 1 / batch size for the gradient of the mean.
        smoothing: float64 in [0, 1).
    """
    loss, correct, product = 0.0, 0, 1.0
    other = spread(share * smoothing / classes, LANES)
    mine = np.float32(share * (1 - smoothing))
    nothing, least = np.float32(0), np.float32(-np.inf)
    for r in range(rows):
        row = flat[start + r * units : start + (r + 1) * units]
        label = labels[order[first + r]]
        best = _among(load(row, 0, LANES), classes, least)
        for c in range(LANES, classes, LANES):
            values = _among(load(row, c, LANES), classes - c, least)
            best = where_above(values, best, values, best)
        top, target = largest(best), row[label]
        if smoothing > 0:
            mean = 0.0
            for c in range(0, classes, LANES):
                mean += total(_among(load(row, c, LANES), classes - c, nothing)) / classes
            loss += top - (1 - smoothing) * target - smoothing * mean
        else:
            loss += np.float64(top) - target
        is_right = target == top and _is_first(row, label, top)
        powers = 0.0
        for c in range(0, classes, LANES):
            power = exponential(
                _among(load(row, c, LANES), classes - c, least) - spread(top, LANES)
            )
            store(row, c, power)
            powers += total(power)
        correct += is_right and powers == powers
        # The logarithm of many sums at once: each is between 1 and the number of classes.
        product *= powers
        if product > _LARGE:
            loss += math.log(product)
            product = 1.0
        scale = spread(share / powers if powers > 0 else powers, LANES)
        for c in range(0, classes, LANES):
            slopes = load(row, c, LANES) * scale - other
            store(row, c, _among(slopes, classes - c, nothing))
        row[label] -= mine
    return loss + math.log(product), correct


@inline
def _likeliest(z, start, classes, bias):
    """The largest of an image's logits, float64, and its class: of equals, and of NaN, the first.

    Args:
        z: (floats,) float32.
        start: int, where the image's logits begin.
        classes: int.
        bias: (channels,) float32.
    """
    top, best = np.float64(-np.inf), 0
    for c in range(classes):
        u = np.float64(z[start + c]) + bias[c]
        # The first NaN stays on top, as in NumPy's argmax.
        if not (u <= top or math.isnan(top)):
            top, best = u, c
    return top, best


@parallel
def smoothed_cross_entropy(z, classes, bias, labels, smoothing, du, losses, correct):
    """Losses and correct answers of logits z + bias, and the gradient of the mean loss.

    The target is 1 - smoothing on the label plus smoothing / classes on every class: Szegedy
    et al. 2016, section 7. An answer that is not a number is never correct.

    Args:
        z: (images * channels,) float32, flat.
        classes: int, at most `channels`.
        bias: (channels,) float32.
        labels: (images,) int64.
        smoothing: float64 in [0, 1).
        du: (images * channels,) float32, filled with the gradient; padding is kept.
        losses: (images or more,) float64, in nats.
        correct: (images or more,) int64, 1 for a correct answer.
    """
    channels, images = bias.size, labels.size
    other = smoothing / classes
    for image in prange(images):
        start = image * channels
        top, best = _likeliest(z, start, classes, bias)
        total, mean = 0.0, 0.0
        for c in range(classes):
            u = np.float64(z[start + c]) + bias[c]
            power = math.exp(u - top)
            du[start + c] = power
            total += power
            mean += u / classes
        log_total = math.log(total) + top
        target = np.float64(z[start + labels[image]]) + bias[labels[image]]
        losses[image] = log_total - (1 - smoothing) * target - smoothing * mean
        correct[image] = best == labels[image] and not math.isnan(top)
        for c in range(classes):
            share = other + (1 - smoothing) * (labels[image] == c)
            du[start + c] = (du[start + c] / total - share) / images


@parallel
def squared_error(z, classes, bias, labels, du, losses, correct):
    """Losses and correct answers of logits z + bias, and the gradient of the mean loss.

    An image's loss is the mean over the classes of (p - t)^2, with p the softmax of the logits, and
    the target t 1 for the label and 0 for the others. An answer that is not a number is never
    correct.

    Args:
        z: (images * channels,) float32, flat.
        classes: int, at most `channels`.
        bias: (channels,) float32.
        labels: (images,) int64.
        du: (images * channels,) float32, filled with the gradient; padding is kept.
        losses: (images or more,) float64.
        correct: (images or more,) int64, 1 for a correct answer.
    """
    channels, images = bias.size, labels.size
    for image in prange(images):
        start = image * channels
        top, best = _likeliest(z, start, classes, bias)
        total = 0.0
        for c in range(classes):
            total += math.exp(np.float64(z[start + c]) + bias[c] - top)
        loss, mean = 0.0, 0.0
        for c in range(classes):
            p = math.exp(np.float64(z[start + c]) + bias[c] - top) / total
            error = p - (labels[image] == c)
            loss += error * error
            mean += p * error
        losses[image] = loss / classes
        correct[image] = best == labels[image] and not math.isnan(top)
        # The softmax's own gradient: d p_i / d u_c = p_i ((i = c) - p_c).
        for c in range(classes):
            p = math.exp(np.float64(z[start + c]) + bias[c] - top) / total
            error = p - (labels[image] == c)
            du[start + c] = 2 * p * (error - mean) / classes / images
