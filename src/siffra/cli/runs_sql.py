"""`siffra runs sql`: questions to the store, in SQL."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from siffra.cli.options import JsonOption, StoreOption
from siffra.errors import StoreError
from siffra.system.terminal import console, echo, echo_data, echo_json, one_line

if TYPE_CHECKING:
    from siffra.store.query import Found

SECONDS, ROWS = 10.0, 1000


def sql(
    question: Annotated[
        str | None,
        typer.Argument(help="A SELECT over the tables that --schema shows.", metavar="SELECT"),
    ] = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Show the tables and columns.")] = False,
    rows: Annotated[int, typer.Option(help="Maximum number of rows.", min=1, metavar="N")] = ROWS,
    seconds: Annotated[
        float, typer.Option(help="Time limit, in seconds.", min=0.01, metavar="S")
    ] = SECONDS,
    store: StoreOption = None,
) -> None:
    """Query the store in SQL. The store is opened read-only.

    [dim]Examples[/dim]
    siffra runs sql --schema
    siffra runs sql "SELECT neurons, count(*) AS n, avg(test) FROM run GROUP BY neurons"
    siffra runs sql "SELECT seed, epoch, epoch.val FROM epoch JOIN run USING (key)" --csv
    """
    if as_json and as_csv:
        raise StoreError("sql: found --json and --csv; give only one of them.")
    if schema:
        _print_schema(as_json)
        return
    if question is None:
        raise StoreError("sql: no query; give a SELECT, or see --schema.")
    from siffra.store.query import ask
    from siffra.store.store import default_store_path

    path: Path = store or default_store_path()
    answer = ask(path, question, seconds=seconds, rows=rows)
    if as_json:
        from siffra.report.render.files import rows_json

        echo_json(rows_json(answer.as_dicts()))
    elif as_csv:
        from siffra.report.render.files import runs_csv

        echo_data(runs_csv(answer.as_dicts(), answer.columns))
    else:
        _print_table(answer)
    if answer.more:
        echo(f"The result was cut at {rows:,} rows; use --rows N for more.", err=True)


def _print_table(answer: "Found") -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, values in zip(answer.columns, zip(*answer.rows, strict=True), strict=False):
        numbers = all(isinstance(value, int | float | None) for value in values)
        table.add_column(_text(name), justify="right" if numbers else "left", no_wrap=True)
    if not answer.rows:
        for name in answer.columns:
            table.add_column(_text(name), no_wrap=True)
    for row in answer.rows:
        table.add_row(*map(_text, row))
    _print_wide(table)


def _print_schema(as_json: bool) -> None:
    from siffra.store.query import VIEWS

    if as_json:
        views = {name: {"row": v.row, "columns": list(v.columns)} for name, v in VIEWS.items()}
        echo_json(json.dumps(views))
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("table", "a row is", "columns"):
        table.add_column(heading, overflow="fold", ratio=3 if heading == "columns" else None)
    for name, view in VIEWS.items():
        table.add_row(_text(name), _text(view.row), _text(", ".join(view.columns)))
        table.add_row()
    console().print(table)
    echo(
        "For a run's knobs, seed and so on: JOIN run USING (key). main.run.record is the complete "
        "record as JSON.\nBooleans are 1 and 0; a knob that the model does not have is NULL."
    )


def _print_wide(table: object) -> None:
    """On lines as long as they have to be: a terminal folds them, a pipe has no width."""
    console(width=100_000).print(table, soft_wrap=True)


def _text(value: object) -> str:
    """A value in a cell, whose lines are not the table's."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return "–" if value is None else one_line(str(value))
