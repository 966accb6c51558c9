"""What is said of a data set or a table that could be misread, or that its user may not know.

A note is no error: the data is used as the note says. Each has a code that stays the same from
version to version, and a text of one line, in English and in Swedish: see the folder `languages`
of the package that it is of.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_LANGUAGES = ("en", "sv")
_LONGEST = 60


@cache
def texts(table: str, package: str = "siffra.data") -> Mapping[str, Mapping[str, str]]:
    """A table of `languages` by language and key: texts with {places} for values."""
    folder = files(package) / "languages"
    return {
        language: tomllib.loads((folder / f"{language}.toml").read_text("utf-8"))[table]
        for language in _LANGUAGES
    }


@dataclass(frozen=True, slots=True)
class Note:
    """A remark: its `code`, as in `languages` of its `package`, and the values of its text."""

    code: str
    values: Mapping[str, str]
    package: str = "siffra.data"

    @property
    def texts(self) -> dict[str, str]:
        """The text by language, `en` and `sv`; one line, without what could steer a terminal."""
        return {
            language: forms[self.code].format(**self.values)
            for language, forms in texts("note", self.package).items()
        }

    @property
    def text(self) -> str:
        """The text in English."""
        return self.texts["en"]

    def as_json(self) -> dict[str, str]:
        """What `--json` says of it."""
        return {"code": self.code, "text": self.text}


def note(code: str, **values: object) -> Note:
    """The note on a data set with this code; its values are made printable."""
    return package_note("siffra.data", code, **values)


def package_note(package: str, code: str, **values: object) -> Note:
    """The note with this code of a package that has notes of its own."""
    return Note(code, {name: printable(str(value)) for name, value in values.items()}, package)


def named(names: Iterable[str], most: int = 5) -> str:
    """Names out of a file in a line: `` `a`, `b`, ... (12) ``."""
    every = list(names)
    more = f", ... ({len(every):,})" if len(every) > most else ""
    return ", ".join(f"`{short(name)}`" for name in every[:most]) + more


def short(text: str) -> str:
    """A name or a cell as it can stand in a line, however long it is and whatever is in it."""
    text = printable(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def printable(text: str) -> str:
    """`text` with everything escaped that ends a line or steers a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
