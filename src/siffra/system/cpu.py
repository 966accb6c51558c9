"""The CPU: its name, and how many of its cores a process may compute on.

Virtual machines often call every generation by one name, as `AMD EPYC`. Where a name has no
model number, the CPU's own family and model are added to it. Runs from before that bear the bare
name, and are compared by it.

A container may be limited to some of the cores, by the scheduler's affinity, or to some of their
time, by Linux' control groups. More threads than that get in each other's way: when the group's
quota is used up, all of them stand still until the next period.
"""

import os
import platform
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath

_CPUINFO = Path("/proc/cpuinfo")
_NUMBERS = " (family "
"""Begins what is added to a name."""
_NO_NUMBERS = re.compile(r"@.*|\d+-core", re.IGNORECASE)
"""A frequency and a count of cores are no model number."""

_GROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def cpu_name() -> str:
    """This CPU's name, with its family and model where it has no model number."""
    fields = first_cpu()
    name = fields.get("model name", "")
    if not name:
        return platform.processor() or platform.machine()
    keys = ("cpu family", "model")
    if has_model_number(name) or not all(key in fields for key in keys):
        return name
    return f"{name}{_NUMBERS}{fields['cpu family']}, model {fields['model']})"


def bare_name(cpu: str) -> str:
    """A CPU's name without the family and model that were added to it."""
    return cpu.partition(_NUMBERS)[0]


def name_among(cpu: str, others: Collection[str]) -> str:
    """The name that a CPU is compared by: the bare one, if one of the `others` has only that."""
    bare = bare_name(cpu)
    return bare if bare in others else cpu


def has_model_number(name: str) -> bool:
    """Whether a word of the name has three digits or more, as those of model numbers have."""
    words = _NO_NUMBERS.sub("", name).split()
    return any(sum(letter.isdigit() for letter in word) >= 3 for word in words)


@cache
def first_cpu() -> Mapping[str, str]:
    """What Linux says of the first CPU; nothing elsewhere."""
    try:
        first = _CPUINFO.read_text("utf-8").split("\n\n")[0]
    except OSError:
        return {}
    fields = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in fields}


def available_cores() -> int:
    """Cores to compute on: those that this process may run on, within its quota; at least 1.

    A fraction of a core is left out: a thread on it would stand still part of the time, and with
    it all that wait for it.
    """
    share = share_of_time()
    return allowed_cores() if share is None else max(1, min(allowed_cores(), int(share)))


def allowed_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_of_time(groups: Path = _GROUPS, membership: Path = _MEMBERSHIP) -> float | None:
    """The cores' worth of time that this process may use; None if it may use all.

    `groups` is where control groups are mounted, of either version; `membership` says which
    groups the process is in. Every group around those may have a limit too: the least one counts.
    """
    try:
        lines = membership.read_text("utf-8").splitlines()
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
            values = " ".join((folder / name).read_text("ascii") for name in names)
            quota, period = map(int, values.split())
        except (OSError, ValueError):  # no such file, or `max`
            continue
        if quota > 0 and period > 0:
            return quota / period
    return None
