"""Running one command to its end: what it prints, how long it takes, how it ends."""

import math
import os
import selectors
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Self

from siffra.engine.command.child import GRACE, Child
from siffra.engine.command.output import Lines, Stream, Tail

OnLine = Callable[[str, Stream], None]

_CHUNK = 2**16
"""Bytes: what a pipe holds."""
_POLL = 0.1
"""Seconds between two looks at whether a process has ended, if it does not close its output."""
_SHORTEST_POLL = 0.0005
_DRAIN = 0.5
"""Seconds in which what a command has printed is still read after its end, if others hold its
output open."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that was started and has ended.

    Attributes:
        exit_status: As the command gave it; -9 if signal 9 ended it.
        timed_out: Whether it was ended because it took too long.
        seconds: Wall time from its start to its end.
        tail: The last lines of stdout and stderr, at most 20.
    """

    exit_status: int
    timed_out: bool
    seconds: float
    tail: tuple[str, ...]


def run_command(
    words: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    on_line: OnLine | None = None,
    grace: float = GRACE,
    stop: Event | None = None,
) -> Finished:
    """Run a program until it ends; `Child` says what becomes of its processes.

    It gets the variables of this process, with `env` on top, `PYTHONUNBUFFERED=1`, so that what it
    prints arrives at once, and `SIFFRA_RUN`, by which its processes are known.

    Args:
        words: The program and its arguments.
        cwd: Where it runs.
        env: Further variables, such as `CUDA_VISIBLE_DEVICES`.
        timeout: Seconds after which it is ended.
        on_line: Called with each line that it prints, and where; not with those of more than
            `output.LONGEST` characters.
        grace: Seconds between SIGTERM and SIGKILL.
        stop: Ends it, once another thread sets it.

    Raises:
        ConfigError: It cannot be started.
    """
    variables = {**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})}
    tail = Tail()
    started = time.monotonic()
    deadline = math.inf if timeout is None else started + timeout
    with (
        Child(words, cwd=cwd, env=variables, grace=grace) as child,
        _Reader(child, tail, on_line or (lambda line, stream: None)) as reader,
    ):
        status, timed_out = _follow(child, reader, deadline, stop or Event())
        seconds = time.monotonic() - started
        reader.drain(_DRAIN)
    return Finished(status, timed_out, seconds, tail.lines())


class _Reader:
    """Reads both streams of a child as they come. Enter it as a context."""

    def __init__(self, child: Child, tail: Tail, on_line: OnLine) -> None:
        self._on_line, self._pause = on_line, _SHORTEST_POLL
        self._selector = selectors.DefaultSelector()
        names: tuple[Stream, Stream] = ("stdout", "stderr")
        for name, file in zip(names, child.streams, strict=True):
            self._selector.register(file, selectors.EVENT_READ, (name, Lines(tail)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()

    def read(self, patience: float) -> None:
        """Read what is there; waits at most this many seconds for it."""
        if not self._selector.get_map():
            # Nothing wakes us any more: the end is probably near, but may be hours away.
            time.sleep(min(self._pause, patience))
            self._pause = min(2 * self._pause, _POLL)
            return
        for key, _ in self._selector.select(patience):
            stream, lines = key.data
            chunk = os.read(key.fd, _CHUNK)
            if not chunk:
                self._selector.unregister(key.fileobj)
            for line in lines.feed(chunk) if chunk else lines.finish():
                self._on_line(line, stream)

    def drain(self, patience: float) -> None:
        """Read on until both streams are closed, or this many seconds are over."""
        until = time.monotonic() + patience
        while self._selector.get_map() and time.monotonic() < until:
            self.read(max(0.0, until - time.monotonic()))
        for key in self._selector.get_map().values():
            stream, lines = key.data
            for line in lines.finish():
                self._on_line(line, stream)


def _follow(child: Child, reader: _Reader, deadline: float, stop: Event) -> tuple[int, bool]:
    """Read until the child ends; its exit status, and whether it was because its time was over."""
    timed_out = is_ended = False
    while True:
        left = deadline - time.monotonic()
        if not is_ended and (left <= 0 or stop.is_set()):
            is_ended, timed_out = True, left <= 0
            child.end()
        reader.read(_POLL if is_ended else min(_POLL, max(0.0, left)))
        status = child.poll()
        if status is not None:
            return status, timed_out
