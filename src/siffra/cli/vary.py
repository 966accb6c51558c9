"""`siffra vary`: one ad-hoc question, answered in the terminal."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siffra.cli.completion import complete_levels
from siffra.cli.data_options import with_data
from siffra.cli.knobs import knobs_of_own, parse_levels, with_knobs
from siffra.cli.options import (
    Output,
    RecipeOption,
    with_lab_options,
    with_output,
    with_run_options,
)
from siffra.cli.run_job import run_job
from siffra.system.terminal import echo

if TYPE_CHECKING:
    from siffra.api import LabOptions, RunOptions
    from siffra.data.load import DataSource


@with_knobs
@with_data
@with_lab_options("seeds", "time", "max_seeds")
@with_run_options("fresh_busy", "engine", "threads", "jobs", "store")
@with_output(None, "Also write the full report to this folder.")
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
    recipe: RecipeOption = None,
    knobs: dict[str, Any],
) -> None:
    """Ask what a knob does: train at each value, with several seeds, and compare.

    Every value is compared with the first. Several knobs are tried in all combinations. All
    other knobs stay fixed; set them with their options. Put a list of widths in brackets.

    [dim]Examples[/dim]
    siffra vary learning_rate=0.02,0.7,1
    siffra vary batch_size=9,10,11 --model conv --seeds 10
    siffra vary kernel_size=4,8 strides=1,2 --model conv --epochs 3
    siffra vary neurons=64,[64,64] --out two-layers
    siffra vary global_pooling=max,average --recipe digits-5s
    siffra vary dropout=0,0.5 --model my_models:make --engine torch
    siffra vary batch_size=44,45 --time 5m
    siffra vary layers=1,2,4 --lang sv
    """
    from siffra import api

    options = replace(options, examines=output.out is not None)
    with api.vary_job(
        parse_levels(levels, knobs_of_own(knobs)), knobs, options, running, recipe=recipe, data=data
    ) as job:
        api.expect_report(output.out, output.language)
        result = run_job(job, output.language)
    if output.out:
        from siffra.report.text.messages import words_in

        report, *_ = result.write(output.out, output.language)
        echo(words_in(output.language)("progress.report", path=report), err=True)
    output.print(result)
