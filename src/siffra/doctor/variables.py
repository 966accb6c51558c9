"""Environment variables that slow siffra down, or change what it computes.

What each does was tried: `OMP_NUM_THREADS`, for one, does nothing to siffra's own threads.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from siffra.doctor.finding import Complaint, Fact, Finding

_LONGEST_SPIN = 100_000
"""Rounds that a thread may wait in a loop, 1 to 7 ms; OpenMP's own are three times as many."""
_NOTED = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY")
_NO_EFFECT = "siffra's own threads do not heed it"


@dataclass(frozen=True, slots=True)
class _Rule:
    """A variable, when it does harm (by its value and the number of cores), and what harm."""

    name: str
    harms: Callable[[str, int], bool]
    harm: str


def _always(value: str, cores: int) -> bool:
    return True


def _is_on(value: str, cores: int) -> bool:
    return value.strip().lower() not in ("", "0", "false", "no")


def _fewer(value: str, cores: int) -> bool:
    return value.isdecimal() and 0 < int(value) < cores


def _no_count(value: str, cores: int) -> bool:
    return not value.isdecimal() or int(value) == 0


def _more(value: str, cores: int) -> bool:
    return value.isdecimal() and int(value) > cores


def _spins(value: str, cores: int) -> bool:
    return not value.isdecimal() or int(value) > _LONGEST_SPIN


_FEWER_THREADS = "siffra computes on fewer threads than there are cores"
_ANOTHER = "kernels are compiled for another CPU: slower, other bits"
_TIED = "ties threads to cores, where they wait whenever another program runs there"

_RULES = (
    _Rule("NUMBA_DISABLE_JIT", _is_on, "the kernels are not compiled, so that nothing trains"),
    _Rule("NUMBA_NUM_THREADS", _no_count, "it is no number of threads"),
    _Rule("NUMBA_NUM_THREADS", _fewer, _FEWER_THREADS),
    _Rule("NUMBA_NUM_THREADS", _more, "more threads than cores get in each other's way"),
    _Rule("NUMBA_CPU_NAME", _always, _ANOTHER),
    _Rule("NUMBA_CPU_FEATURES", _always, _ANOTHER),
    _Rule("NUMBA_OPT", lambda value, cores: value != "3", "kernels are compiled to be slower"),
    _Rule("NUMBA_BOUNDSCHECK", _is_on, "kernels check every index, which is slow"),
    _Rule("NUMBA_DEBUGINFO", _is_on, "kernels are compiled for debugging, which is slow"),
    _Rule("OMP_THREAD_LIMIT", _fewer, _FEWER_THREADS),
    _Rule("OMP_DYNAMIC", _is_on, "fewer threads are started while the machine is busy"),
    _Rule("OMP_PROC_BIND", _is_on, _TIED),
    _Rule("OMP_PLACES", _always, _TIED),
    _Rule("GOMP_CPU_AFFINITY", _always, _TIED),
    _Rule("GOMP_SPINCOUNT", _spins, "threads wait in a loop, which is slow when others work"),
    _Rule("NPY_DISABLE_CPU_FEATURES", _always, "NumPy leaves a part of the CPU unused"),
)  # fmt: skip


def variables(environment: Mapping[str, str], cores: int) -> Finding:
    """Those of the known variables that are set, and which of them do harm."""
    known = dict.fromkeys([*(rule.name for rule in _RULES), *_NOTED])
    facts: dict[str, Fact] = {
        name: environment[name] + (f" ({_NO_EFFECT})" if name in _NOTED else "")
        for name in known
        if environment.get(name)
    }
    complaints = [
        Complaint(f"{rule.name}={value}: {rule.harm}.", f"unset {rule.name}")
        for rule in _RULES
        if (value := environment.get(rule.name)) and rule.harms(value, cores)
    ]
    return Finding("environment", facts or {"variables": "none that matter"}, tuple(complaints))
