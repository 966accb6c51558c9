"""What a session measured, in words and as a table for the terminal."""

from collections.abc import Iterator

from rich.table import Table

from siffra.bench.measure import Result, Timing
from siffra.bench.peers import PEERS
from siffra.bench.session import IMAGES, SCORED, Session
from siffra.bench.works import AIMS_THREADS


def headline(session: Session) -> str:
    """The machine, what was measured on it, and its limits, in a line."""
    limits = session.limits
    return (
        f"{session.conditions}; {session.images} images an epoch; "
        f"matrix peak {limits.matrix_peak:.0f} GFLOP/s, memory {limits.bandwidth:.0f} GB/s"
    )


def table(session: Session) -> Table:
    """Seconds by work and peer, how many times siffra's, and how near the limit siffra is."""
    told = Table(box=None, pad_edge=False, header_style="dim")
    told.add_column("work, seconds an epoch")
    told.add_column("siffra", justify="right", no_wrap=True)
    told.add_column("of limit", justify="right", no_wrap=True)
    peers = [peer for peer in session.peers if peer != "siffra"]
    for peer in peers:
        told.add_column(PEERS[peer].title, justify="right")
    for result in session.results:
        cells = (cell(result, peer) for peer in peers)
        own = seconds(result.timings["siffra"])
        told.add_row(result.work.title, own, f"{result.share:.0%}", *cells)
    return told


def cell(result: Result, peer: str) -> str:
    """A peer's seconds, and how many times siffra's they are."""
    timing = result.timings.get(peer)
    return "–" if timing is None else f"{seconds(timing)} ({result.ratio(peer):.3g}×)"


def seconds(timing: Timing) -> str:
    """The median, and half the distance between the quartiles as a share of it."""
    return f"{timing.median:.3g} ± {timing.spread / 2:.0%}"


def in_a_line(result: Result) -> str:
    """A work's medians."""
    times = (f"{PEERS[peer].title} {t.median:.3g} s" for peer, t in result.timings.items())
    return f"{result.work.title}: {', '.join(times)}"


def refusals(session: Session) -> Iterator[str]:
    """Who was not timed, and why."""
    for result in session.results:
        for peer, why in result.refused.items():
            yield f"{result.work.title}: {PEERS[peer].title} is left out: {why}."


def missed_aims(session: Session) -> Iterator[str]:
    """What the works aim at and do not reach; nothing under conditions that aims are not for."""
    for result in session.results:
        if not _judged(session, result):
            continue
        for peer, aim in result.work.aims_for(session.conditions.held).items():
            ratio = result.ratio(peer)
            if ratio is not None and ratio < aim:
                yield (
                    f"{result.work.title}: {ratio:.1f} times as fast as {PEERS[peer].title}; "
                    f"the aim is {aim:g}."
                )
        bare, within = result.ratio("products"), result.work.within
        if bare is not None and within is not None and 1 / bare > within:
            yield (
                f"{result.work.title}: {1 / bare:.2g} × its bare matrix products; "
                f"the aim is at most {within:g}."
            )


def _judged(session: Session, result: Result) -> bool:
    images = IMAGES if result.work.task == "train" else SCORED
    return session.conditions.threads == AIMS_THREADS and result.images == images
