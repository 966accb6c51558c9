"""`siffra data`: what a data set holds, and its shifted sets as a file."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from siffra.cli.options import DataOption, JsonOption, MovedOption, RotatedOption, data_source

data = typer.Typer()


@data.callback(invoke_without_command=True)
def describe(
    context: typer.Context,
    path: DataOption = None,
    moved: MovedOption = None,
    rotated: RotatedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Describe a data set, or [bold]export[/bold] its shifted sets.

    [dim]Examples[/dim]
    siffra data
    siffra data --data own.npz --rotated 20
    siffra data export shifted.npz
    """
    if context.invoked_subcommand:
        return
    from rich.console import Console
    from rich.table import Table

    from siffra.data.describe import describe as described
    from siffra.data.load import load_dataset

    dataset = load_dataset(data_source(path, moved, rotated))
    sets = described(dataset)
    if as_json:
        told = {"name": dataset.name, "classes": dataset.classes, "sets": [asdict(s) for s in sets]}
        typer.echo(json.dumps(told | {"fingerprint": dataset.fingerprint}))
        return
    table = Table("set", box=None, pad_edge=False, header_style="dim")
    for heading in ("images", "size", "type", "rarest class", "commonest", "ink kept"):
        table.add_column(heading, justify="right")
    for s in sets:
        table.add_row(
            s.name,
            f"{s.images:,}",
            "x".join(map(str, s.shape)),
            s.dtype,
            f"{min(s.per_class):,}",
            f"{max(s.per_class):,}",
            "" if s.ink_kept is None else f"{s.ink_kept:.0%}",
        )
    console = Console()
    console.print(f"{dataset.name}: {dataset.classes} classes", highlight=False)
    console.print(table)


@data.command()
def export(
    out: Annotated[Path, typer.Argument(help="The .npz file to write.", metavar="FILE.npz")],
    path: DataOption = None,
    moved: MovedOption = None,
    rotated: RotatedOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
) -> None:
    """Write the moved and the rotated test images to a file, for other tools.

    It holds x_moved, y_moved, x_rotated, y_rotated and what was drawn for each image.

    [dim]Example[/dim]
    siffra data export shifted.npz --rotated 20
    """
    from siffra.data.export import export_shifted
    from siffra.data.load import load_dataset

    export_shifted(load_dataset(data_source(path, moved, rotated)), out, overwrite=overwrite)
    typer.echo(str(out))
