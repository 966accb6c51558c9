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
        str | None, typer.Option(help="Only these works, as dense,conv,3x3.", metavar="NAME,...")
    ] = None,
    peers: Annotated[
        str | None,
        typer.Option(
            help="siffra and only these: keras,keras-tuned,pytorch,torch-compile,jax,products.",
            metavar="NAME,...",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help=f"{_QUICK_IMAGES:,} images an epoch: a glance.")
    ] = False,
    threads: Annotated[
        int | None,
        typer.Option(help="Threads for all; without it, one per core.", min=1, metavar="N"),
    ] = None,
    vectors: Annotated[
        str | None,
        typer.Option(
            help="Hold all to narrower vectors than the machine has: avx2.", metavar="NAME"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Time siffra's training on this machine, and that of Keras, PyTorch and JAX beside it.

    All train the same networks from the same weights on the same batches; one that does not
    reach the same loss is not timed. A library that is not installed is skipped. The limit is
    the time in which the machine could do all multiplications; siffra leaves out those with
    zeros (blank pixels, positions that lost their pooling window), so it may get past it. With
    2 threads, and not --quick, aims that were missed are told.

    With --vectors avx2 a machine with AVX-512 shows how it would do with half as wide vectors; a
    library that uses AVX-512 all the same is not timed. It is no AVX2 machine for all that.

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
