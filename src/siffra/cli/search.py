"""`siffra search`: the best model for the seconds that there are."""

import json
import math
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siffra.cli.data_options import with_data
from siffra.cli.knobs import parse_own_levels, with_knobs
from siffra.cli.options import (
    Options,
    Output,
    in_place_of,
    option,
    parse_list,
    with_output,
    with_run_options,
)
from siffra.cli.program_options import PROGRAM_PANEL, Program, with_program
from siffra.cli.progress import Meter
from siffra.cli.run_job import metered, run_job
from siffra.cli.stopping import Stopped
from siffra.cli.vary import expect_none_of_siffras, show_result
from siffra.errors import ConfigError
from siffra.system.terminal import echo, echo_answer, echo_json

if TYPE_CHECKING:
    from siffra.api import LabResult, RunOptions
    from siffra.data.load import DataSource
    from siffra.report.text.messages import Words
    from siffra.search.spec import SearchEvent

OUT = Path("siffra-search")
_of_program = partial(option, rich_help_panel=PROGRAM_PANEL)
_TUNING: Options = {
    "space": (
        Annotated[
            list[str] | None,
            typer.Argument(
                help="With --command: where to look, by knob; a range or a list.",
                metavar="KNOB=A..B|V1,V2,...",
            ),
        ],
        None,
    ),
    "time": option(
        str | None,
        "Time limit of the search, by default 10m; with --command that of all runs, by default "
        "none.",
        "SPAN",
    ),
    "runs": _of_program(
        int | None, "The most settings to try; default: 30, unless there is a --time.", "N"
    ),
    "baseline": _of_program(
        list[str] | None,
        "A setting that the best one is compared with, as lr=0.1,width=32.",
        "KNOB=VALUE,...",
    ),
    "seeds": _of_program(
        int | None, "How many fresh seeds the best setting is judged on; default: 5.", "N"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What is said of a search of a program's settings, as it is typed."""

    space: list[str] | None
    time: str | None
    runs: int | None
    baseline: list[str] | None
    seeds: int | None


@with_knobs
@with_data
@with_run_options("engine", "threads", "jobs", "store")
@with_program()
@in_place_of("tuning", _TUNING, Tuning)
@with_output(
    None,
    "Folder to write the report to; of siffra's own networks also the recipe and the model, to "
    "siffra-search by default.",
    check=True,
)
def search(
    *,
    budget: Annotated[
        str | None,
        typer.Option(help="Training-time budget of the model, as 15s or 2m.", metavar="SPAN"),
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            help="Sets whose mean accuracy is maximized; default: test and all shifted sets.",
            metavar="NAMES",
        ),
    ] = None,
    tuning: Tuning,
    output: Output,
    data: "DataSource | None",
    running: "RunOptions",
    program: Program,
    knobs: dict[str, Any],
) -> None:
    """Find the most accurate model for a training-time budget, or your program's best setting.

    The search starts from the recipes shipped with siffra and modifies them. It ranks candidates
    on validation images, shifted like the test sets; the test sets only score the final result.
    Knobs that you give are fixed in every candidate. Stop it with Ctrl-C at any time; the same
    command resumes it. With a longer --time it searches further; with a shorter one it ends with
    the best model so far.

    With --command, Optuna searches for the best setting of a program of your own, by its --metric:
    siffra's own networks are always searched by accuracy. The setting found is judged on fresh
    seeds.

    [dim]Examples[/dim]
    siffra search --budget 5s
    siffra search --budget 1m --time 2h --data own.npz --moved 3 --rotated 10
    siffra search --budget 15s --sets test --model dense
    siffra search lr=0.001..1 width=16,32 --command "train {lr} {width} {seed}" --metric loss:lower
    """
    if program.command is not None:
        expect_none_of_siffras(knobs, data, None, budget=budget, sets=sets)
        show_result(_tune(tuning, running, program, output), output)
        return
    program.expect_none()
    of_programs = {name: getattr(tuning, name) for name in _TUNING if name != "time"}
    of_programs |= {"jobs": running.jobs, "check": output.is_checked}
    for name, value in of_programs.items():
        if value:
            raise ConfigError(f"{name}: it is for a program of your own; give its --command.")
    if budget is None:
        raise ConfigError(
            "budget: found none; give the training time of the model, as --budget 5s, or search "
            "for the best setting of a program of your own with --command."
        )
    _search_networks(budget, tuning.time or "10m", sets, output, data, running, knobs)


def _search_networks(
    budget: str,
    time: str,
    sets: list[str] | None,
    output: Output,
    data: "DataSource | None",
    running: "RunOptions",
    knobs: dict[str, Any],
) -> None:
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
                out=output.out or OUT,
                language=output.language,
                on_event=show,
                **knobs,
            )
    except KeyboardInterrupt as interrupt:
        raise Stopped(words("progress.search_stopped")) from interrupt
    if output.as_json:
        echo_json(json.dumps(result.as_json()))
    else:
        echo_answer(f"{result.text(output.language)}\n")
    for what, file in (("report", "search.html"), ("recipe", "winner.toml")):
        echo(words(f"progress.{what}", path=(output.out or OUT) / file), err=True)


def _tune(tuning: Tuning, running: "RunOptions", program: Program, output: Output) -> "LabResult":
    """Search, and judge what was found, with progress; Ctrl-C says how to go on."""
    from siffra.api import expect_report
    from siffra.api.commands import command_job
    from siffra.api.jobs import seconds_or_none
    from siffra.api.tuning import TuneOptions, tune_job
    from siffra.report.text.messages import words_in
    from siffra.report.text.progress import Telling

    words = words_in(output.language)
    options = TuneOptions(
        runs=tuning.runs,
        time=seconds_or_none(tuning.time),
        baseline=_baseline(tuning.baseline) if tuning.baseline is not None else {},
        seeds=tuning.seeds,
    )
    space = parse_own_levels(tuning.space or [])
    open_job = partial(command_job, program=program.command_options(running))
    expect_report(output.out, output.language)
    with ExitStack() as opened:
        with metered(words, Telling(words, None)) as show:
            job = opened.enter_context(tune_job(space, open_job, options, show))
        return run_job(job, output.language)


def _baseline(said: list[str]) -> dict[str, Any]:
    """`lr=0.1,width=32` as values by knob."""
    levels = parse_own_levels(list(parse_list("baseline", said, "lr=0.1,width=32")))
    return {name: values[0] for name, values in levels.items()}


def _line(words: "Words", event: "SearchEvent") -> str:
    """`training candidate 12, 13 so far, best 98.21 % on validation`."""
    candidate = "" if event.candidate is None else event.candidate
    parts = [words(f"progress.{event.doing}", n=candidate)]
    parts.append(words("progress.tried", n=event.tried))
    if event.best is not None:
        share = f"{words.number(100 * event.best, 2)} %"
        parts.append(words("progress.best", share=share))
    return ", ".join(parts)
