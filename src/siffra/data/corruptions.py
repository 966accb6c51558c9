"""Images made worse without being moved: noise, blur, less contrast, a part hidden.

All take images (n, height, width, channels), uint8 in 0..255 or float32 in [0, 1], and give as
many, float32 in [0, 1]. All take a random generator, whether or not they draw.
"""

import numpy as np
import scipy  # which imports `scipy.ndimage` on first use


def noisy(images: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Images with normal noise of this standard deviation on every number, cut off at 0 and 1."""
    noise = rng.standard_normal(images.shape, dtype=np.float32)
    return np.clip(as_floats(images) + np.float32(deviation) * noise, 0, 1)


def blurred(
    images: np.ndarray, deviation: float, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Images blurred by a normal kernel whose standard deviation is this many pixels.

    Around the image everything is zero, as for `siffra.data.shifts.warp`.
    """
    sides = (0, deviation, deviation, 0)
    return scipy.ndimage.gaussian_filter(as_floats(images), sides, mode="constant").clip(0, 1)


def faded(images: np.ndarray, lost: float, rng: np.random.Generator | None = None) -> np.ndarray:
    """Images that lost this share of their contrast: all is drawn towards the image's mean."""
    x = as_floats(images)
    means = x.mean(axis=(1, 2, 3), keepdims=True, dtype=np.float64)
    return (means + (1 - lost) * (x - means)).astype(np.float32).clip(0, 1)


def occluded(
    images: np.ndarray, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Images each with a black patch somewhere, of this share of its area and of its shape.

    Sides are rounded to pixels, and at least 1.

    Returns:
        The images, and what was drawn: (n, 2), the pixels left of the patch and above it.
    """
    count, height, width, _ = images.shape
    tall, wide = (max(1, round(side * share**0.5)) for side in (height, width))
    left = rng.integers(width - wide + 1, size=count)
    top = rng.integers(height - tall + 1, size=count)
    rows, columns = np.arange(height)[:, None], np.arange(width)
    hidden = _within(rows, top, tall) & _within(columns, left, wide)
    return np.where(hidden[..., None], np.float32(0), as_floats(images)), np.stack([left, top], 1)


def as_floats(images: np.ndarray) -> np.ndarray:
    """Images as float32 in [0, 1]."""
    return images / np.float32(255) if images.dtype == np.uint8 else images


def _within(places: np.ndarray, first: np.ndarray, size: int) -> np.ndarray:
    first = first[:, None, None]
    return (first <= places) & (places < first + size)
