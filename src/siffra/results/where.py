"""Conditions on rows, as `--where "model = conv"` has them."""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from siffra.data.notes import named, short
from siffra.results.cells import is_number, read_cells
from siffra.results.table import Cell, RunTable, no_column, refused

_CONDITION = re.compile(
    r"(?P<column>.+?)\s*(?P<sign>!=|<=|>=|==|=|<|>|\sin\s)\s*(?P<value>.*)", re.S
)
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """What the cells of `column` must be: as `sign` says, one of `values` or against the one."""

    column: str
    sign: str
    values: tuple[Cell, ...]

    def holds(self, cell: Cell) -> bool:
        """Whether a cell is as the condition says; an empty one is equal to nothing but `none`."""
        if self.sign in ("=", "in"):
            return cell in self.values
        if self.sign == "!=":
            return cell not in self.values
        return is_number(cell) and _ORDERS[self.sign](cell, self.values[0])


def rows_where(table: RunTable, conditions: Sequence[str]) -> list[int]:
    """The rows of which all conditions hold.

    Raises:
        ResultsError: A condition cannot be read, is about no column, or no row is left.
    """
    rows = list(range(len(table)))
    for text in conditions:
        condition = read_condition(text, table)
        cells = table.columns[condition.column]
        rows = [row for row in rows if condition.holds(cells[row])]
        if not rows:
            known = named(str(cell) for cell in dict.fromkeys(cells) if cell is not None)
            about = {"where": short(text), "column": short(condition.column), "values": known}
            raise refused("no_row_left", source=table.source, **about)
    return rows


def read_condition(text: str, table: RunTable) -> Condition:
    """The condition that a text states.

    Raises:
        ResultsError: It states none, or one about no column of the table.
    """
    column, sign, value = _parts(text, table)
    if column not in table.columns:
        raise no_column(table, f"where `{short(text)}`", column)
    texts = [part.strip() for part in value.strip("()[] ").split(",")] if sign == "in" else [value]
    values = tuple(_value(part, table.columns[column]) for part in texts)
    if sign in _ORDERS and not is_number(values[0]):
        raise refused("where_number", where=short(text), sign=sign)
    return Condition(column, sign, values)


def _parts(text: str, table: RunTable) -> tuple[str, str, str]:
    # The longest column that the text starts with: a name may have spaces and signs in it.
    for column in sorted(table.columns, key=len, reverse=True):
        if text.strip().startswith(column):
            match = _CONDITION.fullmatch("x" + text.strip().removeprefix(column))
            if match and match["column"] == "x":
                return column, _sign(match), match["value"]
    if match := _CONDITION.fullmatch(text.strip()):
        return match["column"].strip("`'\""), _sign(match), match["value"]
    raise refused("no_condition", where=short(text))


def _sign(match: re.Match[str]) -> str:
    sign = match["sign"].strip()
    return "=" if sign == "==" else sign


def _value(text: str, cells: Sequence[Cell]) -> Cell:
    """What a text stands for among these cells: a text among texts, and else a number."""
    bare = text.strip("`'\"")
    if bare in cells:
        return bare
    (value,) = read_cells([bare]).cells
    return value
