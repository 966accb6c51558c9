"""Progress on stderr: a live bar in a terminal, elsewhere a line now and then."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from siffra.system.terminal import console, echo

if TYPE_CHECKING:
    import rich.progress

FIRST_LINE, NEXT_LINES = 2.0, 10.0
"""Seconds before the first plain line, and between two."""


class Meter:
    """How much of some work is done; nothing is shown of what is over at once.

    `total` counts `unit`s (as `epochs`); `left` says how a time left is told, and `decimal` with
    which mark. Use it as a context manager.
    """

    def __init__(
        self, total: int, unit: str, left: str = "{time} left", decimal: str = "."
    ) -> None:
        self._total, self._unit, self._left, self._decimal = total, unit, left, decimal
        self._bar = _bar(total, unit) if sys.stderr.isatty() else None
        self._due = time.monotonic() + FIRST_LINE

    def update(
        self, done: int, text: str, seconds_left: float | None = None, total: int | None = None
    ) -> None:
        """So much is done; `text` says what is going on, `seconds_left` how long it will go on.

        `total` is another than before, where there is more to do than was known.
        """
        self._total = total or self._total
        left = ""
        if seconds_left is not None:
            left = self._left.format(time=duration(seconds_left, self._decimal))
        if self._bar:
            self._bar.update(
                self._bar.task_ids[0], completed=done, total=self._total, text=text, left=left
            )
        elif time.monotonic() >= self._due:
            parts = (f"{done}/{self._total} {self._unit}", left, text)
            echo(", ".join(part for part in parts if part), err=True)
            self._due = time.monotonic() + NEXT_LINES

    def note(self, text: str) -> None:
        """A line that stays."""
        if self._bar:
            self._bar.console.print(text)
        else:
            echo(text, err=True)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()


def duration(seconds: float, decimal: str = ".") -> str:
    """`0.4 s`, `12 s`, `3 min`, `2 h 05 min`: as exact as a person wants it."""
    if seconds < 9.95:
        return f"{seconds:.1f} s".replace(".", decimal)
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"


def _bar(total: int, unit: str) -> "rich.progress.Progress":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    bar = Progress(
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn(unit),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.fields[text]}", style="dim", markup=False),
        console=console(err=True),
        transient=True,
    )
    bar.add_task("", total=total, text="", left="")
    return bar
