"""A batch of images, from bytes in any order to floats in the first layer's grid.

Augmentation happens on the way: one bilinear warp an image.
"""

import math

import numpy as np
from numba import prange

from siffra.engine.native.part import Part
from siffra.network import Network
from siffra.threads import parallel


def pixel_places(network: Network, part: Part) -> np.ndarray:
    """Where each float of an image (row, column, channel) goes in the first part's input grid."""
    height, width, channels = network.image_shape
    if not network.convs:
        return np.arange(height * width * channels)
    block = network.space_to_depth
    row, column, channel = np.ogrid[:height, :width, :channels]
    at = part.input.at(np.arange(height // block), np.arange(width // block))
    deep = (row % block * block + column % block) * channels + channel
    return (at[row // block, column // block] + deep).reshape(-1)


@parallel
def gather(images, order, scale, places, image_size, out):
    """Copy images `order` of (n, floats) `images` to flat `out`, times `scale`."""
    for i in prange(order.size):
        row, to = images[order[i]], out[i * image_size : (i + 1) * image_size]
        for j in range(places.size):
            to[places[j]] = np.float32(row[j]) * scale


@parallel
def gather_warped(images, order, maps, scale, places, image_size, out):
    """`gather` of (n, height, width, channels) images, each through its own of the `maps`.

    `maps` (n, 2, 3) say where each pixel comes from: see `siffra.engine.draws.epoch_maps`. What
    comes out is that of `siffra.data.shifts.warp`, to float32's rounding.
    """
    _, height, width, channels = images.shape
    middle_x, middle_y = np.float32((width - 1) / 2), np.float32((height - 1) / 2)
    wide, one = (width + 3) * channels, np.float32(1)
    for i in prange(order.size):
        # A copy with two zeros around it, so that no pixel's neighbours are a special case.
        framed = np.zeros((height + 3) * wide, np.float32)
        image = images[order[i]]
        for y in range(height):
            start = (y + 1) * wide + channels
            for x in range(width):
                for c in range(channels):
                    framed[start + x * channels + c] = np.float32(image[y, x, c]) * scale
        own = maps[order[i]]
        across_x, across_y = own[0, 0], own[1, 0]
        base = i * image_size
        for y in range(height):
            down = np.float32(y) - middle_y
            from_x = own[0, 1] * down + own[0, 2] + middle_x - across_x * middle_x
            from_y = own[1, 1] * down + own[1, 2] + middle_y - across_y * middle_x
            for x in range(width):
                sx = min(max(from_x + across_x * np.float32(x), -one), np.float32(width))
                sy = min(max(from_y + across_y * np.float32(x), -one), np.float32(height))
                left, top = np.int64(math.floor(sx)), np.int64(math.floor(sy))
                right_share, lower_share = sx - np.float32(left), sy - np.float32(top)
                at = (top + 1) * wide + (left + 1) * channels
                for c in range(channels):
                    a, b = framed[at + c], framed[at + channels + c]
                    d, e = framed[at + wide + c], framed[at + wide + channels + c]
                    upper = a + right_share * (b - a)
                    lower = d + right_share * (e - d)
                    value = upper + lower_share * (lower - upper)
                    out[base + places[(y * width + x) * channels + c]] = value
