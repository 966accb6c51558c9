"""`siffra lab` and `siffra report`: a whole lab, from its file to its report."""

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siffra.cli.completion import complete_questions
from siffra.cli.options import (
    MACHINE,
    EngineName,
    EngineOption,
    FreshBusyOption,
    JsonOption,
    MaxSeedsOption,
    SeedsOption,
    StoreOption,
    ThreadsOption,
    UntilDecidedOption,
    parse_names,
)
from siffra.cli.run_job import print_cost, run_job
from siffra.errors import ConfigError, StoreError
from siffra.system.terminal import console, echo, echo_json

if TYPE_CHECKING:
    from siffra.api import Job


class Preset(StrEnum):
    """How long a lab trains."""

    quick = "quick"
    standard = "standard"
    full = "full"


class Language(StrEnum):
    """What a report can be written in."""

    en = "en"
    sv = "sv"


LabArgument = Annotated[
    Path | None,
    typer.Argument(
        help="A lab file; default: the study of handwritten digits shipped with siffra.",
        metavar="[LAB.toml]",
        show_default=False,
    ),
]
PresetOption = Annotated[
    Preset | None,
    typer.Option(
        help="Cap on epochs: quick 3, standard 20, full none. Default: what the lab file says; "
        "the study shipped with siffra says quick.",
        show_default=False,
    ),
]
EpochsOption = Annotated[
    int | None,
    typer.Option(help="Train every run for N epochs instead.", min=1, metavar="N"),
]
OnlyOption = Annotated[
    str | None,
    typer.Option(
        help="Run only these questions, as a,b,e.",
        metavar="IDS",
        autocompletion=complete_questions,
    ),
]
OutOption = Annotated[Path, typer.Option(help="Folder to write the report to.", metavar="DIR")]
LanguageOption = Annotated[
    Language, typer.Option("--lang", help="Language of the answer and the report.")
]
JobsOption = Annotated[
    int,
    typer.Option(
        help="Make N runs in parallel, each on one thread; their times are marked as shared.",
        min=1,
        metavar="N",
        rich_help_panel=MACHINE,
    ),
]
OnOption = Annotated[
    str,
    typer.Option(
        "--on",
        help="Where to make the runs: here, on a Ray cluster (ray, ray://host:port), or on a "
        "cluster only if $RAY_ADDRESS is set (auto).",
        metavar="PLACE",
        rich_help_panel=MACHINE,
    ),
]
AloneOption = Annotated[
    bool,
    typer.Option(
        "--alone",
        help="On a cluster, give each run a node to itself, for undisturbed times.",
        rich_help_panel=MACHINE,
    ),
]
CompareOption = Annotated[
    tuple[Path, Path] | None,
    typer.Option(
        help="Compare the reports in folders A and B instead, and write comparison.html.",
        metavar="A B",
    ),
]

OUT = Path("siffra-report")


def lab(
    file: LabArgument = None,
    preset: PresetOption = None,
    epochs: EpochsOption = None,
    seeds: SeedsOption = None,
    until_decided: UntilDecidedOption = False,
    max_seeds: MaxSeedsOption = None,
    only: OnlyOption = None,
    out: OutOption = OUT,
    language: LanguageOption = Language.en,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print the plan and its cost; train nothing. Your own model is still imported.",
        ),
    ] = False,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Repeat every run and replace the stored ones."),
    ] = False,
    fresh_busy: FreshBusyOption = False,
    as_json: JsonOption = False,
    engine: EngineOption = EngineName.native,
    threads: ThreadsOption = None,
    jobs: JobsOption = 1,
    on: OnOption = "here",
    alone: AloneOption = False,
    store: StoreOption = None,
) -> None:
    """Run a lab: answer every question in a lab file and write a report.

    siffra stores each run as soon as it finishes. Stop the lab with Ctrl-C at any time; the same
    command makes the missing runs.

    [dim]Examples[/dim]
    siffra lab
    siffra lab --only a,b --preset standard
    siffra lab my-lab.toml --out my-report --dry-run
    siffra lab my-lab.toml --until-decided --max-seeds 40
    siffra lab my-lab.toml --jobs 8
    siffra lab my-lab.toml --on ray://head:10001
    """
    from siffra import api

    with api.lab_job(
        file,
        preset=preset,
        epochs=epochs,
        seeds=seeds,
        until_decided=until_decided,
        max_seeds=max_seeds,
        only=parse_names("only", only),
        fresh=fresh or ("busy" if fresh_busy else False),
        engine=engine,
        threads=threads,
        where=api.Where(on, jobs, alone),
        store=store,
        read_only=dry_run,
    ) as job:
        if dry_run:
            _print_plan(job, as_json, language)
            return
        api.expect_report(out, language)
        result = run_job(job, language)
    from siffra.report.text.messages import words_in

    written = result.write(out, language)
    told = f"{result.text(language)}\n\n{words_in(language)('progress.report', path=written[0])}"
    if as_json:
        echo_json(result.as_json(language))
    else:
        echo(told)


def report(
    file: LabArgument = None,
    preset: PresetOption = None,
    epochs: EpochsOption = None,
    seeds: SeedsOption = None,
    until_decided: UntilDecidedOption = False,
    max_seeds: MaxSeedsOption = None,
    only: OnlyOption = None,
    out: OutOption = OUT,
    language: LanguageOption = Language.en,
    engine: EngineOption = EngineName.native,
    store: StoreOption = None,
    compare: CompareOption = None,
) -> None:
    """Write a lab's report again from stored runs, without training.

    With --compare, set two reports side by side: changed verdicts, and all estimates.

    [dim]Examples[/dim]
    siffra report --lang sv --out rapport
    siffra report my-lab.toml --preset standard
    siffra report --compare quick-report standard-report --out both
    """
    from siffra import api

    if compare:
        _refuse_beside_compare(
            {
                "LAB.toml": file,
                "--preset": preset,
                "--epochs": epochs,
                "--seeds": seeds,
                "--until-decided": until_decided,
                "--max-seeds": max_seeds,
                "--only": only,
                "--engine": engine is not EngineName.native,
                "--store": store,
            }
        )
        api.expect_report(out, language)
        echo(api.compare_reports(*compare, out=out, language=language))
        return
    options: dict[str, Any] = {
        "epochs": epochs,
        "seeds": seeds,
        "until_decided": until_decided,
        "max_seeds": max_seeds,
        "only": parse_names("only", only),
        "examines": False,
        "engine": engine,
        "store": store,
        "read_only": True,
    }
    with api.lab_job(file, preset=preset, **options) as job:
        cost = job.cost()
        if cost.have < cost.runs:
            nowhere = "" if job.store.path.exists() else "no such store, so "
            raise StoreError(
                f"{job.store.path}: {nowhere}{cost.have} of this lab's {cost.runs} runs are "
                "stored; `siffra lab`, with the same options, makes the others"
                f"{_stored_at(file, job.plan.preset, options)}."
            )
        result = job.run()
    for path in result.write(out, language):
        echo(str(path))


def _stored_at(file: Path | None, missing: str, options: dict[str, Any]) -> str:
    """Of which other preset all runs are stored, if they are of one."""
    from siffra import api

    for preset in Preset:
        if preset != missing:
            with api.lab_job(file, preset=preset, **options) as job:
                cost = job.cost()
            if cost.have == cost.runs:
                return f"; those of --preset {preset} are all there"
    return ""


def _refuse_beside_compare(given: Mapping[str, object]) -> None:
    """Say which options a comparison has no use for, rather than leave them out without a word."""
    unused = [name for name, value in given.items() if value]
    if unused:
        raise ConfigError(
            f"--compare sets two reports side by side as they are; leave out {', '.join(unused)}."
        )


def _print_plan(job: "Job", as_json: bool, language: Language) -> None:
    from siffra.report.text.messages import words_in
    from siffra.report.text.shortened import shortened

    cost, parts = job.cost(), job.parts()
    if as_json:
        runs = {part.id: {"runs": part.cost.runs, "stored": part.cost.have} for part in parts}
        told = {"runs": cost.runs, "stored": cost.have, "seconds": cost.seconds, "parts": runs}
        told |= {"preset": job.plan.preset, "shortened": shortened(words_in(language), job.plan)}
        echo_json(json.dumps(told))
        return
    from rich.table import Table

    words = words_in(language)
    table = Table("", words("cost.question"), box=None, pad_edge=False, header_style="dim")
    for heading in ("runs_head", "stored_head"):
        table.add_column(words(f"cost.{heading}"), justify="right")
    for part in parts:
        table.add_row(part.id, words.say(part.ask), str(part.cost.runs), str(part.cost.have))
    console().print(table)
    echo(f"\n{words('cost.in_all')}")
    print_cost(words, cost, job, err=False)
