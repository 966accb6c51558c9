"""The command: `python -m benchmarks.method`, or `make method`."""

import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.method import shipped
from benchmarks.method.cells import CELLS, LIMITS, MIXED, real
from benchmarks.method.coverage import study_bounds, study_coverage
from benchmarks.method.errors import study_calibration, study_errors, study_orders
from benchmarks.method.order import study_order
from benchmarks.method.page import page
from benchmarks.method.peers import INSTALL, PYTHON, study_peers
from benchmarks.method.pictures import draw_decided, draw_order, draw_power
from benchmarks.method.power import study_decided, study_power
from benchmarks.method.runs import make_runs, read_runs
from benchmarks.method.sections import Study
from benchmarks.method.sentences import study_sentences

_LABS, _QUICK, _MORE = 200, 20, 25
_DOCS = Path(__file__).parents[2] / "docs"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def method(
    labs: Annotated[int, typer.Option(min=10, help="Labs in each cell.")] = _LABS,
    quick: Annotated[bool, typer.Option("--quick", help=f"{_QUICK} labs: a glance.")] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Write docs/method.md and its pictures.")
    ] = False,
    adastop: Annotated[
        Path, typer.Option(help="The Python of an environment that has AdaStop.")
    ] = PYTHON,
    runs_too: Annotated[
        bool, typer.Option("--make-runs", help="Train the table of runs anew first.")
    ] = False,
) -> None:
    """Put siffra's statistics to the test on made-up labs whose truth is known."""
    aside = Console(stderr=True)
    if not adastop.exists():
        aside.print(f"AdaStop is not at {adastop}: {INSTALL}", markup=False, soft_wrap=True)
        if write:
            raise typer.Exit(2)
    if runs_too:
        make_runs(lambda text: aside.print(text, highlight=False))
    runs = read_runs()
    labs = _QUICK if quick else labs
    jobs = os.cpu_count() or 1
    with ProcessPoolExecutor(jobs) as executor, aside.status("") as status:
        judge, say = shipped.in_parallel(executor, jobs), status.update
        study = Study(
            runs=runs,
            labs=labs,
            errors=study_errors(CELLS, judge, labs, _MORE, say),
            real=study_errors(real(runs), judge, labs, _MORE, say),
            mixed=study_errors(MIXED, judge, labs, _MORE, say),
            limits=study_errors(LIMITS, judge, labs // 2, _MORE, say),
            orders=study_orders(CELLS, 10 * labs, say),
            peers=study_peers(judge, 2 * labs // 5, adastop, say),
            power=study_power(judge, labs // 2, say),
            decided=study_decided(judge, labs, say),
            coverage=study_coverage(runs, 20 * labs, say),
            bounds=study_bounds(judge, labs),
            order=study_order(runs, judge),
            sentences=study_sentences(3 * labs, say),
            calibration=study_calibration(max(1, labs // 4)),
        )
    text = page(study)
    if write:
        (_DOCS / "method.md").write_text(text, encoding="utf-8")
        draw_order(study.order, _DOCS / "method-order.svg")
        draw_power(study.power, _DOCS / "method-power.svg")
        draw_decided(study.decided, _DOCS / "method-decided.svg")
    else:
        print(text)


if __name__ == "__main__":
    app()
