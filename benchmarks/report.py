"""What was measured, as lines and as a page."""

from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from benchmarks.aims import against_the_better_keras, missed_aims
from benchmarks.compiling import AIM as COMPILING_AIM
from benchmarks.compiling import CompileTime
from benchmarks.growth import IMAGES as GROWTH_IMAGES
from benchmarks.growth import Growth
from benchmarks.kernels import AIMS, KernelTime
from benchmarks.left import PARTS, Left
from benchmarks.load import AIM as LOAD_AIM
from benchmarks.load import LoadTime
from benchmarks.peers import PEERS
from benchmarks.race import LEARNT, TOLERANCE, Result
from benchmarks.results import Results
from benchmarks.session import Session
from benchmarks.shares import ShareTime
from benchmarks.table import cell, headline, refusals, seconds
from siffra.bench.session import IMAGES
from siffra.training.scored_sets import CURVE_IMAGES

PAGE, KEPT = "performance.md", "performance.json"
PICTURE, GROWTH_PICTURE = "performance.svg", "performance-growth.svg"


def growth_lines(growth: Growth) -> Iterator[str]:
    """A sweep, point by point."""
    for point in growth.points:
        times = ", ".join(f"{PEERS[peer].title} {s:.3g} s" for peer, s in point.seconds.items())
        limit = max(point.computing, point.reading)
        yield f"{growth.sweep.title}: {point.value}: {times}; limit {limit:.3g} s"
    yield from (f"{growth.sweep.title}: {why}" for why in growth.left_out)


def kernel_lines(times: Iterable[KernelTime]) -> Iterator[str]:
    """Each kernel's share of the matrix peak."""
    for t in times:
        yield f"{t.title}: {median(t.gflops):.0f} GFLOP/s, {t.share:.0%} of the matrix peak"


def missed_shares(times: Iterable[KernelTime]) -> Iterator[str]:
    """What the kernels aim at and do not reach."""
    for t in times:
        aim = AIMS.get(t.name)
        if aim is not None and t.share < aim:
            yield f"{t.title}: {t.share:.0%} of the matrix peak; the aim is {aim:.0%}."


def share_lines(times: Iterable[ShareTime]) -> Iterator[str]:
    """Each share of the training time."""
    for t in times:
        yield (
            f"{t.title}: {median(t.added):.3g} s beside {median(t.training):.3g} s, {t.share:.0%}"
        )


def left_lines(times: Iterable[Left]) -> Iterator[str]:
    """Where an epoch's seconds go."""
    for t in times:
        parts = ", ".join(f"{part} {t.seconds(part):.3g} s" for part in PARTS if part in t.parts)
        yield (
            f"{t.title}, {_threads(t)}: {parts}; products at the matrix peak {t.least:.3g} s, "
            f"{t.least / t.seconds('products'):.0%} of theirs"
        )


def compile_lines(times: Iterable[CompileTime]) -> Iterator[str]:
    """How long a network's kernels take to compile."""
    for t in times:
        name, seconds = t.slowest
        whole = f"{len(t.kernels)} kernels in {t.whole:.1f} s"
        yield f"{t.title}: {whole}, the slowest, {name}, in {seconds:.1f} s"


def missed_compiling(times: Iterable[CompileTime]) -> Iterator[str]:
    """Which kernels take longer to compile than they may."""
    for t in times:
        if t.missed:
            slow = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in t.missed.items())
            yield f"{t.title}: {slow}; the aim is at most {COMPILING_AIM:g} s a kernel."


def load_lines(times: Iterable[LoadTime]) -> Iterator[str]:
    """What a busy core costs, as times of what one thread takes where nothing else is done."""
    for t in times:
        yield (
            f"{t.title}: one thread idle {t.alone:.3g} s; {t.threads} threads idle "
            f"{t.times('all_idle'):.2f}×, with a busy core {t.times('all_busy'):.2f}×; "
            f"one thread with a busy core {t.times('one_busy'):.2f}×"
        )


def missed_load(times: Iterable[LoadTime]) -> Iterator[str]:
    """Which networks a busy core makes slower than it may."""
    for t in times:
        if t.times("all_busy") > LOAD_AIM:
            yield f"{t.title}: {t.times('all_busy'):.2f}×; the aim is at most {LOAD_AIM:g}×."


def _threads(left: Left) -> str:
    return f"{left.threads} thread" + "s" * (left.threads > 1)


def page(kept: Results) -> str:
    """`docs/performance.md`: tables, pictures, and how it was measured."""
    lines = [
        "# How fast siffra trains",
        "",
        "After this page you know how fast siffra trains compared with Keras, PyTorch and JAX, how",
        "far it is from the machine's limits, and how to measure that on your own machine.",
        "",
        "`siffra bench` times siffra on your machine. `make bench ARGS=--write` generates this",
        "page; `python -m benchmarks PART --write` updates one part (works, growth, kernels,",
        "shares, left, load, compile).",
        "",
    ]
    if kept.works:
        lines += [*_days(kept, kept.works), *_works(kept.session)]
    if kept.held:
        lines += ["## Limited to AVX2", "", *_days(kept, kept.held), *_held(kept.held_session)]
    if kept.growth:
        lines += ["## How time grows", "", *_days(kept, kept.growth)]
        lines += _growth(list(kept.growth.values()))
    if kept.kernels:
        lines += ["## Kernels alone", "", *_days(kept, kept.kernels)]
        lines += _kernels(list(kept.kernels.values()))
    if kept.shares:
        lines += ["## What else takes time", "", *_days(kept, kept.shares)]
        lines += _shares(list(kept.shares.values()))
    if kept.left:
        lines += ["## What is left", "", *_days(kept, kept.left)]
        lines += _left(list(kept.left.values()))
    if kept.load:
        lines += ["## On a busy machine", ""]
        lines += _load(list(kept.load.values()))
    if kept.compiling:
        lines += ["## Compiling", "", *_days(kept, kept.compiling)]
        lines += _compiling(list(kept.compiling.values()))
    versions = ", ".join(f"{name} {v}" for name, v in kept.conditions.versions.items())
    told = f"Measured on {kept.conditions}: {versions}."
    return "\n".join([*lines, *_METHOD, "", *_machine(kept), told, ""])


def _days(kept: Results, names: Iterable[str]) -> Iterator[str]:
    """When a section was measured, and what in it is older than days are kept."""
    days = {kept.origins[name].day for name in names if name in kept.origins}
    undated = [name for name in names if name not in kept.origins]
    if days:
        older = f"; earlier, on an unknown day: {', '.join(undated)}" if undated else ""
        yield from ("Measured " + _range(sorted(days)) + older + ".", "")


def _range(days: Sequence[str]) -> str:
    return f"on {days[0]}" if len(days) == 1 else f"from {days[0]} to {days[-1]}"


def _machine(kept: Results) -> Iterator[str]:
    """The CPU and its vectors, and that other vectors are not spoken of."""
    cpus = sorted({f"{o.cpu} with {o.vectors or 'unknown'} vectors" for o in kept.origins.values()})
    if cpus:
        yield "The CPU is " + ", ".join(cpus) + "."
    if cpus and "AVX2" not in {o.vectors for o in kept.origins.values()}:
        yield "Nothing here was measured on an AVX2 machine, for which the aims differ."
    if cpus:
        yield ""


def _works(session: Session) -> Iterator[str]:
    yield from (f"![seconds by workload and library]({PICTURE})", "")
    yield from _side_by_side(session)
    yield from (
        "Seconds of wall time for an epoch of training (or one scoring): the median, and half the",
        "interquartile range as a percentage of it; in brackets, the ratio to siffra's time. The",
        "limit is the time for all multiply-adds, forward and backward, at the machine's matrix",
        "peak, or for reading the images, whichever is longer. siffra skips multiplications by",
        "zero (blank pixels; positions not selected by max-pooling), and 3×3 convolutions at",
        "strides of 1 need fewer (Winograd's algorithm), so it can beat the limit.",
        "",
    )
    yield from _aims(session)


def _held(session: Session) -> Iterator[str]:
    yield from (*_HELD, "")
    yield from _side_by_side(session)
    yield from _aims(session)


def _side_by_side(session: Session) -> Iterator[str]:
    """A row for each workload, under what they were measured on."""
    yield from (headline(session) + ".", "")
    others = [peer for peer in session.peers if peer != "siffra"]
    titles = ["siffra", "of limit", *(PEERS[peer].title for peer in others)]
    yield from _head("workload", titles)
    for result in session.results:
        own = seconds(result.timings["siffra"]), f"{result.share:.0%}"
        yield _row(_title(result), [*own, *(cell(result, peer) for peer in others)])
    yield ""


def _aims(session: Session) -> Iterator[str]:
    """Who was not timed, and which aims were missed."""
    yield from (f"- {line}" for line in (*refusals(session), *missed_aims(session)))
    yield ""
    if better := [f"- {line}" for line in against_the_better_keras(session)]:
        yield from (
            "The aims for Keras apply to Keras with its defaults. Compared with the faster of the",
            "two, siffra is faster by:",
            "",
            *better,
            "",
        )


def _title(result: Result) -> str:
    """A workload's title, with its images where they are not as many as a training usually has."""
    fewer = result.workload.task == "train" and result.images != IMAGES
    return result.workload.title + f" ({result.images:,} images)" * fewer


def _growth(grown: Sequence[Growth]) -> Iterator[str]:
    yield from (f"![seconds an epoch]({GROWTH_PICTURE})", "")
    yield from (
        f"Seconds for an epoch of {GROWTH_IMAGES:,} images, except where their number grows;",
        "medians of three. The limits are the times for all multiply-adds at the matrix peak and",
        "for reading the images from memory. Keras and JAX are left out for convolutions and for",
        "threads: they would recompile at every point, which takes minutes. For the convolution,",
        "the number of images ends at 12,000; the first table has 48,000.",
        "",
    )
    peers = [p for p in PEERS if any(p in point.seconds for g in grown for point in g.points)]
    yield from _head("what grows", ["to", *(PEERS[p].title for p in peers), "products", "memory"])
    for growth in grown:
        for point in growth.points:
            own = (f"{point.seconds[p]:.3g}" if p in point.seconds else "–" for p in peers)
            limits = f"{point.computing:.3g}", f"{point.reading:.3g}"
            yield _row(growth.sweep.title, [f"{point.value:,}", *own, *limits])
    yield ""
    yield from (f"- {g.sweep.title}: {why}." for g in grown for why in g.left_out)
    yield ""


def _kernels(times: Sequence[KernelTime]) -> Iterator[str]:
    yield from _head("kernel", ["GFLOP/s", "matrix peak", "share"])
    for t in times:
        yield _row(t.title, [f"{median(t.gflops):.0f}", f"{median(t.peaks):.0f}", f"{t.share:.0%}"])
    yield from (
        "",
        "All multiply-adds of the layer are counted. On digits, the fused convolution skips many",
        "of those with blank pixels, so it does fewer than are counted; without blank pixels, it",
        "does all. Its aims are 65% at 8×8 and 80% from 12×12 on.",
        "",
    )
    if missed := [f"- {line}" for line in missed_shares(times)]:
        yield from (*missed, "")


def _shares(times: Sequence[ShareTime]) -> Iterator[str]:
    yield from _head("beside an epoch's training", ["seconds", "the epoch's", "share"])
    for t in times:
        cells = f"{median(t.added):.3g}", f"{median(t.training):.3g}", f"{t.share:.0%}"
        yield _row(t.title, cells)
    yield from (
        "",
        f"An epoch has {times[0].images:,} images. The seconds of augmentation are the increase of",
        "an epoch's time. Scoring is that after every epoch, on",
        f"{CURVE_IMAGES:,} images of each of four sets, without what is done to them once per run.",
        "",
    )


def _left(times: Sequence[Left]) -> Iterator[str]:
    yield from _head("an epoch's seconds", ["threads", "epoch", *PARTS, "at the peak", "share"])
    for t in times:
        parts = (f"{t.seconds(part):.3g}" if part in t.parts else "–" for part in PARTS)
        limit = f"{t.least:.3g}", f"{t.least / t.seconds('products'):.0%}"
        yield _row(t.title, [str(t.threads), f"{t.whole:.3g}", *parts, *limit])
    yield from (
        "",
        f"An epoch has {times[0].images:,} images. *Products* are all multiply-adds and whatever",
        "is in the same kernel: a plain dense layer's bias and ReLU, a fused convolution's",
        "pooling. *Pointwise* are bias, activation, pooling, batch norm and loss in kernels of",
        "their own, *descent* is the optimizer's steps, *gather* the copying of a batch's images,",
        "and *rest* the overhead between them. *At the peak* is the time for all",
        "multiply-adds at the matrix peak, and *share* its ratio to the products' time, above",
        "100% where siffra skips some. Dense networks normally train in one call per epoch. Here",
        "it is cut into pieces, on one thread, so their epochs are longer.",
        "",
    )


def _load(times: Sequence[LoadTime]) -> Iterator[str]:
    yield from (f"Measured on {', '.join(sorted({t.machine for t in times}))}.", "")
    yield from _head("an epoch", ["one thread, idle", "all, idle", "all, busy", "one, busy"])
    for t in times:
        ratios = (f"{t.times(kind):.2f}×" for kind in ("all_idle", "all_busy", "one_busy"))
        yield _row(t.title, [f"{t.alone:.3g} s", *ratios])
    yield from (
        "",
        f"An epoch has {times[0].images:,} images. *Busy* means that another process keeps one",
        "core busy; ratios are to one thread on an idle machine, in the same run. Threads that",
        "share work wait for each other, so if one of them has no core, all of them wait.",
        "Therefore siffra times pieces of its work and adapts the number of threads while it",
        "trains; results do not depend on it. With a busy core it trains on fewer threads, and",
        f"tries all of them again at most twice a second. The aim is at most {LOAD_AIM:g}×.",
        "",
    )
    if missed := [f"- {line}" for line in missed_load(times)]:
        yield from (*missed, "")


def _compiling(times: Sequence[CompileTime]) -> Iterator[str]:
    yield from _head("network", ["kernels", "seconds in all", "the slowest", "its seconds"])
    for t in times:
        name, seconds = t.slowest
        yield _row(t.title, [f"{len(t.kernels)}", f"{t.whole:.1f}", f"`{name}`", f"{seconds:.1f}"])
    yield from (
        "",
        "Seconds until the first training begins, in a new process with an empty cache; later",
        "processes read the kernels from the cache. A kernel's time includes functions inlined",
        "into it and not compiled before. One process compiled here; with two or more threads,",
        "siffra uses two.",
        "",
    )
    if missed := [f"- {line}" for line in missed_compiling(times)]:
        yield from (*missed, "")


def _head(first: str, others: Sequence[str]) -> Iterator[str]:
    yield _row(first, others)
    yield "|---|" + "---:|" * len(others)


def _row(first: str, others: Iterable[str]) -> str:
    return " | ".join([f"| {first}", *others]) + " |"


_HELD = """\
The same machine, which has AVX-512, with all libraries limited to AVX2: vectors of 256 bits, half
as wide, in half as many registers. This does not fully emulate an AVX2 machine, whose clock, caches
and multipliers differ, but the kernels are those for AVX2. The aims are those for AVX2 machines,
and the limit's matrix peak is that of products with AVX2.

Each library is limited by its documented setting: Numba by `NUMBA_CPU_NAME` and
`NUMBA_CPU_FEATURES`, the BLAS of NumPy and SciPy by `OPENBLAS_CORETYPE`, PyTorch by
`ATEN_CPU_CAPABILITY` and `MKL_ENABLE_INSTRUCTIONS`, oneDNN by `ONEDNN_MAX_CPU_ISA`, XLA by
`xla_cpu_max_isa`. Linux records when a thread last used AVX-512 registers: a library with such a
thread in its process is not timed. YNNPACK, which computes JAX's products, cannot be limited, so
JAX runs without it and may be slower than on an AVX2 machine. By default TensorFlow uses oneDNN
only on CPUs with instructions for neural networks, which most AVX2 machines lack: here too, Keras
with its defaults runs without oneDNN, and tuned Keras with it. Measured by
`python -m benchmarks works --vectors avx2 --write`.
""".splitlines()

_METHOD = f"""\
## How it is measured

Each library is used as an expert user would; `benchmarks/peers/` has a short file for each. All
start from the same weights and use the same batches in the same order, float32, plain SGD, and the
same batch-norm constants. A library is timed only if its mean loss over the first epoch equals
siffra's within {TOLERANCE:.1%}, and within {LEARNT:.0%} of the decrease that siffra reached in that
epoch. The first epoch, in which compilers run, is not counted.

Each library runs in its own process, so that thread pools do not interfere. The libraries run an
epoch in turn (A B C A B C), with a pause for threads to go to sleep. All processes get the same
number of threads and, on Linux, no more cores than that. Epochs shorter than half a second are
repeated for that long, as in a training, and the last one counts: after a pause, caches are cold,
cores are asleep, and two threads are often woken on one core. A library that has used up its share
of the time stops after three epochs.

- **siffra** gathers uint8 images and draws each epoch's order within the measured time. The others
  get the order, and their images as float32, beforehand.
- **Keras** runs on TensorFlow: `fit` on a tensor already in the epoch's order, with Keras's
  defaults; `predict` with batches of 1,000. **Keras, tuned** has oneDNN on any CPU and 32 steps per
  execution; a trial picks the fastest of tensors or a `tf.data` pipeline without autotuning, with
  or without XLA compilation (the default). (Keras turns tensors into a pipeline too, with
  autotuning; its epochs often end only when the autotuner wakes, which may double their time.)
- **PyTorch** runs eagerly, with batches indexed from one tensor and the fused SGD, channels first
  or last, whichever was faster in a trial; scoring uses batches of 1,000 in inference mode. Where
  `same` pads more at the end than at the beginning, as in TensorFlow, a separate layer pads.
- **torch.compile** compiles the network for each batch size. It needs a C++ compiler and a minute
  per network, so it is timed only if named, with all others to be timed:
  `make bench ARGS="--write --peers keras,keras-tuned,pytorch,torch-compile,jax,products"`.
- **JAX** runs an epoch as one compiled `lax.scan` with donated weights; it scores all images at
  once.
- **bare products** are the matrix products of the dense layers alone, forward and backward, by
  NumPy's BLAS, on one thread or all, whichever is faster.
- The **matrix peak** is the best of three 2048 × 2048 float32 products by NumPy's BLAS, **memory**
  bandwidth the best of three copies of 256 MiB; both are measured in the first three rounds, and
  the median is given.
""".splitlines()
