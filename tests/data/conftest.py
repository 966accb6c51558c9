"""A small data set in a file, for tests to change one thing about."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

# The first call of a kernel may compile it.
settings.register_profile("kernels", deadline=None)
settings.load_profile("kernels")

Arrays = dict[str, np.ndarray]


@pytest.fixture
def arrays() -> Arrays:
    """20 training and 6 test images of 6 x 5 pixels in 3 classes, with Keras' names."""
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (20, 6, 5), np.uint8),
        "y_train": np.arange(20, dtype=np.uint8) % 3,
        "x_test": rng.integers(0, 256, (6, 6, 5), np.uint8),
        "y_test": np.arange(6, dtype=np.uint8) % 3,
    }


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Arrays], Path]:
    """Write arrays to an `.npz` file and return its path."""

    def write_npz(arrays: Arrays, name: str = "mine.npz") -> Path:
        path = tmp_path / name
        np.savez(path, allow_pickle=True, **arrays)
        return path

    return write_npz
