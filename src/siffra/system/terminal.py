"""The terminal's edge: all that siffra prints goes through here, and so does what it logs.

Much of it comes from files: names of data sets and classes, texts of labs, keys of a store. A
character in them that makes a terminal do things, such as to clear itself, to rename its window,
or to show text in another order than it is written in, is replaced here by U+FFFD.
"""

import logging
import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

# Control characters but for line breaks and tabs, what overrides the direction of writing, and
# halves of characters, which no encoding takes.
_ODD = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_BREAKS = re.compile(r"[\n\t]")


def odd_character(text: str) -> str | None:
    """The first character in `text` that no terminal should get; None if there is none."""
    match = _ODD.search(text)
    return match[0] if match else None


def printable(text: str) -> str:
    """`text` with every odd character replaced by U+FFFD."""
    return _ODD.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(text: str) -> str:
    """`text` made printable, its line breaks too: nothing in it can pass for another line."""
    return printable(_BREAKS.sub(" ", text))


def echo(text: str, *, err: bool = False) -> None:
    """Print lines for a reader."""
    typer.echo(printable(text), err=err)


def echo_json(document: str) -> None:
    """Print a JSON document; odd characters, which stand in strings only, are escaped."""
    typer.echo(_ODD.sub(lambda match: f"\\u{ord(match[0]):04x}", document))


def echo_data(text: str) -> None:
    """Print data, with no line break added: to a program as they are, to a terminal printable."""
    typer.echo(printable(text) if sys.stdout.isatty() else text, nl=False)


def console(*, err: bool = False, **settings: Any) -> "Console":
    """A console of Rich's that takes texts as they are, without markup, and prints them so."""
    from rich.console import Console

    class PrintableConsole(Console):
        def render(
            self, renderable: "RenderableType", options: "ConsoleOptions | None" = None
        ) -> "Iterable[Segment]":
            # Not its own control codes, which move the cursor, and colours, which are styles.
            for segment in super().render(renderable, options):
                clean = segment.control or not odd_character(segment.text)
                yield segment if clean else segment._replace(text=printable(segment.text))

    return PrintableConsole(stderr=err, highlight=False, markup=False, emoji=False, **settings)


class LineFormatter(logging.Formatter):
    """Makes each message one line of printable text; a traceback keeps its lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        """The line."""
        return one_line(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """The traceback."""
        return printable(super().formatException(ei))


class _ToStderr(logging.Handler):
    """Writes to what is `sys.stderr` at that moment, as a progress bar replaces it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            print(self.format(record), file=sys.stderr, flush=True)
        except Exception:
            self.handleError(record)


def log_to_stderr(line: str = "%(message)s") -> None:
    """Print what siffra logs from now on, each message as `line` says, on stderr."""
    handler = _ToStderr()
    handler.setFormatter(LineFormatter(line))
    logging.getLogger("siffra").handlers[:] = [handler]
