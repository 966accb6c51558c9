"""Arrays by name, as in an `.npz` file: names say what each is, in Keras' manner or MedMNIST's."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from siffra.data.columns import counting_notes
from siffra.data.dataset import MOST_FEATURES, Images
from siffra.data.notes import Note, named, note, short
from siffra.data.npz import names_in, read_arrays
from siffra.data.splits import Parts, class_names_for, column_names
from siffra.errors import DataError

# Names of images and labels by set; val need not be there.
_NAMES: tuple[Mapping[str, tuple[str, str]], ...] = (
    {s: (f"x_{s}", f"y_{s}") for s in ("train", "val", "test")},
    {s: (f"{s}_images", f"{s}_labels") for s in ("train", "val", "test")},
)
# What has no parts for training and testing, as scikit-learn's users name it.
_ALONE = (("x", "y"), ("data", "target"), ("images", "labels"), ("data", "labels"))
CLASS_NAMES = ("class_names", "target_names", "label_names")


@dataclass(frozen=True, slots=True)
class ArrayNames:
    """Which arrays are images and labels, by set; which names the classes; which are neither."""

    pairs: Mapping[str, tuple[str, str]]
    class_names: str | None
    others: tuple[str, ...]

    @property
    def notes(self) -> tuple[Note, ...]:
        """Names what is left out."""
        return (note("arrays_left_out", arrays=named(self.others)),) if self.others else ()


def array_names(names: Iterable[str], where: str) -> ArrayNames:
    """What the arrays of these names are; upper and lower case are the same.

    Raises:
        DataError: Some that are needed are missing, or there twice.
    """
    present = tuple(names)
    known: dict[str, str] = {}
    for name in present:
        if name.lower() in known:
            raise DataError(
                f"{where}: there are both `{known[name.lower()]}` and `{name}`; leave one out."
            )
        known[name.lower()] = name
    pairs = _pairs(known, present, where)
    used = {name for pair in pairs.values() for name in pair}
    classes = next((known[name] for name in CLASS_NAMES if name in known), None)
    others = tuple(name for name in present if name not in used and name != classes)
    return ArrayNames(pairs, classes, others)


def has_sets(names: Iterable[str]) -> bool:
    """Whether arrays of these names are sets apart, or begin to be."""
    lower = {name.lower() for name in names}
    return any(name in lower for schema in _NAMES for pair in schema.values() for name in pair)


def _pairs(
    known: Mapping[str, str], names: tuple[str, ...], where: str
) -> dict[str, tuple[str, str]]:
    schema = max(_NAMES, key=lambda s: sum(name in known for pair in s.values() for name in pair))
    if not has_sets(known):
        for x, y in _ALONE:
            if x in known and y in known:
                return {"train": (known[x], known[y])}
    # Validation images are optional, but not without their labels.
    present = {
        name: pair for name, pair in schema.items() if name != "val" or set(pair) & known.keys()
    }
    for name in (name for pair in present.values() for name in pair):
        if name not in known:
            needed = ["`" + "`, `".join((*s["train"], *s["test"])) + "`" for s in _NAMES]
            raise DataError(
                f"{where}: no `{name}`; found {', '.join(map(short, names)) or 'nothing'}; "
                f"it needs {needed[0]} (Keras) or {needed[1]} (MedMNIST); or `x` and `y`, of which "
                f"siffra takes a part for testing."
            )
    return {name: (known[x], known[y]) for name, (x, y) in present.items()}


def read_archive(path: Path) -> Parts:
    """The data set in an `.npz` file: with Keras' names, MedMNIST's, or `x` and `y` alone.

    Raises:
        DataError: It cannot be read, or what it holds makes no data set.
    """
    names = array_names(names_in(path), str(path))
    arrays = read_arrays(path, [name for pair in names.pairs.values() for name in pair])
    sets = {
        name: Images(_examples(arrays[x], x, path), _labels(arrays[y], y, path))
        for name, (x, y) in names.pairs.items()
    }
    for name, images in sets.items():
        x, y = names.pairs[name]
        if len(images.x) != len(images.y):
            raise DataError(
                f"{path}: `{x}` has {len(images.x):,} images and `{y}` {len(images.y):,} labels; "
                f"there must be one label per image{last_axis_hint(arrays[x], len(images.y))}."
            )
        first = names.pairs["train"][0]
        if (arrays[x].ndim == 2) != (arrays[first].ndim == 2):
            raise DataError(
                f"{path}: `{x}` has shape {arrays[x].shape} and `{first}` {arrays[first].shape}; "
                f"they must be alike."
            )
        if images.x.shape[1:] != sets["train"].x.shape[1:]:
            raise DataError(
                f"{path}: images of `{x}` are {_size(images)} and those of "
                f"`{first}` {_size(sets['train'])}; they must be alike."
            )
    features: tuple[str, ...] = ()
    notes = names.notes
    if arrays[names.pairs["train"][0]].ndim == 2:
        features = column_names(sets["train"].x.shape[2])
        rows = sets["train"].x[:, 0, :, 0]
        notes += counting_notes(dict(zip(features, rows.T, strict=True)))
    return Parts(
        str(path),
        sets,
        _class_names(path, names.class_names, sets),
        features,
        # Of data without sets apart, no order is known to be of no meaning.
        in_order="test" in sets,
        notes=notes,
    )


def last_axis_hint(x: np.ndarray, labels: int) -> str:
    """What to do about an array whose last axis counts the images, as MATLAB's does."""
    if x.ndim > 2 and x.shape[-1] == labels:
        return f"; its last axis has {labels:,}: put it first"
    return ""


def _examples(array: np.ndarray, name: str, path: Path) -> np.ndarray:
    if array.dtype.kind not in "buif":
        raise DataError(f"{path}: `{name}` is {array.dtype}; images must be numbers, as uint8.")
    if array.ndim not in (2, 3, 4):
        raise DataError(
            f"{path}: `{name}` has shape {array.shape}; images must be "
            f"(n, height, width) or (n, height, width, channels), and rows of a table (n, columns)."
        )
    if array.size == 0:
        raise DataError(f"{path}: `{name}` has shape {array.shape}; it must hold images.")
    if array.ndim == 2 and array.shape[1] > MOST_FEATURES:
        raise DataError(
            f"{path}: `{name}` has {array.shape[1]:,} columns; at most {MOST_FEATURES:,}."
        )
    array = finite(array, f"{path}: `{name}`")
    if array.ndim == 2:
        return array.astype(np.float64)[:, np.newaxis, :, np.newaxis]
    return np.ascontiguousarray(array if array.ndim == 4 else array[..., np.newaxis])


def finite(array: np.ndarray, where: str) -> np.ndarray:
    """Numbers, all of them there, as a type that siffra counts with: no longer than float64.

    Raises:
        DataError: Some are missing or infinite, or too large for a float64.
    """
    if array.dtype.kind == "b":
        return array.astype(np.float64)
    if array.dtype.kind != "f":
        return array
    with np.errstate(over="ignore"):
        array = array.astype(np.float64) if array.dtype.itemsize > 8 else array
    whole = np.isfinite(array.reshape(len(array), -1)).all(axis=1)
    if not whole.all():
        row = int((~whole).argmax())
        raise DataError(f"{where} has missing or infinite values, the first in row {row}.")
    return array


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


def _class_names(path: Path, name: str | None, sets: Mapping[str, Images]) -> tuple[str, ...]:
    if name is None:
        return ()
    try:
        names = read_arrays(path, [name])[name]
    except DataError:  # pickled texts, mostly; the classes have their numbers
        return ()
    classes = 1 + max(int(images.y.max()) for images in sets.values())
    return class_names_for(names.reshape(-1).tolist(), classes, f"{path}: `{name}`")


def _size(images: Images) -> str:
    return "x".join(str(side) for side in images.x.shape[1:])
