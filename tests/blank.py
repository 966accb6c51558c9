"""A data set of blank images, for tests in which nothing is trained."""

import numpy as np

from siffra.data.dataset import Dataset, Images


def blank_dataset(side: int = 28, classes: int = 10) -> Dataset:
    """Five sets of `classes` blank images of `side` x `side` pixels."""
    images = Images(np.zeros((classes, side, side, 1), np.uint8), np.arange(classes))
    shifted = {"moved": images, "rotated": images}
    return Dataset("blank", classes, images, images, images, shifted, fingerprint="0")
