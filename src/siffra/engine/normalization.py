"""Pixels less their mean, divided by their standard deviation: Keras' `Normalization` layer.

A network that normalises has the two numbers of each channel among its weights, so that whatever
its weights go with, they go with too: saved models, other engines, ONNX.
"""

from collections.abc import Mapping
from weakref import WeakKeyDictionary

import numpy as np

from siffra.data.dataset import Images
from siffra.engine.network import STATISTICS, Network

_AT_ONCE = 1000
"""Images that are made float64 at a time."""
_KEPT: WeakKeyDictionary[Images, tuple[np.ndarray, np.ndarray]] = WeakKeyDictionary()
"""Of images that were trained on: a lab trains on the same ones again and again."""


def statistics(network: Network, images: Images) -> dict[str, np.ndarray]:
    """The weights that `network` normalises by when it is trained on `images`; none if it does not.

    They are the mean and the (biased) variance over all pixels of a channel, in [0, 1], or over
    all values of a feature where an image is a table's row; float32. What does not vary at all
    has variance 1, so that it becomes 0.
    """
    if not network.normalizes:
        return {}
    if images not in _KEPT:  # two threads may both work them out: they are the same
        _KEPT[images] = _moments(images.x)
    return dict(zip(STATISTICS, _KEPT[images], strict=True))


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # A table's row is an image of one row, of which each column is a feature.
    rows = x.reshape(len(x), -1) if x.shape[1] == 1 else x.reshape(-1, x.shape[3])
    step = max(1, _AT_ONCE * len(rows) // len(x))
    chunks = [rows[first : first + step] for first in range(0, len(rows), step)]
    mean = sum(chunk.sum(axis=0, dtype=np.float64) for chunk in chunks) / len(rows)
    variance = sum(((chunk - mean) ** 2).sum(axis=0) for chunk in chunks) / len(rows)
    varies = rows.max(axis=0) > rows.min(axis=0)
    unit = 255.0 if x.dtype == np.uint8 else 1.0
    variance = np.where(varies, variance / unit**2, 1.0)
    return np.asarray(mean / unit, np.float32), np.asarray(variance, np.float32)


def scale_and_shift(
    weights: Mapping[str, np.ndarray], image_shape: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """What each pixel is multiplied by, and what is then added: two of `image_shape`, float32.

    For images in [0, 1] and a network with these `weights`.
    """
    mean, variance = (weights[name].astype(np.float64) for name in STATISTICS)
    scale = 1 / np.sqrt(variance)
    of_row = (1, -1, image_shape[2])
    per_pixel = [each.reshape(of_row).astype(np.float32) for each in (scale, -mean * scale)]
    scale, shift = (np.broadcast_to(each, image_shape) for each in per_pixel)
    return scale, shift
