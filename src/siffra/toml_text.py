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
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line} is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"not TOML: {error}") from error
    except RecursionError as error:
        raise ValueError("its arrays or tables are nested too deeply") from error
    except ValueError as error:  # Python's, of a number with thousands of digits
        raise ValueError(_TOO_LARGE) from error
    _expect_small(tables)
    return tables


_TOO_LARGE = "a whole number in it is too large: TOML's are of 64 bits"


def _expect_small(value: Any) -> None:
    # Python takes any number in hexadecimal, and then fails to print it.
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(_TOO_LARGE)
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _expect_small(inner)
