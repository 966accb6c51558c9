"""The command: `python -m benchmarks.method`, or `make method`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.method.cautions import study_cautions
from benchmarks.method.coverage import study_coverage
from benchmarks.method.errors import study_errors
from benchmarks.method.order import study_order
from benchmarks.method.page import Study, page
from benchmarks.method.pictures import draw_order, draw_power
from benchmarks.method.power import study_power
from benchmarks.method.runs import make_runs, read_runs

_LABS, _QUICK = 2000, 100
_DOCS = Path(__file__).parents[2] / "docs"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def method(
    labs: Annotated[int, typer.Option(min=10, help="Labs for each row on mistakes.")] = _LABS,
    quick: Annotated[bool, typer.Option("--quick", help=f"{_QUICK} labs: a glance.")] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Write docs/method.md and its pictures.")
    ] = False,
    runs_too: Annotated[
        bool, typer.Option("--make-runs", help="Train the table of runs anew first.")
    ] = False,
) -> None:
    """Put siffra's statistics to the test on labs drawn from a table of real runs."""
    aside = Console(stderr=True)
    if runs_too:
        make_runs(lambda text: aside.print(text, highlight=False))
    runs = read_runs()
    labs = _QUICK if quick else labs
    with aside.status("") as status:
        study = Study(
            runs=runs,
            labs=labs,
            errors=study_errors(runs, labs, status.update),
            coverage=study_coverage(runs, labs // 4, status.update),
            power=study_power(runs, labs // 10, status.update),
            order=study_order(runs),
            cautions=study_cautions(labs, status.update),
        )
    text = page(study)
    if write:
        (_DOCS / "method.md").write_text(text, encoding="utf-8")
        draw_order(study.order, _DOCS / "method-order.svg")
        draw_power(study.power, _DOCS / "method-power.svg")
    else:
        print(text)


if __name__ == "__main__":
    app()
