"""The shifted sets as an `.npz` file, for other tools."""

from pathlib import Path

import numpy as np

from siffra.data.dataset import Dataset
from siffra.data.shifted import SHIFTED
from siffra.errors import DataError
from siffra.system.atomic_write import replacing

_OTHERS = (".npy", ".csv", ".parquet", ".json", ".h5", ".hdf5", ".pt", ".pkl", ".mat", ".zip")
"""How files of other formats end, that one with the sets would be taken for."""


def export_shifted(dataset: Dataset, path: Path, *, overwrite: bool = False) -> None:
    """Write the shifted test images to `path`, an `.npz` archive.

    For a set as `moved` it holds `x_moved`, (n, height, width, channels) float32 in [0, 1], and
    the labels `y_moved`; and what was drawn for each image: `moved_px` (n, 2), pixels to the
    right and down, `rotated_degrees` (n,), counter-clockwise, `scaled_factor` (n,), and
    `occluded_px` (n, 2), pixels left of the patch and above it. The file is there whole or not
    at all.

    Raises:
        DataError: The data set has no shifted sets, `path` is taken and `overwrite` is not set,
            ends as other formats' files do, or cannot be written.
    """
    if not dataset.shifted:
        raise DataError(f"{dataset.name}: it has no shifted sets to write.")
    arrays: dict[str, np.ndarray] = {}
    for name, images in dataset.shifted.items():
        arrays |= {f"x_{name}": images.x, f"y_{name}": images.y}
    arrays |= {f"{name}_{SHIFTED[name].unit}": drawn for name, drawn in dataset.drawn.items()}
    try:
        if path.is_dir():
            raise DataError(f"{path}: this is a folder; name a file in it, such as shifted.npz.")
        if path.suffix.lower() in _OTHERS:
            usual = path.with_suffix(".npz").name
            raise DataError(
                f"{path}: the sets are written as .npz, not {path.suffix}; name it {usual}."
            )
        if path.exists() and not overwrite:
            raise DataError(f"{path}: there is such a file already; name another one.")
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}.") from error
    with replacing(path, DataError) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
