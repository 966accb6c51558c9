"""Runs of a command that somebody else wrote: their keys, and the executor that makes them."""

import platform
import queue
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Signal
from threading import Thread
from typing import Any

from siffra.config import ExternalModel
from siffra.engine.command.child import guarded
from siffra.engine.command.metrics import OnEpoch, Position
from siffra.engine.command.run import CommandSpec, run_once
from siffra.engine.command.template import KnobValue
from siffra.errors import ConfigError
from siffra.lab.execute.base import Executor, arrived
from siffra.lab.execute.cost import MeanCosts
from siffra.lab.execute.events import Event, Job, Task
from siffra.lab.execute.results import Keys
from siffra.lab.execute.work import Work
from siffra.lab.plan.plan import Plan, PlannedRun
from siffra.store.store import Store
from siffra.training.external import external_key, external_record
from siffra.training.run import Record, this_machine

COMMAND = "command"
"""The engine of a command's records."""


class CommandKeys(Keys):
    """The keys of a command's runs: words, knobs, seed, and the content of files it names."""

    def __init__(self, spec: CommandSpec) -> None:
        super().__init__()
        self._spec = spec

    def expect_unchanged(self, run: PlannedRun) -> None:
        """Check that no file that the run's key is of has changed since.

        Raises:
            ConfigError: One has: other runs of the plan were made by another program.
        """
        if self._make(run) != self.of(run):
            name = self._spec.latest_file(knobs_of(run), run.seed)
            raise ConfigError(
                f"command: `{name}` has changed since the first run; run the same command again, "
                "which makes all runs with the new one. What runs write must not be watched."
            )

    def _make(self, job: Job) -> str:
        assert isinstance(job, PlannedRun)
        return external_key(COMMAND, self._spec.identity(knobs_of(job), job.seed))


def command_work(keys: CommandKeys, executor: Executor, plan: Plan, store: Store) -> Work:
    """How the runs of `plan` are made by a command: its `executor` makes them."""
    costs = MeanCosts()
    stored = store.get_all(store.stored(keys.of(run) for run in plan.runs))
    for record in stored.values():
        costs.learn(record.setting, record)
    return Work(keys, costs, executor)


def knobs_of(run: PlannedRun) -> dict[str, KnobValue]:
    """The values of the command's own knobs."""
    model = run.setting.model
    assert isinstance(model, ExternalModel)
    return {name: value for name, value in model.values if value is not None}


@dataclass(frozen=True, slots=True)
class CommandRuns:
    """Makes runs of a command, every one of which must have its first metric, and their records."""

    spec: CommandSpec

    def make(
        self,
        run: PlannedRun,
        key: str,
        out: Path,
        *,
        env: Mapping[str, str],
        on_epoch: OnEpoch | None = None,
        stop: Signal | None = None,
    ) -> Record:
        """A run with this `key`, see `run_once`; it has a folder in `out`."""
        result = run_once(
            self.spec,
            knobs_of(run),
            seed=run.seed,
            out=out / key[:16],
            env=env,
            on_epoch=on_epoch,
            stop=stop,
        )
        return external_record(
            key,
            run.setting,
            run.seed,
            result,
            main=self.spec.source.metrics[0],
            kind=COMMAND,
            machine=this_machine(1),
        )

    def maker(
        self, orders: Sequence[Any], threads: int
    ) -> Callable[[tuple[PlannedRun, str]], Event]:
        """What makes a run, of the key that it has where the lab was started, on a cluster's node.

        How many threads a command has is its own affair.
        """
        return self._make_elsewhere

    def _make_elsewhere(self, order: tuple[PlannedRun, str]) -> Event:
        run, key = order
        knobs, machine = knobs_of(run), platform.node()
        try:
            self.spec.check(knobs)
            identity = self.spec.identity(knobs, run.seed)
        except ConfigError as error:
            raise ConfigError(f"on: machine {machine}: {error}") from error
        if external_key(COMMAND, identity) != key:
            names = ", ".join(f"`{name}`" for name in self.spec.files(knobs, run.seed))
            raise ConfigError(
                f"on: machine {machine}: the command's files are not those that the lab began "
                f"with (found: {names or 'none'}); they must be the same on every machine, in "
                f"{self.spec.cwd}, while the lab runs."
            )
        with tempfile.TemporaryDirectory(prefix="siffra-") as folder:
            record = self.make(run, key, Path(folder), env=guarded())
        return Event("finished", run, record=record)


class CommandExecutor(Executor):
    """Makes each run in a process of its own, which a thread waits for.

    Args:
        runs: How.
        keys: Those of its runs.
        jobs: How many are made at once.
        gpus: What `CUDA_VISIBLE_DEVICES` is for each of those, whose number it then says.
    """

    def __init__(
        self,
        runs: CommandRuns,
        keys: CommandKeys,
        jobs: int = 1,
        gpus: Sequence[str] = (),
    ) -> None:
        self._runs, self._keys = runs, keys
        self._free = list(gpus) or [""] * jobs
        self._size = len(self._free)
        self._busy: dict[PlannedRun, str] = {}
        self._threads: list[Thread] = []
        self._made: queue.Queue[tuple[PlannedRun, Record | BaseException]] = queue.Queue()
        self._epochs: dict[PlannedRun, tuple[Position, Mapping[str, float]]] = {}
        self._stop = Signal()
        has_folder = runs.spec.template.uses_out
        self._folder = tempfile.TemporaryDirectory(prefix="siffra-") if has_folder else None

    @property
    def size(self) -> int:
        return self._size

    @property
    def capacity(self) -> int:
        return len(self._free)

    def submit(self, run: Job | Task) -> None:
        assert isinstance(run, PlannedRun)
        self._busy[run] = self._free.pop(0)
        thread = Thread(target=self._make, args=(run, self._busy[run]), daemon=True)
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()

    def poll(self, on_event: Callable[[Event], None]) -> None:
        """See `Executor.poll`; a command that cannot be started ends the plan."""
        ended = list(arrived(self._made))
        for run, outcome in ended:
            self._free.append(self._busy.pop(run))
            self._epochs.pop(run, None)
            if isinstance(outcome, Record):
                on_event(Event("finished", run, record=outcome))
        for run in list(self._epochs):
            (name, number), values = self._epochs.pop(run)
            on_event(Event("epoch", run, epoch=number, values={name: number, **values}))
        for _, outcome in ended:  # after those that are whole
            if isinstance(outcome, BaseException):
                raise outcome

    def close(self) -> None:
        """End the processes and all that they started."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._folder:
            self._folder.cleanup()

    def _make(self, run: PlannedRun, gpu: str) -> None:
        try:
            outcome: Record | BaseException = self._record(run, gpu)
        except BaseException as error:  # raised in the thread that polls
            outcome = error
        self._made.put((run, outcome))

    def _record(self, run: PlannedRun, gpu: str) -> Record:
        self._keys.expect_unchanged(run)
        key = self._keys.of(run)
        wanted = self._runs.spec.source.metrics

        def on_epoch(position: Position, values: Mapping[str, float]) -> None:
            # The latest alone: a program may print steps faster than anybody reads them.
            self._epochs[run] = position, {name: values[name] for name in wanted if name in values}

        env: Mapping[str, str] = {"CUDA_VISIBLE_DEVICES": gpu} if gpu else {}
        out = Path(self._folder.name if self._folder else "")
        record = self._runs.make(run, key, out, env=env, on_epoch=on_epoch, stop=self._stop)
        machine = record.machine.model_copy(update={"jobs": self.size})
        return record.model_copy(update={"machine": machine})
