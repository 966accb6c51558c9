"""One convolution of a network, with the buffers that its kernels need for a batch."""

import numpy as np
from numba import njit

from siffra.engine.native import conv as kernels
from siffra.engine.native.conv import LANES, padded
from siffra.engine.native.layout import ConvPart

_SHARDS = 8
"""Parts of a batch whose weight gradients are summed apart, and then added up in order."""


class ConvLayer:
    """One convolution over batches of at most `images` images.

    Arrays of activations are flat, (image, window, padded filter), with `slack` floats to spare.
    """

    def __init__(self, part: ConvPart, images: int, slack: int) -> None:
        self._part, shape = part, part.shape
        self._window = part.conv.pool**2
        self._at = kernels.positions(part.conv)
        self._forward = kernels.forward(self._window)
        outputs = images * shape.windows * shape.filters
        self._out = np.zeros(outputs + slack, np.float32)
        self._choices = np.zeros(outputs, np.uint8)

    def forward(self, x: np.ndarray, images: int, params: np.ndarray) -> np.ndarray:
        """The activations of `images` inputs `x`, in a buffer that the next call overwrites."""
        part = self._part
        self._forward(
            x, images, part.shape, self._at, params[part.kernel], params[part.bias],
            self._out, self._choices,
        )  # fmt: skip
        return self._out


class TrainedConvLayer(ConvLayer):
    """A convolution that can go backward, too; `forward` must have been on the same batch."""

    def __init__(self, part: ConvPart, images: int, slack: int) -> None:
        super().__init__(part, images, slack)
        conv, shape = part.conv, part.shape
        rows, lanes = kernels.gradient_rows(conv)
        self._weight_gradient = kernels.weight_gradient(rows, lanes)
        shards = min(_SHARDS, images)
        padded_rows = -(-shape.kernel_rows // rows) * rows
        padded_row = -(-shape.kernel_row // lanes) * lanes
        self._kernels = np.zeros((shards, conv.filters, padded_rows, padded_row), np.float32)
        self._biases = np.zeros((shards, conv.filters), np.float32)
        self._dx = np.zeros(images * shape.image + slack, np.float32)

    def weight_gradient(
        self, x: np.ndarray, images: int, gradient: np.ndarray, grads: np.ndarray
    ) -> None:
        """Fill this convolution's part of `grads` from its outputs' `gradient`."""
        part = self._part
        self._weight_gradient(
            x, images, part.shape, self._at, self._window, gradient, self._choices,
            self._kernels, self._biases,
        )  # fmt: skip
        _add_up(self._kernels, self._biases, part.shape, grads[part.kernel], grads[part.bias])

    def input_gradient(self, images: int, gradient: np.ndarray, params: np.ndarray) -> np.ndarray:
        """The gradient of the inputs, in a buffer that the next call overwrites."""
        part = self._part
        kernel = _by_filter(params[part.kernel], part.shape, part.conv.filters)
        kernels.input_gradient(
            images, part.shape, self._at, self._window, gradient, self._choices,
            kernel, part.conv.filters, self._dx,
        )  # fmt: skip
        return self._dx


@njit(cache=True)
def _add_up(kernels, biases, shape, kernel, bias):
    """Sum the shards' gradients, in order, into the layout of the parameters."""
    shards, filters, _, _ = kernels.shape
    block_size = shape.kernel_rows * shape.kernel_row * LANES
    for f in range(filters):
        start = f // LANES * block_size + f % LANES
        for row in range(shape.kernel_rows):
            for column in range(shape.kernel_row):
                total = np.float32(0)
                for shard in range(shards):
                    total += kernels[shard, f, row, column]
                kernel[start + (row * shape.kernel_row + column) * LANES] = total
        total = np.float32(0)
        for shard in range(shards):
            total += biases[shard, f]
        bias[f] = total


def _by_filter(kernel: np.ndarray, shape: kernels.Shape, filters: int) -> np.ndarray:
    """The kernel as (filter, row, float padded to whole vectors), flat."""
    blocks = shape.filters // LANES
    by_block = kernel.reshape(blocks, shape.kernel_rows, shape.kernel_row, LANES)
    by_filter = by_block.transpose(0, 3, 1, 2).reshape(
        shape.filters, shape.kernel_rows, shape.kernel_row
    )
    room = padded(shape.kernel_row) - shape.kernel_row
    return np.pad(by_filter[:filters], ((0, 0), (0, 0), (0, room))).reshape(-1)
