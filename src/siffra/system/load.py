"""How much of its machine a training had, and whether that was so little that its time is off.

A training reads no files while it is timed, so that at any moment one of its threads at least
could run. Where it does not go on, a thread of it is ready and waits for a processor. Linux counts
for each thread how long it so waited, behind other programs or a container's quota, in
`/proc/self/task/*/schedstat` (Documentation/scheduler/sched-stats). Summed over the threads that
is the most that the training can have lost, whether its threads spin or sleep at a barrier:
undisturbed it would have taken `wall - waited` at least. Siffra's own other runs (`--jobs`) count
as company only where there are more of them than processors.

Elsewhere there is a weaker sign, which also shows what a hypervisor takes: a training that always
has a processor uses as much processor time as goes by, or more.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from siffra.system.cpu import available_cores

TOLERANCE = 1.1
"""A time that may be longer than it should by more than this factor was taken on a busy machine.

Within it, times are called about as long: what is lost is one more thing that varies from run to
run, which intervals allow for.
"""
_TASKS = Path("/proc/self/task")
_CPU_TICK = 1 / 64 if sys.platform == "win32" else 0.0
"""Seconds that processor time may lag behind: Windows counts it from one tick to the next."""


class Load(BaseModel):
    """What a training had of its machine, in seconds.

    `wall` went by. `cpu` is the processor time of all threads of the process; None where it says
    nothing, as of a training on a GPU. `waited` is how long its threads waited for a processor, in
    all; None where the system does not say. `average` is how many threads of the whole machine ran
    or waited, in the mean over the minute before the end; None where the system does not say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    wall: float
    cpu: float | None
    waited: float | None
    average: float | None = None

    @property
    def lengthened(self) -> float:
        """By which factor the time may be too long: 1 for a machine that did nothing else."""
        had = [self.wall if self.cpu is None else self.cpu, self.wall - (self.waited or 0.0)]
        least = max(0.0, min(self.wall, *had))
        return self.wall / least if least else (1.0 if self.wall <= 0 else float("inf"))

    @property
    def is_busy(self) -> bool:
        """Whether the machine was too busy for the time to mean much: see `TOLERANCE`."""
        return self.lengthened > TOLERANCE


@dataclass(frozen=True, slots=True)
class Reading:
    """The clocks at a moment, in seconds; `waited` is by thread, None where it is not known."""

    wall: float
    cpu: float
    waited: Mapping[int, float] | None


class LoadMeter:
    """Measures the load of what is done between `start` and `stop`, however often.

    With `counts_cpu` False processor time is left out, since what is measured waits for something
    else than a processor: a GPU, or processes of its own.
    """

    def __init__(
        self, *, counts_cpu: bool = True, read: Callable[[], Reading] | None = None
    ) -> None:
        self._counts_cpu, self._read = counts_cpu, read or read_clocks
        self._since: Reading | None = None
        self._wall = self._cpu = 0.0
        self._waited: float | None = 0.0

    def start(self) -> None:
        """Begin to measure."""
        self._since = self._read()

    def stop(self) -> None:
        """Stop for now; without a `start` before it nothing is added."""
        since, self._since = self._since, None
        if since is None:
            return
        now = self._read()
        self._wall += now.wall - since.wall
        self._cpu += now.cpu - since.cpu + _CPU_TICK
        if now.waited is None or since.waited is None or self._waited is None:
            self._waited = None
            return
        before = since.waited
        # A thread that is new has waited all that it says; of one that is gone nothing is known.
        self._waited += sum(max(0.0, s - before.get(t, 0.0)) for t, s in now.waited.items())

    def load(self) -> Load:
        """All that was measured so far."""
        return Load(
            wall=self._wall,
            cpu=self._cpu if self._counts_cpu else None,
            waited=self._waited,
            average=_average(),
        )


def crowding(own: int = 0) -> float:
    """By which factor what else runs on the machine may lengthen work on all of its cores.

    `own` is how many of the threads that ran in the last minute are siffra's own. 1 for a machine
    that did nothing else, and where the system does not say.
    """
    others = max(0.0, (_average() or 0.0) - own)
    cores = available_cores()
    return (cores + others) / cores


def read_clocks() -> Reading:
    """The clocks of this process; takes some 50 µs."""
    return Reading(time.perf_counter(), time.process_time(), _waited())


def _average() -> float | None:
    """The load average of the last minute, if the system has one and can tell it."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):  # Windows; no /proc
        return None


def _waited() -> dict[int, float] | None:
    """How long each thread has waited for a processor since it began."""
    try:
        all_threads = {int(name): _schedstat(name) for name in os.listdir(_TASKS)}
    except (OSError, ValueError):
        return None
    known = {thread: waited for thread, waited in all_threads.items() if waited}
    # A kernel that does not count says that no thread ever ran.
    if not any(ran for ran, _ in known.values()):
        return None
    return {thread: waited / 1e9 for thread, (_, waited) in known.items()}


def _schedstat(thread: str) -> tuple[int, int] | None:
    """Nanoseconds that a thread ran, and that it waited; None if it has just ended."""
    try:
        file = os.open(_TASKS / thread / "schedstat", os.O_RDONLY)
    except (FileNotFoundError, ProcessLookupError):
        return None
    try:
        ran, waited, *_ = os.read(file, 100).split()
    except ProcessLookupError:
        return None
    finally:
        os.close(file)
    return int(ran), int(waited)
