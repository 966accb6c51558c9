"""`siffra runs export` and `siffra runs labs`: what has been run, for other programs."""

import json
import time
from enum import StrEnum
from typing import Annotated

import typer

from siffra.cli.options import JsonOption, StoreOption
from siffra.cli.progress import Meter
from siffra.system.terminal import console, echo, echo_json


class Format(StrEnum):
    """What runs can be handed on as."""

    csv = "csv"
    parquet = "parquet"
    json = "json"
    tensorboard = "tensorboard"
    mlflow = "mlflow"


class Table(StrEnum):
    """The tables of a file."""

    scores = "scores"
    epochs = "epochs"
    confusion = "confusion"


def export(
    out: Annotated[
        str,
        typer.Argument(
            help="File to write, TensorBoard folder, or MLflow store as sqlite:///mlflow.db.",
            metavar="WHERE",
        ),
    ],
    format_: Annotated[
        Format | None,
        typer.Option("--format", help="Output format; default: by the file extension."),
    ] = None,
    table: Annotated[
        Table | None,
        typer.Option(help="One row per run and set, per run and epoch, or per pair of classes."),
    ] = None,
    lab: Annotated[
        str | None,
        typer.Option(
            help="Only runs of this lab: the start of its id (see siffra runs labs), or latest.",
            metavar="LAB",
        ),
    ] = None,
    store: StoreOption = None,
) -> None:
    """Export finished runs to a file, TensorBoard or MLflow.

    CSV and Parquet have one row per run and image set, unless --table says otherwise; JSON has
    the complete records. TensorBoard gets a group per setting and a session per seed. MLflow gets
    a parent run per setting, or per question of a lab, with the lab's report, and a child run per
    seed. Exporting again to the same place duplicates nothing.

    [dim]Examples[/dim]
    siffra runs export runs.parquet
    siffra runs export epochs.csv --table epochs --lab latest
    siffra runs export logs --format tensorboard
    siffra runs export sqlite:///mlflow.db --format mlflow --lab latest
    """
    from siffra import api

    with Meter(1, "runs") as meter:
        started = None

        def show(done: int, runs: int) -> None:
            nonlocal started
            started = started or time.monotonic()  # at the first: making the store takes seconds
            left = (time.monotonic() - started) / max(done - 1, 1) * (runs - done)
            meter.update(done, "to MLflow", left if done > 1 else None, runs)

        api.export_runs(
            out,
            format=format_,
            table=table.value if table else None,
            lab=lab,
            store=store,
            on_run=show,
        )
    echo(out)


def labs(as_json: JsonOption = False, store: StoreOption = None) -> None:
    """List the labs that were run, latest first, for siffra runs export --lab.

    [dim]Example[/dim]
    siffra runs labs
    """
    from siffra import api

    kept = api.kept_labs(store)
    if as_json:
        document = [
            {"id": lab.id, "title": dict(lab.plan.title), "asked": lab.asked.isoformat(),
             "runs": len(lab.keys), "questions": [q.id for q in lab.plan.questions]}
            for lab in kept
        ]  # fmt: skip
        echo_json(json.dumps(document))
        return
    from rich.table import Table as Lines

    lines = Lines("lab", "title", "questions", box=None, pad_edge=False, header_style="dim")
    for heading in ("runs", "asked"):
        lines.add_column(heading, justify="right", no_wrap=True)
    for lab in kept:
        lines.add_row(
            lab.id,
            next(iter(lab.plan.title.values()), ""),
            ", ".join(question.id for question in lab.plan.questions),
            str(len(lab.keys)),
            f"{lab.asked.astimezone():%Y-%m-%d %H:%M}",
        )
    console().print(lines)
