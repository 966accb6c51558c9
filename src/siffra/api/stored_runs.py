"""What has been run, handed on: as data frames, as files, to TensorBoard and MLflow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from siffra.api.results import LabResult
from siffra.data.load import load_dataset
from siffra.errors import ConfigError, StoreError, did_you_mean
from siffra.export.tables import Table, data_frame, table_rows, write_table
from siffra.lab.answers import Answers, answer
from siffra.lab.history import LabHistory, SavedLab
from siffra.report.text.provenance import all_records
from siffra.store.store import Store, default_store_path, open_store
from siffra.training.examination import Examined
from siffra.training.run import Record

if TYPE_CHECKING:
    import pandas as pd

LATEST = "latest"
"""Stands for the lab that was asked last."""
FORMATS = ("csv", "parquet", "json", "tensorboard", "mlflow")


def runs(
    table: Table = "scores",
    *,
    lab: str | None = None,
    model: str | None = None,
    dataset: str | None = None,
    seed: int | None = None,
    store: Path | str | None = None,
) -> pd.DataFrame:
    """Finished runs as a tidy pandas frame, the oldest first.

    Args:
        table: `scores` (a row for each run and set), `epochs` (run and epoch) or `confusion` (run,
            set and pair of classes); see `siffra.export.tables.table_rows`.
        lab: Only the runs that the answers of this lab rest on, by its id or the start of it, with
            the `questions` that each belongs to; `latest` is the lab asked last.
        model: Only runs of this kind of model: `dense`, `conv` or `module`.
        dataset: Only runs on the data set of this name.
        seed: Only runs with this seed.
        store: The file of finished runs.

    Raises:
        SiffraError: No such table, lab or store; or pandas is not installed.
    """
    with open_store(store or default_store_path(), read_only=True) as opened:
        records, answers = _records_of(opened, lab)
    chosen = [
        record
        for record in records
        if model in (None, record.model.kind)
        and dataset in (None, record.dataset)
        and seed in (None, record.seed)
    ]
    return data_frame(table_rows(chosen, table, answers))


def export_runs(
    out: Path | str,
    *,
    format: str | None = None,  # noqa: A002  what everybody calls it
    table: Table | None = None,
    lab: str | None = None,
    store: Path | str | None = None,
    on_run: Callable[[int, int], None] = lambda done, runs: None,
) -> None:
    """Hand finished runs, or those of a lab, to other programs.

    What was exported to the same place before is not doubled.

    Args:
        out: The file to write; for `tensorboard` the folder; for `mlflow` the address of its store,
            as `sqlite:///mlflow.db`.
        format: One of `FORMATS`; unless it is said, by the ending of `out`.
        table: Of a file: `scores`, `epochs` or `confusion`, see `runs`. Without it CSV and Parquet
            have the scores, and JSON the whole records.
        lab: Only the runs of this lab, see `runs`. MLflow gets its questions and its report too.
        store: The file of finished runs.
        on_run: Called by `mlflow`, which takes its time, with how many runs are done, of how many.

    Raises:
        SiffraError: No such format, table, lab or store; `out` cannot be written; or what the
            format needs is not installed.
    """
    chosen = _format(str(out), format)
    if table and chosen in ("tensorboard", "mlflow"):
        raise ConfigError(f"table: {chosen} has no tables; leave it out.")
    with open_store(store or default_store_path(), read_only=True) as opened:
        if chosen == "mlflow":
            from siffra.export.mlflow import log_lab, log_runs  # brings MLflow

            if lab is None:
                log_runs(opened.records(), str(out), on_run)
            else:
                kept = find_lab(opened, lab)
                result = lab_result(opened, kept)
                log_lab(kept.id, result.answers, result.examined, str(out), on_run)
            return
        records, answers = _records_of(opened, lab)
    if chosen == "tensorboard":
        from siffra.export.tensorboard import write_tensorboard  # brings TensorBoard

        write_tensorboard(records, Path(out))
    else:
        write_table(records, Path(out), chosen, table, answers)


def kept_labs(store: Path | str | None = None) -> list[SavedLab]:
    """The labs that are kept beside the store, the latest first."""
    return LabHistory(Path(store or default_store_path())).labs()


def find_lab(store: Store, name: str) -> SavedLab:
    """The lab that is kept under an id that starts with `name`; or the `latest`.

    Raises:
        StoreError: There is none, or more than one.
    """
    labs = LabHistory(store.path).labs()
    matching = labs[:1] if name == LATEST else [lab for lab in labs if lab.id.startswith(name)]
    if len(matching) != 1:
        if not labs:
            raise StoreError(f"{store.path}: no lab that can be read is kept beside it.")
        wrong = "more than one lab has" if matching else "no lab has"
        raise StoreError(
            f"{store.path}: {wrong} an id that starts with `{name}`; `siffra runs labs` lists them."
        )
    return matching[0]


def lab_result(store: Store, lab: SavedLab) -> LabResult:
    """What a kept lab found, so far as its runs are stored."""
    answers = _answers(store, lab)
    if lab.plan.is_external:
        return LabResult(answers)
    return LabResult(answers, Examined(load_dataset(lab.data), store.examinations(lab.keys)))


def _records_of(store: Store, lab: str | None) -> tuple[Sequence[Record], Answers | None]:
    if lab is None:
        return store.records(), None
    kept = find_lab(store, lab)
    answers = _answers(store, kept)
    return all_records(answers), answers


def _answers(store: Store, lab: SavedLab) -> Answers:
    results = lab.results(store)
    return answer(lab.plan, results.records, results.timings, shortfall=results.shortfall)


def _format(out: str, named: str | None) -> str:
    if named is None:
        ending = Path(out).suffix.lower().removeprefix(".")
        if ending not in ("csv", "parquet", "json"):
            raise ConfigError(
                f"{out}: found `{Path(out).suffix}`; it must end in .csv, .parquet or .json, "
                "unless --format says what it is."
            )
        return ending
    if named not in FORMATS:
        raise ConfigError(f"format: found {named!r}; {did_you_mean(named, FORMATS)}")
    return named
