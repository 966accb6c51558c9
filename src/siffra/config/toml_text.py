"""TOML: a file's tables, or one line that says why there are none; and values as text."""

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

_REASONS = (
    (r"Illegal character '\\n'", "a text does not end in its line (a quote may be missing)"),
    (r"(Expected .*|Unterminated string) \(at end", "a text does not end (a quote may be missing)"),
    (r"Expected '=' after a key", "a name needs `=` and a value behind it"),
    (r"Invalid value", 'there is no value behind `=`; texts stand in quotes, as "a"'),
    (r"Cannot overwrite a value", "that name is there already"),
    (r"Cannot declare", "that table is there already; `[[…]]` begins one more of a list"),
    (r"Expected ']'", "the name of a table needs a `]` at its end"),
    (r"Unclosed array", "a list does not end (a `]` or a comma may be missing)"),
    (r"Unclosed inline table", "a table in braces ends in its line (a `}` may be missing)"),
    (r"Expected newline", "more stands there than one value; decimals have a point, as 0.5"),
    (r"Invalid statement", "a line begins with a name or with `[`"),
    (r"Unescaped '\\'", "a backslash in a text is written twice"),
)
"""What Python's parser says, and what is said instead."""
_OTHER = "it cannot be read"


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
        raise ValueError(_reason(str(error))) from error
    except RecursionError as error:
        raise ValueError("its arrays or tables are nested too deeply") from error
    except ValueError as error:  # Python's, of a number with thousands of digits
        raise ValueError(_TOO_LARGE) from error
    if is_large:
        raise ValueError(_TOO_LARGE)
    return tables


def toml_value(value: object) -> str:
    """`value` in TOML; its strings, and its lists of them, are written as JSON's are."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if value is None:
        return '"None"'  # which TOML has no word for
    if isinstance(value, float):
        return repr(value)  # 1e-05 and 0.1 are floats in TOML as well
    return json.dumps(value, ensure_ascii=False)


def _reason(message: str) -> str:
    """`not TOML: line 3: a text does not end in its line; a quote …`."""
    line = re.search(r"line (\d+)", message)
    where = f"line {line[1]}" if line else "at its end"
    why = next((why for pattern, why in _REASONS if re.match(pattern, message)), _OTHER)
    return f"not TOML: {where}: {why}"


_TOO_LARGE = "a whole number in it is too large: TOML's are of 64 bits"


def _has_large(value: object) -> bool:
    # Python takes any number in hexadecimal, and then fails to print it.
    if isinstance(value, dict | list):
        return any(map(_has_large, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int) and not -(2**63) <= value < 2**63
