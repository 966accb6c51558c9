"""`siffra bench`: siffra's speed on this machine, beside the machine's limits."""

import json
from typing import Annotated

import typer

from siffra.cli.options import JsonOption
from siffra.system.terminal import console, echo_json

_QUICK_IMAGES = 4_800


def bench(
    works: Annotated[
        list[str] | None,
        typer.Option(help="Time only these workloads, as dense,conv,3x3.", metavar="NAME,..."),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help=f"A rough measurement, with {_QUICK_IMAGES:,} images per epoch."
        ),
    ] = False,
    threads: Annotated[
        int | None,
        typer.Option(help="Number of threads; default: one per core.", min=1, metavar="N"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Time siffra's training on this machine, beside the machine's limits.

    The limit is the time of all multiply-adds at the machine's peak, or of reading the images.
    siffra skips multiplications by zero (blank pixels, positions not selected by max-pooling), so
    it can beat the limit. The comparison with Keras, PyTorch and JAX is in siffra's repository:
    make bench.

    [dim]Examples[/dim]
    siffra bench --quick
    siffra bench --works dense,conv --threads 1
    """
    from rich.table import Table

    from siffra.bench.roofline import limit_threads
    from siffra.bench.session import IMAGES, Session, known, with_spread
    from siffra.bench.session import bench as measure
    from siffra.bench.workloads import WORKLOADS
    from siffra.system.cpu import available_cores
    from siffra.training.run import this_machine

    names = known("works", ",".join(works or ()), list(WORKLOADS))
    threads = threads or available_cores()
    limit_threads(threads)
    images = _QUICK_IMAGES if quick else IMAGES
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("workload, seconds an epoch")
    table.add_column("siffra", justify="right", no_wrap=True)
    table.add_column("of limit", justify="right", no_wrap=True)
    results = []
    aside = console(err=True)
    with aside.status("") as status:
        for result in measure(names, threads=threads, images=images, say=status.update):
            results.append(result)
            median = with_spread(result.seconds)
            aside.print(f"{result.workload.title}: {median} s")
            table.add_row(result.workload.title, median, f"{result.share:.0%}")
    session = Session(this_machine(threads), results)
    if as_json:
        echo_json(json.dumps(session.as_json()))
        return
    limits = session.limits
    out = console()
    out.print(table)
    out.print(
        f"{session.machine.cpu}, {threads} thread{'s' * (threads > 1)}; "
        f"{images:,} images an epoch; matrix peak {limits.matrix_peak:.0f} GFLOP/s, "
        f"memory {limits.bandwidth:.0f} GB/s"
    )
