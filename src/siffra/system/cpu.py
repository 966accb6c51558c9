"""The name of this machine's CPU, such that one generation is not taken for another.

Virtual machines often call every generation by one name, as `AMD EPYC`. Where a name has no
model number, the family and model that the CPU itself tells are added to it. Runs from before
that bear the bare name, and are compared by it.
"""

import platform
import re
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_NUMBERS = " (family "
"""Begins what is added to a name."""
_NO_NUMBERS = re.compile(r"@.*|\d+-core", re.IGNORECASE)
"""A frequency and a count of cores are no model number."""


def cpu_name() -> str:
    """This CPU's name, with its family and model where it has no model number."""
    told = first_cpu()
    name = told.get("model name", "")
    if not name:
        return platform.processor() or platform.machine()
    keys = ("cpu family", "model")
    if has_model_number(name) or not all(key in told for key in keys):
        return name
    return f"{name}{_NUMBERS}{told['cpu family']}, model {told['model']})"


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
    """What Linux tells of the first CPU; nothing elsewhere."""
    try:
        first = _CPUINFO.read_text("utf-8").split("\n\n")[0]
    except OSError:
        return {}
    told = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in told}
