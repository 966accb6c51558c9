"""Questions about a function that trains: planned, run, answered."""

from __future__ import annotations

import ast
import pickle
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from siffra.api.commands import (
    command_job,
    command_options,
    expect_metrics,
    expect_no_engine,
    expect_none,
    metrics_of,
)
from siffra.api.executors import HERE, RunOptions
from siffra.api.jobs import Job
from siffra.api.judging import MetricLike
from siffra.config.metrics import Metric
from siffra.errors import ConfigError
from siffra.lab.execute.base import Executor
from siffra.lab.execute.cost import MeanCosts
from siffra.lab.execute.functions import (
    GUARD,
    FunctionExecutor,
    FunctionKeys,
    FunctionPool,
    FunctionRuns,
    Train,
    TrainFunction,
    imported_script,
)
from siffra.lab.execute.work import Work
from siffra.lab.plan.ad_hoc import plan_external
from siffra.lab.plan.presets import AS_WRITTEN, LabOptions
from siffra.store.store import open_store

OpenJob = Callable[..., AbstractContextManager[Job]]
"""Makes a question ready about levels and fixed knobs, with `LabOptions`, if any."""


def own_training(
    train: Train | None,
    command: str | Sequence[str] | None,
    metric: MetricLike | Sequence[MetricLike],
    margin: float | None,
    running: RunOptions,
    of_programs: Mapping[str, Any],
) -> OpenJob:
    """What makes questions ready about a function, or about a program; see `siffra.vary`.

    `of_programs` are arguments of `command_options` that a function has no use for.

    Raises:
        ConfigError: There is not one of the two, or an argument cannot be used.
    """
    if (train is None) == (command is None):
        raise ConfigError("train: give either a function, or the command of a program.")
    if train is None:
        program = command_options(command or "", metric, running, margin=margin, **of_programs)
        return partial(command_job, program=program)
    expect_none(of_programs, "a command")
    return partial(function_job, train=train, metrics=metrics_of(metric, margin), running=running)


@contextmanager
def function_job(
    levels: Mapping[str, Sequence[object]],
    fixed: Mapping[str, object],
    options: LabOptions = AS_WRITTEN,
    *,
    train: Train,
    metrics: tuple[Metric, ...],
    running: RunOptions = HERE,
) -> Iterator[Job]:
    """One question about a function made ready, see `siffra.vary`.

    Its runs are kept in the store that is named; without one, they are forgotten: what a function
    depends on besides its source is not known.

    Raises:
        SiffraError: The function, a knob or the store cannot be used.
    """
    if not callable(train):
        raise ConfigError(f"train: found {train!r}; give a function of the knobs and a seed.")
    expect_metrics(metrics)
    expect_no_engine(running)
    plain = {name: list(map(plain_value, values)) for name, values in levels.items()}
    held = {name: plain_value(value) for name, value in fixed.items()}
    plan = plan_external(plain, held, metrics, options)
    function = TrainFunction(train, tuple(metric.name for metric in metrics))
    function.check(plan)
    is_kept = running.store is not None
    runs = FunctionRuns(function, FunctionKeys(function, is_kept=is_kept))
    with (
        tempfile.TemporaryDirectory(prefix="siffra-") as folder,
        open_store(running.store or Path(folder) / "runs.sqlite") as opened,
        _executor(runs, running) as executor,
    ):
        work = Work(runs.keys, MeanCosts(), executor)
        yield Job(plan, work, opened, running.fresh, is_kept=is_kept)


def _executor(runs: FunctionRuns, running: RunOptions) -> Executor:
    """What calls the function: this process, others of this machine, or a cluster's."""
    if running.is_cluster:
        return running.on_cluster(lambda: runs, cpus=running.threads or 1, queued=1)
    if running.at_once == 1:
        return FunctionExecutor(runs)
    _expect_to_move(runs.function)
    return FunctionPool(runs, running.at_once)


def plain_value(value: Any) -> Any:
    """A number of NumPy's as one of Python's."""
    return value.item() if hasattr(value, "item") and not hasattr(value, "__len__") else value


def _expect_to_move(function: TrainFunction) -> None:
    """Check that other processes can have the function: each first imports the script anew.

    Raises:
        ConfigError: They cannot.
    """
    try:
        pickled = pickle.dumps(function)
    except Exception as error:  # whatever the user's objects do when they are pickled
        raise ConfigError(
            f"jobs: {function.name} cannot be handed to other processes; leave out jobs, or put "
            "the function in a module."
        ) from error
    script = imported_script()
    if script is None and b"__main__" in pickled:
        raise ConfigError(
            f"jobs: {function.name} is of a notebook or a prompt, from which other processes "
            "cannot import it; leave out jobs, or put the function in a module and import it."
        )
    if script and not _is_guarded(script):
        raise ConfigError(
            f"jobs: each process imports {script.name}, and would make the same call; {GUARD}."
        )


def _is_guarded(script: Path) -> bool:
    """Whether a script does some things only where it is not imported, as far as can be seen."""
    try:
        statements = ast.parse(script.read_bytes()).body
    except (OSError, SyntaxError, ValueError):  # no source, such as an archive
        return True
    tests = (ast.unparse(each.test) for each in statements if isinstance(each, ast.If))
    return any("__name__" in test for test in tests)
