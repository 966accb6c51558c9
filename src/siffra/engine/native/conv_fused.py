"""A convolution with ReLU and max-pooling, all of it one kernel each way."""

from functools import cached_property

import numpy as np

from siffra.engine.native.block import Block
from siffra.engine.native.conv import LANES, Shape, padded, positions, together
from siffra.engine.native.conv_fused_forward import Tiles, forward, quads_together
from siffra.engine.native.conv_fused_gradients import (
    Patches,
    Room,
    add_up,
    input_gradient,
    weight_gradient,
)
from siffra.engine.native.grid import aligned_zeros
from siffra.engine.native.layers import LayerLayout
from siffra.engine.native.parameters import LayerSlices
from siffra.engine.network import Conv

_SHARDS = 8
"""Parts of a batch whose weight gradients are summed apart, and then added up in order."""


def is_fused(conv: Conv, layout: LayerLayout) -> bool:
    """Whether the fused kernels do all that `conv` does: ReLU, no padding, a pool of 2 or none.

    They leave no border either, which the next layer may want.
    """
    if conv.batch_norm or conv.activation != "relu" or any(map(sum, conv.padding)):
        return False
    if layout.output.image > layout.output.pixels.size * layout.output.channels:
        return False
    return conv.pooling == "max" and conv.pool <= 2 and not conv.pools_all


class FusedBlock(Block):
    """A plain convolution (see `is_fused`)."""

    def __init__(
        self, layout: LayerLayout, slices: LayerSlices, conv: Conv, images: int, slack: int
    ) -> None:
        super().__init__(layout)
        self._slices, self._conv, self._images, self._slack = slices, conv, images, slack
        self._shape, self._tiles = Shape.of(conv), Tiles.of(conv)
        blocks = together(self._shape.filters)
        self._forward = forward(quads_together(conv), blocks, conv.pool > 1)
        self._spans = np.zeros((images, 2, conv.input[0]), np.int64)
        self._out = layout.output.batch(images, slack)
        self._choices = np.zeros(images * layout.output.image, np.uint8)

    def predict(self, x: np.ndarray, images: int, params: np.ndarray) -> np.ndarray:
        """See `Block`."""
        slices = self._slices
        self._forward(
            x, images, self._shape, self._tiles, self._spans,
            params[slices.kernel], params[slices.shift], self._out, self._choices,
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
        slices, patches, room = self._slices, self._patches, self._room
        filters = self._conv.filters
        run = weight_gradient(patches.vectors, patches.together, patches.halves)
        run(x, images, self._shape, patches, filters, gradient, self._choices, room)
        add_up(room, self._shape, patches, filters, grads[slices.kernel], grads[slices.shift])

    def input_gradient(self, images: int, gradient: np.ndarray, params: np.ndarray) -> np.ndarray:
        """See `Block`."""
        shape, filters = self._shape, self._conv.filters
        by_block = params[self._slices.kernel].reshape(
            -1, shape.kernel_rows, shape.kernel_row, LANES
        )
        self._by_filter[..., : shape.kernel_row] = by_block.transpose(0, 3, 1, 2)
        used = filters * shape.kernel_rows * padded(shape.kernel_row)
        input_gradient(
            images, shape, self._positions, self._conv.pool**2, gradient, self._choices,
            self._by_filter.reshape(-1)[:used], filters, self._dx,
        )  # fmt: skip
        return self._dx

    @cached_property
    def _patches(self) -> Patches:
        return Patches.of(self._conv)

    @cached_property
    def _room(self) -> Room:
        shards = min(_SHARDS, self._images)
        return Room.of(self._patches, self._shape, self._conv.filters, shards)

    @cached_property
    def _positions(self) -> np.ndarray:
        return positions(self._conv)

    @cached_property
    def _by_filter(self) -> np.ndarray:
        """Room for the kernel as (block, filter, row, float padded to whole vectors)."""
        shape = self._shape
        blocks, row = shape.filters // LANES, padded(shape.kernel_row)
        return aligned_zeros((blocks, LANES, shape.kernel_rows, row))

    @cached_property
    def _dx(self) -> np.ndarray:
        return self.layout.input.batch(self._images, self._slack)
