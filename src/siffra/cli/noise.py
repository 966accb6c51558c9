"""`siffra noise`: how much seeds alone change what a program measures."""

from typing import TYPE_CHECKING, Annotated

import typer

from siffra.cli.knobs import parse_own_levels
from siffra.cli.options import (
    JsonOption,
    Language,
    LanguageOption,
    Output,
    with_run_options,
)
from siffra.cli.program_options import Program, with_program
from siffra.cli.run_job import run_job
from siffra.errors import ConfigError

if TYPE_CHECKING:
    from siffra.api import RunOptions


@with_run_options("jobs", "on", "store")
@with_program("command", "metric", "read", "watch", "timeout", "gpus")
def noise(
    *,
    knobs: Annotated[
        list[str] | None,
        typer.Argument(help="The program's own knobs, one value each.", metavar="KNOB=VALUE"),
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many runs, two or more.", metavar="N")] = 10,
    difference: Annotated[
        float | None,
        typer.Option(
            help="How many seeds does it take to show a difference of this size?", metavar="X"
        ),
    ] = None,
    language: LanguageOption = Language.en,
    as_json: JsonOption = False,
    running: "RunOptions",
    program: Program,
) -> None:
    """Measure how much seeds alone change a metric.

    One setting of a program is run with several seeds: the mean, the standard deviation with its
    interval, and how many seeds it takes to show a difference.

    [dim]Examples[/dim]
    siffra noise --command "python train.py --seed {seed}" --metric val_loss:lower
    siffra noise lr=0.1 --command "train {lr} {seed}" --metric loss:lower --difference 0.01
    """
    from siffra.api.commands import noise_job
    from siffra.api.noise import expect_difference, noise_result

    if program.command is None:
        raise ConfigError('command: found none; write it as --command "python train.py {seed}".')
    expect_difference(difference)
    levels = parse_own_levels(knobs or [])
    for name, values in levels.items():
        if len(values) > 1:
            raise ConfigError(
                f"{name}: found {len(values)} values; noise is that of one setting. To compare "
                "values, use siffra vary."
            )
    fixed = {name: values[0] for name, values in levels.items()}
    with noise_job(fixed, program.command_options(running), seeds) as job:
        result = run_job(job, language)
    Output(None, language, as_json).print(noise_result(result, difference, language))
