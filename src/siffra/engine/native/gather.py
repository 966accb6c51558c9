"""A batch of images, from bytes in any order to floats in the first layer's grid.

Augmentation happens on the way: one bilinear warp an image.
"""

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from siffra.engine.native.conv import LANES
from siffra.engine.native.grid import Grid
from siffra.engine.native.vector import peek
from siffra.kernels import parallel
from siffra.network import Network

PIXEL = np.float32(1 / 255)
"""What a uint8 pixel counts."""


def scale_of(images: np.ndarray) -> np.float32:
    """What a number in `images` is multiplied by: floats count what they say."""
    return PIXEL if images.dtype == np.uint8 else np.float32(1)


_FEW = 8
"""Images that a thread warps at a time, with the same work space."""


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


@parallel
def gather(images, order, scale, places, out):
    """Copy images `order` of (n, floats) `images` to flat `out`, times `scale`."""
    size, at = places.image, places.at
    for i in prange(order.size):
        row, to = images[order[i]], out[i * size : (i + 1) * size]
        if places.straight:
            for j in range(at.size):
                to[j] = np.float32(row[j]) * scale
        else:
            for j in range(at.size):
                to[at[j]] = np.float32(row[j]) * scale


@parallel
def gather_warped(images, order, maps, scale, places, out):
    """`gather` of (n, height, width, channels) images, each through its own of the `maps`.

    `maps` (n, 2, 3) say where each pixel comes from: see `siffra.engine.draws.epoch_maps`. What
    comes out is that of `siffra.data.shifts.warp`, to float32's rounding.
    """
    _, height, width, channels = images.shape
    wide = (width + 3) * channels
    for few in prange((order.size + _FEW - 1) // _FEW):
        # A copy with zeros around it, so that no pixel's neighbours are a special case.
        framed = np.zeros((height + 3) * wide, np.float32)
        sources = np.empty(-(-width // LANES) * LANES, np.int32)
        rights, lowers = np.empty((2, sources.size), np.float32)
        line = np.empty(width * channels, np.float32)
        for i in range(few * _FEW, min(order.size, (few + 1) * _FEW)):
            image = images[order[i]].reshape(height, width * channels)
            for y in range(height):
                row = framed[(y + 1) * wide + channels : (y + 2) * wide]
                for j in range(line.size):
                    row[j] = np.float32(image[y, j]) * scale
            to = out[i * places.image : (i + 1) * places.image]
            for y in range(height):
                _find(y, maps[order[i]], height, width, channels, sources, rights, lowers)
                for c in range(channels):
                    for x in range(width):
                        j = np.int64(peek(sources, x)) + c
                        a, b = peek(framed, j), peek(framed, j + channels)
                        d, e = peek(framed, j + wide), peek(framed, j + wide + channels)
                        upper = a + rights[x] * (b - a)
                        lower = d + rights[x] * (e - d)
                        line[x * channels + c] = upper + lowers[x] * (lower - upper)
                at = places.at[y * line.size : (y + 1) * line.size]
                for j in range(line.size):
                    to[at[j]] = line[j]


@njit(inline="always")
def _find(y, own, height, width, channels, sources, rights, lowers):
    """Where row `y` comes from: upper left neighbours in the framed image, and shares beyond.

    The arrays have room for whole vectors, and all of it is filled: only so is this one too.
    """
    one = np.float32(1)
    middle_x, middle_y = np.float32((width - 1) / 2), np.float32((height - 1) / 2)
    most_x, most_y = np.float32(width + 1), np.float32(height + 1)
    along_x, along_y = own[0, 0], own[1, 0]
    down = np.float32(y) - middle_y
    # One more than the coordinates: the frame's; and cutting off is rounding down from zero on.
    from_x = own[0, 1] * down + own[0, 2] - along_x * middle_x + (middle_x + one)
    from_y = own[1, 1] * down + own[1, 2] - along_y * middle_x + (middle_y + one)
    for x in range(sources.size):
        sx = from_x + along_x * np.float32(x)
        sy = from_y + along_y * np.float32(x)
        sx = sx if sx > 0 else np.float32(0)
        sy = sy if sy > 0 else np.float32(0)
        sx = sx if sx < most_x else most_x
        sy = sy if sy < most_y else most_y
        left, top = np.int32(sx), np.int32(sy)
        rights[x] = sx - np.float32(left)
        lowers[x] = sy - np.float32(top)
        sources[x] = (top * np.int32(width + 3) + left) * np.int32(channels)
