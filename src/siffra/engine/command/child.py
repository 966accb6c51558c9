"""The process of a command, which never outlives the code that started it.

Ending processes is left to a small process of its own, the keeper: it does so as well when siffra
is killed. See `keeper` for how.
"""

import atexit
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Self

from siffra.engine.command import keeper
from siffra.errors import ConfigError

MARK = "SIFFRA_RUN"
"""A variable of every command; by its value, which no other has, its processes are known."""
_WORKER = "SIFFRA_WORKER"
"""The same for all commands of one process."""
GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""
_DETACHED = 'exec 3<&0; "$@" <&3 3<&- &'
"""For `sh`: the process that it starts is nobody's child as soon as `sh` has ended.

The redirection is by way of 3, as `sh` gives what it starts by `&` another stdin.
"""


class Child:
    """A command in a session of its own, without input. Enter it as a context.

    Whatever leaves the context ends the command first: SIGTERM for all of its processes, SIGKILL
    after `grace` seconds. If siffra is killed, the same happens. Where the command has ended by
    itself, only what it left running in its process group is ended: a daemon, which has a session
    of its own, is spared. Processes with sessions of their own are found on Linux only, and only if
    they keep the variable `SIFFRA_RUN`; what other machines or services run for a command (a
    container, a job of a cluster) is out of reach.

    Raises:
        ConfigError: The command cannot be started.
    """

    def __init__(
        self, words: Sequence[str], *, cwd: Path, env: Mapping[str, str], grace: float
    ) -> None:
        value = uuid.uuid4().hex
        # First, so that the command is kept from its first moment.
        self._keeper = _start_keeper(f"{MARK}={value}", grace)
        try:
            self._process = subprocess.Popen(
                words,
                cwd=cwd,
                env={**env, MARK: value},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            self._keeper.kill()
            self._keeper.communicate()
            raise ConfigError(f"command: cannot start {_why(error, words[0])}.") from error
        self._tell(str(self._process.pid))

    @property
    def streams(self) -> tuple[IO[bytes], IO[bytes]]:
        """What it writes to: stdout, stderr."""
        assert self._process.stdout
        assert self._process.stderr
        return self._process.stdout, self._process.stderr

    def poll(self) -> int | None:
        """Its exit status, -9 if signal 9 ended it; None while it runs."""
        if self._process.poll() is None and self._is_ending() and self._keeper.poll() is not None:
            self._end_for_certain()
        return self._process.poll()

    def end(self) -> None:
        """End all of its processes; returns at once."""
        lifeline = self._keeper.stdin
        assert lifeline
        lifeline.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        has_ended = self._process.returncode is not None
        if kind is None and has_ended and not self._is_ending():
            if keeper.has_processes(self._process.pid):
                self._tell("spare")
            else:
                self._keeper.kill()
        self.end()
        self._keeper.wait()
        if self._process.returncode is None:
            self._end_for_certain()
        for stream in self.streams:
            stream.close()

    def _is_ending(self) -> bool:
        assert self._keeper.stdin
        return self._keeper.stdin.closed

    def _tell(self, word: str) -> None:
        assert self._keeper.stdin
        with suppress(BrokenPipeError):  # somebody killed it
            self._keeper.stdin.write(f"{word}\n".encode())

    def _end_for_certain(self) -> None:
        """What the keeper has done, unless somebody killed it."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextmanager
def heeded_children() -> Iterator[None]:
    """Has the system tell how child processes end.

    Whoever started this one may have ignored SIGCHLD: then each program would seem to end with 0.

    Raises:
        ConfigError: It is ignored, and only the main thread could change that.
    """
    if not hasattr(signal, "SIGCHLD") or signal.getsignal(signal.SIGCHLD) is not signal.SIG_IGN:
        yield
        return
    if threading.current_thread() is not threading.main_thread():
        raise ConfigError(
            "command: SIGCHLD is ignored, so that nothing tells how programs end; call "
            "signal.signal(signal.SIGCHLD, signal.SIG_DFL) in the main thread."
        )
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, before)


@cache
def guarded() -> Mapping[str, str]:
    """Variables for the commands of this process, which end with it however it ends (Linux).

    They do so anyway, unless their keepers are killed together with this process, as Ray kills all
    children of its workers. So this keeper is no child.
    """
    mark = f"{_WORKER}={uuid.uuid4().hex}"
    keeping = _start_keeper(mark, GRACE, "/bin/sh", "-c", _DETACHED, "sh")
    keeping.wait()
    lifeline = keeping.stdin
    assert lifeline
    atexit.register(lifeline.close)  # which keeps it open until then
    return dict([mark.split("=")])


def _why(error: OSError | ValueError, program: str) -> str:
    """Which program cannot be started, and why."""
    if isinstance(error, ValueError):
        return f"`{program}`: a word or a variable has a character that no program can be given"
    if error.filename and str(error.filename) != program:  # the folder
        return f"`{program}` in {error.filename}: {error.strerror}"
    return f"`{program}`: {error.strerror}"


def _start_keeper(mark: str, grace: float, *by: str) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [*by, sys.executable, "-I", "-S", keeper.__file__, mark, str(grace)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            # Where a command runs siffra, the outer keeper must not end the inner one.
            env={name: value for name, value in os.environ.items() if name != MARK},
            start_new_session=True,
        )
    except OSError as error:  # too many processes or open files
        raise ConfigError(f"command: cannot start {_why(error, sys.executable)}.") from error
