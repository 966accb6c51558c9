"""The executor of several runs at once: processes on this machine, each with one run at a time.

A process receives runs on its stdin and replies on its stdout, in pickles. It ends when its
stdin does, however this process ended.
"""

import os
import pickle
import queue
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Thread
from types import MappingProxyType
from typing import IO

from siffra.data.dataset import Dataset
from siffra.lab.execute.base import Executor, arrived
from siffra.lab.execute.events import Event, Job, Task
from siffra.lab.execute.shared_file import unnamed_file, write_shared
from siffra.lab.execute.trainer import MakeEngine, Reply, RunTrainer
from siffra.training.run import Epoch

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

_Message = tuple["_Process", Epoch | Reply | None, int]
"""The process; an epoch with its number, a reply, or None: it has ended."""


class PoolExecutor(Executor):
    """Makes runs in processes of `threads` threads each, which start when they are needed.

    `environment` has variables that they get beside this process's own.
    """

    def __init__(
        self,
        count: int,
        dataset: Dataset,
        make_engine: MakeEngine,
        threads: int = 1,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._count, self._threads = count, threads
        self._environment = {**dict.fromkeys(_THREADS, str(threads)), **environment}
        self._dataset, self._make_engine = dataset, make_engine
        self._file: IO[bytes] | None = None
        self._is_written = False
        self._idle: list[_Process] = []
        self._busy: dict[_Process, Job | Task] = {}
        self._messages: queue.Queue[_Message] = queue.Queue()

    @property
    def size(self) -> int:
        return self._count

    @property
    def capacity(self) -> int:
        return self._count - len(self._busy)

    def prepare(self, runs: Sequence[Job | Task]) -> None:
        """Write the data and compile what is not in the cache here, while the processes start."""
        count = min(self._count, len(runs))
        self._idle += [self._start() for _ in range(count - len(self._idle) - len(self._busy))]
        self._write()
        trainer = RunTrainer(self._dataset, self._make_engine(self._threads))
        trainer.compile_once(runs)

    def submit(self, run: Job | Task) -> None:
        process = self._idle.pop() if self._idle else self._start()
        self._write()
        self._busy[process] = run
        process.send(pickle.dumps(run))

    def poll(self, on_event: Callable[[Event], None]) -> None:
        for message in arrived(self._messages):
            self._take(*message, on_event)

    def hold(self, held: bool) -> None:
        for process in self._busy:
            process.send(held)

    def close(self) -> None:
        """Kill the processes."""
        for process in [*self._idle, *self._busy]:
            process.end()
        self._idle, self._busy = [], {}
        if self._file:
            self._file.close()
            self._file, self._is_written = None, False

    def _take(
        self,
        process: "_Process",
        message: Epoch | Reply | None,
        number: int,
        on_event: Callable[[Event], None],
    ) -> None:
        if isinstance(message, Epoch):
            on_event(Event("epoch", self._busy[process], number, message))
        elif message is not None:
            self._idle.append(process)
            on_event(message.event(self._busy.pop(process)))
        elif process in self._busy:
            reason = f"its process ended ({process.end()})"
            on_event(Event("lost", self._busy.pop(process), reason=reason))
        else:
            self._idle.remove(process)
            process.end()

    def _start(self) -> "_Process":
        self._file = self._file or unnamed_file()
        return _Process(self._file.fileno(), self._environment, self._messages)

    def _write(self) -> None:
        """Write what the processes read when they get their first run."""
        if self._file and not self._is_written:
            parts = (self._dataset, self._make_engine, self._threads, self._count)
            write_shared(parts, self._file)
            self._is_written = True


class _Process:
    """A process that makes runs; a thread puts its messages into `messages`."""

    def __init__(
        self, file: int, environment: Mapping[str, str], messages: "queue.Queue[_Message]"
    ) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "siffra.lab.execute.pool_worker", str(file)],
            pass_fds=(file,),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment},
        )
        self._listener = Thread(target=self._listen, args=(messages,), daemon=True)
        self._listener.start()

    def send(self, message: bytes | bool) -> None:
        """Have it make a run, given as a pickle; or hold it, or let it go on."""
        assert self._popen.stdin
        with suppress(OSError):  # it is gone, as the listener will report
            pickle.dump(message, self._popen.stdin)
            self._popen.stdin.flush()

    def end(self) -> str:
        """Kill it if it lives, and say how it ended."""
        self._popen.kill()
        code = self._popen.wait()
        self._listener.join()
        for pipe in (self._popen.stdin, self._popen.stdout):
            with suppress(OSError):  # a run that it did not read
                pipe.close()  # pyright: ignore[reportOptionalMemberAccess]
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def _listen(self, messages: "queue.Queue[_Message]") -> None:
        assert self._popen.stdout
        with suppress(EOFError, OSError, pickle.UnpicklingError):  # all of them: it is gone
            while True:
                message, number = pickle.load(self._popen.stdout)
                messages.put((self, message, number))
        messages.put((self, None, 0))
