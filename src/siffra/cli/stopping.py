"""How a command ends before it is done: by a signal, and with what it says then.

Ctrl-C, `kill` and a terminal that is closed all end it in the same way: what is at work is given
up, what is open is closed, temporary files and other processes go, and the last line says what is
kept.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from siffra.cli.errors import INTERRUPTED
from siffra.system.terminal import echo

_ENDING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
_SOON = 0.01
"""Seconds."""
_HOOK = "_raise_again"
"""The function that Python calls with what was swallowed."""


class Stopped(Exception):  # noqa: N818  not an error
    """The command was stopped; the text says what became of it, and how to go on."""


class Signals:
    """What asks this process to end, as KeyboardInterrupt in its main thread.

    After the first, others do not disturb what is being put away, but for one more Ctrl-C.
    """

    def __init__(self) -> None:
        self._first: int | None = None

    @property
    def exit_code(self) -> int:
        """As shells have it: 128 and the signal's number."""
        return INTERRUPTED if self._first is None else 128 + self._first

    @contextmanager
    def raised(self) -> Iterator[None]:
        """Have signals raise; those that somebody else sees to, or nobody is to see, are left."""
        before = {}
        if threading.current_thread() is threading.main_thread():
            usual = (signal.SIG_DFL, signal.default_int_handler)
            before = {each: now for each in _ENDING if (now := signal.getsignal(each)) in usual}
        for each in before:
            signal.signal(each, self._raise)
        swallowed = sys.unraisablehook

        def _raise_again(lost: "sys.UnraisableHookArgs") -> None:
            # It came while Python ran a finaliser or a callback, which nothing can be raised from.
            if isinstance(lost.exc_value, KeyboardInterrupt) and self._first is not None:
                signal_number, self._first = self._first, None
                _send_soon(signal_number)
            else:
                swallowed(lost)

        sys.unraisablehook = _raise_again
        try:
            yield
        finally:
            sys.unraisablehook = swallowed
            for each, handler in before.items():
                signal.signal(each, handler)

    def _raise(self, signal_number: int, frame: FrameType | None) -> None:
        if _would_be_swallowed(frame):
            _send_soon(signal_number)
            return
        if self._first is not None and signal_number != signal.SIGINT:
            return
        self._first = self._first or signal_number
        raise KeyboardInterrupt


def _send_soon(signal_number: int) -> None:
    """Send it to this process once more, when what runs now may be over."""
    again = threading.Timer(_SOON, _send_to_main_thread, [signal_number])
    again.daemon = True
    again.start()


def _send_to_main_thread(signal_number: int) -> None:
    """Send it where it interrupts what the main thread waits for; raised here, it would not."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal_number)
    else:
        signal.raise_signal(signal_number)


def say_stopped(text: str = "stopped.") -> None:
    """The last line on stderr, if there is somebody to read it."""
    with suppress(OSError, ValueError):
        echo(text, err=True)


def _would_be_swallowed(frame: FrameType | None) -> bool:
    """Whether an exception would go no further than `frame`'s callers in C.

    LLVM has called Python, and the code would never be made; or an exception that was swallowed is
    just being seen to.
    """
    while frame:
        name = frame.f_code.co_name
        if name.startswith("_raw_object_cache_") or name == _HOOK:  # the first are llvmlite's
            return True
        frame = frame.f_back
    return False
