"""The command: `python -m benchmarks`, or `make bench`."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import machine
from benchmarks.measure import Result, measure
from benchmarks.peers import PEERS
from benchmarks.peers.base import Problem
from benchmarks.picture import draw
from benchmarks.report import PICTURE, Report, notes, page, terminal_table
from benchmarks.workers import read_images
from benchmarks.works import WORKS
from siffra.errors import ConfigError, SiffraError, did_you_mean
from siffra.run import this_machine

_SEED = 0
_IMAGES, _SCORED, _REPEATS, _BUDGET = 48_000, 10_000, 9, 40.0
_QUICK_IMAGES, _QUICK_REPEATS = 4_800, 3
_DOCS = Path(__file__).parents[1] / "docs"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def bench(
    work: Annotated[
        list[str] | None, typer.Option(help=f"Only this; repeatable. {', '.join(WORKS)}.")
    ] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(help=f"siffra and only this; repeatable. {', '.join(PEERS)}."),
    ] = None,
    repeats: Annotated[int | None, typer.Option(min=1, help=f"Epochs timed: {_REPEATS}.")] = None,
    budget: Annotated[
        float, typer.Option(help="Seconds of timed epochs after which a peer sits out.")
    ] = _BUDGET,
    images: Annotated[
        int | None, typer.Option(min=300, max=_IMAGES, help=f"Images an epoch: {_IMAGES}.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads: as many as cores.")] = None,
    quick: Annotated[
        bool, typer.Option(help=f"{_QUICK_IMAGES} images and {_QUICK_REPEATS} repeats: a glance.")
    ] = False,
    write: Annotated[bool, typer.Option(help="Write docs/performance.md and its picture.")] = False,
) -> None:
    """Time siffra, Keras, PyTorch and JAX side by side, on the same networks and batches."""
    console, aside = Console(), Console(stderr=True)
    works = [WORKS[name] for name in _known("work", work, WORKS)]
    names = list(_installed(peer and _known("peer", peer, PEERS), aside))
    threads = threads or machine.available_cores()
    machine.hold_to(threads)
    count = images or (_QUICK_IMAGES if quick else _IMAGES)
    repeats = repeats or (_QUICK_REPEATS if quick else _REPEATS)
    dataset = read_images(count, min(count, _SCORED))

    results: list[Result] = []
    with aside.status("") as status:
        for this in works:
            problem = Problem(this.setting, dataset, _SEED, threads)
            results.append(
                measure(this, problem, names, repeats=repeats, budget=budget, say=status.update)
            )
            aside.print(_in_a_line(results[-1]), highlight=False)
    report = Report(this_machine(threads), threads, count, len(dataset.test), names, results)
    console.print(terminal_table(report))
    console.print(report.conditions, report.versions, *notes(report), sep="\n", highlight=False)
    if write:
        _write(report)


def _known(option: str, names: Sequence[str] | None, known: Mapping[str, object]) -> list[str]:
    for name in names or ():
        if name not in known:
            raise ConfigError(f"--{option} {name}: not known; {did_you_mean(name, known)}")
    return list(names or known)


def _installed(names: Sequence[str] | None, aside: Console) -> Iterator[str]:
    """The peers that can run, siffra first; a line for each that cannot."""
    for info in PEERS.values():
        wanted = info.name == "siffra" or (info.name in names if names else not info.extra)
        if wanted and info.missing:
            lacking = " and ".join(info.missing)
            aside.print(f"{info.title} is skipped: no {lacking} here; `make bench` gets it.")
        elif wanted:
            yield info.name


def _in_a_line(result: Result) -> str:
    times = (f"{peer} {timing.median:.3g} s" for peer, timing in result.timings.items())
    return f"{result.work.title}: {', '.join(times)}"


def _write(report: Report) -> None:
    _DOCS.mkdir(exist_ok=True)
    draw(report, _DOCS / PICTURE)
    (_DOCS / "performance.md").write_text(page(report), encoding="utf-8")


def main() -> None:
    """Run the command; what the user can mend is said in a line."""
    try:
        app()
    except SiffraError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
