"""What comes between a layer's products and its output: norm, activation and pooling.

Of a layer's products z, channel by channel, u = scale * z + shift (a bias is a shift with scale
1; a batch norm gives both), v = activation(u), and the output is the largest v, or the mean,
of every pooling window. `members` has the positions' offsets in an image of z, window by window
(`windows` of them); `places` says where in an image each window's output goes. All arrays but
tables are flat, and channels come in whole vectors.
"""

import math
from functools import cache

import numpy as np
from numba import njit, prange

from siffra.kernels import compiled, parallel

RELU, GELU, TANH, NONE = 0, 1, 2, 3
ACTIVATIONS = {"relu": RELU, "gelu": GELU, "tanh": TANH, None: NONE}

_ROOT_HALF = math.sqrt(0.5)
_ROOT_TAU = math.sqrt(2 * math.pi)


@parallel
def moments(z, images, image_size, at, channels, sums, squares):
    """Fill `sums` and `squares` (image, channel) with those of z over the positions `at`."""
    for image in prange(images):
        total, square = sums[image], squares[image]
        total[:] = 0
        square[:] = 0
        base = image * image_size
        for p in range(at.size):
            row = z[base + at[p] : base + at[p] + channels]
            for c in range(channels):
                total[c] += row[c]
                square[c] += row[c] * row[c]


@cache
def forward(activation: int, largest: bool):  # noqa: C901  a loop nest, spelled out
    """The kernel from products to outputs, for one activation and kind of pooling."""

    @parallel
    def run(z, images, sizes, members, places, scale, shift, out, choices):  # noqa: C901
        """Fill `out`, and `choices` (image, window, channel) with the member that was largest.

        `sizes` are the floats of an image of z and of `out`, and the windows' positions.
        """
        z_image, out_image, window = sizes
        channels = scale.size
        windows = places.size
        for image in prange(images):
            for w in range(windows):
                to = image * out_image + places[w]
                best = out[to : to + channels]
                first = (image * windows + w) * channels
                choice = choices[first : first + channels]
                for m in range(window):
                    start = image * z_image + members[w * window + m]
                    row = z[start : start + channels]
                    if m == 0:
                        for c in range(channels):
                            best[c] = _value(activation, scale[c] * row[c] + shift[c])
                            choice[c] = 0
                    elif largest:
                        for c in range(channels):
                            v = _value(activation, scale[c] * row[c] + shift[c])
                            # Written so that NaN is passed on.
                            wins = not v <= best[c]
                            best[c] = v if wins else best[c]
                            choice[c] = m if wins else choice[c]
                    else:
                        for c in range(channels):
                            best[c] += _value(activation, scale[c] * row[c] + shift[c])
                if not largest:
                    for c in range(channels):
                        best[c] /= np.float32(window)

    return run


@cache
def slopes(activation: int, largest: bool):
    """The kernel for the gradient of u, for one activation and kind of pooling."""

    @parallel
    def run(z, images, sizes, members, places, scale, shift, mean, gradient, choices, du, s, sz):
        """Fill `du`, which lies as z does, from the outputs' `gradient`, which lies as they do.

        Positions of no window are left alone. `s` and `sz` (image, channel) get the sums over
        positions of du, and of du * (z - mean).
        """
        z_image, out_image, window = sizes
        channels = scale.size
        windows = places.size
        share = np.float32(1.0 / window)
        for image in prange(images):
            sums, products = s[image], sz[image]
            sums[:] = 0
            products[:] = 0
            for w in range(windows):
                to = image * out_image + places[w]
                slope = gradient[to : to + channels]
                first = (image * windows + w) * channels
                choice = choices[first : first + channels]
                for m in range(window):
                    start = image * z_image + members[w * window + m]
                    row = z[start : start + channels]
                    goes = du[start : start + channels]
                    for c in range(channels):
                        if largest:
                            g = slope[c] if choice[c] == m else np.float32(0)
                        else:
                            g = slope[c] * share
                        g *= _slope(activation, scale[c] * row[c] + shift[c])
                        goes[c] = g
                        sums[c] += g
                        products[c] += g * (row[c] - mean[c])

    return run


@parallel
def through_norm(z, images, image_size, at, a, b, c, du):
    """Replace `du` at positions `at` by a * du + b * z + c, channel by channel."""
    channels = a.size
    for image in prange(images):
        for p in range(at.size):
            start = image * image_size + at[p]
            row, goes = z[start : start + channels], du[start : start + channels]
            for i in range(channels):
                goes[i] = a[i] * goes[i] + b[i] * row[i] + c[i]


@parallel
def scale(x, images, image_size, channels, scales):
    """Multiply `channels` of every image of flat `x` by its row of `scales` (image, channel)."""
    for image in prange(images):
        for i in range(channels.size):
            x[image * image_size + channels[i]] *= scales[image, i]


@compiled
def column_sums(rows, count, out):
    """`out` (channel) float64: the sums of the first `count` of `rows` (image, channel)."""
    out[:] = 0
    for i in range(count):
        for c in range(out.size):
            out[c] += rows[i, c]


@njit(inline="always")
def _value(activation, u):
    if activation == RELU:
        return np.float32(0) if u <= 0 else u  # so that NaN passes through
    if activation == GELU:
        return np.float32(0.5 * u * (1 + math.erf(u * _ROOT_HALF)))
    if activation == TANH:
        return np.float32(math.tanh(u))
    return u


@njit(inline="always")
def _slope(activation, u):
    if activation == RELU:
        return np.float32(0) if u <= 0 else np.float32(1)
    if activation == GELU:
        density = math.exp(-0.5 * u * u) / _ROOT_TAU
        return np.float32(0.5 * (1 + math.erf(u * _ROOT_HALF)) + u * density)
    if activation == TANH:
        v = math.tanh(u)
        return np.float32(1 - v * v)
    return np.float32(1)


@parallel
def cross_entropy(z, classes, bias, labels, smoothing, du, losses, hits):
    """Losses in nats and right answers of logits z + bias, and the mean loss's gradient in `du`.

    A label stands for a share 1 - smoothing, and every class for its part of the rest: Szegedy
    et al. 2016, section 7. z and `du` are flat (image, channel), channels from `bias`.
    """
    channels, images = bias.size, labels.size
    other = smoothing / classes
    for image in prange(images):
        start = image * channels
        top, best = np.float64(-np.inf), 0
        for c in range(classes):
            u = np.float64(z[start + c]) + bias[c]
            if not u <= top:
                top, best = u, c
        total, mean = 0.0, 0.0
        for c in range(classes):
            u = np.float64(z[start + c]) + bias[c]
            power = math.exp(u - top)
            du[start + c] = power
            total += power
            mean += u / classes
        log_total = math.log(total) + top
        own = np.float64(z[start + labels[image]]) + bias[labels[image]]
        losses[image] = log_total - (1 - smoothing) * own - smoothing * mean
        hits[image] = best == labels[image]
        for c in range(classes):
            target = other + (1 - smoothing) * (labels[image] == c)
            du[start + c] = (du[start + c] / total - target) / images
