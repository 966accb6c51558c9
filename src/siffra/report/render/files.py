"""Every run as a row of a table, in CSV, Parquet and JSON."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from arro3.core import Array, DataType, Table
from arro3.io import write_parquet

from siffra.config import KNOBS, ExternalModel
from siffra.lab.answers import Answers
from siffra.report.text.provenance import all_records
from siffra.training.external import NO_MACHINE
from siffra.training.run import Record, setting_id

_OURS = ("key", "questions")
"""Columns of every table, or of every lab's."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def run_rows(answers: Answers) -> list[dict[str, Any]]:
    """`record_rows` of all of a lab's runs, with the questions that each belongs to."""
    used = used_by(answers)
    rows = record_rows(all_records(answers))
    return [{"key": row["key"], "questions": ", ".join(used[row["key"]])} | row for row in rows]


def record_rows(records: Iterable[Record]) -> list[dict[str, Any]]:
    """The tidy table: a row for each run and set, the same columns in every row.

    See `knob_columns` for the knobs. Trainings that siffra did not do itself have no sets, but a
    column for each of their metrics, and one that says why a run failed. Where all are such, so is
    the table. Knobs and metrics keep their names, unless siffra has a column of that name.
    """
    records = list(records)
    knobs = knob_columns(records)
    metrics = list(dict.fromkeys(name for record in records for name in record.metrics))
    external = [isinstance(record.model, ExternalModel) for record in records]
    if records and all(external):
        return _external_rows(records, knobs, metrics)
    any_external = any(external)
    named: tuple[dict[str, str], dict[str, str]] | None = None
    rows: list[dict[str, Any]] = []
    for number, record in enumerate(records):
        for name, accuracy in (record.accuracy or {None: None}).items():
            described = {
                "seed": record.seed,
                "set": name,
                "accuracy": accuracy,
                "seconds": record.seconds,
                "diverged": record.diverged,
                "parameters": record.parameters,
                "dataset": record.dataset,
                "engine": record.engine,
                "engine_version": record.engine_version,
                "cpu": record.machine.cpu,
                "threads": record.machine.threads,
                "jobs": record.machine.jobs,
                "busy": record.load.is_busy if record.load else None,
                "finished": record.finished.isoformat(),
                "setting": setting_id(record),
                **({"failure": record.failure or None} if any_external else {}),
            }
            named = named or columns_of(knobs, metrics, {*_OURS, *described})
            of_knobs, of_metrics = named
            rows.append(
                {
                    "key": record.key,
                    **{of_knobs[name]: values[number] for name, values in knobs.items()},
                    **described,
                    **{of_metrics[name]: record.metrics.get(name) for name in metrics},
                }
            )
    return rows


def _external_rows(
    records: Sequence[Record], knobs: Mapping[str, list[object]], metrics: Sequence[str]
) -> list[dict[str, Any]]:
    """Rows without columns that such trainings never have."""
    is_timed = any(record.machine != NO_MACHINE for record in records)
    named: tuple[dict[str, str], dict[str, str]] | None = None
    rows: list[dict[str, Any]] = []
    for number, record in enumerate(records):
        described = {
            "key": record.key,
            "seed": record.seed,
            **(_circumstances(record) if is_timed else {}),
            "diverged": record.diverged,
            "failure": record.failure or None,
        }
        named = named or columns_of(knobs, metrics, {*_OURS, *described})
        of_knobs, of_metrics = named
        rows.append(
            described
            | {of_knobs[name]: values[number] for name, values in knobs.items()}
            | {of_metrics[name]: record.metrics.get(name) for name in metrics}
        )
    return rows


def columns_of(
    knobs: Iterable[str], metrics: Iterable[str], taken: Iterable[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The columns of knobs and of metrics.

    Where a name is taken, it has `knob_` or `metric_` before it.
    """
    used = set(taken)
    columns: dict[str, dict[str, str]] = {"knob": {}, "metric": {}}
    for kind, names in (("knob", knobs), ("metric", metrics)):
        for name in names:
            column = name
            while column in used:
                column = f"{kind}_{column}"
            used.add(column)
            columns[kind][name] = column
    return columns["knob"], columns["metric"]


def _circumstances(record: Record) -> dict[str, Any]:
    """When and where siffra had a program make a run."""
    return {
        "seconds": record.seconds,
        "cpu": record.machine.cpu,
        "jobs": record.machine.jobs,
        "finished": record.finished.isoformat(),
    }


def knob_columns(records: Iterable[Record]) -> dict[str, list[Any]]:
    """Every knob's value for each run.

    Knobs that a model does not have are None, and those of trainings that siffra does not do have
    columns of their own alone; a knob that differs between layers is a text,
    as `64, 32`, and then so is its whole column. The parameters of users' own models come last
    of the knobs.
    """
    records = list(records)
    set_at = [record.setting.knobs() for record in records]
    is_own = any(not isinstance(record.model, ExternalModel) for record in records)
    usual = KNOBS if is_own or not records else ()
    names = dict.fromkeys([*usual, *(name for knobs in set_at for name in knobs)])
    columns = {name: [_plain(knobs.get(name)) for knobs in set_at] for name in names}
    for name, values in columns.items():
        if any(isinstance(value, str) for value in values):
            columns[name] = [None if value is None else str(value) for value in values]
    return columns


def runs_csv(
    rows: Sequence[Mapping[str, object]], columns_if_none: Sequence[str] = ("key",)
) -> str:
    """The rows as CSV (RFC 4180); no text in it can be taken for a formula by a spreadsheet.

    `columns_if_none` are those of a table without rows.
    """
    file = io.StringIO(newline="")
    names = list(rows[0] if rows else columns_if_none)
    writer = csv.writer(file)
    writer.writerow(map(_no_formula, names))
    writer.writerows([_no_formula(row[name]) for name in names] for row in rows)
    return file.getvalue()


def rows_json(rows: Sequence[Mapping[str, object]]) -> str:
    """The rows as a JSON list of objects; null for what is not finite."""
    return json.dumps(_finite(rows), ensure_ascii=False, allow_nan=False)


def runs_parquet(rows: Sequence[Mapping[str, object]]) -> bytes:
    """The rows as Parquet; a table without rows has a column `key`."""
    types = {bool: DataType.bool(), int: DataType.int64(), float: DataType.float64()}
    columns = {}
    for key in rows[0] if rows else ("key",):
        kind, values = typed([row[key] for row in rows])
        columns[key] = Array(values, types.get(kind, DataType.string()))
    file = io.BytesIO()
    write_parquet(Table.from_pydict(columns), file)
    return file.getvalue()


def used_by(answers: Answers) -> dict[str, list[str]]:
    """The ids of the questions and experiments that each run, by key, belongs to."""
    used: dict[str, list[str]] = {}

    def note(records: Sequence[Record], by: str) -> None:
        for record in records:
            ids = used.setdefault(record.key, [])
            if by not in ids:
                ids.append(by)

    for question in answers.questions:
        for level in question.levels:
            note(level.tried, question.question.id)
    for experiment in answers.experiments:
        note(experiment.records, experiment.experiment.id)
    return used


def typed(values: Sequence[Any]) -> tuple[type, list[Any]]:
    """What a column of such values holds, and the values as such; None stays what it is.

    Numbers, if all are, and else texts.
    """
    kinds = {type(value) for value in values if value is not None}
    kind = kinds.pop() if len(kinds) == 1 else float if kinds == {int, float} else str
    return kind, [None if value is None else kind(value) for value in values]


def _plain(value: object) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value


def _no_formula(value: object) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _finite(value: object) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value
