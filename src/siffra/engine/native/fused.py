"""A convolution with ReLU and max-pooling, all of it one kernel each way."""

from functools import cached_property

import numpy as np

from siffra.engine.native import conv as kernels
from siffra.engine.native.block import Block
from siffra.engine.native.conv import LANES, padded
from siffra.engine.native.part import Part
from siffra.engine.native.placement import Place
from siffra.kernels import compiled
from siffra.network import Conv

_SHARDS = 8
"""Parts of a batch whose weight gradients are summed apart, and then added up in order."""


def is_fused(conv: Conv, part: Part) -> bool:
    """Whether the fused kernels do all that `conv` does: ReLU, no padding, a pool of 2 or none.

    They leave no border either, which the next layer may want.
    """
    if conv.batch_norm or conv.activation != "relu" or any(map(sum, conv.padding)):
        return False
    if part.output.image > part.output.pixels.size * part.output.channels:
        return False
    return conv.pooling == "max" and conv.pool <= 2 and not conv.pools_all


class FusedBlock(Block):
    """A plain convolution (see `is_fused`)."""

    def __init__(self, part: Part, place: Place, conv: Conv, images: int, slack: int) -> None:
        super().__init__(part)
        self._place, self._conv, self._images, self._slack = place, conv, images, slack
        self._shape = kernels.Shape.of(conv)
        self._window = conv.pool**2
        self._at, self._spans = kernels.positions(conv), kernels.spans(conv)
        self._forward = kernels.forward(self._window, kernels.together(self._shape.filters))
        self._out = part.output.batch(images, slack)
        self._choices = np.zeros(images * part.output.image, np.uint8)

    def predict(self, x: np.ndarray, images: int, params: np.ndarray) -> np.ndarray:
        """See `Block`."""
        place = self._place
        self._forward(
            x, images, self._shape, self._at, self._spans,
            params[place.kernel], params[place.shift], self._out, self._choices,
        )  # fmt: skip
        return self._out

    def forward(self, x: np.ndarray, images: int, params: np.ndarray) -> np.ndarray:
        """See `Block`."""
        return self.predict(x, images, params)

    def backward(
        self,
        x: np.ndarray,
        images: int,
        gradient: np.ndarray,
        params: np.ndarray,
        grads: np.ndarray,
    ) -> None:
        """See `Block`."""
        place, shape = self._place, self._shape
        all_kernels, biases = self._shards
        kernels.weight_gradient(*kernels.gradient_rows(self._conv))(
            x, images, shape, self._at, self._window, gradient, self._choices, all_kernels, biases
        )
        _add_up(all_kernels, biases, shape, grads[place.kernel], grads[place.shift])

    def input_gradient(self, images: int, gradient: np.ndarray, params: np.ndarray) -> np.ndarray:
        """See `Block`."""
        shape, filters = self._shape, self._conv.filters
        by_block = params[self._place.kernel].reshape(
            -1, shape.kernel_rows, shape.kernel_row, LANES
        )
        self._by_filter[..., : shape.kernel_row] = by_block.transpose(0, 3, 1, 2)
        used = filters * shape.kernel_rows * padded(shape.kernel_row)
        kernels.input_gradient(
            images, shape, self._at, self._window, gradient, self._choices,
            self._by_filter.reshape(-1)[:used], filters, self._dx,
        )  # fmt: skip
        return self._dx

    @cached_property
    def _shards(self) -> tuple[np.ndarray, np.ndarray]:
        """Gradients of kernels (shard, filter, padded row, padded float) and biases."""
        rows, lanes = kernels.gradient_rows(self._conv)
        shards = min(_SHARDS, self._images), self._conv.filters
        padded_rows = -(-self._shape.kernel_rows // rows) * rows
        padded_row = -(-self._shape.kernel_row // lanes) * lanes
        return (
            np.zeros((*shards, padded_rows, padded_row), np.float32),
            np.zeros(shards, np.float32),
        )

    @cached_property
    def _by_filter(self) -> np.ndarray:
        """Room for the kernel as (block, filter, row, float padded to whole vectors)."""
        shape = self._shape
        blocks, row = shape.filters // LANES, padded(shape.kernel_row)
        return np.zeros((blocks, LANES, shape.kernel_rows, row), np.float32)

    @cached_property
    def _dx(self) -> np.ndarray:
        return self.part.input.batch(self._images, self._slack)


@compiled
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
