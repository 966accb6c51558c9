"""The command: `python -m benchmarks PART`, or `make bench ARGS=PART`."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks import report
from benchmarks.aims import missed_aims
from benchmarks.compiling import NETWORKS, measure_compiling
from benchmarks.growth import IMAGES as GROWTH_IMAGES
from benchmarks.growth import SWEEPS, measure_growth
from benchmarks.job import compare_jobs
from benchmarks.job import lines as job_lines
from benchmarks.kernels import KERNELS, measure_kernels
from benchmarks.lab import lines as lab_lines
from benchmarks.lab import measure_lab
from benchmarks.left import LEFT, measure_left
from benchmarks.load import LOADS, measure_load
from benchmarks.origin import Origin
from benchmarks.picture import draw_growth, draw_works
from benchmarks.race import Effort
from benchmarks.results import Results, by_held_name, check, keep, read
from benchmarks.seeds import SEEDS, WORKS, measure_seeds
from benchmarks.seeds import lines as seed_lines
from benchmarks.session import Conditions, Session, bench, installed
from benchmarks.shares import SHARES, measure_shares
from benchmarks.table import headline, in_a_line, refusals, table
from benchmarks.turns import TRIES, TURNS, measure_turns
from benchmarks.turns import lines as turn_lines
from benchmarks.vectors import hold_to_vectors
from benchmarks.workers import read_images
from siffra.bench.roofline import limit_threads
from siffra.bench.session import IMAGES, SCORED, known
from siffra.bench.workloads import WORKLOADS
from siffra.errors import BenchError, SiffraError
from siffra.system.cpu import available_cores

_REPEATS, _LEAST, _BUDGET = 9, 3, 40.0
_QUICK_IMAGES, _QUICK_REPEATS = 4_800, 3
_QUICK_LOAD_IMAGES = 12_000
_MINUTES = 10.0
_DOCS = Path(__file__).parents[1] / "docs"
_ORDER = (*WORKLOADS, *SWEEPS, *KERNELS, *SHARES, *LEFT, *LOADS, *NETWORKS)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
console, aside = Console(), Console(stderr=True)

Only = Annotated[str | None, typer.Option(help="Only these, with commas.", metavar="NAME,...")]
Peers = Annotated[
    str | None, typer.Option(help="siffra and only these, with commas.", metavar="NAME,...")
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads: as many as cores.")]
Images = Annotated[int | None, typer.Option(min=300, max=IMAGES, help="Images an epoch.")]
Write = Annotated[bool, typer.Option("--write", help="Keep what was measured, write the page.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="With --write: forget what was kept.")]
Docs = Annotated[Path, typer.Option(help="Where the page and what it is made of are.")]


@app.command()
def works(
    only: Annotated[
        str | None,
        typer.Option("--works", help=f"Only these: {','.join(WORKLOADS)}.", metavar="NAME,..."),
    ] = None,
    peers: Peers = None,
    repeats: Annotated[int | None, typer.Option(min=1, help=f"Epochs timed: {_REPEATS}.")] = None,
    budget: Annotated[
        float, typer.Option(help=f"Seconds after which a peer sits out, {_LEAST} epochs at least.")
    ] = _BUDGET,
    images: Images = None,
    threads: Threads = None,
    vectors: Annotated[
        str | None,
        typer.Option(help="Hold all to narrower vectors than there are: avx2.", metavar="NAME"),
    ] = None,
    quick: Annotated[
        bool, typer.Option(help=f"{_QUICK_IMAGES} images and {_QUICK_REPEATS} repeats: a glance.")
    ] = False,
    write: Write = False,
    fresh: Fresh = False,
    docs: Docs = _DOCS,
) -> None:
    """Time siffra, Keras, PyTorch and JAX side by side, on the same networks and batches."""
    chosen = known("works", only, list(WORKLOADS))
    able = installed(peers, _tell)
    threads = _hold(threads)
    held = hold_to_vectors(vectors) if vectors else ""
    repeats = repeats or (_QUICK_REPEATS if quick else _REPEATS)
    origin = _origin(docs, Conditions.here(threads, able, held), write=write, fresh=fresh)
    with _saying() as say:
        session = bench(
            chosen,
            able,
            threads=threads,
            images=images or (_QUICK_IMAGES if quick else IMAGES),
            effort=Effort(repeats, min(repeats, _LEAST), budget),
            say=say,
            on_result=lambda result: _tell(in_a_line(result)),
            held=held,
        )
    _print_session(session)
    part = {"held": by_held_name(session)} if held else {"works": _by_name(session.results)}
    _finish(docs, session.conditions, origin, fresh=fresh, **part)


@app.command()
def growth(
    only: Only = None,
    peers: Peers = None,
    minutes: Annotated[float, typer.Option(help="After these siffra goes on alone.")] = _MINUTES,
    threads: Threads = None,
    write: Write = False,
    fresh: Fresh = False,
    docs: Docs = _DOCS,
) -> None:
    """How an epoch's time grows with batch size, neurons, kernel size, threads and images."""
    chosen = known("only", only, list(SWEEPS))
    usual = {peer for name in chosen for peer in SWEEPS[name].peers}
    able = [peer for peer in installed(peers, _tell) if peer in usual]
    threads = _hold(threads)
    end = time.monotonic() + 60 * minutes
    count = IMAGES if any("images" in name for name in chosen) else GROWTH_IMAGES
    conditions = Conditions.here(threads, able)
    origin = _origin(docs, conditions, write=write, fresh=fresh)
    with _saying() as say:
        dataset = read_images(count, 1)
        grown = []
        for one in measure_growth(
            chosen, able, dataset, threads, in_time=lambda: time.monotonic() < end, say=say
        ):
            _tell(*report.growth_lines(one))
            grown.append(one)
    _finish(docs, conditions, origin, fresh=fresh, growth=_by_name(grown))


@app.command()
def kernels(
    only: Only = None,
    threads: Threads = None,
    write: Write = False,
    fresh: Fresh = False,
    docs: Docs = _DOCS,
) -> None:
    """The heaviest kernels alone, against the matrix peak."""
    chosen = known("only", only, list(KERNELS))

    def lines(times: Any) -> Iterator[str]:
        yield from report.kernel_lines(times)
        yield from report.missed_shares(times)

    measure = partial(measure_kernels, chosen)
    _of_siffra("kernels", measure, lines, docs, threads, write=write, fresh=fresh)


@app.command()
def shares(
    only: Only = None,
    images: Images = None,
    threads: Threads = None,
    write: Write = False,
    fresh: Fresh = False,
    docs: Docs = _DOCS,
) -> None:
    """What augmentation and scoring cost beside siffra's training."""
    chosen = known("only", only, list(SHARES))

    def measure(threads: int, say: Callable[[str], None]) -> Sequence[Any]:
        return measure_shares(chosen, read_images(images or IMAGES, SCORED), threads, say)

    _of_siffra("shares", measure, report.share_lines, docs, threads, write=write, fresh=fresh)


@app.command()
def left(
    only: Only = None,
    images: Images = None,
    threads: Threads = None,
    write: Write = False,
    fresh: Fresh = False,
    docs: Docs = _DOCS,
) -> None:
    """Where the seconds of siffra's epochs go: products, all else, and what is left to gain."""
    chosen = known("only", only, list(LEFT))

    def measure(threads: int, say: Callable[[str], None]) -> Sequence[Any]:
        return measure_left(chosen, read_images(images or IMAGES, 1), threads, say)

    _of_siffra("left", measure, report.left_lines, docs, threads, write=write, fresh=fresh)


@app.command()
def load(
    only: Only = None,
    images: Images = None,
    threads: Threads = None,
    quick: Annotated[bool, typer.Option(help=f"{_QUICK_LOAD_IMAGES} images: a glance.")] = False,
    write: Write = False,
    fresh: Fresh = False,
    docs: Docs = _DOCS,
) -> None:
    """What a busy core costs: siffra's epochs beside a busy process, which it starts and ends.

    All that it tells are ratios within one run. What is kept may be of another machine than the
    rest of the page, and names it.
    """
    chosen = known("only", only, list(LOADS))
    threads = threads or available_cores()
    kept = None if fresh else read(docs / report.KEPT)
    conditions = kept.conditions if kept else Conditions.here(threads, ["siffra"])
    count = images or (_QUICK_LOAD_IMAGES if quick else IMAGES)
    with _saying() as say:
        times = measure_load(chosen, read_images(count, 1), threads, say)
    for line in (*report.load_lines(times), *report.missed_load(times)):
        console.print(line, highlight=False)
    if write:
        new = Results(conditions, load=_by_name(times))
        _write_page(docs, keep(docs / report.KEPT, new, _ORDER, fresh=fresh))


@app.command()
def turns(
    only: Only = None,
    tries: Annotated[int, typer.Option(min=1, help="Of five rounds each.")] = TRIES,
) -> None:
    """How far off the ratio of two equal settings is, timed by turns, idle and with a busy core."""
    dataset = read_images(IMAGES, 1)
    chosen = known("only", only, list(TURNS))
    for errors in measure_turns(chosen, dataset, tries, _tell):
        console.print(*turn_lines([errors]), highlight=False)


@app.command("lab")
def whole_lab(
    preset: Annotated[str, typer.Option(help="Of the study.", metavar="NAME")] = "quick",
    time_: Annotated[
        str | None, typer.Option("--time", help="Its budget of training.", metavar="SPAN")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=5, help="So many instead.")] = None,
) -> None:
    """Where the processor time of a whole lab goes: the study shipped with siffra."""
    given = {"--preset": preset, "--time": time_, "--seeds": seeds}
    arguments = [str(part) for option in given.items() if option[1] for part in option]
    with TemporaryDirectory() as folder, _saying() as say:
        cost = measure_lab(arguments, Path(folder), say)
    console.print(*lab_lines(cost), sep="\n", highlight=False)


@app.command()
def seeds(
    only: Only = None,
    count: Annotated[int, typer.Option("--seeds", min=1, help="Trained at once.")] = SEEDS,
    images: Images = None,
    threads: Threads = None,
) -> None:
    """The throughput of a whole claim: an epoch of many seeds, by siffra and by JAX's vmap."""
    chosen = known("only", only, WORKS)
    for times in measure_seeds(chosen, images or IMAGES, count, _hold(threads), _tell):
        console.print(*seed_lines(times), highlight=False)


@app.command("job")
def whole_job() -> None:
    """A whole question by siffra, Ictonyx and AdaStop: decided or not, wrong or not, its runs."""
    with _saying() as say:
        outcomes = list(compare_jobs(say))
    console.print(*job_lines(outcomes), highlight=False)


@app.command("compile")
def compiling(
    only: Only = None,
    threads: Threads = None,
    write: Write = False,
    fresh: Fresh = False,
    docs: Docs = _DOCS,
) -> None:
    """How long siffra's kernels take to compile, kernel by kernel, with an empty cache."""
    chosen = known("only", only, list(NETWORKS))

    def lines(times: Any) -> Iterator[str]:
        yield from report.compile_lines(times)
        yield from report.missed_compiling(times)

    measure = partial(measure_compiling, chosen)
    _of_siffra("compiling", measure, lines, docs, threads, write=write, fresh=fresh)


@app.command("all")
def everything(
    peers: Peers = None,
    threads: Threads = None,
    write: Write = False,
    fresh: Fresh = False,
    docs: Docs = _DOCS,
) -> None:
    """All of these parts, one after the other: the whole page, in about an hour."""
    with_peers = partial(works, peers=peers), partial(growth, peers=peers)
    for part in (*with_peers, kernels, shares, left, load, compiling):
        part(threads=threads, write=write, fresh=fresh, docs=docs)
        fresh = False


@app.command()
def page(docs: Docs = _DOCS) -> None:
    """Write the page and its pictures again from what was kept."""
    kept = read(docs / report.KEPT)
    if kept is None:
        raise BenchError(f"{docs / report.KEPT}: there is none; `works --write` makes it.")
    _write_page(docs, kept)


def _of_siffra(
    part: str,
    measure: Callable[[int, Callable[[str], None]], Sequence[Any]],
    lines: Callable[[Any], Iterable[str]],
    docs: Path,
    threads: int | None,
    *,
    write: bool,
    fresh: bool,
) -> None:
    """Tell in `lines` what `measure` finds of siffra alone, and keep it as a `part` of the page."""
    threads = _hold(threads)
    conditions = Conditions.here(threads, ["siffra"])
    origin = _origin(docs, conditions, write=write, fresh=fresh)
    with _saying() as say:
        times = measure(threads, say)
    for line in lines(times):
        console.print(line, highlight=False)
    _finish(docs, conditions, origin, fresh=fresh, **{part: _by_name(times)})


def _hold(threads: int | None) -> int:
    threads = threads or available_cores()
    limit_threads(threads)
    return threads


def _tell(*lines: str) -> None:
    for line in lines:
        aside.print(line, highlight=False)


@contextmanager
def _saying() -> Iterator[Callable[[str], None]]:
    with aside.status("") as status:
        yield status.update


def _by_name(parts: Sequence[Any]) -> dict[str, Any]:
    return {part.name: part for part in parts}


def _print_session(session: Session) -> None:
    console.print(table(session))
    lines = headline(session), *refusals(session), *missed_aims(session)
    console.print(*lines, sep="\n", highlight=False)


def _origin(docs: Path, conditions: Conditions, *, write: bool, fresh: bool) -> Origin | None:
    """Where what follows is measured, if it is to be kept; what may not be kept isn't measured."""
    if not write:
        return None
    origin = Origin.here(conditions.threads, conditions.held)
    if not fresh:
        check(docs / report.KEPT, conditions, origin)
    return origin


def _finish(
    docs: Path,
    conditions: Conditions,
    origin: Origin | None,
    *,
    fresh: bool,
    **parts: dict[str, Any],
) -> None:
    if origin is not None:
        docs.mkdir(exist_ok=True)
        origins = {name: origin for part in parts.values() for name in part}
        new = Results(conditions, **parts, origins=origins)
        _write_page(docs, keep(docs / report.KEPT, new, _ORDER, fresh=fresh))


def _write_page(docs: Path, kept: Results) -> None:
    if kept.works:
        draw_works(kept.session, docs / report.PICTURE)
    if kept.growth:
        draw_growth(list(kept.growth.values()), docs / report.GROWTH_PICTURE)
    (docs / report.PAGE).write_text(report.page(kept), encoding="utf-8")


def main() -> None:
    """Run the command; what the user can mend is said in a line."""
    try:
        app()
    except SiffraError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
