"""A batch of images, from bytes in any order to floats in the first layer's grid."""

from typing import NamedTuple

import numpy as np
from numba import prange

from siffra.engine.native.grid import Grid
from siffra.engine.native.simd import prefetch
from siffra.engine.network import Network
from siffra.system.jit import inline, parallel

PIXEL = np.float32(1 / 255)
"""What a uint8 pixel counts."""
_AHEAD = 4
"""So many images before its turn, an image is asked for."""
_CACHE_LINE = 64


def scale_of(images: np.ndarray) -> np.float32:
    """What a number in `images` is multiplied by: floats count what they say."""
    return PIXEL if images.dtype == np.uint8 else np.float32(1)


class Places(NamedTuple):
    """Where each float of an image (row, column, channel) goes in the first grid.

    An image there takes `image` floats; `straight` says that it lies as it always does.
    """

    at: np.ndarray
    image: int
    straight: bool

    @classmethod
    def of(cls, network: Network, grid: Grid) -> "Places":
        """Those of the images of `network`, whose first layer reads `grid`."""
        height, width, channels = network.image_shape
        straight = np.arange(height * width * channels)
        if not network.convs:
            return cls(straight, straight.size, True)
        block = network.space_to_depth
        row, column, channel = np.ogrid[:height, :width, :channels]
        at = grid.at(np.arange(height // block), np.arange(width // block))
        deep = (row % block * block + column % block) * channels + channel
        places = (at[row // block, column // block] + deep).reshape(-1)
        return cls(places, grid.image, np.array_equal(places, straight))


@inline
def ask_for(images, size, order, i):
    """Have image `order[i]`, of `size` numbers, brought into the cache: it may lie anywhere."""
    if i < order.size:
        for j in range(0, size, _CACHE_LINE // images.itemsize):
            prefetch(images, order[i] * size + j)


@parallel
def gather(images, order, scale, places, out):
    """Copy images `order` of (n, floats) `images` to flat `out`, times `scale`."""
    size, at = places.image, places.at
    for i in prange(order.size):
        ask_for(images, at.size, order, i + _AHEAD)
        row, to = images[order[i]], out[i * size : (i + 1) * size]
        if places.straight:
            for j in range(at.size):
                to[j] = np.float32(row[j]) * scale
        else:
            for j in range(at.size):
                to[at[j]] = np.float32(row[j]) * scale
