"""`siffra vary`: one ad-hoc question, answered in the terminal."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from siffra.cli.completion import complete_levels
from siffra.cli.data_options import with_data
from siffra.cli.knobs import knobs_of_own, parse_levels, parse_own_levels, with_knobs
from siffra.cli.options import (
    Output,
    RecipeOption,
    with_lab_options,
    with_output,
    with_run_options,
)
from siffra.cli.program_options import Program, with_program
from siffra.cli.run_job import run_job
from siffra.config.knobs import spell
from siffra.errors import ConfigError
from siffra.system.terminal import echo

if TYPE_CHECKING:
    from siffra.api import LabOptions, LabResult, RunOptions
    from siffra.data.load import DataSource


@with_knobs
@with_data
@with_lab_options("seeds", "time", "max_seeds")
@with_run_options("engine", "threads", "jobs", "on", "store")
@with_program()
@with_output(None, "Also write the full report to this folder.", check=True)
def vary(
    *,
    levels: Annotated[
        list[str],
        typer.Argument(
            help="A knob and the values to compare.",
            metavar="KNOB=V1,V2,...",
            autocompletion=complete_levels,
        ),
    ],
    options: "LabOptions",
    output: Output,
    data: "DataSource | None",
    running: "RunOptions",
    program: Program,
    recipe: RecipeOption = None,
    knobs: dict[str, object],
) -> None:
    """Ask what a knob does: train at each value, with several seeds, and compare.

    Every value is compared with the first. Several knobs are tried in all combinations. All
    other knobs stay fixed; set them with their options. Put a list of widths in brackets.

    With --command, a program of your own is run instead: its knobs have no options, but one value
    here if they stay fixed, as width=64.

    [dim]Examples[/dim]
    siffra vary learning_rate=0.02,0.7,1
    siffra vary batch_size=9,10,11 --model conv --seeds 10
    siffra vary kernel_size=4,8 strides=1,2 --model conv --epochs 3
    siffra vary neurons=64,[64,64] --out two-layers
    siffra vary global_pooling=max,average --recipe digits-5s
    siffra vary dropout=0,0.5 --model my_models:make --engine torch
    siffra vary batch_size=44,45 --time 5m
    siffra vary layers=1,2,4 --lang sv
    siffra vary lr=0.1,0.3 --command "python train.py --lr {lr} --seed {seed}" --metric loss:lower
    """
    from siffra import api

    if program.command is not None:
        expect_none_of_siffras(knobs, data, recipe)
        result = _vary_program(levels, options, running, program, output)
        show_result(result, output)
        return
    program.expect_none()
    options = replace(options, examines=output.out is not None)
    with api.vary_job(
        parse_levels(levels, knobs_of_own(knobs)), knobs, options, running, recipe=recipe, data=data
    ) as job:
        api.expect_report(output.out, output.language)
        result = run_job(job, output.language)
    show_result(result, output)


def _vary_program(
    levels: list[str],
    options: "LabOptions",
    running: "RunOptions",
    program: Program,
    output: Output,
) -> "LabResult":
    from siffra import api
    from siffra.api.commands import command_job
    from siffra.lab.plan.ad_hoc import parted

    varied, fixed = parted(parse_own_levels(levels))
    with command_job(varied, fixed, options, program=program.command_options(running)) as job:
        api.expect_report(output.out, output.language)
        return run_job(job, output.language)


def expect_none_of_siffras(
    knobs: dict[str, object], data: "DataSource | None", recipe: Path | None, **others: object
) -> None:
    """See that a program is given nothing that is for siffra's own networks.

    Raises:
        ConfigError: It is.
    """
    for name, value in knobs.items():
        raise ConfigError(
            f"{name}: siffra's knobs mean nothing to a program; write {name}={spell(value)} beside "
            f"the levels, and {{{name}}} in its command."
        )
    for name, value in {"data": data, "recipe": recipe, **others}.items():
        if value is not None:
            raise ConfigError(f"{name}: it means nothing to a program; leave it out.")


def show_result(result: "LabResult", output: Output) -> None:
    """Write and print a result, and end with a code that says what became of the claims."""
    if output.out:
        from siffra.report.text.messages import words_in

        report, *_ = result.write(output.out, output.language)
        echo(words_in(output.language)("progress.report", path=report), err=True)
    output.print(result)
    output.check(result)
