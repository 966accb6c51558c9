"""The terminal's edge: all that siffra prints goes through here, and so does what it logs.

Much of it comes from files: names of data sets and classes, texts of labs, keys of a store. A
character in them that makes a terminal do things, such as to clear itself, to rename its window,
or to show text in another order than it is written in, is replaced here by U+FFFD.
"""

import logging
import re
import shutil
import sys
import textwrap
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
_COLUMN = re.compile(r"(?<=\S) {2,}(?=\S)")
"""What is between two columns of a line."""
_UNIT = re.compile(r"(?<=[\d±×]) (?=[\d%±])")
"""What keeps a number with its unit or interval."""
_NARROW = 24
"""A column of fewer characters is too narrow for text."""


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


def echo_answer(text: str) -> None:
    """Print an answer; on a terminal its lines are broken at words, and hang where they begin.

    Elsewhere each stays a line, so that it can be searched for.
    """
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        text = "\n".join(_fitted(line, width) for line in text.splitlines())
    echo(text)


def _fitted(line: str, width: int) -> str:
    """A line in pieces of `width` characters; those after the first hang in its first column.

    Its last column stays in one piece where there is room: a number with unit and interval.
    """
    if len(line) <= width:
        return line
    indent = len(line) - len(line.lstrip())
    first = line.rfind("│")  # of a level, the remarks are the column; of a claim, what it says
    columns = [match.end() for match in _COLUMN.finditer(line) if match.start() > first]
    hang = columns[0] if columns else indent
    if hang > width - _NARROW or (first < 0 and hang > width // 2):
        hang = indent and indent + 4
    glued = _UNIT.sub("\N{NO-BREAK SPACE}", line)
    if columns and len(line) - columns[-1] <= width - hang:
        last = line[columns[-1] :].replace(" ", "\N{NO-BREAK SPACE}")
        glued = glued[: columns[-1]] + last
    pieces = textwrap.wrap(
        glued, width, subsequent_indent=" " * hang, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(pieces).replace("\N{NO-BREAK SPACE}", " ")


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
