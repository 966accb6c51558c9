"""How the activations of an image lie in memory: pixel by pixel, with a border of zeros.

A batch is one flat float32 array, image after image. Channels are padded with zeros to whole
vectors, so that kernels need no special case for the last few; borders are zero, so that they
need none for padding either. Arrays have room for whole groups of `GROUP` images, since kernels
work on a group's positions together, whatever the batch's size.
"""

import math
from dataclasses import dataclass

import numpy as np

from siffra.engine.native.conv import LANES

GROUP = 8
"""Images whose positions are worked on together: whole tiles, however few positions one has."""


@dataclass(frozen=True, slots=True)
class Grid:
    """`rows` x `columns` pixels of `channels` floats, inside borders of so many pixels each."""

    rows: int
    columns: int
    channels: int
    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    @property
    def row(self) -> int:
        """Floats from a pixel to the one below it."""
        return (self.left + self.columns + self.right) * self.channels

    @property
    def image(self) -> int:
        """Floats from an image to the next."""
        return (self.top + self.rows + self.bottom) * self.row

    def offsets(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Where in an image pixels start, (len(rows), len(columns)) int64.

        Rows and columns may lie in the border: -1 is the one before the first.
        """
        down = (np.asarray(rows) + self.top) * self.row
        return down[:, None] + (np.asarray(columns) + self.left) * self.channels

    @property
    def pixels(self) -> np.ndarray:
        """Where each pixel starts, row by row, (pixels,) int64."""
        return self.offsets(np.arange(self.rows), np.arange(self.columns)).reshape(-1)

    def batch(self, images: int, slack: int = 4 * LANES) -> np.ndarray:
        """Zeros for a batch, and `slack` floats: kernels read whole vectors past the end."""
        return aligned_zeros((-(-images // GROUP) * GROUP * self.image + slack,))


def aligned_zeros(shape: tuple[int, ...]) -> np.ndarray:
    """Float32 zeros that start with a line of the cache, so that whole vectors lie in one each."""
    line = 64  # bytes
    size = 4 * math.prod(shape)
    room = np.zeros(size + line, np.uint8)
    start = -room.ctypes.data % line
    return room[start : start + size].view(np.float32).reshape(shape)


def in_group(offsets: np.ndarray, image: int) -> np.ndarray:
    """`offsets` in one image as offsets in each image of a group, one after the other."""
    return (np.arange(GROUP)[:, None] * image + offsets.reshape(-1)).reshape(-1)
