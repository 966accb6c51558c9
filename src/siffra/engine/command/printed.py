"""Numbers as programs print them: with the step to which they were rounded."""

import json
import math
import re
from typing import NamedTuple

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]{1,6}))?\.?")
_LONGEST = 2**20
"""Characters of an object that is printed in several lines."""
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)


class Printed(NamedTuple):
    """A number that was printed.

    Attributes:
        value: May be infinite or not a number, as of a training that diverged.
        step: One unit of its last decimal: 0.01 of `0.25`, 1 of `7`. 0 if it is not finite.
    """

    value: float
    step: float


def read_number(text: str) -> Printed | None:
    """The number that a text is, or None. A full stop may follow it."""
    text = text.strip()
    match = _NUMBER.fullmatch(text)
    if not match:
        return Printed(float(text), 0.0) if _NOT_FINITE.fullmatch(text) else None
    value = float(text.rstrip("."))
    decimals = len(match[1] or match[2] or "")
    step = float(f"1e{int(match[3] or 0) - decimals}")
    return Printed(value, step if math.isfinite(value) else 0.0)


class Twice:
    """In the place of a value: two different ones have the same name in one object."""


def _as_dict(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        values |= {name: Twice() for name, value in pairs if not _same(values[name], value)}
    return values


def _same(first: object, other: object) -> bool:
    return repr(first) == repr(other)  # NaN is NaN


_DECODER = json.JSONDecoder(
    parse_float=read_number,
    parse_int=read_number,
    parse_constant=read_number,
    object_pairs_hook=_as_dict,
)


def read_object(text: str) -> dict[str, object] | None:
    """The JSON object that a text is, its numbers as `Printed`, or None.

    As Python's own, it may have NaN and Infinity. Where a name has two values, `Twice` stands.
    """
    try:
        decoded = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None


class Objects:
    """Finds JSON objects among lines: each in one of them, or in several, from `{` to `}`."""

    def __init__(self) -> None:
        self._begun: list[str] = []
        self._length = 0

    def read(self, line: str) -> dict[str, object] | None:
        """The object that ends with this line, if one does."""
        if line.rstrip() == "{":
            self._begun, self._length = ["{"], 0
            return None
        if not self._begun or line.startswith("{"):
            self._begun = []
            return read_object(line) if line.lstrip().startswith("{") else None
        self._length += len(line)
        self._begun.append(line)
        if line.rstrip() != "}" and self._length <= _LONGEST:
            return None
        text, self._begun = "\n".join(self._begun), []
        return read_object(text)
