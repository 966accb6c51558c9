"""The race's runs: as many at once as there are threads, each on one of them.

Small networks gain little by more threads, so that this makes more runs in the same time. The bits
of siffra's own engine do not depend on the number of threads, so that scores are the same. Times
are not: where runs are made at once, a candidate's steps take what they were timed to take.
"""

import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from siffra.config import Setting
from siffra.data.dataset import Dataset, Images
from siffra.engine.base import Engine
from siffra.engine.choice import engine_class
from siffra.errors import ExecutorError
from siffra.lab.execute.base import Executor
from siffra.lab.execute.events import Event, Task
from siffra.lab.execute.local import LocalExecutor
from siffra.lab.execute.pool import PoolExecutor
from siffra.search.race import Run, Turn
from siffra.search.spec import SearchSpec
from siffra.search.validation import try_out

_WORTH_PROCESSES = 60.0
"""Seconds of a search in which more processes, which take some seconds to start, are worth it."""
_LOADING = 1.0
"""Seconds that a process may take to load the kernels of a candidate that is new to it."""
_MOST_LOSSES = 3
"""How often processes may be lost in a row."""


@dataclass(frozen=True, slots=True)
class Trial(Task):
    """A run of the race, on a data set whose `sets` are those that candidates are judged by."""

    setting: Setting
    steps: int
    seed: int
    sets: tuple[str, ...]
    clock: Callable[[], float]

    def do(self, dataset: Dataset, engine: Engine) -> Run:
        judged_by = {name: dataset.sets[name] for name in self.sets}
        run = self.setting, self.steps, self.seed
        return try_out(*run, dataset, engine, judged_by, self.clock)


class Trials:
    """Makes runs of the race, `at_once` of them; `close` it in the end.

    `judged_by` has the held-out images by set, and `clock` the seconds from any origin.
    """

    def __init__(
        self,
        dataset: Dataset,
        engine: Engine,
        judged_by: Mapping[str, Images],
        clock: Callable[[], float],
        at_once: int = 1,
    ) -> None:
        self.at_once = at_once
        self._sets, self._clock = tuple(judged_by), clock
        self._dataset, self._engine = _judged(dataset, judged_by), engine
        self._here = LocalExecutor(self._dataset, engine)
        self._pool: PoolExecutor | None = None

    def make(
        self,
        turns: Sequence[Turn],
        on_start: Callable[[Turn], None],
        on_run: Callable[[Turn, Run], None],
    ) -> None:
        """Make the run of each turn, the longest first; a single one here, on all threads.

        Raises:
            ExecutorError: Processes are lost again and again.
        """
        executor = self._here if len(turns) < 2 else self._processes()
        waiting = deque(sorted(turns, key=lambda turn: -turn.share))
        running: dict[object, Turn] = {}
        losses = 0

        def on_event(event: Event) -> None:
            nonlocal losses
            turn = running.pop(event.run)
            if event.kind == "done":
                losses = 0
                on_run(turn, replace(event.result, at_once=executor.size))
                return
            losses += 1
            if losses == _MOST_LOSSES:
                raise ExecutorError(
                    f"runs of the search were lost {losses} times, last because {event.reason}. "
                    "Finished runs are stored; rerun the same command to continue."
                )
            waiting.appendleft(turn)

        while waiting or running:
            while waiting and executor.capacity:
                turn = waiting.popleft()
                on_start(turn)
                setting = turn.candidate.setting
                trial = Trial(setting, turn.steps, turn.seed, self._sets, self._clock)
                running[trial] = turn
                executor.submit(trial)
            executor.poll(on_event)

    def close(self) -> None:
        """End the processes, and the runs in progress with them."""
        if self._pool:
            self._pool.close()

    def _processes(self) -> Executor:
        if self._pool is None:
            make_engine = engine_class(self._engine.name)
            self._pool = PoolExecutor(self.at_once, self._dataset, make_engine)
        return self._pool


def runs_at_once(engine: Engine, spec: SearchSpec, pace: float) -> int:
    """How many runs of a search are made at once: as many as there are threads, or one.

    One where results depend on the number of threads, or where that takes less time in all. `pace`
    says how many times the budget a run takes on one thread.
    """
    can = engine.name == "native" and os.name == "posix" and spec.time >= _WORTH_PROCESSES
    is_quicker = spec.budget * pace + _LOADING < spec.budget * engine.threads
    return engine.threads if can and is_quicker else 1


def _judged(dataset: Dataset, judged_by: Mapping[str, Images]) -> Dataset:
    """The training images, and what candidates are judged by in the place of all other sets."""
    shifted = dict(judged_by)
    any_of_them = next(iter(judged_by.values()))
    test = shifted.pop("test", any_of_them)
    return replace(dataset, val=test, test=test, shifted=shifted)
