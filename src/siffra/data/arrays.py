"""Data that is in memory already: arrays, data frames, what scikit-learn's `load_…` give."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from siffra.data.archives import CLASS_NAMES, array_names, finite, has_sets, last_axis_hint
from siffra.data.columns import counting_notes, is_index, left_out_note, names_rows
from siffra.data.dataset import MOST_FEATURES, Images
from siffra.data.labels import numbered
from siffra.data.notes import Note, short
from siffra.data.splits import Parts, class_names_for, column_names
from siffra.errors import DataError

Pair = tuple[Any, Any]
"""Examples and their labels."""


def read_memory(data: object) -> Parts:
    """The data set in `data`.

    That is a pair `(x, y)`, or two, `((x_train, y_train), (x_test, y_test))`, as Keras gives
    them; scikit-learn's `Bunch`, or a mapping with its `data` and `target`; or a mapping with the
    arrays of an `.npz` file, `x_train` and so on. `x` has two axes for rows of a table (a data
    frame has names for their columns) and three or four for images (n, height, width, channels);
    `y` has a class number or name for each.

    Raises:
        DataError: It is nothing of the kind.
    """
    if isinstance(data, Mapping):
        return _named(data, "data") if _is_archive(data) else _bunch(data, "data")
    if isinstance(data, tuple | list) and len(data) == 2:
        first, second = data
        if _is_pair(first) and _is_pair(second):
            return _parts({"train": first, "test": second}, "data")
        return _parts({"train": (first, second)}, "data")
    raise DataError(
        f"data: found {type(data).__name__}; it must be a file, a pair (x, y), two such pairs "
        f"for training and testing, or what scikit-learn's load functions return."
    )


def is_memory(data: object) -> bool:
    """Whether `data` is one of what `read_memory` takes, at first sight."""
    return isinstance(data, Mapping | tuple | list)


def _is_pair(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2


def _is_archive(data: Mapping[str, object]) -> bool:
    names = {name.lower() for name in data if isinstance(name, str)}
    return has_sets(names) or {"x", "y"} <= names


def _named(data: Mapping[str, Any], where: str) -> Parts:
    names = array_names([name for name in data if isinstance(name, str)], where)
    try:
        pairs = {name: (data[x], data[y]) for name, (x, y) in names.pairs.items()}
        class_names = None if names.class_names is None else data[names.class_names]
    except (ValueError, OSError, EOFError) as error:  # an NpzFile reads only now
        raise DataError(f"{where}: {' '.join(str(error).split())}.") from error
    return _parts(pairs, where, class_names=class_names, notes=names.notes)


def _bunch(data: Mapping[str, Any], where: str) -> Parts:
    for key in ("data", "target"):
        if key not in data:
            raise DataError(f"{where}: no `{key}`; found {', '.join(map(str, data)) or 'nothing'}.")
    x = data["images"] if "images" in data else data["data"]
    features = data.get("feature_names") if "images" not in data else None
    class_names = next((data[name] for name in CLASS_NAMES if data.get(name) is not None), None)
    return _parts({"train": (x, data["target"])}, where, features, class_names)


def _parts(
    pairs: Mapping[str, Pair],
    where: str,
    features: Sequence[object] | None = None,
    class_names: Sequence[object] | None = None,
    notes: tuple[Note, ...] = (),
) -> Parts:
    names = {name: _columns(pair[0], features) for name, pair in pairs.items()}
    x = {name: _examples(pair[0], names[name], f"{where}, {name}") for name, pair in pairs.items()}
    labels = {name: _labels(pair[1], f"{where}, {name}") for name, pair in pairs.items()}
    for name, (given_x, given_y) in pairs.items():
        if len(x[name]) != len(labels[name]):
            raise DataError(
                f"{where}, {name}: {len(x[name]):,} examples and {len(labels[name]):,} labels; "
                f"there must be one label for each{last_axis_hint(x[name], len(labels[name]))}."
            )
        _refuse_unaligned(given_x, given_y, f"{where}, {name}")
        if x[name].shape[1:] != x["train"].shape[1:]:
            raise DataError(
                f"{where}, {name}: examples are {_shape(x[name])} and those of train "
                f"{_shape(x['train'])}; they must be alike."
            )
    numbers, own_names = numbered(labels, where)
    if class_names is not None and not own_names:
        known = 1 + max(int(y.max()) for y in numbers.values())
        own_names = class_names_for(class_names, known, f"{where}: the classes' names")
    columns: tuple[str, ...] = ()
    left_out: list[str] = []
    if x["train"].ndim == 2:
        x = {
            name: _in_order(x[name], names[name], names["train"], f"{where}, {name}") for name in x
        }
        columns = names["train"] or column_names(x["train"].shape[1])
        left_out = [
            name
            for i, name in enumerate(columns)
            if names_rows(name) and is_index(name, [rows[:, i] for rows in x.values()])
        ]
        kept = [i for i, name in enumerate(columns) if name not in left_out]
        if not kept:
            raise DataError(f"{where}: it has no column but `{short(columns[0])}`, left out.")
        columns = tuple(columns[i] for i in kept)
        x = {name: rows[:, kept] for name, rows in x.items()}
        notes += left_out_note(left_out)
        notes += counting_notes(dict(zip(columns, x["train"].T, strict=True)))
        x = {name: rows[:, np.newaxis, :, np.newaxis] for name, rows in x.items()}
    x = {name: a if a.ndim == 4 else a[..., np.newaxis] for name, a in x.items()}
    sets = {name: Images(x[name], numbers[name]) for name in x}
    return Parts(where, sets, own_names, columns, left_out=tuple(left_out), notes=notes)


def _columns(x: object, features: Sequence[object] | None) -> tuple[str, ...]:
    """What the columns are called, if they have names."""
    columns = getattr(x, "columns", None) if features is None else features
    return () if columns is None else tuple(map(str, columns))


def _in_order(
    rows: np.ndarray, names: tuple[str, ...], wanted: tuple[str, ...], where: str
) -> np.ndarray:
    """`rows` with their columns as in training, by their names where they have some."""
    if names == wanted or not names or not wanted:
        return rows
    lacking = [name for name in wanted if name not in names]
    if lacking:
        raise DataError(f"{where}: no column `{short(lacking[0])}`, which train has.")
    return rows[:, [names.index(name) for name in wanted]]


def _refuse_unaligned(x: object, y: object, where: str) -> None:
    """Check that rows and labels with pandas' index are in the same order by it."""
    first, second = getattr(x, "index", None), getattr(y, "index", None)
    if not hasattr(first, "equals") or not hasattr(second, "equals"):
        return
    if not first.equals(second) and first.sort_values().equals(second.sort_values()):  # pyright: ignore[reportOptionalMemberAccess]
        raise DataError(
            f"{where}: x and y have the same index in another order; take y.loc[x.index], or "
            f"arrays without an index."
        )


def _examples(x: object, names: tuple[str, ...], where: str) -> np.ndarray:
    """A copy of what was given, so that nobody changes it later; numbers, all of them there."""
    array = _array(x, where)
    if array.dtype.kind == "O" and array.ndim == 2:
        names = names if len(names) == array.shape[1] else column_names(array.shape[1])
        array = np.stack(
            [_numbers(column, name, where) for column, name in zip(array.T, names, strict=True)],
            axis=1,
        )
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where}: x is {array.dtype}; it must hold numbers.")
    if array.ndim not in (2, 3, 4) or array.size == 0:
        raise DataError(
            f"{where}: x has shape {array.shape}; it must be (n, features), or (n, height, width) "
            f"or (n, height, width, channels)."
        )
    if array.ndim == 2 and array.shape[1] > MOST_FEATURES:
        raise DataError(f"{where}: x has {array.shape[1]:,} columns; at most {MOST_FEATURES:,}.")
    array = finite(array, f"{where}: x")
    return array.astype(np.float64) if array.ndim == 2 else array


def _numbers(column: np.ndarray, name: str, where: str) -> np.ndarray:
    """A column of a frame with several types, as float64."""
    numbers = np.empty(len(column))
    for row, value in enumerate(column):
        try:
            if isinstance(value, str | bytes):  # float() would read some of them
                raise TypeError
            numbers[row] = float(value)
        except (TypeError, ValueError):
            missing = value is None or type(value).__name__ == "NAType"
            problem = "is missing" if missing else f"has {short(ascii(value))}"
            raise DataError(
                f"{where}: column `{short(name)}` {problem} in row {row}; it must hold numbers."
            ) from None
        except OverflowError:
            numbers[row] = np.inf
    return numbers


def _labels(y: object, where: str) -> np.ndarray:
    labels = _array(y, where)
    if labels.ndim != 1 and labels.shape[1:] != (1,):
        raise DataError(f"{where}: y has shape {labels.shape}; there must be one label an example.")
    if labels.size == 0:
        raise DataError(f"{where}: y is empty.")
    return labels.reshape(-1)


def _array(values: object, where: str) -> np.ndarray:
    if hasattr(values, "toarray"):
        raise DataError(f"{where}: found a sparse {type(values).__name__}; give its toarray().")
    if np.ma.is_masked(values):
        raise DataError(f"{where}: values are masked, and so missing; fill them in.")
    try:
        if isinstance(values, list | tuple) and values and hasattr(values[0], "detach"):
            values = [_from_tensor(value) for value in values]
        return np.array(_from_tensor(values))
    except (ValueError, TypeError, RuntimeError) as error:  # rows of different lengths
        reason = " ".join(str(error).partition(".")[0].split())
        raise DataError(f"{where}: {reason}.") from error


def _from_tensor(values: Any) -> Any:
    """PyTorch's tensors as arrays, wherever they are and whatever is recorded for them."""
    if not hasattr(values, "detach"):
        return values
    values = values.detach().cpu()
    # NumPy has no bfloat16; every one is a float32.
    return (values.float() if "bfloat16" in str(values.dtype) else values).numpy()


def _shape(x: np.ndarray) -> str:
    return "x".join(map(str, x.shape[1:]))
