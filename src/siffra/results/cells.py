"""Cells as programs print them: columns of texts become numbers, truth values or stay texts."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from siffra.data.csv_file import NUMBER
from siffra.data.labels import MISSING
from siffra.results.table import Cell

_FULL_PRECISION = 15
"""So many significant digits are all that a float has: such a number was not rounded."""
_NUMBERS = (int, float)
_LONGEST_NUMBER = 64
_GREATEST_WHOLE = 10**18
"""Whole numbers beyond it are names, and need not fit into a float: seeds of 64 bits, say."""
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NO_FLOAT = re.compile(r"-?[0-9]{19,}")
_PADDED = re.compile(r"0[0-9]+")
DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+([eE][+-]?[0-9]+)?( ?%)?")
_DECIMAL_POINT = re.compile(r"[+-]?[0-9]*\.[0-9]+([eE][+-]?[0-9]+)?( ?%)?")
_IN_THREES = re.compile(r"[+-]?[1-9][0-9]{0,2}([.,])[0-9]{3}(\1[0-9]{3})*")
"""Numbers in which a mark may part thousands, and decimals as well: `1,234`."""
_STARTS_AS_NUMBER = re.compile(r"[\s'\"]*[+-]?[.,]?[0-9](?![0-9]*[-/][0-9])")  # as no date does
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}([ .,'’\u00a0\u202f][0-9]{3})+([.,][0-9]+)?")
_PERCENT = re.compile(r"[+-]?[0-9]+([.,][0-9]+)? ?%")
_NOT_FINITE = {
    sign + word: float(sign + word)
    for word in ("nan", "inf", "infinity")
    for sign in ("", "-", "+")
}
_NOTHING = ("", "nat", "<na>")
"""What pandas calls nothing, beside None."""
_OF_NUMBERS = frozenset("0123456789.+-eE")
_TRUTH = {"true": True, "false": False}
_AS_TRUTH = {**_TRUTH, "1": True, "0": False}
_MINUS = "\u2212"
"""What Swedish spreadsheets write for a minus sign."""


@dataclass(frozen=True, slots=True)
class Column:
    """What a column of texts holds: its cells, and how coarsely its numbers were printed.

    `comma`, `percent` and `point` are examples of what was read as the fraction it stands for.
    """

    cells: tuple[Cell, ...]
    step: float | None = None
    comma: str = ""
    percent: str = ""
    point: str = ""


def read_cells(texts: Sequence[str | None], *, decimal_commas: bool = False) -> Column:
    """The column with these texts; with `decimal_commas` a comma in a number is a decimal one.

    It is one of numbers if all texts are, but for those that are empty or say that nothing is
    there (`NA`, `null`); percentages are read as fractions, and whole numbers with leading zeros
    are names if all are of one length. `true` and `false` are truth values. All else is texts, of
    which those of one number (`0.001` and `1e-3`) are the same text.
    """
    distinct = {text: _plain(text) for text in dict.fromkeys(texts) if text is not None}
    filled = tuple(dict.fromkeys(filter(None, distinct.values())))
    characters = set("".join(filled))
    comma = percent = ""
    if decimal_commas and "," in characters:
        comma = next(filter(DECIMAL_COMMA.fullmatch, filled), "")
    if "%" in characters:
        percent = next(filter(_PERCENT.fullmatch, filled), "")
    written = _with_points(filled, bool(comma), bool(percent))
    step, values = None, _numbers(written)
    if values is not None:
        step = printed_step(written)
    else:
        comma = percent = ""
        values = _truth_values(filled) or same_numbers(filled)
    read = dict(zip(filled, values, strict=True))
    known: dict[str | None, Cell] = {text: read.get(plain) for text, plain in distinct.items()}
    return Column(tuple(known.get(text) for text in texts), step, comma, percent)


def certain_decimal(columns: Mapping[str, Sequence[str | None]], mark: str) -> tuple[str, str]:
    """A column and a number in it whose comma, or point, can only be a decimal one; or empty.

    It may part thousands: `1,234` alone does not tell, nor does it beside numbers with points.
    """
    decimal = DECIMAL_COMMA if mark == "," else _DECIMAL_POINT
    for name, texts in columns.items():
        marked = {text.strip() for text in set(texts) if text is not None and mark in text}
        certain = (t for t in marked if decimal.fullmatch(t) and not _IN_THREES.fullmatch(t))
        if number := min(certain, default=""):
            return name, number
    return "", ""


def points_in_threes(texts: Iterable[str | None]) -> str:
    """A number of this column whose points may all part thousands, `1.234`; empty if none may."""
    pointed = [text.strip() for text in set(texts) if text is not None and "." in text]
    if all(map(_IN_THREES.fullmatch, pointed)):
        return min(pointed, default="")
    return ""


def same_numbers(cells: Sequence[Cell]) -> Sequence[Cell]:
    """The cells with each number that is written in several ways, as 0.001 and 1e-3, as the first.

    A number comes before a text that is one.
    """
    first: dict[float, Cell] = {}
    values = [_value(cell) for cell in cells]
    for cell, value in zip(cells, values, strict=True):
        if value is not None and (isinstance(first.get(value, ""), str) and is_number(cell)):
            first[value] = cell
        elif value is not None:
            first.setdefault(value, cell)
    return [
        cell if value is None else first[value] for cell, value in zip(cells, values, strict=True)
    ]


def starts_as_number(text: str) -> bool:
    """Whether a text begins with a number: one with a unit or a mark that programs do not read."""
    return bool(_STARTS_AS_NUMBER.match(text.replace(_MINUS, "-")))


def printed_step(texts: Iterable[str]) -> float:
    """How coarse these printed numbers are: 1e-4 for 0.9731, 1 for whole ones, 0 if not rounded."""
    decimals = 0
    for text in texts:
        if NUMBER.fullmatch(text):
            mantissa, _, exponent = text.lower().partition("e")
            whole, _, fraction = mantissa.strip("+-").partition(".")
            if fraction and len((whole + fraction).lstrip("0")) >= _FULL_PRECISION:
                return 0.0
            decimals = max(decimals, len(fraction) - int(exponent or 0))
    return float(f"1e-{decimals}")


def float_step(cells: Iterable[Cell]) -> float:
    """`printed_step` of numbers that were not read from texts, by their shortest notation."""
    shortest = (repr(c) for c in cells if isinstance(c, float) and not c.is_integer())
    return printed_step(shortest)


def is_grouped(text: str) -> bool:
    """Whether a text is a number with marks between its thousands: `1,234.5`, `12 345`."""
    return bool(_GROUPED.fullmatch(text))


def is_number(cell: Cell) -> TypeGuard[int | float]:
    """Whether a metric can have it as a value; a truth value is 0 or 1."""
    return isinstance(cell, _NUMBERS)


def is_finite(cell: Cell) -> bool:
    """Whether it is a number that can be reckoned with."""
    return is_number(cell) and math.isfinite(cell)


def plain_cell(value: Any) -> Cell:
    """A value of Python's, NumPy's or pandas' as a cell."""
    if hasattr(value, "item") and not isinstance(value, bool | int | float | str):
        value = value.item()  # a scalar of NumPy's
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) < _GREATEST_WHOLE else str(value)
    if isinstance(value, float):
        return float(value)
    text = str(value).strip()
    if text.casefold() in _NOT_FINITE:
        return _NOT_FINITE[text.casefold()]
    return None if text.casefold() in _NOTHING else text


def _plain(text: str) -> str:
    text = text.strip()
    if text[:1] == _MINUS and starts_as_number(text):
        return f"-{text[1:]}"
    return text


def _value(cell: Cell) -> float | None:
    """The number that a cell is, or is written in it; names such as `007` are none."""
    if isinstance(cell, bool):
        return None
    if isinstance(cell, str):
        if len(cell) > _LONGEST_NUMBER or not NUMBER.fullmatch(cell) or _PADDED.fullmatch(cell):
            return None
        value = int(cell) if cell.isdecimal() else float(cell)
        return value if math.isfinite(value) else None  # 1e500 is a name
    return cell


def _with_points(filled: Sequence[str], commas: bool, percent: bool) -> Sequence[str]:
    """The texts as Python writes such numbers; percentages only if all texts are some."""
    if commas:
        filled = [text.replace(",", ".") for text in filled]
    if percent and all(_PERCENT.fullmatch(t) or t.casefold() in MISSING for t in filled):
        return [f"{t.rstrip('% ')}e-2" if t.endswith("%") else t for t in filled]
    return filled


def _numbers(texts: Sequence[str]) -> Sequence[Cell] | None:
    """The number of each text, None of those that are missing; None if one is neither."""
    if any(text[0] == "0" and _PADDED.fullmatch(text) for text in texts) and (
        len(set(map(len, texts))) == 1 or not all(map(str.isdecimal, texts))
    ):
        return None
    if not set("".join(texts)) <= _OF_NUMBERS or max(map(len, texts), default=0) > _LONGEST_NUMBER:
        return _numbers_and_words(texts)
    if all(_WHOLE.fullmatch(text) or _PADDED.fullmatch(text) for text in texts):
        return list(map(int, texts))
    if any(map(_NO_FLOAT.fullmatch, texts)):
        return None
    try:
        return list(map(float, texts))
    except ValueError:  # a date, say
        return None


def _numbers_and_words(texts: Sequence[str]) -> list[Cell] | None:
    """The number of each text, where some say that there is none, or that it is not finite."""
    read: list[Cell] = []
    for text in texts:
        if _NO_FLOAT.fullmatch(text):
            return None
        if len(text) <= _LONGEST_NUMBER and NUMBER.fullmatch(text):
            read.append(int(text) if _WHOLE.fullmatch(text) else float(text))
        elif (word := text.casefold()) in _NOT_FINITE:
            read.append(_NOT_FINITE[word])
        elif word in MISSING:
            read.append(None)
        else:
            return None
    if any(isinstance(value, float) for value in read):
        return [float(value) if is_number(value) else None for value in read]
    return read


def _truth_values(filled: Sequence[str]) -> list[Cell] | None:
    """True or false for each text; None if one is neither, nor missing."""
    words = [text.casefold() for text in filled]
    if all(word in _AS_TRUTH or word in MISSING for word in words):
        return [_AS_TRUTH.get(word) for word in words]
    return None
