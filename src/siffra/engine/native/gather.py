"""A batch of images, from bytes in any order to floats in the first layer's grid.

Augmentation happens on the way: one bilinear warp an image.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from siffra.engine.native.grid import Grid
from siffra.engine.native.vector import peek
from siffra.network import Network
from siffra.threads import parallel

PIXEL = np.float32(1 / 255)
"""What a uint8 pixel counts."""


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
    middle_x, middle_y = np.float32((width - 1) / 2), np.float32((height - 1) / 2)
    wide = (width + 3) * channels
    for i in prange(order.size):
        # A copy with zeros around it, so that no pixel's neighbours are a special case.
        framed = np.zeros((height + 3) * wide, np.float32)
        image = images[order[i]].reshape(height, width * channels)
        for y in range(height):
            row = framed[(y + 1) * wide + channels : (y + 2) * wide]
            for j in range(width * channels):
                row[j] = np.float32(image[y, j]) * scale
        own = maps[order[i]]
        at = np.empty(width, np.int32)
        rights, lowers = np.empty(width, np.float32), np.empty(width, np.float32)
        base = i * places.image
        for y in range(height):
            # One more than the coordinates, so that cutting off what is behind the comma is
            # rounding down.
            down = np.float32(y) - middle_y
            from_x = own[0, 1] * down + own[0, 2] - own[0, 0] * middle_x + (middle_x + 1)
            from_y = own[1, 1] * down + own[1, 2] - own[1, 0] * middle_x + (middle_y + 1)
            for x in range(width):
                sx = from_x + own[0, 0] * np.float32(x)
                sy = from_y + own[1, 0] * np.float32(x)
                sx = sx if sx > 0 else np.float32(0)
                sy = sy if sy > 0 else np.float32(0)
                sx = sx if sx < width + 1 else np.float32(width + 1)
                sy = sy if sy < height + 1 else np.float32(height + 1)
                left, top = np.int32(sx), np.int32(sy)
                rights[x] = sx - np.float32(left)
                lowers[x] = sy - np.float32(top)
                at[x] = (top * (width + 3) + left) * channels
            to = places.at[y * width * channels : (y + 1) * width * channels]
            for x in range(width):
                for c in range(channels):
                    j = at[x] + c
                    a, b = peek(framed, j), peek(framed, j + channels)
                    d, e = peek(framed, j + wide), peek(framed, j + wide + channels)
                    upper = a + rights[x] * (b - a)
                    lower = d + rights[x] * (e - d)
                    out[base + to[x * channels + c]] = upper + lowers[x] * (lower - upper)
