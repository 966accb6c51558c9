"""Does a planned run or timing, in whatever process that is: what all executors have in common."""

import hashlib
import pickle
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from siffra.config import Setting, SteplessModel
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine
from siffra.errors import ExecutorError
from siffra.lab.execute.events import Event, Job, Task
from siffra.lab.plan.plan import PlannedRun, PlannedTiming
from siffra.system.jit import kernel_folder
from siffra.system.jit_cache import switches
from siffra.training.diagnostics import examine
from siffra.training.examination import Examination
from siffra.training.run import Epoch, Record, WrittenRecord, run, this_machine
from siffra.training.timing import Timing, time_by_turns

MakeEngine = Callable[[int], Engine]
"""Makes an engine of this many threads; importable, so that other processes can call it too."""


class RunTrainer:
    """Trains runs on one data set with one engine, and times trainings by turns."""

    def __init__(self, dataset: Dataset, engine: Engine) -> None:
        self._dataset, self._engine = dataset, engine
        self._split_for = lru_cache(maxsize=1)(dataset.split_for)

    def prepare_all(self, jobs: Sequence[Job | Task]) -> None:
        """Compile all that `jobs` need, before the first of them."""
        settings = dict.fromkeys(setting for job in jobs for setting in _settings_of(job))
        tasks = [
            (setting.model, setting.training)
            for setting in settings
            if not isinstance(setting.model, SteplessModel)  # nothing of it is compiled
        ]
        self._engine.prepare_all(tasks, self._data_of(jobs[0]))

    def do(
        self,
        job: Job | Task,
        on_epoch: Callable[[int, Epoch], None] = lambda number, scores: None,
    ) -> Event:
        """Train, score and, where that is planned, examine a run: its `finished` event.

        Or time the settings of a round by turns: its `timed` event. Or do a task: its `done`.
        """
        dataset = self._data_of(job)
        if isinstance(job, Task):
            return Event("done", job, result=job.do(dataset, self._engine))
        if isinstance(job, PlannedTiming):
            timing = time_by_turns(job.settings, dataset, self._engine, job.round)
            return Event("timed", job, timing=timing)
        record, fitted = run(job.setting, dataset, job.seed, self._engine, on_epoch)
        examination = examine(fitted, dataset) if job.examine else None
        return Event("finished", job, record=record, examination=examination)

    def compile_once(self, jobs: Sequence[Job | Task]) -> None:
        """Compile what `jobs` need, unless a process of this machine has: one, not all at once.

        Nothing is loaded of what has been compiled before.
        """
        kept = kernel_folder()
        if kept is None:  # without a place for the lock each compiles for itself
            return
        with suppress(OSError):
            folder = kept / "compiled"
            folder.mkdir(parents=True, exist_ok=True)
            if self._not_in(folder, jobs):
                with FileLock(folder / "lock"):
                    missing = self._not_in(folder, jobs)
                    if missing:
                        dataset = self._data_of(jobs[0])
                        tasks = [(s.model, s.training) for s in missing.values()]
                        self._engine.prepare_all(tasks, dataset)
                    for done in missing:
                        done.touch()

    def _not_in(self, folder: Path, jobs: Sequence[Job | Task]) -> dict[Path, Setting]:
        """One setting for all that need the same, where that is not noted as compiled."""
        dataset = self._data_of(jobs[0])
        needed = {
            folder / _compiled(setting, dataset, self._engine): setting
            for job in jobs
            for setting in _settings_of(job)
            if not isinstance(setting.model, SteplessModel)
        }
        return {done: setting for done, setting in needed.items() if not done.exists()}

    def _data_of(self, job: Job | Task) -> Dataset:
        """Times are of the data as it is, whatever a seed makes of it."""
        return self._split_for(job.seed) if isinstance(job, PlannedRun) else self._dataset


def _settings_of(job: Job | Task) -> tuple[Setting, ...]:
    return job.settings if isinstance(job, PlannedTiming) else (job.setting,)


def _compiled(setting: Setting, dataset: Dataset, engine: Engine) -> str:
    """A name for what is compiled for a run: texts among its knobs choose kernels, rates do not."""
    kinds = [f"{k}={v}" for k, v in setting.training.model_dump().items() if isinstance(v, str)]
    shape, examples = dataset.image_shape, dataset.train.x.dtype
    known = (setting.model.model_dump_json(), kinds, setting.training.batch_size, shape, examples)
    where = (this_machine(engine.threads).cpu, engine.name, engine.version, switches())
    return hashlib.sha256(repr((known, where)).encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Reply:
    """What another process returns for a job: its results as JSON, or else a pickle."""

    record: WrittenRecord | None = None
    examination: str | None = None
    timing: str | None = None
    result: bytes = b""
    error: bytes = b""

    @classmethod
    def of(cls, event: Event, jobs: int) -> "Reply":
        """The reply that carries a `finished`, a `timed` or a `done` event.

        Up to this many `jobs` share the machine.
        """
        record, examination, timing = event.record, event.examination, event.timing
        if isinstance(record, Record):
            record = WrittenRecord.of(_shared(record, jobs))
        if isinstance(examination, Examination):
            examination = examination.model_dump_json()
        return cls(
            record=record,
            examination=examination,
            timing=_shared(timing, jobs).model_dump_json() if timing else None,
            result=pickle.dumps(event.result) if event.kind == "done" else b"",
        )

    @classmethod
    def to_error(cls, error: Exception) -> "Reply":
        """The reply that carries an error: itself where it can be pickled, with its traceback."""
        error.add_note("".join(traceback.format_exception(error)))
        try:
            content = pickle.dumps(error)
            pickle.loads(content)
        except Exception:  # whatever a user's class does when it is pickled
            content = pickle.dumps(ExecutorError(f"a run failed: {type(error).__name__}: {error}"))
        return cls(error=content)

    def event(self, job: Job | Task) -> Event:
        """The event of a job that is over.

        Raises:
            Exception: The error of the job.
        """
        if self.error:
            raise pickle.loads(self.error)
        if self.result:
            return Event("done", job, result=pickle.loads(self.result))
        if self.timing:
            return Event("timed", job, timing=Timing.model_validate_json(self.timing))
        return Event("finished", job, record=self.record, examination=self.examination)


_R = TypeVar("_R", Record, Timing)


def _shared(result: _R, jobs: int) -> _R:
    """The result, of a machine that up to `jobs` of them share."""
    machine = result.machine.model_copy(update={"jobs": jobs})
    return result.model_copy(update={"machine": machine})
