"""What siffra aims at, and which of that a session missed.

The aims hold for 2 cores and 48,000 images an epoch: by how many times siffra should be faster
than a peer, and within how many times the network's bare matrix products it should stay.
"""

from collections.abc import Iterator, Mapping

from benchmarks.peers import PEERS
from benchmarks.race import Result
from benchmarks.session import Session
from benchmarks.vectors import avx512
from siffra.bench.session import IMAGES, SCORED

THREADS = 2

_AIMS: Mapping[str, Mapping[str, float]] = {
    "dense": {"keras": 14, "pytorch": 4, "jax": 2},
    "wide": {"keras": 4, "pytorch": 1.8, "jax": 1.1},
    "small-batch": {"keras": 60, "pytorch": 10, "jax": 3},
    "deep": {"keras": 12, "pytorch": 6, "jax": 2.5},
    "conv": {"keras": 6, "pytorch": 5, "jax": 30},
    "conv-12": {"keras": 6, "pytorch": 3, "jax": 30},
    "conv-strides": {"keras": 9, "pytorch": 3.5, "jax": 20},
    "conv-28": {"pytorch": 5},
    "3x3": {"keras": 2, "pytorch": 1, "jax": 3},
    "scoring": {"keras": 5, "pytorch": 3, "jax": 3},
}
_AIMS_AVX2 = {"conv": {"keras": 15, "pytorch": 10, "jax": 10}}
"""Where they are others without AVX-512."""
_WITHIN = {"dense": 1.4, "wide": 1.2}


def aims_for(workload: str, held: str) -> Mapping[str, float]:
    """By peer, where all were `held` to narrower vectors, or else for this kind of machine."""
    wide = not held and avx512()
    return _AIMS[workload] if wide else _AIMS_AVX2.get(workload, _AIMS[workload])


def missed_aims(session: Session) -> Iterator[str]:
    """What was aimed at and not reached; nothing under conditions that aims are not for."""
    for result in session.results:
        if not _judged(session, result):
            continue
        title = result.workload.title
        for peer, aim in aims_for(result.name, session.conditions.held).items():
            ratio = result.ratio(peer)
            if ratio is not None and ratio < aim:
                than = PEERS[peer].title
                yield f"{title}: {ratio:.1f} times as fast as {than}; the aim is {aim:g}."
        bare, within = result.ratio("products"), _WITHIN.get(result.name)
        if bare is not None and within is not None and 1 / bare > within:
            times = f"{1 / bare:.2g} × its bare matrix products"
            yield f"{title}: {times}; the aim is at most {within:g}."


def against_the_better_keras(session: Session) -> Iterator[str]:
    """How many times siffra's the seconds of the faster of the two Keras are, beside the aims."""
    for result in session.results:
        aim = aims_for(result.name, session.conditions.held).get("keras")
        ratios = [r for peer in ("keras", "keras-tuned") if (r := result.ratio(peer)) is not None]
        if aim is not None and len(ratios) > 1:
            yield f"{result.workload.title}: {min(ratios):.3g}×, the aim {aim:g}."


def _judged(session: Session, result: Result) -> bool:
    images = IMAGES if result.workload.task == "train" else SCORED
    return session.conditions.threads == THREADS and result.images == images
