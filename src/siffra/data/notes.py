"""What is said of a data set or a table that could be misread, or that its user may not know.

A note is no error: the data is used as the note says. Each has a code that stays the same from
version to version, and a text of one line, in English and in Swedish: see the folder `languages`
of the package that it is of. So has a refusal, which is an error.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from typing import TypeVar

from siffra.errors import DataError, SiffraError

Refusal = TypeVar("Refusal", bound=SiffraError)

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
    """A remark: its `code`, as in `languages` of its `package`, and the values of its text.

    A value that is a note itself is a part of the text that has a text in each language, too.
    """

    code: str
    values: Mapping[str, "str | Note"]
    package: str = "siffra.data"
    table: str = "note"

    @property
    def texts(self) -> dict[str, str]:
        """The text by language, `en` and `sv`; one line, without what could steer a terminal."""
        return {
            language: forms[self.code].format(**self._values(language))
            for language, forms in texts(self.table, self.package).items()
        }

    def _values(self, language: str) -> dict[str, str]:
        return {n: v.texts[language] if isinstance(v, Note) else v for n, v in self.values.items()}

    @property
    def text(self) -> str:
        """The text in English."""
        return self.texts["en"]

    def as_json(self) -> dict[str, str]:
        """What `--json` says of it."""
        return {"code": self.code, "text": self.text}


def package_note(package: str, table: str, code: str, /, **values: object) -> Note:
    """The note with this code in a table of a package; its values are made printable."""
    shown = {n: v if isinstance(v, Note) else printable(str(v)) for n, v in values.items()}
    return Note(code, shown, package, table)


def refusal(error: type[Refusal], package: str, code: str, /, **values: object) -> Refusal:
    """The error whose text has this code in the table `refusal` of a package."""
    said = package_note(package, "refusal", code, **values)
    raised = error(said.text)
    raised.texts = said.texts
    return raised


note = partial(package_note, "siffra.data", "note")
"""The note on a data set with this code."""
refused = partial(refusal, DataError, "siffra.data")


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
