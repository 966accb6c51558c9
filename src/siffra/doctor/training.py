"""Whether training works, how fast it is for this machine, and Numba's cache."""

import sys
from collections.abc import Mapping
from os.path import commonpath
from pathlib import Path

from siffra.doctor.finding import Complaint, Fact, Finding
from siffra.doctor.places import unusable
from siffra.doctor.probe import Probe, probe
from siffra.errors import BenchError

_LEAST_SHARE = 0.3
"""Of one core's matrix peak; it is 1 to 3 where all is well, since blank pixels are left out."""
_OWN_FOLDER = "set NUMBA_CACHE_DIR to a folder that you can write, and others cannot"


def training(environment: Mapping[str, str]) -> Finding:
    """Train for a second, in a process of its own, and look at what that tells."""
    try:
        return judge(probe(), sys.platform)
    except BenchError as error:
        wrong = (*_cache_dir(environment.get("NUMBA_CACHE_DIR")), _failed(str(error)))
        return Finding("training", {"training": "fails"}, wrong)


def judge(found: Probe, system: str) -> Finding:
    """What a probe's figures say on a system (`sys.platform`)."""
    share = found.rate / found.peak
    facts: dict[str, Fact] = {
        "one core": f"trains as at {found.rate:.0f} GFLOP/s; its matrix peak is {found.peak:.0f}",
        "threads": f"{found.threads}, by {found.layer}",
        "compiled code": f"{found.cached / 1e6:.0f} MB in {commonpath(found.caches or ['.'])}",
    }
    complaints = []
    if share < _LEAST_SHARE:
        complaints.append(
            Complaint(
                f"training reaches {share:.0%} of what this core can do; it should be 100 %.",
                "end what else is running, see `environment` above, and look again",
            )
        )
    if not found.lasts:
        complaints.append(
            Complaint(
                "compiled code is kept for one process alone, so that each one compiles anew: the "
                "folder for it cannot be written, or is not yours alone.",
                _OWN_FOLDER,
            )
        )
    if found.layer != "omp" and system == "linux":
        complaints.append(
            Complaint(
                f"threads are started by {found.layer}, not OpenMP.",
                "unset NUMBA_THREADING_LAYER, and install GNU's OpenMP (Debian: libgomp1)",
            )
        )
    return Finding("training", facts, tuple(complaints))


def _failed(why: str) -> Complaint:
    return Complaint(
        f"training fails: {why.rstrip('.')}.",
        "mend what stands above, if anything; else reinstall siffra, or report this",
    )


def _cache_dir(folder: str | None) -> tuple[Complaint, ...]:
    why = unusable(Path(folder)) if folder else None
    if why is None:
        return ()
    return (
        Complaint(
            f"NUMBA_CACHE_DIR={folder}: {why}, so that each process compiles anew.",
            _OWN_FOLDER,
        ),
    )
