"""A data set for classification: train / val / test images and the two shifted test sets."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Labelled images: `x` (n, height, width, channels), `y` (n,) class numbers from 0.

    `x` is uint8 in 0..255 or float32 in [0, 1].
    """

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Five sets of images with the same classes; `moved` and `rotated` are shifted test images.

    `fingerprint` is a SHA-256 (hex) of all that the sets hold.
    """

    name: str
    classes: int
    train: Images
    val: Images
    test: Images
    moved: Images
    rotated: Images
    fingerprint: str

    @property
    def sets(self) -> Mapping[str, Images]:
        """The sets by name, in the order in which they are reported."""
        names = ("train", "val", "test", "moved", "rotated")
        return MappingProxyType({name: getattr(self, name) for name in names})

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        height, width, channels = self.train.x.shape[1:]
        return height, width, channels
