"""Progress on stderr: two live lines in a terminal, elsewhere a line for each tenth of the work."""

import sys
import time
from types import TracebackType
from typing import Self

from siffra.config.durations import duration
from siffra.system.terminal import console, echo

SOONEST, UNKNOWN, LATEST = 2.0, 30.0, 120.0
"""Seconds between two plain lines: at least, where no time left is known, and at most."""


class Meter:
    """How much of some work is done; nothing is shown of what is over at once.

    `total` counts `unit`s (as `epochs`); `left` says how a time left is told, and `decimal` with
    which mark. Use it as a context manager.
    """

    def __init__(
        self, total: int, unit: str, left: str = "{time} left", decimal: str = "."
    ) -> None:
        self._total, self._unit, self._left, self._decimal = total, unit, left, decimal
        self._lines = _Lines() if sys.stderr.isatty() else None
        self._started = self._last = time.monotonic()

    def update(
        self,
        done: int,
        text: str,
        seconds_left: float | None = None,
        total: int | None = None,
        decided: str = "",
    ) -> None:
        """So much is done; `text` says what is going on, `seconds_left` how long it will go on.

        `total` is another than before, where there is more to do than was known. `decided` says
        what the work has shown.
        """
        self._total = total or self._total
        left = ""
        if seconds_left is not None:
            left = self._left.format(time=duration(seconds_left, self._decimal))
        state = [part for part in (left, decided) if part]
        if self._lines:
            self._lines.show(done, self._total, "  ".join([self._unit, *state]), text)
        elif self._is_due(seconds_left):
            state = ", ".join([f"{done}/{self._total} {self._unit}", *state])
            echo("; ".join(part for part in (state, text) if part), err=True)

    def note(self, text: str) -> None:
        """A line that stays."""
        if self._lines:
            self._lines.live.console.print(text)
        else:
            echo(text, err=True)

    def __enter__(self) -> Self:
        if self._lines:
            self._lines.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._lines:
            self._lines.live.stop()

    def _is_due(self, seconds_left: float | None) -> bool:
        """Whether another tenth of the time has passed that the work is expected to take."""
        now = time.monotonic()
        wait = UNKNOWN
        if seconds_left is not None:
            wait = min(max((now - self._started + seconds_left) / 10, SOONEST), LATEST)
        if now - self._last < (wait if self._last > self._started else SOONEST):
            return False
        self._last = now
        return True


class _Lines:
    """A bar with what is left, and below it what is going on."""

    def __init__(self) -> None:
        from rich.console import Group
        from rich.live import Live
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.text import Text

        self._bar = Progress(
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}", markup=False),
        )
        self._bar.add_task("", total=None, state="")
        self._text = Text(style="dim", no_wrap=True, overflow="ellipsis")
        group = Group(self._bar, self._text)
        self.live = Live(group, console=console(err=True), transient=True)

    def show(self, done: int, total: int, state: str, text: str) -> None:
        task = self._bar.task_ids[0]
        self._bar.update(task, completed=done, total=total, state=state)
        self._text.plain = text
