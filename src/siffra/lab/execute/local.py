"""The default executor: this process, one run at a time."""

import abc
from collections.abc import Callable, Sequence

from siffra.data.dataset import Dataset
from siffra.engine.base import Engine
from siffra.lab.execute.base import Executor
from siffra.lab.execute.events import Event, Job, Task
from siffra.lab.execute.trainer import RunTrainer


class SerialExecutor(Executor):
    """Makes each run in the caller's own thread, so that no other run disturbs its times."""

    def __init__(self) -> None:
        self._submitted: Job | Task | None = None

    @property
    def capacity(self) -> int:
        return 0 if self._submitted else 1

    def submit(self, run: Job | Task) -> None:
        self._submitted = run

    def poll(self, on_event: Callable[[Event], None]) -> None:
        """Make the submitted run."""
        run, self._submitted = self._submitted, None
        if run:
            on_event(self._do(run, on_event))

    @abc.abstractmethod
    def _do(self, run: Job | Task, on_event: Callable[[Event], None]) -> Event:
        """Make a run; return the event that it is over."""


class LocalExecutor(SerialExecutor):
    """Makes runs with an engine."""

    def __init__(self, dataset: Dataset, engine: Engine) -> None:
        super().__init__()
        self._trainer = RunTrainer(dataset, engine)

    def prepare(self, runs: Sequence[Job | Task]) -> None:
        """Compile everything at once, which two processes do faster."""
        self._trainer.prepare_all(runs)

    def _do(self, run: Job | Task, on_event: Callable[[Event], None]) -> Event:
        return self._trainer.do(run, lambda *epoch: on_event(Event("epoch", run, *epoch)))
