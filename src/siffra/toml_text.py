"""TOML from files of anybody's: its tables, or one line that says why there are none."""

import tomllib
from typing import Any


def parse_toml(content: bytes) -> dict[str, Any]:
    """The tables of a TOML document.

    Raises:
        ValueError: There are none; the text says why and where, but not in which file.
    """
    try:
        tables = tomllib.loads(content.decode("utf-8-sig"))
        is_large = _has_large(tables)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line} is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"not TOML: {error}") from error
    except RecursionError as error:
        raise ValueError("its arrays or tables are nested too deeply") from error
    except ValueError as error:  # Python's, of a number with thousands of digits
        raise ValueError(_TOO_LARGE) from error
    if is_large:
        raise ValueError(_TOO_LARGE)
    return tables


_TOO_LARGE = "a whole number in it is too large: TOML's are of 64 bits"


def _has_large(value: Any) -> bool:
    # Python takes any number in hexadecimal, and then fails to print it.
    if isinstance(value, dict | list):
        return any(map(_has_large, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int) and not -(2**63) <= value < 2**63
