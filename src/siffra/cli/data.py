"""`siffra data`: what a data set holds, and its shifted sets as a file."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from siffra.cli.data_options import with_data
from siffra.cli.options import JsonOption
from siffra.terminal import console, echo, echo_json

if TYPE_CHECKING:
    from siffra.data.dataset import Dataset
    from siffra.data.load import DataSource

data = typer.Typer()


@data.callback(invoke_without_command=True)
@with_data
def describe(
    context: typer.Context,
    data: "DataSource | None" = None,
    as_json: JsonOption = False,
) -> None:
    """Describe a data set, or [bold]export[/bold] its shifted sets.

    [dim]Examples[/dim]
    siffra data
    siffra data --data own.npz --rotated 20
    siffra data --data wine.csv --label cultivar
    siffra data --data pictures/ --shifts move=3,noise=0.1
    siffra data export shifted.npz
    """
    if context.invoked_subcommand:
        return
    from rich.table import Table

    from siffra.data.describe import describe as described
    from siffra.data.load import load_dataset

    dataset = load_dataset(data)
    sets = described(dataset)
    if as_json:
        told = {"name": dataset.name, "classes": dataset.classes, "sets": [asdict(s) for s in sets]}
        echo_json(json.dumps(told | {"fingerprint": dataset.fingerprint}))
        return
    table = Table("set", box=None, pad_edge=False, header_style="dim")
    of_rows = bool(dataset.features)
    what = ("rows", "features") if of_rows else ("images", "size")
    for heading in (*what, "type", "rarest class", "commonest", "" if of_rows else "ink kept"):
        table.add_column(heading, justify="right")
    for s in sets:
        table.add_row(
            s.name,
            f"{s.images:,}",
            f"{s.shape[1]:,}" if of_rows else "x".join(map(str, s.shape)),
            s.dtype,
            f"{min(s.per_class):,}",
            f"{max(s.per_class):,}",
            "" if s.ink_kept is None else f"{s.ink_kept:.0%}",
        )
    out = console()
    out.print(f"{dataset.name}: {dataset.classes} classes")
    out.print(table)
    for line in _remarks(dataset):
        out.print(line, soft_wrap=True)


def _remarks(dataset: "Dataset") -> list[str]:
    """What the table does not say."""
    told = []
    if dataset.class_names:
        told.append(f"classes: {_some(dataset.class_names)}")
    if dataset.features:
        told.append(f"features, scaled to 0 to 1: {_some(dataset.features)}")
    if dataset.constant:
        few = len(dataset.constant) == 1
        told.append(
            f"{'feature' if few else 'features'} with one value in training, so of no use: "
            f"{_some(dataset.constant)}"
        )
    return told


def _some(names: Sequence[str], most: int = 5) -> str:
    more = f", ... ({len(names)})" if len(names) > most else ""
    return ", ".join(names[:most]) + more


@data.command()
@with_data
def export(
    out: Annotated[Path, typer.Argument(help="The .npz file to write.", metavar="FILE.npz")],
    data: "DataSource | None" = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
) -> None:
    """Write the shifted test images to a file, for other tools.

    For a set as moved it holds x_moved, y_moved, and what was drawn for each image.

    [dim]Example[/dim]
    siffra data export shifted.npz --shifts rotate=20,noise=0.1
    """
    from siffra.data.export import export_shifted
    from siffra.data.load import load_dataset

    export_shifted(load_dataset(data), out, overwrite=overwrite)
    echo(str(out))
