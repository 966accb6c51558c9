"""What a lab file's texts may hold, and how its ids become names of files."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

_ODD = {"Cc", "Cs"}
"""Unicode's categories of control characters and of halves of characters."""
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They show what follows in another order than it is written in."""


def unprintable(table: Any) -> tuple[tuple[str | int, ...], str] | None:
    """The first character in a table's texts and keys that no text needs, and its key path.

    Control characters make a terminal do things, such as clear itself or fill the clipboard.
    Line breaks and tabs are none of them.
    """
    for path, text in _texts(table, ()):
        for character in text:
            if character in _DIRECTIONS or (
                unicodedata.category(character) in _ODD and character not in "\n\r\t"
            ):
                return path, character
    return None


def _texts(table: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(table, str):
        yield path, table
    elif isinstance(table, dict):
        for name, value in table.items():
            yield path, name
            yield from _texts(value, (*path, name))
    elif isinstance(table, list):
        for number, value in enumerate(table):
            yield from _texts(value, (*path, number))


def safe_name(text: str) -> str:
    """`text` as a file stem and an id: letters, digits and hyphens, from a letter on."""
    safe = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return safe if safe[:1].isalpha() else f"q-{safe}"
