"""`siffra init`: a lab file to start from."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from siffra.cli.completion import complete_levels
from siffra.cli.data_options import with_data
from siffra.cli.knobs import knobs_of_own, parse_levels, with_knobs
from siffra.errors import ConfigError
from siffra.system.terminal import echo

if TYPE_CHECKING:
    from siffra.data.load import DataSource


@with_knobs
@with_data
def init(
    *,
    ask: Annotated[str, typer.Argument(help="The question.", metavar="QUESTION")],
    vary: Annotated[
        list[str],
        typer.Option(
            help="A knob and the values to compare. Repeatable: all combinations.",
            metavar="KNOB=V1,V2,...",
            autocompletion=complete_levels,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The file; by default named after the question.", metavar="FILE.toml"),
    ] = None,
    data: "DataSource | None",
    knobs: dict[str, object],
) -> None:
    """Write a lab file to start from: a question, its levels, and a claim for each.

    Change the claims to what you expect, add questions, and run it with siffra lab.

    [dim]Examples[/dim]
    siffra init "Does dropout help?" --vary dropout=0,0.2,0.5
    siffra init "Do more neurons help?" --vary neurons=16,64 --epochs 5 --out width.toml
    """
    from siffra import api
    from siffra.lab.plan.written import starter_lab
    from siffra.system.atomic_write import write_whole

    path = out or Path(f"{_slug(ask)}.toml")
    dataset, source = api.loaded(data)
    levels = parse_levels(vary, knobs_of_own(knobs))
    text = starter_lab(ask, levels, knobs, dataset, name=path.name, data=source)
    if os.path.lexists(path):
        raise ConfigError(f"{path}: there is such a file already; name another with --out.")
    write_whole(path, text.encode("utf-8"), ConfigError)
    echo(str(path))
    echo(f"Next: edit its claims, then run `siffra lab {path}`.", err=True)


def _slug(ask: str) -> str:
    """`does-dropout-help`."""
    words = re.findall(r"[^\W_]+", ask.casefold())
    return "-".join(words[:8]) or "lab"
