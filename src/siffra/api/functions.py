"""Questions about a function that trains: planned, run, answered."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from siffra.api.commands import expect_metrics, expect_no_engine
from siffra.api.executors import HERE, RunOptions
from siffra.api.jobs import Job
from siffra.config.metrics import Metric
from siffra.errors import ConfigError
from siffra.lab.execute.base import Executor
from siffra.lab.execute.cost import MeanCosts
from siffra.lab.execute.functions import (
    FunctionExecutor,
    FunctionKeys,
    FunctionPool,
    FunctionRuns,
    Train,
    TrainFunction,
)
from siffra.lab.execute.work import Work
from siffra.lab.plan.ad_hoc import parted, plan_external
from siffra.lab.plan.presets import AS_WRITTEN, LabOptions
from siffra.store.store import open_store


@contextmanager
def function_job(
    levels: Mapping[str, Sequence[object]],
    train: Train,
    metrics: tuple[Metric, ...],
    options: LabOptions = AS_WRITTEN,
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
    varied, fixed = parted(levels)
    plan = plan_external(_plain(varied), _plain_values(fixed), metrics, options)
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


def _plain(levels: Mapping[str, Sequence[object]]) -> dict[str, list[Any]]:
    return {name: list(map(plain_value, values)) for name, values in levels.items()}


def _plain_values(values: Mapping[str, object]) -> dict[str, Any]:
    return {name: plain_value(value) for name, value in values.items()}


def plain_value(value: Any) -> Any:
    """A number of NumPy's as one of Python's."""
    return value.item() if hasattr(value, "item") and not hasattr(value, "__len__") else value


def _expect_to_move(function: TrainFunction) -> None:
    try:
        pickle.dumps(function)
    except Exception as error:  # whatever the user's objects do when they are pickled
        raise ConfigError(
            f"jobs: {function.name} cannot be handed to other processes; leave out jobs, or put "
            "the function in a module."
        ) from error
