"""Whether training works, how fast it is for this machine, and where compiled code is kept."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from siffra.bench.worker import Worker
from siffra.doctor.finding import Complaint, Fact, Finding
from siffra.doctor.places import unusable
from siffra.errors import BenchError

_PATIENCE = 300.0
"""Seconds; the very first start has to compile."""
_LEAST_SHARE = 0.3
"""Of one core's matrix peak; usually it is 1 to 3, since blank pixels are left out."""
_OWN_FOLDER = "set NUMBA_CACHE_DIR to a folder that you can write, and others cannot"


@dataclass(frozen=True, slots=True)
class Probe:
    """What a training of a second found.

    `peak` and `rate`, in GFLOP/s, are a matrix product's and the training's, on one core, with the
    multiply-adds that it leaves out. `layer` is what starts Numba's threads. `cache` is the folder
    of compiled code, None if this user has none that lasts; `cached` are the bytes in it.
    """

    peak: float
    rate: float
    layer: str
    threads: int
    cache: Path | None
    cached: int


def training(environment: Mapping[str, str]) -> Finding:
    """Train for a second, in a process of its own, and judge that."""
    try:
        with Worker.start(_PATIENCE) as worker:
            return judge(worker.ask("siffra.doctor.probe:probe"), sys.platform)
    except BenchError as error:
        fails = Complaint(
            f"training fails: {str(error).rstrip('.')}.",
            "fix what stands above, if anything; else reinstall siffra, or report this",
        )
        wrong = (*_cache_folder(environment.get("NUMBA_CACHE_DIR")), fails)
        return Finding("training", {"training": "fails"}, wrong)


def judge(probed: Probe, system: str) -> Finding:
    """What is wrong by a probe's figures on a system (`sys.platform`)."""
    share = probed.rate / probed.peak
    facts: dict[str, Fact] = {
        "one core": f"{probed.rate:.0f} GFLOP/s (matrix peak {probed.peak:.0f})",
        "threads": f"{probed.threads} by {probed.layer}",
    }
    complaints = []
    if share < _LEAST_SHARE:
        complaints.append(
            Complaint(
                f"training reaches {share:.0%} of one core's matrix peak; expected is 100 %.",
                "stop other programs, see `environment` above, and check again",
            )
        )
    if probed.cache:
        facts["compiled code"] = f"{probed.cached / 1e6:.0f} MB in {probed.cache}"
    else:
        complaints.append(
            Complaint(
                "compiled code is kept for one process alone, so that each one compiles anew: the "
                "folder for it cannot be written, or is not yours alone.",
                _OWN_FOLDER,
            )
        )
    if probed.layer != "omp" and system == "linux":
        complaints.append(
            Complaint(
                f"threads are started by {probed.layer}, not OpenMP.",
                "unset NUMBA_THREADING_LAYER, and install GNU's OpenMP (Debian: libgomp1)",
            )
        )
    return Finding("training", facts, tuple(complaints))


def _cache_folder(folder: str | None) -> tuple[Complaint, ...]:
    why = unusable(Path(folder)) if folder else None
    if why is None:
        return ()
    wrong = f"NUMBA_CACHE_DIR={folder}: {why}, so that each process compiles anew."
    return (Complaint(wrong, _OWN_FOLDER),)
