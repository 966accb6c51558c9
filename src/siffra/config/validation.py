"""Strict descriptions, and what is wrong with a value: pydantic finds the mistake, this words it.

Pydantic speaks of tuples, dictionaries and regular expressions to people who write TOML, or
options. Each kind of its errors has a sentence here that says what would be right.
"""

import datetime as dt
import re
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from siffra.errors import did_you_mean

Location = tuple[int | str, ...]
"""Keys of tables, and positions in lists (from 0), down to the value that is wrong."""

_LEAST_POSITIVE = 1e-29
"""A lower bound below this only says that it is not 0."""

_KINDS = {
    "bool": "true or false",
    "date": "a date",
    "dict": "a table",
    "finite": "a finite number",
    "float": "a number",
    "int": "a whole number",
    "list": "a list, as [1, 2]",
    "model": "a table",
    "path": "the path of a file",
    "string": "a text in quotes",
    "tuple": "a list, as [1, 2]",
}
"""What is asked for, by how the error's type begins."""

_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}
_OURS = {*_BOUNDS, "literal_error", "string_too_short", "string_too_long", "too_short", "too_long"}


class Frozen(BaseModel):
    """A frozen description; a field that it does not have is a mistake."""

    # `strict` so that TOML's "0.1" or true is not taken for a number.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def newer(default: object) -> Any:
    """A field that earlier descriptions did not have: where it is `default`, it is not written.

    So what is worked out of the text of a description, such as a run's key, stays what it was.
    """
    return Field(default, exclude_if=lambda value: value == default)


def first_mistake(error: ValidationError) -> ErrorDetails:
    """The first of the mistakes; of a value that may be of two kinds, the more general one.

    `epochs` may be a whole number or a fraction, and a text is neither: it must be a number.
    """
    first, *others = error.errors(include_url=False)
    *place, kind = first["loc"] or ("",)
    if kind != "int":
        return first
    return next((other for other in others if other["loc"] == (*place, "float")), first)


def describe(mistake: ErrorDetails) -> str:
    """`found 0; it must be above 0.`: the value, and what would be right."""
    kind = mistake["type"]
    if kind == "missing":
        return "it is missing."
    if kind == "extra_forbidden":
        return "no such key."
    if kind == "json_invalid":
        return "it is not JSON."
    if kind not in _OURS and not kind.startswith(tuple(_KINDS)):
        return _stopped(mistake["msg"].removeprefix("Value error, "))
    found, context = mistake["input"], mistake.get("ctx", {})
    return _stopped(f"found {shown(found)}; {_wanted(kind, context, found)}")


def shown(value: object) -> str:
    """A value as a lab file or the command line has it, cut to one short line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return "a table" if value else "an empty table"
    if isinstance(value, list | tuple):
        return reprlib.repr(list(value))
    return reprlib.repr(value)


def _stopped(text: str) -> str:
    return text if text.endswith(("?", ".")) else f"{text}."


def _wanted(kind: str, context: Mapping[str, Any], found: Any) -> str:
    if kind in _BOUNDS:
        relation, name = _BOUNDS[kind]
        bound = context[name]
        is_percent = kind == "less_than_equal" and bound == 1 and found <= 100
        share = f": a fraction, as {found / 100:g}" if is_percent else ""
        # A bound that only float32 knows of means nothing to who typed 0.
        least = "above 0" if 0 < bound < _LEAST_POSITIVE and found <= 0 else None
        return f"it must be {least or f'{relation} {_number(bound)}'}{share}"
    if kind == "literal_error":
        known = re.findall("'([^']+)'", context["expected"])
        return did_you_mean(found, known) if isinstance(found, str) else f"it must be {_or(known)}"
    if kind == "string_too_short":
        return "it must not be empty"
    if kind == "string_too_long":
        return f"it has {len(found)} characters, and {context['max_length']} is the most"
    if kind == "too_short":
        return f"it needs {_counted(context['min_length'], found)} at least"
    if kind == "too_long":
        return f"it may have {_counted(context['max_length'], found)} at most"
    wanted = next(words for name, words in _KINDS.items() if kind.startswith(name))
    if kind.startswith("float") and isinstance(found, str) and (pointed := with_a_point(found)):
        return f"it must be {wanted}, with a point: {pointed}"
    # What is parsed from a text, as an option is, may be one; what has a type of its own may not.
    quoted = isinstance(found, str) and kind in ("int_type", "float_type")
    return f"it must be {wanted}" + (", without quotes" if quoted and _is_number(found) else "")


def with_a_point(text: str) -> str | None:
    """`0,5` as `0.5`; None for what has no decimal comma."""
    return text.strip().replace(",", ".") if re.fullmatch(r"\s*-?\d*,\d+\s*", text) else None


def _number(bound: float) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"


def _counted(number: int, container: Any) -> str:
    one, many = ("entry", "entries") if isinstance(container, Mapping) else ("value", "values")
    return f"one {one}" if number == 1 else f"{number:,} {many}"


def _or(words: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
