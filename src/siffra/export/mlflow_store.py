"""An MLflow store that siffra logs to: opened, and its runs found again by siffra's ids."""

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy
from sqlalchemy.exc import SQLAlchemyError

from siffra.errors import SiffraError

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # siffra tells nobody what it does

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunStatus, RunTag
from mlflow.exceptions import MlflowException

_SQLITE = "sqlite:///"
_SERVERS = ("http://", "https://")
_ID = "siffra.id"
_MOST_METRICS = 1000
"""That MLflow takes at a time."""
_MOST_LISTED = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """A run to be logged. `metrics` are a name, a value, seconds since 1970 and a step each.

    `note` is what MLflow shows as the run's description; `times` are when it began and ended.
    """

    id: str
    name: str
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Sequence[tuple[str, float, float, int]] = ()
    note: str = ""
    times: tuple[float, float] | None = None
    failed: bool = False


class MlflowStore:
    """An experiment of an MLflow store. Open it with `opened`."""

    def __init__(self, client: MlflowClient, experiment: str) -> None:
        self._client = client
        self._experiment = experiment
        self._known = self._runs_that_ended()

    def log(self, entry: Entry, parent: str | None = None) -> str:
        """Log `entry`, in `parent` if one is given, unless it is there; its run's id in MLflow.

        Of one that is there, tags and description become those of `entry`, since what is said of a
        run may change; what it did cannot.
        """
        tags = {_ID: entry.id, "mlflow.source.name": "siffra", **entry.tags}
        tags |= {"mlflow.parentRunId": parent} if parent else {}
        tags |= {"mlflow.note.content": entry.note} if entry.note else {}
        if known := self._known.get(entry.id):
            others = [RunTag(k, v) for k, v in tags.items() if known.data.tags.get(k) != v]
            if others:
                self._client.log_batch(known.info.run_id, tags=others)
            return known.info.run_id
        now = time.time()
        began, ended = entry.times or (now, now)
        run = self._client.create_run(
            self._experiment, start_time=_milliseconds(began), tags=tags, run_name=entry.name
        )
        run_id = run.info.run_id
        metrics = [
            Metric(n, value, _milliseconds(moment), step)
            for n, value, moment, step in entry.metrics
        ]
        params = [Param(name, value) for name, value in entry.params.items()]
        self._client.log_batch(run_id, metrics[:_MOST_METRICS], params)
        for start in range(_MOST_METRICS, len(metrics), _MOST_METRICS):
            self._client.log_batch(run_id, metrics[start : start + _MOST_METRICS])
        status = RunStatus.FAILED if entry.failed else RunStatus.FINISHED
        self._client.set_terminated(
            run_id, RunStatus.to_string(status), end_time=_milliseconds(ended)
        )
        self._known[entry.id] = run
        return run_id

    def attach(self, run_id: str, folder: Path, name: str) -> None:
        """Make the content of `folder` the artifacts of a run, in a folder of that `name`."""
        self._client.log_artifacts(run_id, str(folder), name)

    def _runs_that_ended(self) -> dict[str, Run]:
        """The runs that siffra logged, by its ids; those that were broken off are deleted."""
        known: dict[str, Run] = {}
        page = None
        while True:
            page_of_runs = self._client.search_runs(
                [self._experiment], max_results=_MOST_LISTED, page_token=page
            )
            for run in page_of_runs:
                name = run.data.tags.get(_ID)
                if name and run.info.status == RunStatus.to_string(RunStatus.RUNNING):
                    self._client.delete_run(run.info.run_id)
                elif name:
                    known[name] = run
            page = page_of_runs.token
            if not page:
                return known


@contextmanager
def opened(where: str, experiment: str) -> Iterator[MlflowStore]:
    """The experiment of that name in the store at `where`, which is made if there is none.

    `where` is `sqlite:///FILE`, a FILE that ends in .db, or the http address of an MLflow server.
    Artifacts of a file go to `mlartifacts` beside it; a server has a place for them.

    Raises:
        SiffraError: It is no such store, or cannot be used.
    """
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        address, artifacts = _address(where)
        client = MlflowClient(tracking_uri=address)
        known = client.get_experiment_by_name(experiment)
        if known and known.lifecycle_stage == "deleted":
            raise SiffraError(
                f"{where}: its experiment `{experiment}` was deleted; restore it in MLflow first."
            )
        experiment_id = (
            known.experiment_id if known else client.create_experiment(experiment, artifacts)
        )
        yield MlflowStore(client, experiment_id)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise SiffraError(f"{where}: MLflow cannot use it: {reason.rstrip('.')}.") from error
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _address(where: str) -> tuple[str, str | None]:
    """What MLflow calls the store, and the address of its artifacts unless it knows."""
    if where.startswith(_SERVERS):
        return where, None
    if not where.startswith(_SQLITE) and ("://" in where or not where.endswith(".db")):
        raise SiffraError(
            f"{where}: no MLflow store; write it as sqlite:///mlflow.db, or name a server by http://."
        )
    path = Path(where.removeprefix(_SQLITE)).absolute()
    if not path.parent.is_dir():
        raise SiffraError(f"{where}: cannot be written: {path.parent} is no folder.")
    address = f"{_SQLITE}{path}"
    if path.exists() and path.stat().st_size:
        _expect_mlflow(address, where)
    return address, (path.parent / "mlartifacts").as_uri()


def _expect_mlflow(address: str, where: str) -> None:
    """Check that MLflow's tables would not be put into something else, such as a store of runs."""
    engine = sqlalchemy.create_engine(address)
    try:
        tables = set(sqlalchemy.inspect(engine).get_table_names())
    except SQLAlchemyError as error:
        raise SiffraError(f"{where}: is no database; nothing in it was changed.") from error
    finally:
        engine.dispose()
    if not {"alembic_version", "experiments"} <= tables:
        raise SiffraError(f"{where}: is a database, but not MLflow's; nothing in it was changed.")


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
