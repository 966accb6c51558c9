"""What a lab file's texts may hold, and how its ids become names of files."""

import re
from collections.abc import Iterator
from typing import Any

from siffra.system.terminal import odd_character

KeyPath = tuple[str | int, ...]
"""Keys of tables, and numbers of what is in arrays (from 0), from the whole file down."""


def unprintable(table: object) -> tuple[KeyPath, str] | None:
    """The first character in a table's texts and keys that no text needs, and its key path.

    Line breaks and tabs are none of them.
    """
    for path, leaf in leaves(table):
        for depth, text in enumerate((*path, leaf)):
            if isinstance(text, str) and (odd := odd_character(text.replace("\r", ""))):
                return path[:depth], odd
    return None


def leaves(table: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """What stands in a table, and in the tables and arrays in it, with the key path of each.

    An empty table or array is a leaf itself.
    """
    inner = dict(enumerate(table)) if isinstance(table, list) else table
    if not isinstance(inner, dict) or not inner:
        yield path, table
    else:
        for key, value in inner.items():
            yield from leaves(value, (*path, key))


def safe_name(text: str) -> str:
    """`text` as a file stem and an id: letters, digits and hyphens, from a letter on."""
    safe = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return safe if safe[:1].isalpha() else f"q-{safe}"
