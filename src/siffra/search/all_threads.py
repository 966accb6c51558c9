"""How long a training takes on all threads, also where another program has a core.

There the threads wait for the one that does not run, and an engine goes on with fewer: its times,
and its processor time too, say little of an undisturbed training. But as long as none of them
waits in a loop, the thread that does the most works for as long as an undisturbed training takes.
OpenMP decides how threads wait when a process starts. So on a busy machine, trainings are timed in
a process of their own.
"""

import math
import os
import time
from dataclasses import dataclass

from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine
from siffra.engine.choice import engine_class
from siffra.lab.execute.base import Executor
from siffra.lab.execute.events import Event, Task
from siffra.lab.execute.pool import PoolExecutor
from siffra.system.load import LoadMeter
from siffra.training.timing import seconds_shared

_ASLEEP = {"GOMP_SPINCOUNT": "0", "OMP_WAIT_POLICY": "passive"}
"""Has OpenMP's threads wait asleep; the first is for GNU's, which siffra sets otherwise."""


@dataclass(frozen=True, slots=True)
class _Work(Task):
    """Times the work of the calling thread, which does the most, in an epoch of `setting`."""

    setting: Setting
    worth: float

    def do(self, dataset: Dataset, engine: Engine) -> float:
        clock = time.thread_time
        return seconds_shared(self.setting, dataset, engine, self.worth, clock=clock) or math.inf


class AllThreads:
    """Times trainings on all threads of an `engine`; `close` it in the end."""

    def __init__(self, dataset: Dataset, engine: Engine) -> None:
        self._dataset, self._engine = dataset, engine
        self._executor: Executor | None = None

    def close(self) -> None:
        """End its process, if it has one."""
        if self._executor:
            self._executor.close()

    def seconds(self, setting: Setting, worth: float) -> float:
        """Seconds of an epoch on a machine that does nothing else, at most.

        Infinite where nothing is known: with one thread, or another engine than siffra's.
        """
        if self._engine.threads == 1 or self._engine.name != "native":
            return math.inf
        meter = LoadMeter()
        self._engine.on_all_threads.prepare(setting.model, setting.training, self._dataset)
        meter.start()
        seconds = seconds_shared(setting, self._dataset, self._engine, worth) or math.inf
        meter.stop()
        is_busy = meter.load().is_busy and os.name == "posix"
        return min(seconds, self._asleep(_Work(setting, worth))) if is_busy else seconds

    def _asleep(self, work: _Work) -> float:
        """Do it where threads wait asleep; infinite if that process is gone."""
        if self._executor is None:
            make, threads = engine_class(self._engine.name), self._engine.threads
            self._executor = PoolExecutor(1, self._dataset, make, threads, _ASLEEP)
        events: list[Event] = []
        self._executor.submit(work)
        while not events:
            self._executor.poll(events.append)
        return events[0].result if events[0].kind == "done" else math.inf
