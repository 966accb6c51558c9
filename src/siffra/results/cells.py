"""Cells as programs print them: columns of texts become numbers, truth values or stay texts."""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from siffra.data.csv_file import NUMBER
from siffra.data.labels import MISSING
from siffra.results.table import Cell

_FULL_PRECISION = 15
"""So many significant digits are all that a float has: such a number was not rounded."""
_LONGEST_NUMBER = 64
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_PADDED = re.compile(r"0[0-9]+")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+([eE][+-]?[0-9]+)?( ?%)?")
_PERCENT = re.compile(r"[+-]?[0-9]+([.,][0-9]+)? ?%")
_NOT_FINITE = {
    sign + word: float(sign + word)
    for word in ("nan", "inf", "infinity")
    for sign in ("", "-", "+")
}
_NOTHING = ("", "nat", "<na>")
"""What pandas calls nothing, beside None."""
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Column:
    """What a column of texts holds: its cells, and how coarsely its numbers were printed.

    `comma` and `percent` are examples of what was read as the fraction it stands for.
    """

    cells: tuple[Cell, ...]
    step: float | None = None
    comma: str = ""
    percent: str = ""


def read_cells(texts: Sequence[str | None], *, decimal_commas: bool = False) -> Column:
    """The column with these texts; with `decimal_commas` a comma in a number is a decimal one.

    It is one of numbers if all texts are, but for those that are empty or say that nothing is
    there (`NA`, `null`); percentages are read as fractions, and whole numbers with leading zeros
    are names. `true` and `false` are truth values. All else is texts.
    """
    distinct = {text: text.strip() for text in dict.fromkeys(texts) if text is not None}
    filled = tuple(dict.fromkeys(filter(None, distinct.values())))
    comma = next((p for p in filled if decimal_commas and _DECIMAL_COMMA.fullmatch(p)), "")
    percent = next((p for p in filled if _PERCENT.fullmatch(p)), "")
    as_written = dict(zip(filled, _with_points(filled, bool(comma), bool(percent)), strict=True))
    if (numbers := _numbers(as_written)) is not None:
        cells = tuple(numbers.get(distinct.get(text or "", "")) for text in texts)
        return Column(cells, printed_step(as_written.values()), comma, percent)
    if (truth := _truth_values(filled)) is not None:
        return Column(tuple(truth.get(distinct.get(text or "", "")) for text in texts))
    return Column(tuple(distinct.get(text or "", "") or None for text in texts))


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


def is_number(cell: Cell) -> TypeGuard[int | float]:
    """Whether a metric can have it as a value; a truth value is 0 or 1."""
    return isinstance(cell, int | float)


def is_finite(cell: Cell) -> bool:
    """Whether it is a number that can be reckoned with."""
    return is_number(cell) and math.isfinite(cell)


def plain_cell(value: Any) -> Cell:
    """A value of Python's, NumPy's or pandas' as a cell."""
    if hasattr(value, "item") and not isinstance(value, bool | int | float | str):
        value = value.item()  # a scalar of NumPy's
    if isinstance(value, bool | int | None):
        return value
    if isinstance(value, float):
        return float(value)
    text = str(value).strip()
    if text.casefold() in _NOT_FINITE:
        return _NOT_FINITE[text.casefold()]
    return None if text.casefold() in _NOTHING else text


def _with_points(filled: Sequence[str], commas: bool, percent: bool) -> list[str]:
    """The texts as Python writes such numbers; percentages only if all texts are some."""
    pointed = [text.replace(",", ".") if commas else text for text in filled]
    if percent and all(_PERCENT.fullmatch(t) or t.casefold() in MISSING for t in filled):
        return [f"{t.rstrip('% ')}e-2" if t.endswith("%") else t for t in pointed]
    return pointed


def _numbers(texts: Mapping[str, str]) -> dict[str, Cell] | None:
    """The number of each text, None of those that are missing; None if one is neither."""
    read: dict[str, Cell] = {}
    for plain, text in texts.items():
        if len(text) <= _LONGEST_NUMBER and NUMBER.fullmatch(text) and not _PADDED.fullmatch(text):
            read[plain] = int(text) if _WHOLE.fullmatch(text) else float(text)
        elif (word := text.casefold()) in _NOT_FINITE:
            read[plain] = _NOT_FINITE[word]
        elif word in MISSING:
            read[plain] = None
        else:
            return None
    if any(isinstance(value, float) for value in read.values()):
        return {plain: float(v) if is_number(v) else None for plain, v in read.items()}
    return read


def _truth_values(filled: Collection[str]) -> dict[str, Cell] | None:
    """True or false for each text; None if one is neither, nor missing."""
    words = {text: text.casefold() for text in filled}
    if all(word in _TRUTH or word in MISSING for word in words.values()):
        return {text: _TRUTH.get(word) for text, word in words.items()}
    return None
