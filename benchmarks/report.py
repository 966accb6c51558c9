"""What was measured, as a table in the terminal and as a page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from rich.table import Table

from benchmarks.measure import TOLERANCE, Result, Timing
from benchmarks.peers import PEERS
from siffra.run import Machine

PICTURE = "performance.svg"


@dataclass(frozen=True, slots=True)
class Report:
    """All works of one session, with what they were measured on."""

    machine: Machine
    threads: int
    images: int
    scored: int
    peers: Sequence[str]
    results: Sequence[Result]

    @property
    def peak(self) -> float:
        """The median of all measurements of the matrix peak, GFLOP/s."""
        return median(peak for result in self.results for peak in result.peaks)

    @property
    def conditions(self) -> str:
        """The machine, the threads, the images and the matrix peak, in a line."""
        return (
            f"{self.machine.cpu}, {self.threads} threads, {self.machine.system.split()[0]}; "
            f"{self.images:,} images an epoch; matrix peak {self.peak:.0f} GFLOP/s"
        )

    @property
    def versions(self) -> str:
        """Python and all packages with their versions."""
        own = self.machine.versions
        parts = [f"{name} {own[name]}" for name in ("python", "numpy", "numba", "scipy")]
        parts += [PEERS[peer].versions for peer in self.peers if peer != "products"]
        return ", ".join(parts)


def terminal_table(report: Report) -> Table:
    """Seconds by work and peer; how many times siffra's, green where that is what is aimed at."""
    table = Table(title="seconds, medians ± half the quartiles' distance (times siffra's)")
    table.add_column("work")
    for peer in report.peers:
        table.add_column(PEERS[peer].title, justify="right", no_wrap=True)
    for result in report.results:
        cells = (_terminal_cell(result, peer) for peer in report.peers)
        table.add_row(result.work.title, *cells)
    return table


def notes(report: Report) -> Iterator[str]:
    """What the table leaves out: peers that were not timed, aims that were missed, scoring."""
    for result in report.results:
        for peer, why in result.refused.items():
            yield f"{result.work.title}: {PEERS[peer].title} is left out: {why}."
        for peer, aim in result.work.aims_here.items():
            ratio = result.ratio(peer)
            if ratio is not None and ratio < aim:
                yield (
                    f"{result.work.title}: {ratio:.1f} times as fast as {PEERS[peer].title}; "
                    f"the aim is {aim:g}."
                )
        yield from _limits(result, report)


def _limits(result: Result, report: Report) -> Iterator[str]:
    own = result.timings["siffra"].median
    if (products := result.timings.get("products")) is not None:
        aim = f"; the aim is at most {result.work.within:g}" if result.work.within else ""
        yield f"{result.work.title}: {own / products.median:.2f} × its bare matrix products{aim}."
    if result.work.task == "score":
        gflops = 2 * result.forward * report.scored / own / 1e9
        share = gflops / median(result.peaks)
        yield f"{result.work.title}: {gflops:.0f} GFLOP/s, {share:.0%} of the matrix peak."


def _terminal_cell(result: Result, peer: str) -> str:
    text = _cell(result, peer).replace(" (", "\n(")
    aim, ratio = result.work.aims_here.get(peer), result.ratio(peer)
    if aim is None or ratio is None:
        return text
    return f"[{'green' if ratio >= aim else 'yellow'}]{text}"


def _cell(result: Result, peer: str) -> str:
    timing = result.timings.get(peer)
    if timing is None:
        return "–"
    if peer == "siffra":
        return _seconds(timing)
    return f"{_seconds(timing)} ({result.ratio(peer):.3g}×)"


def _seconds(timing: Timing) -> str:
    return f"{timing.median:.3g} ± {timing.spread / 2:.0%}"


def page(report: Report) -> str:
    """`docs/performance.md`: the table, the picture, and how it was measured."""
    return "\n".join(
        [
            "# How fast siffra trains",
            "",
            "Written by `make bench ARGS=--write`; run it to see how it is on your machine.",
            "",
            f"![seconds by work and library]({PICTURE})",
            "",
            report.conditions + ".",
            f"{report.versions}.",
            "",
            *_markdown_table(report),
            "",
            "Seconds of wall time for an epoch of training (or for one scoring): the median, and",
            "half the distance between the quartiles as a share of it; in brackets how many times",
            "as long as siffra takes.",
            "",
            *(f"- {note}" for note in notes(report)),
            "",
            *_METHOD,
        ]
    )


def _markdown_table(report: Report) -> Iterator[str]:
    yield "| work | " + " | ".join(PEERS[peer].title for peer in report.peers) + " |"
    yield "|---|" + "---:|" * len(report.peers)
    for result in report.results:
        cells = (_cell(result, peer) for peer in report.peers)
        yield f"| {result.work.title} | " + " | ".join(cells) + " |"


_METHOD = f"""\
## How it is measured

Each library is used as its own users would who know it well; `benchmarks/peers/` has a short file
for each. All start from the same weights and use the same batches in the same order, float32, plain
SGD. Only a library whose mean loss over the first epoch is siffra's, within {TOLERANCE:.1%}, is
timed. That first epoch, in which compilers run, is not counted.

Each library lives in a process of its own, so that thread pools do not get in each other's way,
and all are asked for an epoch in turn (A B C A B C), with a pause for threads to go to sleep. All
processes are given the same number of threads and, on Linux, no more cores than that. A library
that has used up its share of the time sits out after three epochs.

- **siffra** gathers uint8 images and draws each epoch's order while the clock runs. The others have
  their images as float32 before it starts, and are given the order.
- **Keras** is TensorFlow's: `fit` on a tensor already laid out in the epoch's order, 32 steps per
  execution; `predict` with batches of 1,000.
- **PyTorch** is eager, with batches taken by index from one tensor and the fused SGD; scoring by
  1,000 images in inference mode.
- **JAX** runs a whole epoch as one compiled `lax.scan`, weights donated; it scores all images at
  once.
- **bare products** are the matrix products of the dense layers alone, forward and backward, by
  NumPy's BLAS, on one thread or all, whichever is faster.
- The **matrix peak** is the best of three 2048 × 2048 float32 products, measured in each round.
""".splitlines()
