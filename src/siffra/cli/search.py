"""`siffra search`: the best model for the seconds that there are."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siffra.cli.data_options import with_data
from siffra.cli.lab import Language, LanguageOption
from siffra.cli.options import (
    EngineName,
    EngineOption,
    JsonOption,
    StoreOption,
    ThreadsOption,
    parse_names,
    with_knobs,
)
from siffra.cli.progress import Meter
from siffra.cli.stopping import Stopped
from siffra.system.terminal import echo, echo_json

if TYPE_CHECKING:
    from siffra.data.load import DataSource
    from siffra.report.text.messages import Words
    from siffra.search.asked import Now

OUT = Path("siffra-search")


@with_knobs
@with_data
def search(
    knobs: dict[str, Any],
    budget: Annotated[
        str,
        typer.Option(help="Training time that the model may take, as 15s or 2m.", metavar="SPAN"),
    ],
    time: Annotated[
        str, typer.Option(help="The most that looking for it takes, as 10m.", metavar="SPAN")
    ] = "10m",
    sets: Annotated[
        str | None,
        typer.Option(
            help="The sets whose mean accuracy counts; without it, test and all that are shifted.",
            metavar="NAMES",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for the report, the recipe and the model.", metavar="DIR")
    ] = OUT,
    language: LanguageOption = Language.en,
    as_json: JsonOption = False,
    data: "DataSource | None" = None,
    engine: EngineOption = EngineName.native,
    threads: ThreadsOption = None,
    store: StoreOption = None,
) -> None:
    """Find the model that is best after so many seconds of training on this machine.

    It starts from the recipes that siffra brings and changes them. Candidates are judged on
    validation images, shifted as the test sets are; the test sets are for the winner
    alone. Knobs that are given are the same in every candidate. Stop it with Ctrl-C whenever you
    like; the same command goes on where it was, with a longer --time it goes on looking, and with
    a shorter one it ends with the best so far.

    [dim]Examples[/dim]
    siffra search --budget 5s
    siffra search --budget 1m --time 2h --data own.npz --moved 3 --rotated 10
    siffra search --budget 15s --sets test --model dense
    """
    from siffra.report.text.messages import words_in

    words = words_in(language)

    def show(now: "Now") -> None:
        meter.update(int(now.spent), _told(words, now), now.time - now.spent)

    try:
        from siffra.api.search import run_search
        from siffra.search.budget import seconds_of

        seconds = seconds_of(time, "time")
        left, decimal = words("progress.left", time="{time}"), words("decimal")
        with Meter(math.ceil(seconds), "s", left, decimal) as meter:
            result = run_search(
                budget,
                time=seconds,
                sets=parse_names("sets", sets) or None,
                data=data,
                engine=engine,
                threads=threads,
                store=store,
                out=out,
                language=language,
                on_event=show,
                **knobs,
            )
    except KeyboardInterrupt as interrupt:
        raise Stopped(words("progress.search_stopped")) from interrupt
    if as_json:
        echo_json(json.dumps(result.as_json()))
    else:
        echo(f"{result.text(language)}\n")
    for what, file in (("report", "search.html"), ("recipe", "winner.toml")):
        echo(words(f"progress.{what}", path=out / file), err=True)


def _told(words: "Words", now: "Now") -> str:
    """`training candidate 12, 13 so far, best 98.21 % on validation`."""
    candidate = now.candidate.number if now.candidate else ""
    parts = [words(f"progress.{now.doing}", n=candidate), words("progress.tried", n=now.tried)]
    if now.best is not None:
        share = f"{words.number(100 * now.best, 2)} %"
        parts.append(words("progress.best", share=share))
    return ", ".join(parts)
