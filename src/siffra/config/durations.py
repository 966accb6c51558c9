"""Spans of time as people write them, in seconds."""

import re

from siffra.errors import ConfigError

_SPAN = re.compile(
    r"(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<m>\d+(?:\.\d+)?)m(?:in)?)?(?:(?P<s>\d+(?:\.\d+)?)s?)?"
)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_LONGEST = 365 * 24 * 3600.0


def seconds_of(span: str | float, name: str) -> float:
    """`1m30s` as 90.0; a bare number is in seconds. `name` is the option, for errors.

    Raises:
        ConfigError: It is not a span of time between 0 and a year.
    """
    seconds = _read(span, name) if isinstance(span, str) else span
    if not seconds > 0:
        raise ConfigError(f"{name}: found {span!r}; it must be longer than 0 s, for example 15s.")
    if seconds >= _LONGEST:
        raise ConfigError(
            f"{name}: found {span!r}; it must be shorter than a year, for example 15s."
        )
    return float(seconds)


def _read(text: str, name: str) -> float:
    squeezed = text.replace(" ", "").lower()
    match = _SPAN.fullmatch(squeezed.removeprefix("-"))
    if not squeezed.removeprefix("-") or not match:
        raise ConfigError(f"{name}: found {text!r}; use a duration such as 15s, 1m30s or 10m.")
    seconds = sum(float(part) * _SECONDS[unit] for unit, part in match.groupdict("0").items())
    return -seconds if squeezed.startswith("-") else seconds


def spell_seconds(seconds: float) -> str:
    """The inverse: 90.0 as `90s`, whole minutes as `2m`."""
    if seconds >= 60 and seconds % 60 == 0:
        return f"{seconds / 60:g}m"
    return f"{seconds:g}s"


def duration(seconds: float, decimal: str = ".") -> str:
    """`0.4 s`, `12 s`, `3 min`, `2 h 05 min`: as exact as a person wants it."""
    if seconds < 9.95:
        return f"{seconds:.1f} s".replace(".", decimal)
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"
