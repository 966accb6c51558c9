"""`siffra runs`: what the store of finished runs holds."""

import itertools
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeGuard

import typer

from siffra.cli.options import (
    JsonOption,
    PlainCommand,
    PlainGroup,
    StoreOption,
    help_text,
    show_help,
)
from siffra.cli.runs_export import export, labs
from siffra.cli.runs_sql import sql
from siffra.config import GREATEST_SEED, KNOBS, ExternalModel
from siffra.config.knobs import spell
from siffra.errors import ConfigError, did_you_mean
from siffra.system.terminal import console, echo_json

if TYPE_CHECKING:
    from rich.table import Table

    from siffra.system.load import Load
    from siffra.training.run import Record

runs = typer.Typer(cls=PlainGroup)
runs.callback(invoke_without_command=True, help="List, show, query or export finished runs.")(
    show_help
)
for command in (export, labs, sql):
    runs.command(cls=PlainCommand, help=help_text(command))(command)

KeyArgument = Annotated[str, typer.Argument(help="The run's key, or its first characters.")]


@runs.command("list", cls=PlainCommand)
def list_(
    store: StoreOption = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Only models of this type: dense, conv, module (your own), external (a program)."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Only runs with this seed.", min=0, max=GREATEST_SEED)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List finished runs, oldest first.

    [dim]Examples[/dim]
    siffra runs list --model conv
    siffra runs list --json
    """
    kinds = (*KNOBS["model"].models, "module", "external")
    if model is not None and model not in kinds:
        raise ConfigError(f"model: found {model!r}; {did_you_mean(model, kinds)}")
    from siffra.data.shifted import SHIFTED
    from siffra.store.store import default_store_path, open_store

    with open_store(store or default_store_path(), read_only=True) as opened:
        records = opened.records(model=model, seed=seed)
    if as_json:
        echo_json(json.dumps([record.model_dump(mode="json") for record in records]))
        return
    from rich.table import Table

    from siffra.report.render.terminal import percent

    # A pipe has no width to fold lines to.
    out = console(width=None if sys.stdout.isatty() else 250)
    narrow = out.width < 120
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("run", no_wrap=True, min_width=8)
    table.add_column("model and training", min_width=24)
    known = {name for record in records for name in record.accuracy}
    sets = [name for name in ("test", *SHIFTED) if name in known]
    for heading in ("seed", *sets):
        table.add_column(heading, justify="right", no_wrap=True)
    if measured := any(isinstance(record.model, ExternalModel) for record in records):
        table.add_column("metrics")
    table.add_column("seconds", justify="right", no_wrap=True)
    for heading in () if narrow else ("data", "finished"):
        table.add_column(heading, justify="right", no_wrap=True)
    for record in records:
        knobs = record.setting.knobs().items()
        origin = (record.dataset, f"{record.finished.astimezone():%Y-%m-%d %H:%M}")
        table.add_row(
            record.key[:8],
            " ".join([*_program(record), *(f"{k}={spell(v)}" for k, v in knobs)]),
            str(record.seed),
            *(percent(record.accuracy.get(name)) for name in sets),
            *([_metrics(record)] if measured else ()),
            f"{record.seconds:.2f}" + "*" * record.is_busy,
            *(() if narrow else origin),
        )
    out.print(table)
    if any(record.is_busy for record in records):
        out.print("* The machine was busy during this run, so its time may be much too long.")


def _program(record: "Record") -> list[str]:
    """The program that was run, without what it is given: `python train.py`."""
    if not _is_command(record.model):
        return []
    first, *others = record.model.command
    options = itertools.takewhile(lambda word: not word.startswith("-") and "{" not in word, others)
    return [Path(first).name, *options]


def _metrics(record: "Record") -> str:
    """What a program or a function measured, or how it failed."""
    return record.failure or ", ".join(f"{n} {_value(v)}" for n, v in record.metrics.items())


def _load(load: "Load | None") -> str:
    """Whether the machine was busy during the run, with the measurements."""
    if load is None:
        return "not measured"
    if not load.is_busy:
        return "not busy"
    short = "" if load.cpu is None else f", {load.cpu:.2f} s of processor time"
    waited = "" if load.waited is None else f", {load.waited:.2f} s waiting for a processor"
    return f"busy, so the time may be much too long ({load.wall:.2f} s elapsed{short}{waited})"


@runs.command(cls=PlainCommand)
def show(key: KeyArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show one run: setting, machine, learning curve and scores.

    [dim]Example[/dim]
    siffra runs show 3f2a
    """
    from siffra.store.store import default_store_path, open_store

    with open_store(store or default_store_path(), read_only=True) as opened:
        record = opened.find(key)
    if as_json:
        echo_json(record.model_dump_json())
        return
    out = console()
    out.print(_facts(record))
    if record.output:
        out.print()
        out.print("\n".join(record.output), markup=False, highlight=False)
    if record.epochs or record.curves:
        out.print()
        out.print(_epochs(record) if record.epochs else _curves(record))


def _facts(record: "Record") -> "Table":
    from rich.table import Table

    from siffra.report.render.terminal import percent

    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    model = record.model
    described = {"command": shlex.join(model.command)} if _is_command(model) else {}
    for name, value in {
        "run": record.key,
        **described,
        **record.setting.knobs(),
        "seed": record.seed,
        **({"data": f"{record.dataset} ({record.fingerprint[:12]})"} if record.dataset else {}),
        "engine": f"{record.engine} {record.engine_version}",
        "parameters": f"{record.parameters:,}" if record.parameters else "–",
        "training": f"{record.seconds:.2f} s",
        "load": _load(record.load),
        "machine": f"{record.machine.cpu}, {record.machine.threads} threads",
        "finished": f"{record.finished.astimezone():%Y-%m-%d %H:%M}",
        **{f"accuracy, {name}": percent(share) for name, share in record.accuracy.items()},
        **{f"metric {name}": _value(value) for name, value in record.metrics.items()},
        "diverged": "yes" if record.diverged else "no",
        **({"failed": record.failure} if record.failure else {}),
    }.items():
        facts.add_row(name if record.metrics else name.replace("_", " "), spell(value))
    return facts


def _epochs(record: "Record") -> "Table":
    from rich.table import Table

    from siffra.report.render.terminal import percent

    curve = Table("epoch", "loss", box=None, pad_edge=False, header_style="dim")
    for heading in (*record.epochs[0].accuracy, "seconds"):
        curve.add_column(heading, justify="right")
    for number, epoch in enumerate(record.epochs, start=1):
        loss = "not a number" if epoch.loss is None else f"{epoch.loss:.4f}"
        shares = map(percent, epoch.accuracy.values())
        curve.add_row(str(number), loss, *shares, f"{epoch.seconds:.2f}")
    return curve


def _curves(record: "Record") -> "Table":
    """The curves of a program's metrics, by epoch or step."""
    from rich.table import Table

    names = list(record.curves)
    curve = Table("epoch", box=None, pad_edge=False, header_style="dim")
    for name in names:
        curve.add_column(name, justify="right")
    by_name = {name: dict(record.curves[name]) for name in names}
    for step in sorted({step for points in by_name.values() for step in points}):
        curve.add_row(f"{step:g}", *(_value(by_name[name].get(step)) for name in names))
    return curve


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:.6g}"


def _is_command(model: object) -> TypeGuard[ExternalModel]:
    return isinstance(model, ExternalModel) and bool(model.command)
