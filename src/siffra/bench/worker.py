"""A process that computes what it is asked for.

What one library does to thread pools, allocators and settings stays in its process, where it
disturbs no other; while it is not asked, the process waits for a message.
"""

import multiprocessing
import os
import pkgutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Self

from siffra.errors import BenchError

_SETTLE = 0.1
"""Seconds in which the threads of another process go to sleep."""
_PATIENCE = 300.0
"""Seconds after which an answer is given up; the first one may have to compile for long."""


class Worker:
    """A process that answers one question at a time.

    Args:
        patience: Seconds to wait for an answer.
    """

    def __init__(self, patience: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._patience = patience
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,))
        self._process.start()
        theirs.close()

    @classmethod
    @contextmanager
    def start(cls, patience: float = _PATIENCE) -> Iterator[Self]:
        """A new process, which ends with the block."""
        worker = cls(patience)
        try:
            yield worker
        finally:
            worker._end()

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return self._process.is_alive()

    def ask_rested(self, function: Callable[..., object] | str, *arguments: object) -> Any:
        """`ask`, after a pause in which the threads of other processes fall asleep."""
        time.sleep(_SETTLE)
        return self.ask(function, *arguments)

    def ask(self, function: Callable[..., object] | str, *arguments: object) -> Any:
        """What a module's `function` returns in that process.

        Its name, as `module:function`, is enough: then this process need not import the module.

        Raises:
            BenchError: The function raised, took too long, or the process died.
        """
        try:
            self._pipe.send((function, arguments))
            if not self._pipe.poll(self._patience):
                self._end()
                raise BenchError(f"took more than {self._patience:.0f} s")
            failed, answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise BenchError("its process died") from error
        if failed:
            raise BenchError(answer)
        return answer

    def _end(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _serve(pipe: Connection) -> None:
    """Answer until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # TensorFlow writes there whatever one sets
    while True:
        try:
            function, arguments = pipe.recv()
        except EOFError:
            return
        try:
            if isinstance(function, str):
                function = pkgutil.resolve_name(function)
            answer = False, function(*arguments)
        except Exception as error:  # whatever a library raises is reported to the process that asks
            answer = True, next(iter(str(error).splitlines()), repr(error))
        pipe.send(answer)
