"""A plain convolution's sizes, and where it is applied.

Activations are flat float32 arrays in the order (image, row, column, channel), channels
padded with zeros to whole vectors. In that order a kernel's row covers `kernel_size * channels`
neighbouring floats, so one loop nest serves any number of channels. No size is compiled in:
only the number of positions and filters that are worked on at once.

A position is where the kernel is applied: the offset, in its image, of the first float that it
covers.
"""

from typing import NamedTuple

import numpy as np

from siffra.engine.native.simd import WIDE
from siffra.engine.network import Conv

LANES = 16
"""Filters worked on at once."""
TILE = 8 if WIDE else 4
"""Positions worked on at once: their sums, and what they are sums of, fit into the registers."""


def padded(channels: int) -> int:
    """`channels` rounded up to whole vectors."""
    return -(-channels // LANES) * LANES


def stored_channels(conv: Conv) -> int:
    """Channels of its input in memory: all but the image's own are padded."""
    return conv.input[2] if conv.reads_image else padded(conv.input[2])


class Shape(NamedTuple):
    """The sizes a kernel needs, in floats unless said.

    An image of `image` floats has rows of `row`; a kernel has `kernel_rows` rows of `kernel_row`;
    an output has `windows` windows of `filters` (padded).
    """

    image: int
    row: int
    kernel_rows: int
    kernel_row: int
    windows: int
    filters: int

    @classmethod
    def of(cls, conv: Conv) -> "Shape":
        """The shape of `conv`."""
        height, width, _ = conv.input
        channels = stored_channels(conv)
        rows, columns, filters = conv.output
        return cls(
            image=height * width * channels,
            row=width * channels,
            kernel_rows=conv.kernel_size,
            kernel_row=conv.kernel_size * channels,
            windows=rows * columns,
            filters=padded(filters),
        )

    @property
    def slack(self) -> int:
        """Floats that kernels may read past the last image."""
        return 2 * LANES


def step(conv: Conv) -> int:
    """Floats from a position to the one right of it."""
    return conv.strides * (Shape.of(conv).row // conv.input[1])


def positions(conv: Conv) -> np.ndarray:
    """Every position of `conv`, window by window of its pooling, as int64."""
    shape = Shape.of(conv)
    rows, columns, _ = conv.output
    p = conv.pool
    y = np.arange(rows)[:, None, None, None] * p + np.arange(p)[:, None]
    x = np.arange(columns)[:, None, None] * p + np.arange(p)
    return (y * conv.strides * shape.row + x * step(conv)).reshape(-1)


def together(filters: int) -> int:
    """Blocks of `filters` (padded) that are worked on at once: two, if that comes out even.

    So a value that was loaded is multiplied by two vectors, which is what keeps AVX-512's
    multipliers busy.
    """
    return 2 if WIDE and filters // LANES % 2 == 0 else 1
