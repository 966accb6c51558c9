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

LAYERS = (
    {"neurons": [9, 5], "activation": "tanh", "dropout": 0.3},
    {"neurons": [9, 5], "batch_norm": True},
    {"neurons": [9, 5], "activation": "sigmoid", "normalization": True},
    {"model": "conv", "filters": 3, "kernel_size": 3, "normalization": True},
    {"model": "conv", "filters": 3, "kernel_size": 3, "padding": "same", "activation": "gelu"},
    {"model": "conv", "filters": [5, 4], "kernel_size": [4, 3], "strides": 2, "padding": "same"},
    {"model": "conv", "filters": 4, "kernel_size": 3, "pool_size": 3, "pooling": "average"},
    {"model": "conv", "filters": [4, 6], "kernel_size": 3, "global_pooling": "max", "layers": 1},
    {
        "model": "conv",
        "filters": [5, 6],
        "kernel_size": 3,
        "space_to_depth": 2,
        "padding": "same",
        "pool_size": [2, 1],
        "batch_norm": True,
        "global_pooling": "average",
        "dropout": 0.2,
    },
)
"""Networks of layers beyond a plain convolution, its max-pool and a plain dense layer."""

TRAININGS = (
    {"optimizer": "momentum", "weight_decay": 0.01},
    {"optimizer": "nesterov", "schedule": "cosine"},
    {"optimizer": "rmsprop", "momentum": 0.5, "schedule": "step", "step_every": 1},
    {"optimizer": "adam", "label_smoothing": 0.1},
    {"learning_rate": 0.1, "loss": "mean_squared_error"},
    {"optimizer": "adamw", "weight_decay": 0.1, "schedule": "one_cycle"},
    {"optimizer": "muon", "weight_decay": 0.01, "label_smoothing": 0.1},
    {"learning_rate": 0.1, "ema": 0.9, "dropout": 0.2},
    {"learning_rate": 0.1, "epochs": 1.4},
    {"learning_rate": 0.1, "augment": "shifts", "augment_move": 3},
    {"learning_rate": 0.1, "augment": "rotate", "augment_clean": 0},
)
"""Trainings beyond plain gradient descent and momentum."""


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
        shifted={"moved": shifted(11), "rotated": shifted(11)},
        fingerprint="0" * 64,
    )


def unlabelled(x: np.ndarray) -> Images:
    """Images that are only predicted: their labels do not count."""
    return Images(x, np.zeros(len(x), np.int64))
