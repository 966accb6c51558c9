"""A batch of images, from numbers in any order to floats in the first layer's grid."""

from typing import NamedTuple

import numpy as np
from numba import prange

from siffra.engine.native.grid import Grid
from siffra.engine.native.simd import prefetch
from siffra.engine.network import Network
from siffra.system.jit import inline, noinline, parallel

PIXEL = np.float32(1 / 255)
"""What a uint8 pixel counts."""
_AHEAD = 4
"""How many images ahead of its turn an image is prefetched."""
_CACHE_LINE = 64  # bytes


def scale_of(images: np.ndarray) -> np.float32:
    """What a number in `images` is multiplied by: floats are pixels in [0, 1] already."""
    return PIXEL if images.dtype == np.uint8 else np.float32(1)


class InputLayout(NamedTuple):
    """Where each float of an image (row, column, channel) goes in the first grid.

    Attributes:
        offsets: (floats,) int64, from the start of the image in the grid.
        image: Floats from one image to the next in the grid.
        is_contiguous: Whether the floats keep their order, without gaps.
    """

    offsets: np.ndarray
    image: int
    is_contiguous: bool

    @classmethod
    def of(cls, network: Network, grid: Grid) -> "InputLayout":
        """That of the images of `network`, whose first layer reads `grid`."""
        height, width, channels = network.image_shape
        in_order = np.arange(height * width * channels)
        if not network.convs:
            return cls(in_order, in_order.size, True)
        block = network.space_to_depth
        row, column, channel = np.ogrid[:height, :width, :channels]
        pixels = grid.offsets(np.arange(height // block), np.arange(width // block))
        depth = (row % block * block + column % block) * channels + channel
        offsets = (pixels[row // block, column // block] + depth).reshape(-1)
        return cls(offsets, grid.image, np.array_equal(offsets, in_order))


@inline
def prefetch_image(images, size, order, i):
    """Prefetch image `order[i]`, if there is one: images are shuffled, so it may lie anywhere.

    Args:
        images: (n, ...) uint8 or float32.
        size: int, numbers of an image.
        order: (batch,) int64.
        i: int.
    """
    if i < order.size:
        for j in range(0, size, _CACHE_LINE // images.itemsize):
            prefetch(images, order[i] * size + j)


@inline
def _copy_scaled(row, scale, out):
    """Copy `row`, times `scale`, to the start of `out`.

    Args:
        row: (floats,) uint8 or float32.
        scale: float32.
        out: (floats or more,) float32.
    """
    for j in range(row.size):
        out[j] = np.float32(row[j]) * scale


@parallel
def gather(images, order, scale, layout, out):
    """Copy images `order`, times `scale`, to where the first layer reads them.

    Args:
        images: (n, floats) uint8 or float32.
        order: (batch,) int64.
        scale: float32.
        layout: InputLayout.
        out: (batch * layout.image,) float32 or longer; what lies between the floats is kept.
    """
    size, offsets = layout.image, layout.offsets
    for i in prange(order.size):
        prefetch_image(images, offsets.size, order, i + _AHEAD)
        row, to = images[order[i]], out[i * size : (i + 1) * size]
        if layout.is_contiguous:
            _copy_scaled(row, scale, to)
        else:
            for j in range(offsets.size):
                to[offsets[j]] = np.float32(row[j]) * scale


@parallel
def normalize(x, images, layout, scale, shift):
    """Multiply every float of `images` images by its scale, and add its shift.

    Args:
        x: (images * layout.image,) float32 or longer; what lies between the floats is kept.
        images: int.
        layout: InputLayout.
        scale, shift: (floats of an image,) float32.
    """
    for i in prange(images):
        image = x[i * layout.image : (i + 1) * layout.image]
        for j in range(scale.size):
            to = j if layout.is_contiguous else layout.offsets[j]
            image[to] = image[to] * scale[j] + shift[j]


@noinline
def gather_rows(images, order, first, last, scale, size, out):
    """Copy images `order[first:last]`, times `scale`, one after the other.

    Args:
        images: (n, floats) uint8 or float32.
        order: (images,) int64.
        first, last: int.
        scale: float32.
        size: int, floats from one image to the next in `out`, at least `floats`.
        out: (images * size,) float32; padding is kept.
    """
    for i in range(last - first):
        _copy_scaled(images[order[first + i]], scale, out[i * size : (i + 1) * size])
