"""Questions about a function that trains: planned, run, answered."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from siffra.api.commands import expect_metrics
from siffra.api.executors import HERE, RunOptions
from siffra.api.jobs import Job
from siffra.config.metrics import Metric
from siffra.errors import ConfigError
from siffra.lab.execute.functions import Train, TrainFunction, function_work
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
    jobs, store = running.jobs or 1, running.store
    varied, fixed = parted(levels)
    plan = plan_external(_plain(varied), _plain_values(fixed), metrics, options)
    function = TrainFunction(train, tuple(metric.name for metric in metrics))
    function.check(plan)
    if jobs > 1:
        _expect_to_move(function)
    with (
        tempfile.TemporaryDirectory(prefix="siffra-") as folder,
        open_store(store or Path(folder) / "runs.sqlite") as opened,
    ):
        work = function_work(function, jobs, is_kept=store is not None)
        with work.executor:
            yield Job(plan, work, opened, running.fresh, is_kept=store is not None)


def _plain(levels: Mapping[str, Sequence[object]]) -> dict[str, list[Any]]:
    return {name: list(map(_plain_value, values)) for name, values in levels.items()}


def _plain_values(values: Mapping[str, object]) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in values.items()}


def _plain_value(value: Any) -> Any:
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
