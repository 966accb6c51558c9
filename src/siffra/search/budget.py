"""Spans of time as people write them: `15s`, `1m30s`, `0.5 s`, `10m`."""

import re

from siffra.errors import SearchError

_SPAN = re.compile(
    r"(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<m>\d+(?:\.\d+)?)m(?:in)?)?(?:(?P<s>\d+(?:\.\d+)?)s?)?"
)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_LONGEST = 365 * 24 * 3600.0


def seconds_of(span: str | float, name: str) -> float:
    """`1m30s` as 90.0; a bare number counts seconds. `name` is what is said to be wrong.

    Raises:
        SearchError: It is no span of time, or not above 0, or a year and longer.
    """
    seconds = _read(span, name) if isinstance(span, str) else float(span)
    if not seconds > 0:
        raise SearchError(f"{name}: found {span!r}; it must be longer than 0 s, as 15s.")
    if seconds >= _LONGEST:
        raise SearchError(f"{name}: found {span!r}; it must be shorter than a year, as 15s.")
    return seconds


def _read(text: str, name: str) -> float:
    squeezed = text.replace(" ", "").lower()
    found = _SPAN.fullmatch(squeezed.removeprefix("-"))
    if not squeezed.removeprefix("-") or not found:
        raise SearchError(f"{name}: found {text!r}; write a span of time, as 15s, 1m30s or 10m.")
    seconds = sum(float(part) * _SECONDS[unit] for unit, part in found.groupdict("0").items())
    return -seconds if squeezed.startswith("-") else seconds


def spell_seconds(seconds: float) -> str:
    """90.0 as `90s`, the other way round; whole minutes as `2m`."""
    if seconds >= 60 and seconds % 60 == 0:
        return f"{seconds / 60:g}m"
    return f"{seconds:g}s"
