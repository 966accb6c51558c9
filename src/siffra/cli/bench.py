"""`siffra bench`: this machine's speed, beside its limits and other libraries."""

import json
from typing import Annotated

import typer

from siffra.cli.options import JsonOption
from siffra.system.terminal import console, echo_json

_REPEATS, _LEAST, _BUDGET = 5, 1, 10.0
_QUICK_IMAGES = 4_800


def bench(
    works: Annotated[
        str | None,
        typer.Option(help="Time only these workloads, as dense,conv,3x3.", metavar="NAME,..."),
    ] = None,
    peers: Annotated[
        str | None,
        typer.Option(
            help="Compare only with these: keras,keras-tuned,pytorch,torch-compile,jax,products.",
            metavar="NAME,...",
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help=f"A rough measurement, with {_QUICK_IMAGES:,} images per epoch."
        ),
    ] = False,
    threads: Annotated[
        int | None,
        typer.Option(
            help="Number of threads for every library; default: one per core.", min=1, metavar="N"
        ),
    ] = None,
    vectors: Annotated[
        str | None,
        typer.Option(
            help="Limit every library to a narrower instruction set: avx2.", metavar="NAME"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Time training on this machine: siffra, and Keras, PyTorch and JAX where installed.

    All libraries train the same networks from the same weights on the same batches; one that
    does not reach the same loss is not timed. The limit is the time of all multiply-adds at the
    machine's peak. siffra skips multiplications by zero (blank pixels, positions not selected by
    max-pooling), so it can beat the limit. With 2 threads and without --quick, missed performance
    targets are listed.

    --vectors avx2 limits every library to AVX2 on a machine with AVX-512; a library that uses
    AVX-512 nonetheless is not timed. This does not fully emulate an AVX2 machine.

    [dim]Examples[/dim]
    siffra bench --quick
    siffra bench --works dense,conv --peers pytorch
    siffra bench --works conv --vectors avx2
    """
    from siffra.bench.limits import hold_to
    from siffra.bench.measure import Effort, Result
    from siffra.bench.session import IMAGES, installed, known
    from siffra.bench.session import bench as measure
    from siffra.bench.table import headline, in_a_line, missed_aims, refusals, table
    from siffra.bench.vectors import hold_to_vectors
    from siffra.bench.works import WORKS
    from siffra.system.cores import available_cores

    aside = console(err=True)
    chosen = known("works", works, list(WORKS))
    able = installed(peers, lambda text: aside.print(text))
    threads = threads or available_cores()
    hold_to(threads)
    held = hold_to_vectors(vectors) if vectors else ""
    with aside.status("") as status:

        def tell(result: Result) -> None:
            aside.print(in_a_line(result))

        session = measure(
            chosen,
            able,
            threads=threads,
            images=_QUICK_IMAGES if quick else IMAGES,
            effort=Effort(_REPEATS, _LEAST, _BUDGET),
            say=status.update,
            on_result=tell,
            held=held,
        )
    if as_json:
        echo_json(json.dumps(session.as_json()))
        return
    out = console()
    out.print(table(session))
    lines = headline(session), *refusals(session), *missed_aims(session)
    out.print(*lines, sep="\n")
