"""The shifted sets as an `.npz` file, for other tools."""

import os
from pathlib import Path

import numpy as np

from siffra.data.dataset import Dataset
from siffra.errors import DataError


def export_shifted(dataset: Dataset, path: Path, *, overwrite: bool = False) -> None:
    """Write the moved and the rotated test images to `path`, an `.npz` archive.

    It holds `x_moved` and `x_rotated`, (n, height, width, channels) float32 in [0, 1], their
    labels `y_moved` and `y_rotated`, and what was drawn for each image: `moved_px` (n, 2),
    pixels to the right and down, and `rotated_degrees` (n,), counter-clockwise. The file is
    there whole or not at all.

    Raises:
        DataError: `path` is taken and `overwrite` is not set, or it cannot be written.
    """
    arrays = {
        "x_moved": dataset.moved.x,
        "y_moved": dataset.moved.y,
        "x_rotated": dataset.rotated.x,
        "y_rotated": dataset.rotated.y,
    }
    units = {"moved": "moved_px", "rotated": "rotated_degrees"}
    arrays |= {units[name]: drawn for name, drawn in dataset.drawn.items()}
    try:
        if path.is_dir():
            raise DataError(f"{path}: this is a folder; name a file in it, such as shifted.npz.")
        if path.exists() and not overwrite:
            raise DataError(f"{path}: there is such a file already; name another one.")
        _write_whole(path, arrays)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}.") from error


def _write_whole(path: Path, arrays: dict[str, np.ndarray]) -> None:
    # Beside its destination, since a rename is atomic only within a file system.
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
