"""Objects within cells, as W&B and programs of one's own write them, as columns of their own.

They are parsed as JSON or as Python's literals, and never evaluated.
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from siffra.data.notes import short
from siffra.results.table import Curve, refuse_size, refused

STEP_NAMES = ("epoch", "step", "_step", "global_step", "iteration", "iter")
"""What the step of a training is called, in the order of preference."""

_LONGEST_OBJECT = 2**20
_DEEPEST = 8
_LONGEST_LIST = 16
_NOT_FINITE = re.compile(r"(?<![\w'\"])(-?)(nan|inf|NaN|Infinity)(?![\w'\"])")


@dataclass(slots=True)
class Flat:
    """Columns without objects in them, the curves that were in them, and what was left out."""

    columns: dict[str, Sequence[Any]]
    curves: dict[str, tuple[Curve, ...]]
    left_out: list[str]


def flat_columns(columns: Mapping[str, Sequence[object]], rows: int, source: str) -> Flat:
    """The columns with each object replaced by a column for every value in it: `config.lr`.

    A list of plain values is the text `64, 32`; a list of objects with numbers is a curve of each.
    Longer lists, and objects that W&B marks as media, are left out.

    Raises:
        ResultsError: An object is too large, or makes too many columns.
    """
    flat = Flat({}, {}, [])
    for name, cells in columns.items():
        if _holds_objects(cells):
            _expand(name, cells, flat, f"{source}: `{short(name)}`")
            refuse_size(source, rows, len(flat.columns))
        elif name in flat.columns:
            raise refused("same_name", source=source, column=short(name))
        else:
            flat.columns[name] = cells
    return flat


def _expand(name: str, cells: Sequence[object], flat: Flat, where: str) -> None:
    """Add to `flat` what is in the objects of a column."""
    columns: dict[str, list[Any]] = {}
    curves: dict[str, list[Curve]] = {}
    for row, cell in enumerate(cells):
        for inner, value in _leaves(_parsed(cell, f"{where}, row {row + 1}")):
            if of := _curves(value):
                for metric, curve in of.items():
                    curves.setdefault(metric, [()] * len(cells))[row] = curve
                continue
            full = f"{name}.{inner}" if inner else name
            if full not in columns:
                refuse_size(where, len(cells), len(columns) + 1)
                columns[full] = [None] * len(cells)
            columns[full][row] = _joined(value) if isinstance(value, list) else value
    for full, values in columns.items():
        if full in flat.columns:
            raise refused("same_name", source=where, column=short(full))
        if any(isinstance(value, list) for value in values):
            flat.left_out.append(full)
        else:
            flat.columns[full] = values
    flat.curves |= {metric: tuple(of) for metric, of in curves.items()}


def _holds_objects(cells: Sequence[object]) -> bool:
    """Whether a cell is an object or a list, or all that are filled are texts of objects."""
    if any(issubclass(kind, Mapping | list | tuple) for kind in set(map(type, cells))):
        return True
    filled = False
    for cell in cells:
        if cell is None:
            continue
        if not (isinstance(cell, str) and cell.startswith("{") and cell.endswith("}")):
            return False
        filled = True
    return filled


def _parsed(cell: object, where: str) -> Any:
    if not isinstance(cell, str) or not cell.startswith("{"):
        return cell
    if len(cell) > _LONGEST_OBJECT:
        sizes = {"size": f"{len(cell):,}", "most": f"{_LONGEST_OBJECT:,}"}
        raise refused("long_object", source=where, **sizes)
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        pass
    try:  # what pandas writes: Python's notation, in which nan is no literal
        return ast.literal_eval(_NOT_FINITE.sub(r"'\1\2'", cell))
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return cell


def _leaves(value: object, name: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """What is in an object, by the names on the way to it."""
    if not isinstance(value, Mapping):
        yield name, list(value) if isinstance(value, tuple) else value
    elif "_type" in value or depth == _DEEPEST:
        return
    elif value.keys() == {"desc", "value"}:  # of W&B's own file of settings
        yield from _leaves(value["value"], name, depth + 1)
    else:
        for key, inner in value.items():
            if key != "_wandb":
                yield from _leaves(inner, f"{name}.{key}" if name else str(key), depth + 1)


def _curves(values: object) -> dict[str, Curve]:
    """The curves in a list of objects, one an epoch; none if it is anything else."""
    if (
        not isinstance(values, list)
        or not values
        or not all(isinstance(value, Mapping) for value in values)
    ):
        return {}
    curves: dict[str, list[tuple[float, float]]] = {}
    for number, value in enumerate(values, start=1):
        leaves = {n: v for n, v in _leaves(value) if isinstance(v, int | float)}
        step = next((leaves[n] for n in STEP_NAMES if n in leaves), number)
        for name, leaf in leaves.items():
            if name not in STEP_NAMES:
                curves.setdefault(name, []).append((float(step), float(leaf)))
    return {name: tuple(curve) for name, curve in curves.items()}


def _joined(values: list[Any]) -> Any:
    """A short list of plain values as one text; any other stays a list."""
    plain = all(isinstance(value, bool | int | float | str) for value in values)
    return ", ".join(map(str, values)) if plain and len(values) <= _LONGEST_LIST else values
