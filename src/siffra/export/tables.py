"""Tidy tables of runs: setting x seed x set, setting x seed x epoch, and pairs of classes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from siffra.config import ExternalModel
from siffra.data.dataset import class_labels
from siffra.errors import ConfigError, SiffraError, did_you_mean
from siffra.export.settings import MOST_STEPS, curve_rows
from siffra.lab.answers import Answers
from siffra.report.render.files import (
    columns_of,
    knob_columns,
    record_rows,
    rows_json,
    runs_csv,
    runs_parquet,
    typed,
    used_by,
)
from siffra.system.atomic_write import write_whole
from siffra.training.run import Record, setting_id

if TYPE_CHECKING:
    import pandas as pd

Rows = list[dict[str, Any]]
Table = Literal["scores", "epochs", "confusion"]
_WITH_GAPS = {int: "Int64", bool: "boolean", str: "string"}
"""pandas' types that can lack a value and stay what they are."""


def table_rows(
    records: Sequence[Record], table: Table = "scores", answers: Answers | None = None
) -> Rows:
    """The rows of a table, which all have the same columns.

    - `scores`: a row for each run and set, as in a report's `runs.csv`;
    - `epochs`: a row for each run and epoch: the knobs that any run has, mean training loss (a
      cross-entropy in nats), seconds, and a column of accuracies for each set (see
      `siffra.training.run.Epoch`). Programs have a row for each epoch or step, and a column for
      each metric, called `metric_loss` where networks have a `loss`;
    - `confusion`: a row for each run, set and pair of classes: how many `images` of class
      `truth` were taken for `predicted`. Classes have the data's names, or their numbers.

    `key` tells runs apart and `setting` what was trained: the seeds of one share it. With a
    lab's `answers`, `questions` has the ids of those that a run belongs to.

    Raises:
        ConfigError: There is no such table.
    """
    if table not in TABLES:
        raise ConfigError(f"table: found {table!r}; {did_you_mean(table, TABLES)}")
    rows = TABLES[table](records)
    if answers is None:
        return rows
    used = used_by(answers)
    return [{"key": row["key"], "questions": ", ".join(used[row["key"]])} | row for row in rows]


def write_table(
    records: Sequence[Record],
    path: Path,
    kind: str,
    table: Table | None = None,
    answers: Answers | None = None,
) -> None:
    """Write a table to `path` as `csv`, `parquet` or `json`; `scores` unless it is said.

    JSON without a table holds the whole records.

    Raises:
        ConfigError: There is no such table.
        SiffraError: The file cannot be written.
    """
    if kind == "json" and table is None:
        whole = [record.model_dump(mode="json") for record in records]
        content = json.dumps(whole).encode("utf-8")
    else:
        content = _encoded(table_rows(records, table or "scores", answers), kind)
    write_whole(path, content, SiffraError)


def data_frame(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """The rows as a frame. Whole numbers stay whole where some are missing; times are UTC.

    Raises:
        SiffraError: pandas is not installed.
    """
    try:
        import pandas as pd  # an extra
    except ModuleNotFoundError as error:
        raise SiffraError(
            "pandas: pandas is not installed; run `pip install 'siffra[pandas]'`."
        ) from error

    def column(values: Sequence[object]) -> pd.Series:
        kind, cells = typed(values)
        complete = all(value is not None for value in values)
        if kind is str:
            return pd.Series(cells, dtype="string")
        return pd.Series(cells, dtype=kind if complete or kind is float else _WITH_GAPS[kind])

    columns = {name: column([row[name] for row in rows]) for name in rows[0]} if rows else {}
    if "finished" in columns:
        columns["finished"] = pd.to_datetime(columns["finished"], utc=True, format="ISO8601")
    return pd.DataFrame(columns)


def _encoded(rows: Rows, kind: str) -> bytes:
    match kind:
        case "parquet":
            return runs_parquet(rows)
        case "json":
            return rows_json(rows).encode("utf-8")
    return runs_csv(rows).encode("utf-8")


def _epochs(records: Sequence[Record]) -> Rows:
    programs = [record for record in records if isinstance(record.model, ExternalModel)]
    networks = [record for record in records if not isinstance(record.model, ExternalModel)]
    ours = _of_networks(networks)
    rows = [*ours, *_of_programs(programs, taken=ours[0] if ours else ())]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    epochs = [float(row["epoch"]) for row in rows]
    kind = int if all(e.is_integer() and abs(e) < MOST_STEPS for e in epochs) else float
    return [{n: row.get(n) for n in columns} | {"epoch": kind(row["epoch"])} for row in rows]


def _of_networks(records: Sequence[Record]) -> Rows:
    knobs = {name: values for name, values in knob_columns(records).items() if _said(values)}
    sets = dict.fromkeys(name for r in records for epoch in r.epochs for name in epoch.accuracy)
    return [
        {
            "key": record.key,
            # The column `loss` is what it came to.
            **{
                "loss_function" if name == "loss" else name: values[run]
                for name, values in knobs.items()
            },
            "seed": record.seed,
            "epoch": number,
            "loss": epoch.loss,
            "seconds": epoch.seconds,
            **{name: epoch.accuracy.get(name) for name in sets},
            "dataset": record.dataset,
            "setting": setting,
        }
        for run, record in enumerate(records)
        for setting in (setting_id(record),)
        for number, epoch in enumerate(record.epochs, start=1)
    ]


def _of_programs(records: Sequence[Record], taken: Iterable[str]) -> Rows:
    """`epochs` of runs that siffra did not train: a column for each metric that has a curve.

    Columns of networks' that are `taken` are no metrics'.
    """
    knobs, common = knob_columns(records), ("key", "seed", "epoch", "setting")
    metrics = dict.fromkeys(name for record in records for name in record.curves)
    of_knobs, _ = columns_of(knobs, (), common)
    _, of_metrics = columns_of((), metrics, {*common, *of_knobs.values(), *taken})
    return [
        {
            "key": record.key,
            **{of_knobs[name]: values[run] for name, values in knobs.items()},
            "seed": record.seed,
            "epoch": position,
            **{column: measured.get(name) for name, column in of_metrics.items()},
            "setting": setting_id(record),
        }
        for run, record in enumerate(records)
        for position, measured in curve_rows(record)
    ]


def _said(values: Sequence[object]) -> bool:
    return any(value is not None for value in values)


def _confusion(records: Sequence[Record]) -> Rows:
    return [
        {
            "key": record.key,
            "seed": record.seed,
            "set": name,
            "truth": labels[truth],
            "predicted": labels[predicted],
            "images": images,
            "setting": setting,
        }
        for record in records
        for setting in (setting_id(record),)
        for name, matrix in record.confusion.items()
        for labels in (class_labels(record.class_names, len(matrix)),)
        for truth, row in enumerate(matrix)
        for predicted, images in enumerate(row)
    ]


TABLES: Mapping[str, Callable[[Sequence[Record]], Rows]] = {
    "scores": record_rows,
    "epochs": _epochs,
    "confusion": _confusion,
}
"""What makes the rows of each table."""
