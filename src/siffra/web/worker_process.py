"""The server's end of the worker process: starts it when there is work, and ends it."""

import asyncio
import logging
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from siffra.web.protocol import Command, Message

log = logging.getLogger("siffra.web")

WORKER = ("-P", "-m", "siffra.web.worker")
"""Python's arguments; -P: a file in the current folder must not stand in for a module."""
_LONGEST_LINE = 1 << 20
_OUT_OF_MEMORY = (
    " The system may have ended it since memory ran out: close other programs, or ask for smaller "
    "networks or batches."
)


class WorkerProcess:
    """One worker process, at most.

    `on_message` is called with each message, `on_lost` when the process has ended unasked.
    """

    def __init__(
        self,
        store: Path,
        threads: int | None,
        on_message: Callable[[Message], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._arguments = [str(store.absolute()), *([str(threads)] if threads else [])]
        self._on_message, self._on_lost = on_message, on_lost
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()  # commands are sent one after the other

    async def send(self, command: Command) -> None:
        """Send a command; the first one that starts a task starts the process."""
        async with self._turn:
            if self._process is None and command.do == "start":
                self._process = await self._start()
                self._reading = asyncio.create_task(self._read(self._process))
            if self._process and self._process.stdin:
                with suppress(OSError):  # it is gone: `_read` notices
                    self._process.stdin.write(command.line())
                    await self._process.stdin.drain()

    async def end(self) -> None:
        """End the process at once; what it was at is lost, and nothing else."""
        async with self._turn:
            process, self._process = self._process, None
            if self._reading:
                self._reading.cancel()
            if process:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    async def _start(self) -> Process:
        # In a session of its own: Ctrl-C in the terminal is for the server, which ends the worker.
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *WORKER,
            *self._arguments,
            stdin=PIPE,
            stdout=PIPE,
            limit=_LONGEST_LINE,
            start_new_session=True,
        )

    async def _read(self, process: Process) -> None:
        assert process.stdout
        by_us = False
        try:
            async for line in process.stdout:
                self._on_message(Message.model_validate_json(line))
        except ValueError:  # it talks nonsense
            log.exception("the training process is ended")
            process.kill()
            by_us = True
        code = await process.wait()
        self._process = None
        log.error(
            "the training process ended %s. Every finished run is kept; go on in the page.%s",
            how_it_ended(code),
            _OUT_OF_MEMORY if code == -signal.SIGKILL and not by_us else "",
        )
        self._on_lost()


def how_it_ended(code: int) -> str:
    """A process's return code in words: `by SIGKILL`, `with exit code 1`."""
    if code >= 0:
        return f"with exit code {code}"
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"
