"""Small data sets and networks for engine tests."""

import numpy as np

from siffra.data.dataset import Dataset, Images

NETWORKS = (
    {"neurons": 7},
    {"neurons": [9, 5, 6]},
    {"model": "conv", "filters": 3, "kernel_size": 3},
    {"model": "conv", "filters": 20, "kernel_size": 5, "strides": 2, "neurons": [6]},
    {"model": "conv", "filters": [5, 18], "kernel_size": [4, 2], "strides": [1, 2]},
)


def small_dataset(shape: tuple[int, int, int] = (12, 10, 2), train: int = 53) -> Dataset:
    """Blurry blobs, one bright corner a class, so that there is something to learn."""
    rng = np.random.default_rng(7)

    def images(count: int) -> Images:
        y = rng.integers(3, size=count)
        x = rng.integers(0, 120, (count, *shape))
        for i, label in enumerate(y):
            x[i, 3 * label : 3 * label + 4, 2:8] += 120
        return Images(x.astype(np.uint8), y)

    def shifted(count: int) -> Images:
        drawn = images(count)
        return Images((drawn.x / np.float32(255)).astype(np.float32), drawn.y)

    return Dataset(
        name="blobs",
        classes=3,
        train=images(train),
        val=images(20),
        test=images(31),
        moved=shifted(11),
        rotated=shifted(11),
        fingerprint="0" * 64,
    )
