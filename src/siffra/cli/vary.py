"""`siffra vary`: one ad-hoc question, answered in the terminal."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siffra.cli.completion import complete_levels
from siffra.cli.data_options import with_data
from siffra.cli.lab import Language, LanguageOption
from siffra.cli.options import (
    EngineName,
    EngineOption,
    FreshBusyOption,
    JsonOption,
    MaxSeedsOption,
    RecipeOption,
    SeedsOption,
    StoreOption,
    ThreadsOption,
    UntilDecidedOption,
    knobs_of_own,
    parse_levels,
    with_knobs,
)
from siffra.cli.run_job import run_job
from siffra.system.terminal import echo, echo_json

if TYPE_CHECKING:
    from siffra.data.load import DataSource


@with_knobs
@with_data
def vary(
    knobs: dict[str, Any],
    levels: Annotated[
        list[str],
        typer.Argument(
            help="A knob and the values to compare.",
            metavar="KNOB=V1,V2,...",
            autocompletion=complete_levels,
        ),
    ],
    recipe: RecipeOption = None,
    seeds: SeedsOption = None,
    until_decided: UntilDecidedOption = False,
    max_seeds: MaxSeedsOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Also write the full report to this folder.", metavar="DIR")
    ] = None,
    language: LanguageOption = Language.en,
    fresh_busy: FreshBusyOption = False,
    as_json: JsonOption = False,
    data: "DataSource | None" = None,
    engine: EngineOption = EngineName.native,
    threads: ThreadsOption = None,
    store: StoreOption = None,
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
    siffra vary batch_size=44,45 --until-decided --max-seeds 80
    siffra vary layers=1,2,4 --lang sv
    """
    from siffra import api

    with api.vary_job(
        parse_levels(levels, knobs_of_own(knobs)),
        knobs,
        recipe=recipe,
        seeds=seeds or api.DEFAULT_SEEDS,
        until_decided=until_decided,
        max_seeds=max_seeds,
        examines=out is not None,
        fresh="busy" if fresh_busy else False,
        data=data,
        engine=engine,
        threads=threads,
        store=store,
    ) as job:
        api.expect_report(out, language)
        result = run_job(job, language)
    if out:
        from siffra.report.text.messages import words_in

        result.write(out, language)
        echo(words_in(language)("progress.report", path=out / "report.html"), err=True)
    if as_json:
        echo_json(result.as_json(language))
    else:
        echo(result.text(language))
