"""Data that is in memory already: arrays, data frames, what scikit-learn's `load_…` give."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from siffra.data.dataset import Images
from siffra.data.limits import MOST_FEATURES
from siffra.data.parts import Parts, numbered
from siffra.errors import DataError

Pair = tuple[Any, Any]
"""Examples and their labels."""


def read_memory(data: Any, where: str = "data") -> Parts:
    """The data set in `data`.

    That is a pair `(x, y)`, or two, `((x_train, y_train), (x_test, y_test))`, as Keras gives
    them; or scikit-learn's `Bunch`, or a mapping with its `data` and `target`. `x` has two axes
    for rows of a table (a data frame has names for their columns) and three or four for images
    (n, height, width, channels); `y` has a class number or name for each.

    Raises:
        DataError: It is nothing of the kind.
    """
    if isinstance(data, Mapping):
        return _bunch(data, where)
    if isinstance(data, tuple | list) and len(data) == 2:
        first, second = data
        if _is_pair(first) and _is_pair(second):
            return _parts({"train": first, "test": second}, where)
        return _parts({"train": (first, second)}, where)
    raise DataError(
        f"{where}: found {type(data).__name__}; it must be a file, a pair (x, y), two such pairs "
        f"for training and testing, or what scikit-learn's load functions return."
    )


def is_memory(data: object) -> bool:
    """Whether `data` is one of what `read_memory` takes, at first sight."""
    return isinstance(data, Mapping | tuple | list)


def _is_pair(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2


def _bunch(data: Mapping[str, Any], where: str) -> Parts:
    for key in ("data", "target"):
        if key not in data:
            raise DataError(f"{where}: no `{key}`; found {', '.join(map(str, data)) or 'nothing'}.")
    x = data["images"] if "images" in data else data["data"]
    features = data.get("feature_names") if "images" not in data else None
    told = data.get("target_names")
    return _parts({"train": (x, data["target"])}, where, features, told)


def _parts(
    pairs: Mapping[str, Pair],
    where: str,
    features: Sequence[Any] | None = None,
    class_names: Sequence[Any] | None = None,
) -> Parts:
    if features is None:
        features = getattr(pairs["train"][0], "columns", None)
    x = {name: _examples(pair[0], f"{where}, {name}") for name, pair in pairs.items()}
    labels = {name: _labels(pair[1], f"{where}, {name}") for name, pair in pairs.items()}
    for name in x:
        if len(x[name]) != len(labels[name]):
            raise DataError(
                f"{where}, {name}: {len(x[name]):,} examples and {len(labels[name]):,} labels; "
                f"there must be one label for each."
            )
        if x[name].shape[1:] != x["train"].shape[1:]:
            raise DataError(
                f"{where}, {name}: examples are {_shape(x[name])} and those of train "
                f"{_shape(x['train'])}; they must be alike."
            )
    numbers, own = numbered(labels, where)
    known = 1 + max(int(y.max()) for y in numbers.values())
    if class_names is not None and not own and len(class_names) == known:
        told = tuple(map(str, class_names))
        own = () if told == tuple(map(str, range(known))) else told
    names: tuple[str, ...] = ()
    if x["train"].ndim == 2:
        names = _feature_names(features, x["train"].shape[1])
        x = {name: rows[:, np.newaxis, :, np.newaxis] for name, rows in x.items()}
    x = {name: a if a.ndim == 4 else a[..., np.newaxis] for name, a in x.items()}
    return Parts(where, {s: Images(x[s], numbers[s]) for s in x}, own, names)


def _feature_names(features: Sequence[Any] | None, count: int) -> tuple[str, ...]:
    if features is not None and len(features) == count:
        return tuple(map(str, features))
    return tuple(f"column {number}" for number in range(1, count + 1))


def _examples(x: Any, where: str) -> np.ndarray:
    """A copy of what was given, so that nobody changes it later; numbers, all of them there."""
    found = _array(x, where)
    if found.dtype.kind not in "biuf":
        raise DataError(f"{where}: x is {found.dtype}; it must hold numbers.")
    if found.ndim not in (2, 3, 4) or found.size == 0:
        raise DataError(
            f"{where}: x has shape {found.shape}; it must be (n, features), or (n, height, width) "
            f"or (n, height, width, channels)."
        )
    if found.ndim == 2 and found.shape[1] > MOST_FEATURES:
        raise DataError(f"{where}: x has {found.shape[1]:,} columns; at most {MOST_FEATURES:,}.")
    if found.ndim == 2 or found.dtype.kind == "b":
        found = found.astype(np.float64)
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        row = int((~np.isfinite(found.reshape(len(found), -1)).all(axis=1)).argmax())
        raise DataError(f"{where}: x has missing or infinite values, the first in row {row}.")
    return found


def _labels(y: Any, where: str) -> np.ndarray:
    found = _array(y, where)
    if found.ndim != 1 and found.shape[1:] != (1,):
        raise DataError(f"{where}: y has shape {found.shape}; there must be one label an example.")
    if found.size == 0:
        raise DataError(f"{where}: y is empty.")
    return found.reshape(-1)


def _array(values: Any, where: str) -> np.ndarray:
    try:
        return np.array(values)
    except ValueError as error:  # rows of different lengths
        raise DataError(f"{where}: {str(error).partition('.')[0]}.") from error


def _shape(x: np.ndarray) -> str:
    return "x".join(map(str, x.shape[1:]))
