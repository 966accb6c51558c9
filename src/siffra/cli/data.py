"""`siffra data`: what a data set holds, and its shifted sets as a file."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siffra.cli.data_options import with_data
from siffra.cli.options import JsonOption, PlainCommand, PlainGroup
from siffra.data.notes import short
from siffra.system.terminal import console, echo, echo_json

if TYPE_CHECKING:
    from siffra.data.dataset import AsRead, Dataset
    from siffra.data.describe import SetDescription
    from siffra.data.load import DataSource

data = typer.Typer(cls=PlainGroup)


@data.callback(invoke_without_command=True)
@with_data
def describe(
    context: typer.Context,
    data: "DataSource | None" = None,
    as_json: JsonOption = False,
) -> None:
    """Describe a data set, or [bold]export[/bold] its shifted test sets.

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
        echo_json(json.dumps(_as_json(dataset, sets)))
        return
    table = Table("set", box=None, pad_edge=False, header_style="dim")
    of_rows = bool(dataset.features)
    of_images = () if of_rows else ("range", "background", "in frame")
    what = ("rows", "features") if of_rows else ("images", "size")
    for heading in (*what, "type", *of_images[:2], "per class", *of_images[2:]):
        table.add_column(heading, justify="right")
    for s in sets:
        seen = (_range(s.as_read), s.ground or "") if of_images else ()
        table.add_row(
            s.name,
            f"{s.images:,}",
            f"{s.shape[1]:,}" if of_rows else "x".join(map(str, s.shape)),
            s.as_read.dtype if s.as_read else s.dtype,
            *seen,
            f"{min(s.per_class):,} to {max(s.per_class):,}",
            "" if s.ink_kept is None else f"{s.ink_kept:.0%}",
        )
    out = console()
    out.print(f"{short(dataset.name)}: {dataset.classes} classes", soft_wrap=True)
    out.print(table)
    for line in (*_remarks(dataset, sets), *(f"note: {note.text}" for note in dataset.notes)):
        out.print(line, soft_wrap=True)


def _as_json(dataset: "Dataset", sets: "Sequence[SetDescription]") -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "name": dataset.name,
        "classes": dataset.classes,
        "class_names": dataset.class_names,
        "sets": [asdict(s) for s in sets],
        "features": [
            {"name": name, "low": low, "high": high}
            for name, (low, high) in zip(dataset.features, dataset.ranges, strict=True)
        ],
        "left_out": dataset.left_out,
        "notes": [note.as_json() for note in dataset.notes],
        "fingerprint": dataset.fingerprint,
    }


def _range(read: "AsRead | None") -> str:
    return f"{read.low:g} to {read.high:g}" if read else "0 to 1"


def _remarks(dataset: "Dataset", sets: "Sequence[SetDescription]") -> list[str]:
    """What the table does not say: the classes with how many train them, and the columns."""
    names = dataset.class_names or tuple(map(str, range(dataset.classes)))
    counted = zip(names, sets[0].per_class, strict=True)
    classes = _first([f"{short(name)} {count:,}" for name, count in counted])
    lines = [f"classes: {classes} training {'rows' if dataset.features else 'images'}"]
    if dataset.features:
        ranged = zip(dataset.features, dataset.ranges, strict=True)
        columns = [f"{short(name)} ({low:g} to {high:g})" for name, (low, high) in ranged]
        lines.append(f"features, scaled to 0 to 1: {_first(columns, 5)}")
    return lines


def _first(names: Sequence[str], most: int = 10) -> str:
    more = f", ... ({len(names):,})" if len(names) > most else ""
    return ", ".join(names[:most]) + more


@data.command(cls=PlainCommand)
@with_data
def export(
    out: Annotated[Path, typer.Argument(help="The .npz file to write.", metavar="FILE.npz")],
    data: "DataSource | None" = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing file.")
    ] = False,
) -> None:
    """Write the shifted test images to a file, for other tools.

    For each set, such as moved, the file holds x_moved, y_moved and the shift drawn for each image.

    [dim]Example[/dim]
    siffra data export shifted.npz --shifts rotate=20,noise=0.1
    """
    from siffra.data.export import export_shifted
    from siffra.data.load import load_dataset

    export_shifted(load_dataset(data), out, overwrite=overwrite)
    echo(str(out))
