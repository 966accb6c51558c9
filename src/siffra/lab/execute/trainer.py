"""Trains a planned run, in whatever process that is: what all executors have in common."""

import hashlib
import pickle
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from filelock import FileLock

from siffra.config import EstimatorModel, Setting
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine
from siffra.errors import ExecutorError
from siffra.lab.execute.events import Event
from siffra.lab.plan.plan import PlannedRun
from siffra.system.jit import kernel_folder
from siffra.system.jit_cache import switches
from siffra.training.diagnostics import Examination, examine
from siffra.training.run import Epoch, Record, run, this_machine

MakeEngine = Callable[[int], Engine]
"""Makes an engine of so many threads; importable, so that other processes can call it too."""


class RunTrainer:
    """Trains runs on one data set with one engine."""

    def __init__(self, dataset: Dataset, engine: Engine) -> None:
        self._engine = engine
        self._split_for = lru_cache(maxsize=1)(dataset.split_for)

    def prepare_all(self, runs: Sequence[PlannedRun]) -> None:
        """Compile all that `runs` need, before the first of them."""
        settings = dict.fromkeys(planned.setting for planned in runs)
        tasks = [
            (setting.model, setting.training)
            for setting in settings
            if not isinstance(setting.model, EstimatorModel)  # nothing of it is compiled
        ]
        self._engine.prepare_all(tasks, self._split_for(runs[0].seed))

    def train(
        self,
        planned: PlannedRun,
        on_epoch: Callable[[int, Epoch], None] = lambda number, scores: None,
    ) -> Event:
        """Train, score and, where that is planned, examine: the run's `finished` event."""
        dataset = self._split_for(planned.seed)
        record, fitted = run(planned.setting, dataset, planned.seed, self._engine, on_epoch)
        examination = examine(fitted, dataset) if planned.examine else None
        return Event("finished", planned, record=record, examination=examination)

    def compile_in_turn(self, planned: PlannedRun) -> None:
        """Compile what the run needs in one process of this machine, not in all at once."""
        if isinstance(planned.setting.model, EstimatorModel):
            return
        dataset, setting = self._split_for(planned.seed), planned.setting
        kept = kernel_folder()
        if kept is None:  # without a place for the lock each compiles for itself
            return
        with suppress(OSError):
            folder = kept / "compiled"
            folder.mkdir(parents=True, exist_ok=True)
            done = folder / _compiled(setting, dataset, self._engine)
            if not done.exists():
                with FileLock(folder / "lock"):
                    if not done.exists():
                        self._engine.prepare(setting.model, setting.training, dataset)
                        done.touch()


def _compiled(setting: Setting, dataset: Dataset, engine: Engine) -> str:
    """A name for what is compiled for a run: texts among its knobs choose kernels, rates do not."""
    kinds = [f"{k}={v}" for k, v in setting.training.model_dump().items() if isinstance(v, str)]
    shape, examples = dataset.image_shape, dataset.train.x.dtype
    known = (setting.model.model_dump_json(), kinds, setting.training.batch_size, shape, examples)
    where = (this_machine(engine.threads).cpu, engine.name, engine.version, switches())
    return hashlib.sha256(repr((known, where)).encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Reply:
    """What another process returns for a run: the record as JSON, or the error as a pickle."""

    record: str = ""
    examination: str | None = None
    error: bytes = b""

    @classmethod
    def to_finished(cls, event: Event) -> "Reply":
        """The reply that carries a `finished` event."""
        assert event.record
        examination = event.examination and event.examination.model_dump_json()
        return cls(event.record.model_dump_json(), examination)

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

    def finished(self, planned: PlannedRun, jobs: int) -> Event:
        """The `finished` event of `planned`, on a machine that up to `jobs` runs share.

        Raises:
            Exception: The error of the run.
        """
        if self.error:
            raise pickle.loads(self.error)
        record = Record.model_validate_json(self.record)
        machine = record.machine.model_copy(update={"jobs": jobs})
        record = record.model_copy(update={"machine": machine})
        examination = self.examination and Examination.model_validate_json(self.examination)
        return Event("finished", planned, record=record, examination=examination or None)
