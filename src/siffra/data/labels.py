"""From the labels that data brings, of whatever kind, to class numbers and the classes' names."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from siffra.data.notes import Note, named, note, short
from siffra.errors import DataError

MOST_CLASSES = 1000
"""More different labels than this are hardly classes."""

MISSING = ("", "na", "n/a", "<na>", "nan", "nat", "null", "none", "-", "?")
"""Texts that mostly mean that there is no value."""
_WHOLE = re.compile(r"(0|-?[1-9][0-9]{0,17})(?P<point>\.0+)?")
_FRACTION = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_EXACT = 2**53
"""Beyond this not every whole number is a float64."""


def numbered(
    labels: Mapping[str, np.ndarray], where: str
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Class numbers from 0 for labels of any kind, by set, and the classes' names.

    Whole numbers from 0 on are their own names, and need none. Texts count as numbers if all of
    them are written as whole numbers are, so that two texts are never one class. Classes are in
    the order of the numbers, or of the alphabet.

    Raises:
        DataError: Labels are fractions, or missing, or there are too many different ones.
    """
    plain = {name: _plain(values, where) for name, values in labels.items()}
    if any(values.dtype.kind == "U" for values in plain.values()):
        plain = _as_numbers({name: values.astype(str) for name, values in plain.items()}, where)
    known = np.unique(np.concatenate(list(plain.values())))
    if len(known) > MOST_CLASSES:
        raise DataError(
            f"{where}: labels have {len(known):,} different values, as {short(str(known[0]))} and "
            f"{short(str(known[1]))}; there can be {MOST_CLASSES:,} classes at most."
        )
    numbers = {name: np.searchsorted(known, values) for name, values in plain.items()}
    names = () if np.array_equal(known, np.arange(len(known))) else tuple(map(str, known))
    return numbers, names


def label_notes(names: Sequence[str]) -> tuple[Note, ...]:
    """What is odd about classes' names: that some differ in writing alone, or mean none."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(_as_meant(name), []).append(name)
    remarks = []
    if doubled := [same for same in alike.values() if len(same) > 1]:
        listed = [" and ".join(f"'{short(name)}'" for name in same[:3]) for same in doubled[:3]]
        remarks.append(note("labels_alike", names=", ".join(listed)))
    if missing := [name for name in names if name.strip().casefold() in MISSING]:
        remarks.append(note("labels_missing", names=named(missing)))
    return tuple(remarks)


def _as_meant(name: str) -> str:
    """What a class is called but for blanks, case and the way in which a number is written."""
    plain = " ".join(name.split()).casefold()
    if _FRACTION.fullmatch(plain) and abs(float(plain)) <= _EXACT:
        return repr(float(plain))
    return plain


def _plain(values: np.ndarray, where: str) -> np.ndarray:
    """Labels as int64 where they are numbers, else as texts; none is missing."""
    kind = values.dtype.kind
    if kind == "f":
        odd = ~(np.abs(values) <= _EXACT) | (values != np.rint(values))
        if odd.any():
            raise _no_class(values[odd.argmax()], int(odd.argmax()) + 1, where)
        return values.astype(np.int64)
    if kind == "i" or (kind == "u" and values.max() < 2**63):
        return values.astype(np.int64)
    if kind == "O":
        values = np.array([_text(value, row, where) for row, value in enumerate(values, start=1)])
    return values.astype(str)


def _text(value: object, row: int, where: str) -> str:
    # None, NaN, NaT and pandas' NA: the last three are not equal to themselves.
    if value is None or not isinstance(value == value, bool | np.bool_) or value != value:
        raise DataError(f"{where}: the label of row {row} is missing; remove such rows.")
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _as_numbers(labels: Mapping[str, np.ndarray], where: str) -> Mapping[str, np.ndarray]:
    """Texts as int64 if all are written as whole numbers are: as `7`, or all as `7.0`."""
    known = np.unique(np.concatenate([np.unique(values) for values in labels.values()])).tolist()
    parsed = [_WHOLE.fullmatch(text) for text in known]
    if len({match["point"] if match else None for match in parsed}) == 1 and all(parsed):
        whole = {text: int(text.partition(".")[0]) for text in known}
        return {
            name: np.array([whole[text] for text in values.tolist()], np.int64)
            for name, values in labels.items()
        }
    if all(map(_FRACTION.fullmatch, known)):
        for values in labels.values():
            for row, text in enumerate(values.tolist(), start=1):
                if not float(text).is_integer():
                    raise _no_class(text, row, where)
    return labels


def _no_class(value: object, row: int, where: str) -> DataError:
    return DataError(
        f"{where}: the label of row {row} is {short(str(value))}; labels must be names or whole "
        f"numbers."
    )
