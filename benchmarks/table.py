"""What a session measured, in words and as a table for the terminal."""

from collections.abc import Iterator

from rich.table import Table

from benchmarks.peers import PEERS
from benchmarks.race import Result, Timing
from benchmarks.session import Session
from siffra.bench.session import with_spread


def headline(session: Session) -> str:
    """The machine, what was measured on it, and its limits, in a line."""
    limits = session.limits
    return (
        f"{session.conditions}; {session.images} images an epoch; "
        f"matrix peak {limits.matrix_peak:.0f} GFLOP/s, memory {limits.bandwidth:.0f} GB/s"
    )


def table(session: Session) -> Table:
    """Seconds by workload and peer, how many times siffra's, and how near the limit siffra is."""
    told = Table(box=None, pad_edge=False, header_style="dim")
    told.add_column("workload, seconds an epoch")
    told.add_column("siffra", justify="right", no_wrap=True)
    told.add_column("of limit", justify="right", no_wrap=True)
    peers = [peer for peer in session.peers if peer != "siffra"]
    for peer in peers:
        told.add_column(PEERS[peer].title, justify="right")
    for result in session.results:
        cells = (cell(result, peer) for peer in peers)
        own = seconds(result.timings["siffra"])
        told.add_row(result.workload.title, own, f"{result.share:.0%}", *cells)
    return told


def cell(result: Result, peer: str) -> str:
    """A peer's seconds, and how many times siffra's they are."""
    timing = result.timings.get(peer)
    return "–" if timing is None else f"{seconds(timing)} ({result.ratio(peer):.3g}×)"


def seconds(timing: Timing) -> str:
    """The median, and half the distance between the quartiles as a share of it."""
    return with_spread(timing.seconds)


def in_a_line(result: Result) -> str:
    """A workload's medians."""
    times = (f"{PEERS[peer].title} {t.median:.3g} s" for peer, t in result.timings.items())
    return f"{result.workload.title}: {', '.join(times)}"


def refusals(session: Session) -> Iterator[str]:
    """Who was not timed, and why."""
    for result in session.results:
        for peer, why in result.refused.items():
            yield f"{result.workload.title}: {PEERS[peer].title} is left out: {why}."
