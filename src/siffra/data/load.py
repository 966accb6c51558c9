"""From an `.npz` file to a checked `Dataset`, with its shifted test sets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from siffra.data.dataset import Dataset, Images, fingerprint
from siffra.data.npz import names_in, read_arrays
from siffra.errors import DataError

MNIST = Path(__file__).with_name("mnist.npz")
MNIST_SHA256 = "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"

# Names of images and labels by set, in Keras' manner and in MedMNIST's; val need not be there.
_SCHEMAS: tuple[Mapping[str, tuple[str, str]], ...] = (
    {s: (f"x_{s}", f"y_{s}") for s in ("train", "val", "test")},
    {s: (f"{s}_images", f"{s}_labels") for s in ("train", "val", "test")},
)
# Streams of the data set's seed, apart from those that a run's seed is used for.
_MOVED, _ROTATED = 2, 3


class DataSource(BaseModel):
    """Which data set, and how it is parted and shifted.

    `path` is an `.npz` file with Keras' names (`x_train`, `y_train`, `x_test`, `y_test`) or
    MedMNIST's (`train_images`, `train_labels`, ...); None is the MNIST that siffra brings.
    `moved` is the greatest shift in pixels, either way in x and y, and `rotated` the greatest
    angle in degrees, either way; both are drawn uniformly, by `seed`.
    `validation` is the share of the training images, the last ones, that is held out; a file
    that has validation images of its own keeps those. With `split = "seed"` each run's seed
    draws another split.

    Ranges are checked by `load_dataset`, which knows the images.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    path: Annotated[Path | None, Field(strict=False)] = None
    moved: float = 10.0
    rotated: float = 36.0
    seed: Annotated[int, Field(ge=0)] = 0
    validation: float = 0.2
    split: Literal["fixed", "seed"] = "fixed"


def load_dataset(source: DataSource | None = None) -> Dataset:
    """Read, check, split and shift a data set; without `source`, MNIST as siffra brings it.

    Raises:
        DataError: The file cannot be read, or what it holds makes no data set.
    """
    source = source or DataSource()
    path = source.path or MNIST
    arrays = _read_sets(path)
    train, test = arrays["train"], arrays["test"]
    if "val" in arrays:
        val = arrays["val"]
    else:
        train, val = _split(train, source, path)
    classes = _classes(train, val, test, source, path)
    _check_shifts(source, test, path)
    shifted, drawn = _shifted(test, source)
    sets = {"train": train, "val": val, "test": test} | shifted
    return Dataset(
        name="mnist" if source.path is None else path.stem,
        classes=classes,
        **sets,
        fingerprint=fingerprint(classes, sets),
        split=source.split,
        drawn=drawn,
    )


def _read_sets(path: Path) -> dict[str, Images]:
    found = names_in(path)
    schema = max(_SCHEMAS, key=lambda s: sum(name in found for pair in s.values() for name in pair))
    # Validation images are optional, but not without their labels.
    present = {
        name: pair for name, pair in schema.items() if name != "val" or set(pair) & set(found)
    }
    for name in (name for pair in present.values() for name in pair):
        if name not in found:
            known = ["`" + "`, `".join((*s["train"], *s["test"])) + "`" for s in _SCHEMAS]
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
    return sets


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


def _split(images: Images, source: DataSource, path: Path) -> tuple[Images, Images]:
    if not 0 < source.validation < 1:
        raise DataError(
            f"{path}: validation = {source.validation}; it must be a share between 0 and 1."
        )
    held_out = round(len(images) * source.validation)
    if not 0 < held_out < len(images):
        raise DataError(
            f"{path}: {len(images)} training images are too few to hold out "
            f"{source.validation:.0%} for validation; add images or change `validation`."
        )
    first = len(images) - held_out
    return Images(images.x[:first], images.y[:first]), Images(images.x[first:], images.y[first:])


def _classes(train: Images, val: Images, test: Images, source: DataSource, path: Path) -> int:
    known = np.union1d(train.y, val.y)
    gaps = np.setdiff1d(np.arange(len(known)), known)
    if len(gaps):
        raise DataError(
            f"{path}: no training image has class {gaps[0]}, though classes go up to {known[-1]}; "
            f"they must be numbered 0, 1, 2, ... without a gap."
        )
    if len(known) == 1:
        raise DataError(f"{path}: every image has class 0; there must be two classes or more.")
    for name, images in (("validation", val), ("test", test)):
        # With a split drawn by seed, validation images are training images of other seeds.
        trained = train.y if source.split == "fixed" else known
        unseen = np.setdiff1d(images.y, trained)
        if len(unseen):
            raise DataError(
                f"{path}: class {unseen[0]} is among the {name} images but no training image "
                f"has it; every class must be trained (are the images sorted by class?)."
            )
    return len(known)


def _check_shifts(source: DataSource, test: Images, path: Path) -> None:
    side = min(test.x.shape[1:3])
    if not 0 <= source.moved < side:
        raise DataError(
            f"{path}: moved = {source.moved}; it must be 0 or more pixels, and less than {side} "
            f"for images of {_size(test)}."
        )
    if not 0 <= source.rotated <= 180:
        raise DataError(f"{path}: rotated = {source.rotated}; it must be from 0 to 180 degrees.")


def _shifted(test: Images, source: DataSource) -> tuple[dict[str, Images], dict[str, np.ndarray]]:
    # Here, so that a `DataSource` can be had without importing Numba.
    from siffra.data.shifts import moved, rotated

    moved_x, pixels = moved(test.x, source.moved, _stream(source.seed, _MOVED))
    rotated_x, degrees = rotated(test.x, source.rotated, _stream(source.seed, _ROTATED))
    sets = {"moved": Images(moved_x, test.y), "rotated": Images(rotated_x, test.y)}
    return sets, {"moved": pixels, "rotated": degrees}


def _stream(seed: int, use: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(use,)))


def _size(images: Images) -> str:
    return "x".join(str(side) for side in images.x.shape[1:])
