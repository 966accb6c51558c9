"""How many cores there are to compute on: fewer than a machine has, in many a container.

A container may be kept to some of the cores, which the system's scheduler says, or to some of their
time, which only Linux' control groups say. More threads than that get in each other's way: when
the group's time is used up, all of them stand still until the next period.
"""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_GROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def available_cores() -> int:
    """Cores that this process may run on, no more than it may use the time of; at least 1.

    A part of a core is left out: a thread on it would stand still a part of the time, and with it
    all that wait for it.
    """
    share = share_of_time()
    return allowed_cores() if share is None else max(1, min(allowed_cores(), int(share)))


def allowed_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_of_time(groups: Path = _GROUPS, own: Path = _OWN) -> float | None:
    """The cores' worth of time that this process may use; None if it may use all.

    `groups` is where control groups are mounted, of either version; `own` says which groups the
    process is in. Every group around those may have a limit too: the least one counts.
    """
    try:
        lines = own.read_text("utf-8").splitlines()
    except OSError:
        return None
    shares = [share for line in lines for share in _shares_of(groups, line)]
    return min(shares, default=None)


def _shares_of(groups: Path, line: str) -> Iterator[float]:
    """The limits of one of the process' groups, `number:controllers:path`, and of those around."""
    _, _, rest = line.partition(":")
    controllers, _, path = rest.partition(":")
    if not controllers:  # version 2, alone or beside version 1
        roots = [groups, groups / "unified"]
    elif "cpu" in controllers.split(","):
        roots = [groups / name for name in {controllers, *controllers.split(",")}]
    else:
        return
    # Seen from within a container, the path may be the host's, or begin above what is mounted.
    parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
    for root in roots:
        for depth in range(len(parts) + 1):
            folder = root.joinpath(*parts[:depth])
            share = _share(folder)
            if share is not None:
                yield share


def _share(folder: Path) -> float | None:
    """The limit of one group: a quota and a period, in microseconds."""
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        try:
            told = " ".join((folder / name).read_text("ascii") for name in names)
            quota, period = map(int, told.split())
        except (OSError, ValueError):  # no such file, or `max`
            continue
        if quota > 0 and period > 0:
            return quota / period
    return None
