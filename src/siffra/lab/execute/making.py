"""Making a planned run, in whatever process that is: what all sites have in common."""

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
from siffra.errors import SiteError
from siffra.lab.execute.base import Made
from siffra.lab.plan.plan import PlannedRun
from siffra.system.jit import kernel_folder
from siffra.system.jit_cache import switches
from siffra.training.diagnostics import Examination, examine
from siffra.training.run import Epoch, Record, run, this_machine

MakeEngine = Callable[[int], Engine]
"""Makes an engine of so many threads; of a module, so that other processes can be told of it."""


class Maker:
    """Makes runs on one data set with one engine."""

    def __init__(self, dataset: Dataset, engine: Engine) -> None:
        self._engine = engine
        self._split_for = lru_cache(maxsize=1)(dataset.split_for)

    def prepare_all(self, runs: Sequence[PlannedRun]) -> None:
        """Have all that `runs` need compiled, before the first of them."""
        settings = dict.fromkeys(planned.setting for planned in runs)
        tasks = [
            (setting.model, setting.training)
            for setting in settings
            if not isinstance(setting.model, EstimatorModel)  # nothing of it is compiled
        ]
        self._engine.prepare_all(tasks, self._split_for(runs[0].seed))

    def make(
        self,
        planned: PlannedRun,
        on_epoch: Callable[[int, Epoch], None] = lambda number, epoch: None,
    ) -> Made:
        """Train, score and, where that is planned, examine."""
        dataset = self._split_for(planned.seed)
        record, fitted = run(planned.setting, dataset, planned.seed, self._engine, on_epoch)
        return Made(planned, record, examine(fitted, dataset) if planned.examine else None)

    def compile_in_turn(self, planned: PlannedRun) -> None:
        """Have what the run needs compiled by one process of this machine, not by all at once."""
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
class Answer:
    """What another process says of a run: what was made, as JSON, or the error, as a pickle."""

    record: str = ""
    examination: str | None = None
    error: bytes = b""

    def made(self, planned: PlannedRun, jobs: int) -> Made:
        """What was made of `planned`, on a machine that up to `jobs` runs share.

        Raises:
            Exception: The error of the run.
        """
        if self.error:
            raise pickle.loads(self.error)
        record = Record.model_validate_json(self.record)
        machine = record.machine.model_copy(update={"jobs": jobs})
        found = self.examination and Examination.model_validate_json(self.examination)
        return Made(planned, record.model_copy(update={"machine": machine}), found or None)


def answer(made: Made) -> Answer:
    """What was made, to be sent."""
    found = made.examination and made.examination.model_dump_json()
    return Answer(made.record.model_dump_json(), found)


def failure(error: Exception) -> Answer:
    """An error, to be sent: itself where it can be pickled, with where it came from."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        sent = pickle.dumps(error)
        pickle.loads(sent)
    except Exception:  # whatever a class of somebody else's does when it is pickled
        sent = pickle.dumps(SiteError(f"a run failed: {type(error).__name__}: {error}"))
    return Answer(error=sent)
