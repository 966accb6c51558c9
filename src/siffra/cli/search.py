"""`siffra search`: the best model for the seconds that there are."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siffra.cli.data_options import with_data
from siffra.cli.knobs import with_knobs
from siffra.cli.options import Output, parse_list, with_output, with_run_options
from siffra.cli.progress import Meter
from siffra.cli.stopping import Stopped
from siffra.system.terminal import echo, echo_json

if TYPE_CHECKING:
    from siffra.api import RunOptions
    from siffra.data.load import DataSource
    from siffra.report.text.messages import Words
    from siffra.search.spec import SearchEvent

OUT = Path("siffra-search")


@with_knobs
@with_data
@with_run_options("engine", "threads", "store")
@with_output(OUT, "Folder to write the report, the recipe and the model to.")
def search(
    *,
    budget: Annotated[
        str,
        typer.Option(help="Training-time budget of the model, as 15s or 2m.", metavar="SPAN"),
    ],
    time: Annotated[
        str, typer.Option(help="Time limit of the search, as 10m.", metavar="SPAN")
    ] = "10m",
    sets: Annotated[
        str | None,
        typer.Option(
            help="Sets whose mean accuracy is maximized; default: test and all shifted sets.",
            metavar="NAMES",
        ),
    ] = None,
    output: Output,
    data: "DataSource | None",
    running: "RunOptions",
    knobs: dict[str, Any],
) -> None:
    """Find the most accurate model for a training-time budget on this machine.

    The search starts from the recipes shipped with siffra and modifies them. It ranks candidates
    on validation images, shifted like the test sets; the test sets only score the final result.
    Knobs that you give are fixed in every candidate. Stop it with Ctrl-C at any time; the same
    command resumes it. With a longer --time it searches further; with a shorter one it ends with
    the best model so far.

    [dim]Examples[/dim]
    siffra search --budget 5s
    siffra search --budget 1m --time 2h --data own.npz --moved 3 --rotated 10
    siffra search --budget 15s --sets test --model dense
    """
    from siffra.report.text.messages import words_in

    words = words_in(output.language)

    def show(event: "SearchEvent") -> None:
        meter.update(int(event.spent), _line(words, event), event.time - event.spent)

    try:
        from siffra.api.search import run_search
        from siffra.config.durations import seconds_of

        seconds = seconds_of(time, "time")
        left, decimal = words("progress.left", time="{time}"), words("decimal")
        with Meter(math.ceil(seconds), "s", left, decimal) as meter:
            result = run_search(
                budget,
                time=seconds,
                sets=None if sets is None else parse_list("sets", sets),
                data=data,
                engine=running.engine,
                threads=running.threads,
                store=running.store,
                out=output.out,
                language=output.language,
                on_event=show,
                **knobs,
            )
    except KeyboardInterrupt as interrupt:
        raise Stopped(words("progress.search_stopped")) from interrupt
    if output.as_json:
        echo_json(json.dumps(result.as_json()))
    else:
        echo(f"{result.text(output.language)}\n")
    for what, file in (("report", "search.html"), ("recipe", "winner.toml")):
        echo(words(f"progress.{what}", path=(output.out or OUT) / file), err=True)


def _line(words: "Words", event: "SearchEvent") -> str:
    """`training candidate 12, 13 so far, best 98.21 % on validation`."""
    candidate = "" if event.candidate is None else event.candidate
    parts = [words(f"progress.{event.doing}", n=candidate)]
    parts.append(words("progress.tried", n=event.tried))
    if event.best is not None:
        share = f"{words.number(100 * event.best, 2)} %"
        parts.append(words("progress.best", share=share))
    return ", ".join(parts)
