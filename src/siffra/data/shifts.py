"""Images moved, turned, or put through any other affine map: one bilinear warp.

Maps are 3x3 matrices of homogeneous coordinates (x, y, 1) in pixels, x to the right and y
down, with the origin at the image's centre; so a map does not depend on the image's size.
They say where each point of the image *goes*. Arrays of maps are (n, 3, 3), one per image,
and `compose` or `@` puts them one after the other.
"""

import math

import numpy as np
from numba import prange

from siffra.system.jit import compiled, parallel
from siffra.system.jit_threads import turn_at_threads


def translations(dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Maps (n, 3, 3) that move image i by `dx[i]` pixels to the right and `dy[i]` down."""
    maps = _identities(len(dx))
    maps[:, 0, 2] = dx
    maps[:, 1, 2] = dy
    return maps


def rotations(degrees: np.ndarray) -> np.ndarray:
    """Maps (n, 3, 3) that turn image i by `degrees[i]` about its centre.

    Positive angles turn it counter-clockwise as it is seen, as `np.rot90` does.
    """
    maps = _identities(len(degrees))
    angles = np.deg2rad(degrees)
    maps[:, 0, 0] = maps[:, 1, 1] = np.cos(angles)
    maps[:, 0, 1] = np.sin(angles)
    maps[:, 1, 0] = -maps[:, 0, 1]
    return maps


def scalings(factors: np.ndarray) -> np.ndarray:
    """Maps (n, 3, 3) that make image i `factors[i]` times as large about its centre."""
    maps = _identities(len(factors))
    maps[:, 0, 0] = maps[:, 1, 1] = factors
    return maps


def compose(first: np.ndarray, *then: np.ndarray) -> np.ndarray:
    """One map for several: `first` is applied first, then the others in their order."""
    maps = first
    for later in then:
        maps = later @ maps
    return maps


def warp(images: np.ndarray, maps: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Put every image through its map, with bilinear interpolation.

    Around the image everything is zero: what leaves it is lost, nothing wraps, and at the
    border a pixel fades into the zeros (scipy.ndimage's `order=1, mode="grid-constant"`).

    Args:
        images: (n, height, width, channels), uint8 in 0..255 or float32 in [0, 1].
        maps: (n, 3, 3) affine maps, as at the top of this file.
        out: Where to put the result; must be (n, height, width, channels) float32, and share
            no memory with `images`.

    Returns:
        (n, height, width, channels) float32 in [0, 1]: `out`, or a new array.

    Raises:
        ValueError: An array has the wrong shape or dtype, or a map has no inverse.
    """
    if images.ndim != 4 or images.dtype not in (np.uint8, np.float32):
        raise ValueError(
            f"`images` must be (n, height, width, channels) uint8 or float32, "
            f"got {images.shape} {images.dtype}."
        )
    if maps.shape != (len(images), 3, 3):
        raise ValueError(f"`maps` must be ({len(images)}, 3, 3), got {maps.shape}.")
    if out is None:
        out = np.empty(images.shape, np.float32)
    elif out.shape != images.shape or out.dtype != np.float32:
        raise ValueError(f"`out` must be {images.shape} float32, got {out.shape} {out.dtype}.")
    elif np.may_share_memory(out, images):
        raise ValueError("`out` must not share memory with `images`.")
    inverses, white = _inverses(maps), 255.0 if images.dtype == np.uint8 else 1.0
    with turn_at_threads():
        _warp(images, inverses, white, out)
    return out


def slid(images: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """All images moved by `dx` whole pixels to the right and `dy` down, in their own dtype.

    What `warp` makes of such moves, without its arithmetic: a copy.
    """
    _, height, width, _ = images.shape
    out = np.zeros_like(images)
    if abs(dx) < width and abs(dy) < height:
        rows, columns = _overlap(height, dy), _overlap(width, dx)
        out[:, rows[0], columns[0]] = images[:, rows[1], columns[1]]
    return out


def moved(
    images: np.ndarray, range_px: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Move each image by its own dx, dy ~ U(-range_px, range_px), independent, in pixels.

    Returns:
        The warped images, float32, and what was drawn: (n, 2) pixels to the right and down.
    """
    drawn = rng.uniform(-range_px, range_px, (len(images), 2))
    return warp(images, translations(drawn[:, 0], drawn[:, 1])), drawn


def rotated(
    images: np.ndarray, range_deg: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Turn each image about its centre by its own angle ~ U(-range_deg, range_deg), in degrees.

    Returns:
        The warped images, float32, and what was drawn: (n,) degrees counter-clockwise.
    """
    drawn = rng.uniform(-range_deg, range_deg, len(images))
    return warp(images, rotations(drawn)), drawn


def scaled(
    images: np.ndarray, range_scale: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Make each image larger or smaller by its own factor, up to `1 + range_scale` either way.

    Its logarithm is uniform: twice as large is as likely as half as large.

    Returns:
        The warped images, float32, and what was drawn: (n,) factors.
    """
    most = np.log1p(range_scale)
    drawn = np.exp(rng.uniform(-most, most, len(images)))
    return warp(images, scalings(drawn)), drawn


def _overlap(size: int, shift: int) -> tuple[slice, slice]:
    """Where what stays in the image comes to lie, and where it was."""
    return slice(max(shift, 0), size + min(shift, 0)), slice(max(-shift, 0), size - max(shift, 0))


def _identities(count: int) -> np.ndarray:
    return np.tile(np.eye(3), (count, 1, 1))


def _inverses(maps: np.ndarray) -> np.ndarray:
    if not (maps[:, 2] == (0.0, 0.0, 1.0)).all():
        raise ValueError("`maps` must be affine: the last row of each must be 0, 0, 1.")
    try:
        inverses = np.linalg.inv(maps)
    except np.linalg.LinAlgError:
        inverses = np.full((1,), np.nan)
    if not np.isfinite(inverses).all():
        raise ValueError("`maps` must be finite and have an inverse; one flattens its image.")
    return inverses


@parallel
def _warp(images, inverses, white, out):
    """Fill `out` with each image's pixels, taken from where its map says and divided by `white`.

    Args:
        images: (n, height, width, channels) uint8 or float32.
        inverses: (n, 3, 3) float64, from a pixel to its source, about the centre.
        white: float64, the value of a white pixel: 255 or 1.
        out: (n, height, width, channels) float32.
    """
    count, height, width, channels = images.shape
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    for i in prange(count):
        image, inverse = images[i], inverses[i]
        for row in range(height):
            for column in range(width):
                x = column - centre_x
                y = row - centre_y
                from_x = inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2] + centre_x
                from_y = inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2] + centre_y
                if not (-1 < from_x < width and -1 < from_y < height):
                    for channel in range(channels):
                        out[i, row, column, channel] = 0.0
                    continue
                left, top = math.floor(from_x), math.floor(from_y)
                right_share, lower_share = from_x - left, from_y - top
                for channel in range(channels):
                    upper = _between(image, top, left, channel, right_share)
                    lower = _between(image, top + 1, left, channel, right_share)
                    value = (1 - lower_share) * upper + lower_share * lower
                    out[i, row, column, channel] = value / white


@compiled(nogil=True)
def _between(image, row, left, channel, right_share):
    """Linear interpolation between two neighbours of a row; outside the image is 0.

    Args:
        image: (height, width, channels) uint8 or float32.
        row: int, which may lie outside the image.
        left: int, the column of the left neighbour; likewise.
        channel: int.
        right_share: float64 in [0, 1).
    """
    height, width, _ = image.shape
    value = 0.0
    if 0 <= row < height:
        if left >= 0:
            value += (1 - right_share) * image[row, left, channel]
        if left + 1 < width:
            value += right_share * image[row, left + 1, channel]
    return value
