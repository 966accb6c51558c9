"""An `.npz` file, in which names say what each array is: in Keras' manner, or in MedMNIST's."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from siffra.data.dataset import Images
from siffra.data.npz import names_in, read_arrays
from siffra.data.parts import Parts
from siffra.errors import DataError

# Names of images and labels by set; val need not be there.
_NAMES: tuple[Mapping[str, tuple[str, str]], ...] = (
    {s: (f"x_{s}", f"y_{s}") for s in ("train", "val", "test")},
    {s: (f"{s}_images", f"{s}_labels") for s in ("train", "val", "test")},
)


def read_archive(path: Path) -> Parts:
    """The data set in an `.npz` file with Keras' names or MedMNIST's.

    Raises:
        DataError: It cannot be read, or what it holds makes no data set.
    """
    found = names_in(path)
    schema = max(_NAMES, key=lambda s: sum(name in found for pair in s.values() for name in pair))
    # Validation images are optional, but not without their labels.
    present = {
        name: pair for name, pair in schema.items() if name != "val" or set(pair) & set(found)
    }
    for name in (name for pair in present.values() for name in pair):
        if name not in found:
            known = ["`" + "`, `".join((*s["train"], *s["test"])) + "`" for s in _NAMES]
            raise DataError(
                f"{path}: no `{name}`; found {', '.join(found) or 'nothing'}; "
                f"it needs {known[0]} (Keras) or {known[1]} (MedMNIST)."
            )
    arrays = read_arrays(path, [name for pair in present.values() for name in pair])
    sets = {
        name: Images(_images(arrays[x], x, path), _labels(arrays[y], y, path))
        for name, (x, y) in present.items()
    }
    for name, images in sets.items():
        x, y = present[name]
        if len(images.x) != len(images.y):
            raise DataError(
                f"{path}: `{x}` has {len(images.x):,} images and `{y}` {len(images.y):,} labels; "
                f"there must be one label per image."
            )
        if images.x.shape[1:] != sets["train"].x.shape[1:]:
            raise DataError(
                f"{path}: images of `{x}` are {_size(images)} and those of "
                f"`{present['train'][0]}` {_size(sets['train'])}; they must be alike."
            )
    return Parts(str(path), sets, in_order=True)


def _images(array: np.ndarray, name: str, path: Path) -> np.ndarray:
    if array.dtype != np.uint8:
        raise DataError(f"{path}: `{name}` is {array.dtype}; images must be uint8, from 0 to 255.")
    if array.ndim not in (3, 4):
        raise DataError(
            f"{path}: `{name}` has shape {array.shape}; images must be "
            f"(n, height, width) or (n, height, width, channels)."
        )
    if array.size == 0:
        raise DataError(f"{path}: `{name}` has shape {array.shape}; it must hold images.")
    return np.ascontiguousarray(array if array.ndim == 4 else array[..., np.newaxis])


def _labels(array: np.ndarray, name: str, path: Path) -> np.ndarray:
    if array.ndim != 1 and array.shape[1:] != (1,):
        raise DataError(
            f"{path}: `{name}` has shape {array.shape}; there must be one class number per "
            f"image, (n,) or (n, 1)."
        )
    if array.dtype.kind not in "iu":
        raise DataError(f"{path}: `{name}` is {array.dtype}; class numbers must be integers.")
    if array.size == 0:
        raise DataError(f"{path}: `{name}` is empty; it must hold a class number per image.")
    lowest, highest = int(array.min()), int(array.max())
    if lowest < 0 or highest > np.iinfo(np.int32).max:
        raise DataError(
            f"{path}: `{name}` goes from {lowest} to {highest}; class numbers must count from 0."
        )
    return array.reshape(-1).astype(np.int64)


def _size(images: Images) -> str:
    return "x".join(str(side) for side in images.x.shape[1:])
