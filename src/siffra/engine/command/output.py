"""What a command prints, as lines, in bounded memory whatever it prints."""

import codecs
import re
from collections import deque
from collections.abc import Iterable
from typing import Literal

Stream = Literal["stdout", "stderr"]

LONGEST = 2**20
"""Characters of a line; what goes beyond that is dropped."""
_TAIL = 20
_TAIL_WIDTH = 500
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
"""Colours, movements of the cursor and titles of windows, as terminals understand them."""
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


class Tail:
    """The last lines of some streams together, cut to a width, without control characters."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_TAIL)

    def extend(self, lines: Iterable[str]) -> None:
        """Further lines; blank ones do not count."""
        self._lines.extend(line[: _TAIL_WIDTH + 1] for line in lines if line and not line.isspace())

    def lines(self) -> tuple[str, ...]:
        """At most 20 lines of at most 500 characters, the last one last."""
        return tuple(_shown(line) for line in self._lines)


class Lines:
    """Turns the bytes of one stream into lines, and puts them in `tail`.

    Bytes that are not UTF-8 become replacement characters; what only a terminal understands is
    left out. A carriage return ends a line as well, but in the tail the next line takes its place,
    as a progress bar's does in a terminal.
    """

    def __init__(self, tail: Tail) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._tail, self._rest = tail, ""
        self._is_long = False  # the line that `rest` begins

    def feed(self, chunk: bytes) -> list[str]:
        """The lines that `chunk` completes, but those that are too long."""
        text = self._rest + self._decoder.decode(chunk)
        if "\x1b" in text:
            text = _ESCAPES.sub("", text)
        *lines, rest = text.replace("\r\n", "\n").split("\n")
        shown = lines
        if "\r" in text:
            shown = [line.rstrip("\r").rpartition("\r")[2] for line in lines]
            updates, rest = _split_updates(rest)
            lines = [part for line in lines for part in line.split("\r")] + updates
        self._tail.extend(shown)
        whole = lines[1:] if self._is_long else lines
        self._is_long = (self._is_long and not lines) or len(rest) > LONGEST
        self._rest = rest[: _TAIL_WIDTH + 1] if self._is_long else rest
        return [line for line in whole if len(line) <= LONGEST]

    def finish(self) -> list[str]:
        """The last line, if nothing ended it."""
        last = (self._rest + self._decoder.decode(b"", final=True)).rstrip("\r")
        self._rest = ""
        self._tail.extend([last])
        return [last] if 0 < len(last) <= LONGEST and not self._is_long else []


def _split_updates(rest: str) -> tuple[list[str], str]:
    """The parts of an unfinished line that a carriage return ended, and what follows the last.

    A return at the very end stays, since it may be the first half of a line's end.
    """
    body = rest.removesuffix("\r")
    done, mark, last = body.rpartition("\r")
    return (done.split("\r") if mark else []), last + rest[len(body) :]


def _shown(line: str) -> str:
    cut = line if len(line) <= _TAIL_WIDTH else line[: _TAIL_WIDTH - 1] + "…"
    return _CONTROLS.sub("�", cut).rstrip()
