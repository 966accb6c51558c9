"""What a lab file's texts may hold, and how its ids become names of files."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

KeyPath = tuple[str | int, ...]
"""Keys of tables, and numbers of what is in arrays (from 0), from the whole file down."""

_ODD = {"Cc", "Cs"}
"""Unicode's categories of control characters and of halves of characters."""
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They show what follows in another order than it is written in."""


def unprintable(table: Any) -> tuple[KeyPath, str] | None:
    """The first character in a table's texts and keys that no text needs, and its key path.

    Control characters make a terminal do things, such as clear itself or fill the clipboard.
    Line breaks and tabs are none of them.
    """
    for path, leaf in leaves(table):
        for depth, text in enumerate((*path, leaf)):
            if isinstance(text, str) and (found := next(filter(_is_odd, text), None)):
                return path[:depth], found
    return None


def leaves(table: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """What stands in a table, and in the tables and arrays in it, with the key path of each.

    An empty table or array is a leaf itself.
    """
    inner = dict(enumerate(table)) if isinstance(table, list) else table
    if not isinstance(inner, dict) or not inner:
        yield path, table
    else:
        for key, value in inner.items():
            yield from leaves(value, (*path, key))


def _is_odd(character: str) -> bool:
    is_control = unicodedata.category(character) in _ODD and character not in "\n\r\t"
    return is_control or character in _DIRECTIONS


def safe_name(text: str) -> str:
    """`text` as a file stem and an id: letters, digits and hyphens, from a letter on."""
    safe = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return safe if safe[:1].isalpha() else f"q-{safe}"
