"""Runs in an MLflow store: its SQLite database, or its folder `mlruns`.

Read as the files that they are, which needs no MLflow, changes nothing and reads stores of any
version: MLflow itself would bring an older database up to date.
"""

import math
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from siffra.data.notes import named, short
from siffra.results.assemble import Raw
from siffra.results.table import Curve, note, refuse_size, refused

_MOST_POINTS = 5_000_000
"""More points of curves than these are left out; the last value of each metric is still read."""
_ACTIVE = "active"
_STATUS = {"1": "RUNNING", "2": "SCHEDULED", "3": "FINISHED", "4": "FAILED", "5": "KILLED"}
_OWN_TAGS = "mlflow."
_COMMIT = "mlflow.source.git.commit"
_PARENT = "mlflow.parentRunId"
_GREATEST = 1.7976931348623157e308
"""What MLflow keeps an infinite value as in a database."""


@dataclass(slots=True)
class _Run:
    id: str
    name: str
    experiment: str
    status: str
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)


def read_mlflow_database(path: Path) -> Raw:
    """The runs that are not deleted in an MLflow database; it is opened for reading alone.

    Raises:
        ResultsError: It is no such database, damaged, too large, or has no runs.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            database.text_factory = lambda text: text.decode("utf-8", "replace")
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
            if not {"experiments", "runs", "params", "latest_metrics", "metrics", "tags"} <= tables:
                raise refused("not_mlflow", source=path)
            return _raw(_database_runs(database, str(path)), str(path))
    except (
        sqlite3.Error,
        TypeError,
        ValueError,
    ) as error:  # values of other types than its columns
        raise refused("bad_database", source=path, reason=short(str(error))) from error


def read_mlruns(folder: Path) -> Raw:
    """The runs that are not deleted in MLflow's folder `mlruns`, or in that of an experiment.

    Raises:
        ResultsError: A file in it is not as MLflow writes it, or it has no runs.
    """
    metas = [*folder.glob("meta.yaml"), *folder.glob("*/meta.yaml"), *folder.glob("*/*/meta.yaml")]
    refuse_size(str(folder), len(metas), 0)
    described = {meta.parent: _meta(meta) for meta in metas if not meta.is_symlink()}
    runs = {
        path: _folder_run(path, meta, described.get(path.parent, {}).get("name", ""))
        for path, meta in described.items()
        if "run_id" in meta and meta.get("lifecycle_stage", _ACTIVE) == _ACTIVE
    }
    return _raw(
        [runs[path] for path in sorted(runs, key=lambda p: _began(p, described))], str(folder)
    )


def is_mlruns(folder: Path) -> bool:
    """Whether MLflow keeps runs in this folder."""
    return next(folder.glob("*/meta.yaml"), None) is not None


def _began(path: Path, described: Mapping[Path, Mapping[str, str]]) -> tuple[int, str, Path]:
    """When a run began, to sort by: of whole numbers, more digits are more."""
    began = described[path].get("start_time", "")
    return len(began), began, path


def _raw(runs: Sequence[_Run], source: str) -> Raw:
    """The runs as columns, but for those that hold others, of which they may have the best."""
    measured_below: dict[str | None, set[str]] = {}
    for run in runs:
        measured_below.setdefault(run.tags.get(_PARENT), set()).update(run.metrics)
    parents = [run for run in runs if run.id in measured_below]
    sums = [run for run in parents if not measured_below[run.id].isdisjoint(run.metrics)]
    left_out = {run.id for run in (*sums, *(run for run in parents if not run.metrics))}
    runs = [run for run in runs if run.id not in left_out]
    if not runs:
        raise refused("no_runs", source=source)
    columns: dict[str, Sequence[object]] = {
        "run_id": [run.id for run in runs],
        "name": [run.name for run in runs],
        "experiment": [run.experiment for run in runs],
        "status": [run.status for run in runs],
        "git_commit": [run.tags.get(_COMMIT) for run in runs],
    }
    for group in ("params", "metrics", "tags"):
        held: list[dict[str, object]] = [getattr(run, group) for run in runs]
        names = dict.fromkeys(name for of in held for name in of)
        refuse_size(source, len(runs), len(columns) + len(names))
        for name in names:
            if not name.startswith(_OWN_TAGS):
                columns[f"{group}.{name}"] = [of.get(name) for of in held]
    drawn = dict.fromkeys(name for run in runs for name in run.curves)
    curves = {f"metrics.{n}": tuple(run.curves.get(n, ()) for run in runs) for n in drawn}
    told = (note("parents", rows=named(_called(sums))),) if sums else ()
    return Raw(columns, source, _called(runs), curves, notes=told)


def _called(runs: Sequence[_Run]) -> list[str]:
    """The names of the runs, with the start of their id where several have the same."""
    times = Counter(run.name for run in runs)
    return [
        run.name if times[run.name] == 1 else f"{run.name} ({run.id[:8]})".strip() for run in runs
    ]


def _database_runs(database: sqlite3.Connection, source: str) -> list[_Run]:
    ((rows,),) = database.execute("SELECT count(*) FROM runs")
    refuse_size(source, rows, 0)
    rows_of_runs = database.execute(
        "SELECT run_uuid, runs.name, experiments.name, status FROM runs LEFT JOIN experiments "
        "USING (experiment_id) WHERE runs.lifecycle_stage = ? ORDER BY start_time, run_uuid",
        (_ACTIVE,),
    )
    runs = {
        run: _Run(run, name or "", experiment or "", status or "")
        for run, name, experiment, status in rows_of_runs
    }
    for table in ("params", "tags"):
        for run, key, value in database.execute(f"SELECT run_uuid, key, value FROM {table}"):
            if run in runs:
                getattr(runs[run], table)[str(key)] = None if value is None else str(value)
    for run, key, value, lost in database.execute(
        "SELECT run_uuid, key, value, is_nan FROM latest_metrics"
    ):
        if run in runs:
            runs[run].metrics[str(key)] = _value(value, lost)
    ((points,),) = database.execute("SELECT count(*) FROM metrics")
    if points <= _MOST_POINTS:
        _add_curves(database, runs)
    return list(runs.values())


def _add_curves(database: sqlite3.Connection, runs: dict[str, _Run]) -> None:
    history = database.execute(
        "SELECT run_uuid, key, step, value, is_nan FROM metrics "
        "ORDER BY run_uuid, key, step, timestamp"
    )
    for (run, key), points in groupby(history, key=lambda row: row[:2]):
        if run in runs:
            runs[run].curves |= _curve(key, [(p[2], _value(*p[3:])) for p in points])


def _folder_run(path: Path, meta: Mapping[str, str], experiment: str) -> _Run:
    tags = dict(_texts(path / "tags"))
    name = meta.get("run_name") or tags.get("mlflow.runName", "")
    status = meta.get("status", "")
    run = _Run(meta["run_id"], name, experiment, _STATUS.get(status, status), tags=tags)
    run.params |= _texts(path / "params")
    for key, text in _texts(path / "metrics"):
        try:
            lines = [line.split() for line in text.splitlines()]
            points = sorted(
                (int(step), int(moment), float(value)) for moment, value, step, *_ in lines
            )
        except ValueError as error:
            raise refused("mlflow_lines", source=path / "metrics" / key) from error
        if points:
            run.metrics[key] = points[-1][2]
            run.curves |= _curve(key, [(step, value) for step, _, value in points])
    return run


def _curve(key: str, points: Sequence[tuple[float, float]]) -> dict[str, Curve]:
    """The curve of a metric, if it was logged at several steps."""
    return {key: tuple(points)} if len({step for step, _ in points}) > 1 else {}


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    """The contents of the files in a folder and below it, by their path in it."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            try:
                yield path.relative_to(folder).as_posix(), path.read_text("utf-8").strip()
            except UnicodeError as error:
                raise refused("mlflow_text", source=path) from error


def _meta(path: Path) -> dict[str, str]:
    """The plain values in a file of MLflow's about a run or an experiment."""
    text = path.read_text("utf-8", errors="replace")
    pairs = (line.partition(": ") for line in text.splitlines() if not line.startswith(" "))
    return {key: value.strip().strip("'\"") for key, _, value in pairs}


def _value(value: float, lost: bool) -> float:
    if lost:
        return math.nan
    return math.copysign(math.inf, value) if abs(value) >= _GREATEST else float(value)
