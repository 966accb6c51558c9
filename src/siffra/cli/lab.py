"""`siffra lab` and `siffra report`: a whole lab, from its file to its report."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from siffra.cli.options import (
    Output,
    Preset,
    with_lab_options,
    with_output,
    with_run_options,
)
from siffra.cli.program_options import Program, with_program
from siffra.cli.run_job import print_cost, run_job
from siffra.errors import ConfigError, StoreError
from siffra.system.terminal import console, echo, echo_answer, echo_json

if TYPE_CHECKING:
    from siffra.api import Job, LabOptions, RunOptions

LabArgument = Annotated[
    Path | None,
    typer.Argument(
        help="A lab file; default: the study of handwritten digits shipped with siffra.",
        metavar="[LAB.toml]",
        show_default=False,
    ),
]
CompareOption = Annotated[
    tuple[Path, Path] | None,
    typer.Option(
        help="Compare the reports in folders A and B instead, and write comparison.html.",
        metavar="A B",
    ),
]
ClassOption = Annotated[
    Path | None,
    typer.Option(
        "--class",
        help="Set all reports in folder DIR side by side instead, a class's labs, say, and write "
        "class.html.",
        metavar="DIR",
    ),
]
PdfOption = Annotated[
    bool,
    typer.Option(
        "--pdf", help="Also print it as report.pdf, by Chromium or Chrome if there is one."
    ),
]

OUT = Path("siffra-report")


_FOLDER = "Folder to write the report to."


@with_lab_options()
@with_run_options()
@with_program("timeout", "gpus")
@with_output(OUT, _FOLDER, check=True)
def lab(
    options: "LabOptions",
    output: Output,
    running: "RunOptions",
    program: Program,
    file: LabArgument = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print the plan and its cost; train nothing. Your own model is still imported.",
        ),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Print every question's answer in full.")
    ] = False,
) -> None:
    """Run a lab: answer every question in a lab file and write a report.

    siffra stores each run as soon as it finishes. Stop the lab with Ctrl-C at any time; the same
    command makes the missing runs.

    [dim]Examples[/dim]
    siffra lab
    siffra lab --only a,b --preset standard
    siffra lab my-lab.toml --out my-report --dry-run
    siffra lab my-lab.toml --time 1h --max-seeds 80
    siffra lab my-lab.toml --seeds 10
    siffra lab my-lab.toml --jobs 8
    siffra lab my-lab.toml --on ray://head:10001
    siffra lab my-program.toml --gpus 0,1 --timeout 2h
    """
    from siffra import api
    from siffra.report.text.messages import words_in

    running = replace(running, read_only=dry_run)
    machine = {"timeout": program.timeout, "gpus": program.gpu_names}
    with api.lab_job(file, options, running, **machine) as job:
        if dry_run:
            _print_plan(job, output)
            return
        api.expect_report(output.out, output.language)
        result = run_job(job, output.language)
    report, *_ = result.write(output.out or OUT, output.language)
    if output.as_json:
        output.print(result)
    else:
        echo_answer(result.text(output.language, verbose=verbose))
        echo(f"\n{words_in(output.language)('progress.report', path=report)}")
    output.check(result)


@with_lab_options()
@with_run_options("engine", "store")
@with_output(OUT, _FOLDER, json=False)
def report(
    options: "LabOptions",
    output: Output,
    running: "RunOptions",
    file: LabArgument = None,
    compare: CompareOption = None,
    folder: ClassOption = None,
    pdf: PdfOption = False,
) -> None:
    """Write a lab's report again from stored runs, without training.

    With --compare, set two reports side by side: changed verdicts, and all estimates. With --class,
    set any number of them side by side: claims, labs and verdicts.

    [dim]Examples[/dim]
    siffra report --lang sv --out rapport
    siffra report --pdf
    siffra report my-lab.toml --preset standard
    siffra report --compare quick-report standard-report --out both
    siffra report --class handed-in --out class
    """
    from siffra import api

    out, language = output.out or OUT, output.language
    if compare or folder:
        _refuse_beside("--compare" if compare else "--class", file, options, running)
        if compare and folder:
            raise ConfigError("--compare and --class: each is a table of its own; leave out one.")
        if pdf:
            raise ConfigError("--pdf: it is for the report of one lab; leave it out.")
        api.expect_report(out, language)
        if folder:
            echo(api.class_report(folder, out=out, language=language))
        elif compare:
            echo(api.compare_reports(*compare, out=out, language=language))
        return
    options = replace(options, examines=False)
    running = replace(running, read_only=True)
    with api.lab_job(file, options, running) as job:
        cost, result = job.first_look(), job.stored()
        # Not by the cost alone: runs of a program that failed are results, though made again.
        if result.answers.missing and not result.answers.shortfall:
            nowhere = "" if job.store.path.exists() else "no such store, so "
            hint = _stored_at(file, replace(options, preset=job.plan.preset), running)
            raise StoreError(
                f"{job.store.path}: {nowhere}{cost.have} of this lab's {cost.runs} runs are "
                f"stored; `siffra lab`, with the same options, makes the others{hint}."
            )
    paths = result.write(out, language)
    if pdf:
        from siffra.report.render.pdf import write_pdf

        paths.append(write_pdf(paths[0]))
    for path in paths:
        echo(str(path))


def _stored_at(file: Path | None, missing: "LabOptions", running: "RunOptions") -> str:
    """Of which other preset all runs are stored, if they are of one."""
    from siffra import api

    for preset in Preset:
        if preset != missing.preset:
            with api.lab_job(file, replace(missing, preset=preset), running) as job:
                cost = job.first_look()
            if cost.have == cost.runs:
                return f"; those of --preset {preset} are all there"
    return ""


def _refuse_beside(
    option: str, file: Path | None, options: "LabOptions", running: "RunOptions"
) -> None:
    """Say which options such a table has no use for, rather than leave them out without a word."""
    unused = ["LAB.toml"] if file else []
    for group in (options, running):
        unused += [
            f"--{field.name}".replace("_", "-")
            for field in fields(group)
            if getattr(group, field.name) != field.default
        ]
    if unused:
        raise ConfigError(
            f"{option} sets reports side by side as they are; leave out {', '.join(unused)}."
        )


def _print_plan(job: "Job", output: Output) -> None:
    from siffra.report.text.messages import words_in
    from siffra.report.text.provenance import shortened

    words, cost, parts = words_in(output.language), job.cost(), job.parts()
    if output.as_json:
        runs = {part.id: {"runs": part.cost.runs, "stored": part.cost.have} for part in parts}
        document = {"runs": cost.runs, "stored": cost.have, "seconds": cost.seconds, "parts": runs}
        document |= {"preset": job.plan.preset, "shortened": shortened(words, job.plan)}
        document |= {"looks": job.plan.looks, "time": job.plan.time, "first_look_fits": cost.fits}
        echo_json(json.dumps(document))
        return
    from rich.table import Table

    table = Table("", words("cost.question"), box=None, pad_edge=False, header_style="dim")
    for heading in ("runs_head", "stored_head"):
        table.add_column(words(f"cost.{heading}"), justify="right")
    for part in parts:
        table.add_row(part.id, words.say(part.ask), str(part.cost.runs), str(part.cost.have))
    console().print(table)
    echo(f"\n{words('cost.in_all')}")
    print_cost(words, cost, job, err=False)
