"""Runs of a function that somebody else wrote, here or in processes of their own."""

import hashlib
import inspect
import multiprocessing
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.spawn import get_preparation_data
from pathlib import Path
from typing import Any

from siffra.engine.command.metrics import ExternalResult, OnEpoch, Position, no_metric
from siffra.errors import ConfigError, ExecutorError
from siffra.lab.execute.base import PATIENCE, Executor
from siffra.lab.execute.commands import knobs_of
from siffra.lab.execute.events import Event, Job, Task
from siffra.lab.execute.local import SerialExecutor
from siffra.lab.execute.results import Keys
from siffra.lab.plan.plan import Plan, PlannedRun
from siffra.training.external import external_key, external_record
from siffra.training.run import Record, this_machine

FUNCTION = "function"
"""The engine of a function's records."""
GUARD = 'put the call of siffra under `if __name__ == "__main__":`, or leave out jobs'
"""What a script needs of which other processes import the function: else each makes the call."""
_LAST_LINES = 20

Train = Callable[..., Any]
"""Takes knobs and a `seed` by name; returns a mapping of metrics, or yields one an epoch."""


@dataclass(frozen=True, slots=True)
class TrainFunction:
    """A function that trains, and the metrics that it must give, the main one first."""

    train: Train
    metrics: tuple[str, ...]

    def check(self, plan: Plan) -> None:
        """Check that it takes the knobs of the plan, and a seed.

        Raises:
            ConfigError: It does not.
        """
        run = plan.runs[0]
        if "seed" in knobs_of(run):
            raise ConfigError("knob `seed`: siffra itself gives each run its seed.")
        try:
            inspect.signature(self.train).bind(**knobs_of(run), seed=run.seed)
        except TypeError as error:
            names = ", ".join([*knobs_of(run), "seed"])
            raise ConfigError(
                f"train: {self.name} cannot be called with {names} by name: {error}."
            ) from error
        except ValueError:  # a built-in function does not say what it takes
            return

    @property
    def name(self) -> str:
        """What messages and keys call it."""
        return getattr(self.train, "__qualname__", type(self.train).__name__)

    @property
    def source(self) -> str:
        """SHA-256 (hex) of its source.

        Raises:
            ConfigError: That is not known.
        """
        try:
            return hashlib.sha256(inspect.getsource(self.train).encode()).hexdigest()
        except (OSError, TypeError) as error:
            raise ConfigError(
                f"store: the source of {self.name} is not known, so its runs cannot be kept; "
                "leave out store, or put it in a file."
            ) from error

    def run(
        self,
        knobs: Mapping[str, object],
        seed: int,
        on_epoch: OnEpoch = lambda position, values: None,
    ) -> ExternalResult:
        """Call it once. What it raises is a result, too: a run that failed.

        Raises:
            ConfigError: It gives something that is not a mapping of metrics.
        """
        started = time.perf_counter()
        curves: dict[str, dict[float, float]] = {}
        values: dict[str, float] = {}
        steps = self._steps(knobs, seed)
        while True:
            try:
                step = next(steps, None)
            except ConfigError:
                raise
            except (Exception, SystemExit) as error:  # some trainings end as programs do
                lines = traceback.format_exc().splitlines()[-_LAST_LINES:]
                return ExternalResult(
                    metrics={},
                    seconds=time.perf_counter() - started,
                    failure=" ".join(f"{type(error).__name__}: {error}".split()),
                    output=tuple(lines),
                )
            if step is None:
                break
            epoch, measured = step
            values |= measured
            if epoch is not None:
                for name, value in measured.items():
                    curves.setdefault(name, {})[epoch] = value
                on_epoch(("epoch", epoch), measured)
        missing = next((name for name in self.metrics if name not in values), None)
        return ExternalResult(
            metrics=values,
            curves={name: tuple(curve.items()) for name, curve in curves.items()},
            seconds=time.perf_counter() - started,
            failure=no_metric(missing, values) if missing else "",
        )

    def _steps(
        self, knobs: Mapping[str, object], seed: int
    ) -> Iterator[tuple[float | None, dict[str, float]]]:
        """What it gives, from its call on: all that it raises is raised by a step."""
        yield from self._given(self.train(**knobs, seed=seed))

    def _given(self, returned: object) -> Iterator[tuple[float | None, dict[str, float]]]:
        """What it returned, or yields: the metrics by name, with the epoch if there is one."""
        if isinstance(returned, Mapping):
            yield None, self._numbers(returned)
        elif isinstance(returned, Iterator):
            for number, each in enumerate(returned, start=1):
                if not isinstance(each, Mapping):
                    raise self._misfit(each, "yields")
                try:
                    epoch = _number(each.get("epoch", number))
                except (TypeError, ValueError):
                    raise self._misfit(each, "yields") from None
                yield epoch, self._numbers(each)
        else:
            raise self._misfit(returned, "returns")

    def _numbers(self, given: Mapping[Any, Any]) -> dict[str, float]:
        """The numbers in it; of the metrics that are wanted, it must be one."""
        numbers: dict[str, float] = {}
        for name, value in given.items():
            try:
                numbers[str(name)] = _number(value)
            except (TypeError, ValueError):
                if name in self.metrics:
                    raise self._misfit({name: value}, "gives") from None
        numbers.pop("epoch", None)
        return numbers

    def _misfit(self, value: object, verb: str) -> ConfigError:
        wanted = ", ".join(f"{name!r}: 0.21" for name in self.metrics)
        text = " ".join(repr(value).split())
        text = text if len(text) < 80 else f"{text[:77]}..."
        return ConfigError(
            f"train: {self.name} {verb} {text}; it must be numbers, as {{{wanted}}}."
        )


def _number(value: Any) -> float:
    """A number, of whatever library; raises TypeError or ValueError if it is none."""
    if isinstance(value, bool | str):
        raise TypeError
    return float(value)


def imported_script() -> Path | None:
    """What processes import that are started to call functions; None if that is no file."""
    data = get_preparation_data("")
    name = data.get("init_main_from_name", "")
    if name == "__main__" or name.endswith(".__main__"):  # of a package: left out by Python
        return None
    path = sys.modules["__main__"].__file__ if name else data.get("init_main_from_path")
    return Path(path) if path and Path(path).is_file() else None


class FunctionKeys(Keys):
    """The keys of a function's runs: its name, its source, knobs and seed."""

    def __init__(self, function: TrainFunction, *, is_kept: bool) -> None:
        super().__init__()
        self._identity = {"function": function.name}
        if is_kept:
            self._identity["source"] = function.source

    def _make(self, job: Job) -> str:
        assert isinstance(job, PlannedRun)
        return external_key(FUNCTION, {**self._identity, "knobs": knobs_of(job), "seed": job.seed})


@dataclass(frozen=True, slots=True)
class FunctionRuns:
    """Makes runs of a function and their records."""

    function: TrainFunction
    keys: Keys

    def record(self, run: PlannedRun, result: ExternalResult, jobs: int = 1) -> Record:
        """The record of what the function gave, where this many `jobs` share the machine."""
        return external_record(
            self.keys.of(run),
            run.setting,
            run.seed,
            result,
            main=self.function.metrics[0],
            kind=FUNCTION,
            machine=this_machine(1).model_copy(update={"jobs": jobs}),
        )

    def maker(self, orders: Sequence[Any], threads: int) -> Callable[[PlannedRun], Event]:
        """What makes a run, on a cluster's node; how many threads it has is its own affair."""
        return self.make

    def make(
        self, run: PlannedRun, on_event: Callable[[Event], None] = lambda event: None
    ) -> Event:
        """Make it, telling of its epochs; the event that it is over."""

        def on_epoch(position: Position, values: Mapping[str, float]) -> None:
            shown = {name: values[name] for name in self.function.metrics if name in values}
            name, number = position
            on_event(Event("epoch", run, epoch=number, values={name: number, **shown}))

        result = self.function.run(knobs_of(run), run.seed, on_epoch)
        return Event("finished", run, record=self.record(run, result))


class FunctionExecutor(SerialExecutor):
    """Calls the function in the caller's own thread, one run at a time."""

    def __init__(self, runs: FunctionRuns) -> None:
        super().__init__()
        self._runs = runs

    def _do(self, run: Job | Task, on_event: Callable[[Event], None]) -> Event:
        assert isinstance(run, PlannedRun)
        return self._runs.make(run, on_event)


class FunctionPool(Executor):
    """Calls the function in processes, several runs at a time."""

    def __init__(self, runs: FunctionRuns, count: int) -> None:
        self._runs, self._count = runs, count
        # Forked, a process would have locks and threads of this one's that are in use.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(count, mp_context=context)
        self._busy: dict[Future[ExternalResult], PlannedRun] = {}

    @property
    def size(self) -> int:
        return self._count

    @property
    def capacity(self) -> int:
        return self._count - len(self._busy)

    def submit(self, run: Job | Task) -> None:
        assert isinstance(run, PlannedRun)
        future = self._pool.submit(self._runs.function.run, knobs_of(run), run.seed)
        self._busy[future] = run

    def poll(self, on_event: Callable[[Event], None]) -> None:
        done, _ = wait(self._busy, timeout=PATIENCE, return_when=FIRST_COMPLETED)
        for future in done:
            run = self._busy.pop(future)
            try:
                result = future.result()
            except BrokenProcessPool as error:
                raise ExecutorError(
                    f"jobs: a process that called {self._runs.function.name} ended, or could not "
                    f"import it. In a script, {GUARD}: with jobs=1 it is seen what else is wrong."
                ) from error
            on_event(Event("finished", run, record=self._runs.record(run, result, self._count)))

    def close(self) -> None:
        """Kill the processes."""
        processes = list((self._pool._processes or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            with suppress(ProcessLookupError, OSError):
                process.kill()
