"""The site of `--jobs`: several processes on this machine, each with one run at a time.

A process is told what to do on its stdin and answers on its stdout, in pickles. It ends when its
stdin does, however this process ended. The data it reads from a file that has no name, so that
nothing of it is left on the disk, however all of them end.
"""

import os
import pickle
import queue
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from tempfile import TemporaryFile, gettempdir
from threading import Thread
from typing import IO, Any

from siffra.data.dataset import Dataset
from siffra.errors import SiteError
from siffra.lab.execute.base import EpochMade, Lost, News, Site
from siffra.lab.execute.making import Answer, MakeEngine
from siffra.lab.plan.plan import PlannedRun
from siffra.training.run import Epoch

_PATIENCE = 0.2
"""Seconds after which there is no news."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

_Message = tuple["_Process", Epoch | Answer | None, int]
"""Of whom; an epoch with its number, or an answer; or None, which is the end."""


class Processes(Site):
    """Makes runs in processes of `threads` threads each, which start when they are needed."""

    def __init__(
        self, count: int, dataset: Dataset, make_engine: MakeEngine, threads: int = 1
    ) -> None:
        self._count, self._threads = count, threads
        self._ordered = (dataset, make_engine, threads)
        self._site: IO[bytes] | None = None
        self._idle: list[_Process] = []
        self._busy: dict[_Process, PlannedRun] = {}
        self._messages: queue.Queue[_Message] = queue.Queue()

    @property
    def size(self) -> int:
        """See `Site.size`."""
        return self._count

    @property
    def jobs(self) -> int:
        """See `Site.jobs`."""
        return self._count

    @property
    def room(self) -> int:
        """See `Site.room`."""
        return self._count - len(self._busy)

    def give(self, run: PlannedRun) -> None:
        """See `Site.give`."""
        process = self._idle.pop() if self._idle else self._start()
        self._busy[process] = run
        process.order(pickle.dumps(run))

    def attend(self, tell: Callable[[News], None]) -> None:
        """See `Site.attend`."""
        with suppress(queue.Empty):
            self._take(*self._messages.get(timeout=_PATIENCE), tell)
            while True:
                self._take(*self._messages.get_nowait(), tell)

    def close(self) -> None:
        """Kill the processes."""
        for process in [*self._idle, *self._busy]:
            process.end()
        self._idle, self._busy = [], {}
        if self._site:
            self._site.close()
            self._site = None

    def _take(
        self,
        process: "_Process",
        said: Epoch | Answer | None,
        number: int,
        tell: Callable[[News], None],
    ) -> None:
        if isinstance(said, Epoch):
            tell(EpochMade(self._busy[process], number, said))
        elif said is not None:
            self._idle.append(process)
            tell(said.made(self._busy.pop(process), self._count))
        elif process in self._busy:
            tell(Lost(self._busy.pop(process), f"its process ended ({process.end()})"))
        else:
            self._idle.remove(process)
            process.end()

    def _start(self) -> "_Process":
        if self._site is None:
            self._site = _without_name(self._ordered)
        return _Process(self._site.fileno(), self._threads, self._messages)


def _without_name(content: Any) -> IO[bytes]:
    """A file with a pickle, which is gone when nobody has it open any more."""
    try:
        file = TemporaryFile()  # noqa: SIM115  closed with the site
        pickle.dump(content, file)
        file.flush()
    except OSError as error:
        reason = error.strerror or str(error)
        raise SiteError(f"{gettempdir()}: the data cannot be written there: {reason}.") from error
    return file


class _Process:
    """A process that makes runs; a thread puts what it says into `messages`."""

    def __init__(self, site: int, threads: int, messages: "queue.Queue[_Message]") -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "siffra.lab.execute.pool_worker", str(site)],
            pass_fds=(site,),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | dict.fromkeys(_THREADS, str(threads)),
        )
        self._listener = Thread(target=self._listen, args=(messages,), daemon=True)
        self._listener.start()

    def order(self, run: bytes) -> None:
        """Have it make a run, of which there is a pickle."""
        assert self._popen.stdin
        with suppress(OSError):  # it is gone, as the listener will say
            pickle.dump(run, self._popen.stdin)
            self._popen.stdin.flush()

    def end(self) -> str:
        """Kill it if it lives, and say how it ended."""
        self._popen.kill()
        code = self._popen.wait()
        self._listener.join()
        for pipe in (self._popen.stdin, self._popen.stdout):
            with suppress(OSError):  # an order that it did not take
                pipe.close()  # pyright: ignore[reportOptionalMemberAccess]
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def _listen(self, messages: "queue.Queue[_Message]") -> None:
        assert self._popen.stdout
        with suppress(EOFError, OSError, pickle.UnpicklingError):  # all of them: it is gone
            while True:
                said, number = pickle.load(self._popen.stdout)
                messages.put((self, said, number))
        messages.put((self, None, 0))
