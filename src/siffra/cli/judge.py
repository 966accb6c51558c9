"""`siffra judge`: runs that are done, made by whatever program, answered in the terminal."""

from pathlib import Path
from typing import Annotated, Any

import typer

from siffra.cli.knobs import parse_any
from siffra.cli.options import Options, Output, in_place_of, option, parse_list, with_output
from siffra.errors import ConfigError, SiffraError
from siffra.system.terminal import echo

_TABLE: Options = {
    "by": option(list[str] | None, "The columns whose values are compared, as lr,warmup.", "NAMES"),
    "metric": option(
        list[str] | None,
        "What is judged, and which values are better: val_loss:lower. Repeatable: --metric once "
        "for each. Behind a comma, its margin, scale=ratio and unit: fps:higher,margin=5,unit=Hz.",
        "NAME[:higher|lower]",
    ),
    "margin": option(
        float | None,
        "The smallest difference that matters, in metrics without a margin of their own. "
        "Without one, nothing is ever shown to make no difference.",
        "X",
    ),
    "seed": option(str | None, "The column of seeds; none if there is none.", "NAME"),
    "baseline": option(
        list[str] | None,
        "The level that all others are compared with, as lr=0.1; default: the first. Or a "
        "report's results.json, of which a level is.",
        "NAME=VALUE|FILE",
    ),
    "where": option(
        list[str] | None, 'Only these rows, as "model = conv". Repeatable.', "CONDITION"
    ),
    "pair_by": option(
        list[str] | None,
        "The columns whose values pair runs of two levels, in place of the seed.",
        "NAMES",
    ),
}
"""Options that say what the columns of a table are, by name, with what they are unless given."""


def _asked(**given: Any) -> dict[str, Any]:
    """What was said of the table, as `siffra.judge` takes it."""
    lists = {
        name: parse_list(name.replace("_", "-"), given.pop(name)) for name in ("by", "pair_by")
    }
    baselines = given.pop("baseline") or ()
    files = [text for text in baselines if text.endswith(".json") or Path(text).is_dir()]
    if len(files) > 1:
        raise ConfigError(f"baseline: found {len(files)} files, {files[0]} and others; name one.")
    repeated = {name: given.pop(name) or () for name in ("metric", "where")}
    return {
        **lists,
        **repeated,
        "baseline": dict(_assignment(text) for text in baselines if text not in files),
        "baseline_results": files[0] if files else None,
        **given,
    }


@in_place_of("asked", _TABLE, _asked)
@with_output(None, "Also write the full report to this folder.", check=True)
def judge(
    *,
    file: Annotated[
        str,
        typer.Argument(
            help="A table of runs, one a row: CSV, TSV, Parquet, JSON lines; an export of W&B's, "
            "MLflow's or siffra's.",
            metavar="FILE",
        ),
    ],
    asked: dict[str, Any],
    output: Output,
) -> None:
    """Judge runs that are done: is a level better than the baseline, beyond the noise?

    siffra finds out which columns vary, which is the seed and which are metrics, says what it
    took them for, and answers as it does for its own runs. Nothing is trained.

    [dim]Examples[/dim]
    siffra judge runs.csv
    siffra judge runs.csv --by lr --metric val_loss:lower --margin 0.01
    siffra judge wandb.csv --by optimizer --baseline optimizer=sgd --out report
    siffra judge new.csv --metric val_loss:lower --baseline old/results.json
    siffra judge runs.parquet --where "model = conv" --seed trial --json
    """
    from siffra import api

    api.expect_report(output.out, output.language)
    try:
        result = api.judge(file, **asked, language=output.language)
    except SiffraError as error:
        raise SiffraError(error.text(output.language)) from error
    for note in result.answers.plan.notes:
        echo(f"note: {note.texts[output.language]}", err=True)
    if output.out:
        from siffra.report.text.messages import words_in

        report, *_ = result.write(output.out, output.language)
        echo(words_in(output.language)("progress.report", path=report), err=True)
    output.print(result)
    output.check(result)


def _assignment(text: str) -> tuple[str, Any]:
    """A knob and its value: a number, or a text as it stands in the table."""
    name, mark, value = text.partition("=")
    if not mark or not name.strip():
        raise ConfigError(f"baseline: found {text!r}; write it as lr=0.1, or name a results.json.")
    number = parse_any(value.strip())
    return name.strip(), number if type(number) in (int, float) else value.strip()
