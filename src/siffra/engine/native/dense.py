"""A shard of a batch on its way through a stack of dense layers, there and back.

All layers' inputs and units are padded with zeros to whole vectors. A shard's work space, flat
float32, holds activations on the way forward and gradients on the way back; each layer's gradient
replaces the outputs that it is of, which are not needed any more:

    forward     | outputs 1        | outputs 2        | logits           | panel |
    loss        | outputs 1        | outputs 2        | d loss / d z 3   | panel |
    backward 3  | outputs 1        | d loss / d z 2   | d loss / d z 3   | panel |
    backward 2  | d loss / d z 1   | d loss / d z 2   | d loss / d z 3   | panel |

A field has `tiled(images)` rows of the layer's units, padding counted; z are the products before
the ReLU, and its slope is read off the outputs just before they are replaced. The panel is room
for the weights that `matrices` packs. What is left out of the inputs of a layer (dropout) is 0
among the outputs of the one before. `step` gets the first layer's inputs in an array of its own.

Layers with a batch norm, or an activation that is no ReLU, are in `dense_norm`.
"""

from typing import NamedTuple

import numpy as np

from siffra.engine.native import matrices, sparse
from siffra.engine.native.conv import LANES
from siffra.engine.native.gather import gather_rows
from siffra.engine.native.loss import cross_entropy
from siffra.engine.native.parameters import Parameters
from siffra.engine.native.simd import load
from siffra.engine.native.simd_math import dropped, store
from siffra.system.jit import inline, noinline

_PARALLEL_FROM = 4_000_000
"""Multiply-adds of a step from which two threads are worth waking."""


class Stack(NamedTuple):
    """Where a stack's layers are in a flat array of parameters.

    `layers` is (layers, 9) int64: inputs and units, padding counted, where the kernel and the bias
    start, the units that are no padding, and those of all layers before, padding counted; where a
    batch norm's scale, moving mean and moving variance start, if the scale is not -1. The bias is
    then the norm's shift.
    """

    layers: np.ndarray
    is_plain: bool

    @classmethod
    def of(cls, parameters: Parameters) -> "Stack":
        """The stack of these `parameters`, which are laid out as one."""
        rows, before = [], 0
        for each, to in zip(parameters.layouts, parameters.slices, strict=True):
            units, scale = each.z.channels, to.scale.start if each.batch_norm else -1
            places = to.kernel.start, to.shift.start, each.outputs, before
            norm = scale, to.mean.start, to.variance.start
            rows.append((each.input.image, units, *places, *norm))
            before += units
        hidden = parameters.layouts[:-1]
        is_plain = all(each.activation == "relu" and not each.batch_norm for each in hidden)
        return cls(np.array(rows, np.int64), is_plain)

    def workspace(self, rows: int) -> int:
        """Floats of a shard's work space for `rows` images."""
        units, widest = self.layers[:, 1], int(self.layers[:, :2].max())
        hidden = 0 if self.is_plain else int(units[:-1].sum())
        # Beside products and outputs, four numbers a hidden unit and a bias of zeros.
        norms = 0 if self.is_plain else 4 * hidden + widest
        fields = matrices.tiled(rows) * (int(units.sum()) + hidden)
        return fields + norms + matrices.PANEL * widest

    def shards(self, batch_size: int) -> int:
        """Into how many parts a batch is cut: decided by sizes alone, never by the machine."""
        work = 3 * batch_size * int((self.layers[:, 0] * self.layers[:, 1]).sum())
        return 1 if work < _PARALLEL_FROM else 2


class Drops(NamedTuple):
    """What is drawn for some steps' dropout; `words` are none without it.

    Attributes:
        words: (numbers and a vector more,) uint32, layer after layer from the second on, of each
            (steps, batch size, inputs that are no padding). An input is left out if its word's
            upper 24 bits are below `below`.
        rows: Of a layer: steps times batch size.
        below: uint32.
        gain: float32, what the inputs that are left are multiplied by.
    """

    words: np.ndarray
    rows: int
    below: np.uint32
    gain: np.float32


@inline
def start_of(layers, rows, i):
    """Where in the work space for `rows` images layer `i`'s outputs start.

    Args:
        layers: (layers, 9) int64, see `Stack`.
        rows, i: int.
    """
    return matrices.tiled(rows) * layers[i, 5]


@inline
def floor(layers, i):
    """The least output of layer `i`: 0, as ReLU leaves it, but -inf for the last one.

    Args:
        layers: (layers, 9) int64.
        i: int.
    """
    return np.float32(0 if i < layers.shape[0] - 1 else -np.inf)


@inline
def panel_of(layers, work):
    """The end of `work`, in which weights are packed.

    Args:
        layers: (layers, 9) int64.
        work: (workspace,) float32.
    """
    return work[work.size - matrices.PANEL * layers[:, :2].max() :]


@noinline
def drop(drops, layers, i, first, rows, work, start):
    """Leave out what was drawn of layer `i`'s inputs, or of the gradient of them.

    Args:
        drops: Drops.
        layers: (layers, 9) int64.
        i, first, rows: int, the images `first` to `first + rows` of those that were drawn for.
        work: (workspace,) float32.
        start: int, where the matrix starts.
    """
    before = 0
    for k in range(1, i):
        before += layers[k - 1, 4]
    inputs, width = layers[i - 1, 4], layers[i, 0]
    for r in range(rows):
        word, to = drops.rows * before + (first + r) * inputs, start + r * width
        for c in range(0, inputs, LANES):  # what is past the inputs is 0, and stays so
            row = load(work, to + c, LANES)
            store(work, to + c, dropped(row, drops.words, word + c, drops.below, drops.gain))


@inline
def forward(i, rows, params, layers, work):
    """Layer `i`'s outputs, from those of the layer before, in `work`.

    Args:
        i, rows: int, the layer, which is not the first, and images.
        params: (parameters,) float32.
        layers: (layers, 9) int64.
        work: (workspace,) float32.
    """
    inputs, units, kernel, bias = layers[i, 0], layers[i, 1], layers[i, 2], layers[i, 3]
    matrices.forward(
        work, start_of(layers, rows, i - 1), rows, inputs, params, kernel, params, bias, units,
        floor(layers, i), panel_of(layers, work), work, start_of(layers, rows, i),
    )  # fmt: skip


@inline
def forward_first(
    images, order, first, last, scale, params, layers, biases, bias, least, x, work, to
):
    """Gather images `order[first:last]` in `x`, and fill `work` with the first layer's outputs.

    Args:
        images: (n, pixels) uint8 or float32.
        order: (images,) int64.
        first, last: int.
        scale: float32, what a pixel's value is multiplied by.
        params: (parameters,) float32.
        layers: (layers, 9) int64.
        biases: (floats,) float32, with the bias.
        bias: int, where it starts.
        least: float32, the least output.
        x: (rows * inputs,) float32, rows filled up to whole tiles.
        work: (workspace,) float32.
        to: int, where the outputs go.
    """
    inputs, units, kernel = layers[0, 0], layers[0, 1], layers[0, 2]
    gather_rows(images, order, first, last, scale, inputs, x)
    matrices.forward(
        x, 0, last - first, inputs, params, kernel, biases, bias, units, least,
        panel_of(layers, work), work, to,
    )  # fmt: skip


@inline
def loss_of(rows, labels, order, first, share, smoothing, params, layers, work, grads):
    """The last layer: summed loss in nats, correct answers, and its part of the gradients.

    Args:
        rows: int.
        labels: (n,) int64; that of row r is `labels[order[first + r]]`.
        order: (n,) int64.
        first: int.
        share, smoothing: float64.
        params: (parameters,) float32.
        layers: (layers, 9) int64.
        work: (workspace,) float32, with the logits, which become their own gradient.
        grads: (parameters,) float32.
    """
    last = layers.shape[0] - 1
    start, units = start_of(layers, rows, last), layers[last, 1]
    result = cross_entropy(
        work, start, rows, units, layers[last, 4], labels, order, first, share, smoothing
    )
    matrices.bias_gradient(work, start, rows, units, grads, layers[last, 3])
    return result


@inline
def kernel_gradient(i, rows, layers, work, grads):
    """Fill the gradient of layer `i`'s kernel from that of its products, and its inputs.

    Args:
        i, rows: int, the layer, which is not the first, and images.
        layers: (layers, 9) int64.
        work: (workspace,) float32.
        grads: (parameters,) float32.
    """
    inputs, units, kernel = layers[i, 0], layers[i, 1], layers[i, 2]
    matrices.weight_gradient(
        work, start_of(layers, rows, i - 1), rows, inputs, work, start_of(layers, rows, i), units,
        grads, kernel,
    )  # fmt: skip


@inline
def backward(i, rows, params, layers, work, grads):
    """From the gradient of layer `i`'s products to that of the layer before; fills its kernel's.

    The result takes the place of the layer's inputs.

    Args:
        i, rows: int, the layer, which is not the first, and images.
        params: (parameters,) float32.
        layers: (layers, 9) int64.
        work: (workspace,) float32.
        grads: (parameters,) float32.
    """
    inputs, units, kernel = layers[i, 0], layers[i, 1], layers[i, 2]
    # The weights' gradient comes first: it reads the inputs that the next call overwrites.
    kernel_gradient(i, rows, layers, work, grads)
    matrices.backward(
        work, start_of(layers, rows, i), rows, units, params, kernel, inputs,
        panel_of(layers, work), work, start_of(layers, rows, i - 1),
    )  # fmt: skip


@noinline
def step_after_first(
    rows, labels, order, first, size, smoothing, params, layers, drops, work, grads
):
    """Forward and backward of all but the first layer's kernel.

    Leaves the gradient of the first layer's products at the start of `work`. Returns the summed
    loss in nats and the number of correct answers.

    Args:
        rows: int, images.
        labels: (n,) int64; that of row r is `labels[order[first + r]]`.
        order: (n,) int64.
        first, size: int, and images of the batch.
        smoothing: float64 in [0, 1).
        params: (parameters,) float32.
        layers: (layers, 9) int64.
        drops: Drops.
        work: (workspace,) float32, starts with the first layer's outputs.
        grads: (parameters,) float32, all filled but the first kernel's.
    """
    count, drops_any = layers.shape[0], drops.words.size > 0
    for i in range(1, count):
        if drops_any:
            drop(drops, layers, i, first, rows, work, start_of(layers, rows, i - 1))
        forward(i, rows, params, layers, work)
    result = loss_of(rows, labels, order, first, 1.0 / size, smoothing, params, layers, work, grads)
    for i in range(count - 1, 0, -1):
        backward(i, rows, params, layers, work, grads)
        start = start_of(layers, rows, i - 1)
        if drops_any:  # what was left out is 0 already
            drop(drops, layers, i, first, rows, work, start)
        matrices.bias_gradient(work, start, rows, layers[i - 1, 1], grads, layers[i - 1, 3])
    return result


@noinline
def step(
    images, x, labels, order, first, last, size, scale, smoothing, params, layers, drops, work,
    grads,
):  # fmt: skip
    """`step_after_first` of images `order[first:last]`, whose first layer takes all pixels.

    Args:
        images: (n, pixels) uint8 or float32.
        x: (rows * inputs,) float32, rows filled up to whole tiles; work space.
        labels, order: (n,) int64.
        first, last, size: int.
        scale: float32.
        smoothing: float64.
        params: (parameters,) float32.
        layers: (layers, 9) int64.
        drops: Drops.
        work: (workspace,) float32.
        grads: (parameters,) float32.
    """
    rows = last - first
    forward_first(
        images, order, first, last, scale, params, layers, params, layers[0, 3], floor(layers, 0),
        x, work, 0,
    )  # fmt: skip
    result = step_after_first(
        rows, labels, order, first, size, smoothing, params, layers, drops, work, grads
    )
    gradient_first(rows, layers, x, work, grads)
    return result


@inline
def gradient_first(rows, layers, x, work, grads):
    """Fill the gradient of the first kernel, from that of its products in `work`.

    Args:
        rows: int.
        layers: (layers, 9) int64.
        x: (rows * inputs,) float32.
        work: (workspace,) float32.
        grads: (parameters,) float32.
    """
    matrices.weight_gradient(x, 0, rows, layers[0, 0], work, 0, layers[0, 1], grads, layers[0, 2])


@noinline
def sparse_step(
    csr, labels, order, first, last, size, scale, smoothing, params, layers, drops, work, grads
):
    """`step` that skips pixels that are 0; the first kernel's gradient is left to others.

    Args:
        csr: SparseRows.
        labels, order: (n,) int64.
        first, last, size: int.
        scale: float32.
        smoothing: float64.
        params: (parameters,) float32.
        layers: (layers, 9) int64.
        drops: Drops.
        work: (workspace,) float32.
        grads: (parameters,) float32.
    """
    sparse.forward(
        csr, order, first, last, scale, params, layers[0, 1], params, layers[0, 3],
        floor(layers, 0), work,
    )  # fmt: skip
    return step_after_first(
        last - first, labels, order, first, size, smoothing, params, layers, drops, work, grads
    )
