"""The default executor: this process, one run at a time."""

from collections.abc import Callable, Sequence

from siffra.data.dataset import Dataset
from siffra.engine.base import Engine
from siffra.lab.execute.base import Executor
from siffra.lab.execute.events import Event, Job, Task
from siffra.lab.execute.trainer import RunTrainer


class LocalExecutor(Executor):
    """Makes each run in the caller's own thread, so that no other run disturbs its times."""

    def __init__(self, dataset: Dataset, engine: Engine) -> None:
        self._trainer = RunTrainer(dataset, engine)
        self._submitted: Job | Task | None = None

    @property
    def size(self) -> int:
        """See `Executor.size`."""
        return 1

    @property
    def capacity(self) -> int:
        """See `Executor.capacity`."""
        return 0 if self._submitted else 1

    def prepare(self, runs: Sequence[Job | Task]) -> None:
        """Compile everything at once, which two processes do faster."""
        self._trainer.prepare_all(runs)

    def submit(self, run: Job | Task) -> None:
        """See `Executor.submit`."""
        self._submitted = run

    def poll(self, on_event: Callable[[Event], None]) -> None:
        """Make the submitted run."""
        run, self._submitted = self._submitted, None
        if run:
            on_event(self._trainer.do(run, lambda *epoch: on_event(Event("epoch", run, *epoch))))
