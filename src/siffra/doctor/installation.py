"""The installation: versions, environment variables, the processor and the data set."""

import hashlib
import platform
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, metadata, requires, version

import llvmlite.binding as llvm
from packaging.requirements import Requirement

from siffra.data.load import MNIST, MNIST_SHA256
from siffra.doctor.finding import Complaint, Fact, Finding
from siffra.system.cpu import allowed_cores, available_cores, cpu_name, share_of_time

_FOR_DEVELOPERS = ("bench", "dev", "docs")
_X86 = ("x86_64", "amd64")

_OTHER_CPU = "code for another CPU: slower, and other bits"
_SLOW = "kernels run more slowly"
_TIED = "ties threads to cores, where they wait whenever another program runs there"
_HARM = {
    "NUMBA_DISABLE_JIT": "kernels are not compiled, so nothing trains",
    "NUMBA_NUM_THREADS": "siffra should use as many threads as there are cores",
    "NUMBA_CPU_NAME": _OTHER_CPU,
    "NUMBA_CPU_FEATURES": _OTHER_CPU,
    "NUMBA_OPT": _SLOW,
    "NUMBA_BOUNDSCHECK": _SLOW,
    "NUMBA_DEBUGINFO": _SLOW,
    "OMP_THREAD_LIMIT": "siffra uses fewer threads than there are cores",
    "OMP_DYNAMIC": "fewer threads are started while the machine is busy",
    "OMP_PROC_BIND": _TIED,
    "OMP_PLACES": _TIED,
    "GOMP_CPU_AFFINITY": _TIED,
    "GOMP_SPINCOUNT": "threads that wait keep their core from others",
    "OPENBLAS_CORETYPE": _OTHER_CPU,
    "NPY_DISABLE_CPU_FEATURES": "NumPy leaves part of the CPU unused",
}
"""Environment variables, and what they do where they do harm. Each was tried."""
_OFF = ("0", "false", "no")
_LONGEST_SPIN = 100_000
"""Rounds that a thread may wait in a loop, 1 to 7 ms; OpenMP's own are three times as many."""


def packages() -> Finding:
    """Versions, the optional extras that are installed, and requirements that are not met."""
    requirements = [Requirement(line) for line in requires("siffra") or ()]
    facts: dict[str, Fact] = {"python": platform.python_version()}
    facts |= {name: version(name) for name in ("siffra", "numpy", "scipy", "numba")}
    missing = []
    for extra in metadata("siffra").get_all("Provides-Extra") or ():
        needed = list(_of_extra(extra, requirements))
        if extra in _FOR_DEVELOPERS:
            continue
        if any(wrong_versions(needed)):
            missing.append(extra)
        else:
            facts |= {each.name: _installed(each.name) for each in needed}
    if missing:
        facts["extras not installed"] = ", ".join(missing)
    return Finding("versions", facts, tuple(wrong_versions(_of_extra("", requirements))))


def wrong_versions(requirements: Iterable[Requirement]) -> Iterator[Complaint]:
    """A complaint about each requirement that is not met."""
    for requirement in requirements:
        installed = _installed(requirement.name)
        if installed is None or not requirement.specifier.contains(installed, prereleases=True):
            state = "is not installed" if installed is None else f"is {installed}"
            yield Complaint(
                f"{requirement.name} {state}; siffra needs {requirement.specifier}.",
                f"pip install '{requirement.name}{requirement.specifier}'",
            )


def _of_extra(extra: str, requirements: list[Requirement]) -> Iterator[Requirement]:
    """What an extra needs beyond the base, whose name is ""; extras of siffra are resolved."""
    for requirement in requirements:
        marker = requirement.marker
        if bool(extra) != (marker is not None and "extra" in str(marker)):
            continue
        if marker is not None and not marker.evaluate({"extra": extra}):
            continue
        if requirement.name == "siffra":
            for nested in sorted(requirement.extras):
                yield from _of_extra(nested, requirements)
        else:
            yield requirement


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def variables(environment: Mapping[str, str], cores: int) -> Finding:
    """Environment variables that slow siffra down, or change what it computes."""
    harmful = {
        name: value
        for name in _HARM
        if (value := environment.get(name)) and not _is_harmless(name, value, cores)
    }
    complaints = [
        Complaint(f"{name}={value}: {_HARM[name]}.", f"unset {name}")
        for name, value in harmful.items()
    ]
    return Finding("environment", harmful or {"variables": "none that matter"}, tuple(complaints))


def _is_harmless(name: str, value: str, cores: int) -> bool:
    count = int(value) if value.isdecimal() else None
    match name:
        case "NUMBA_NUM_THREADS":
            return count == cores
        case "OMP_THREAD_LIMIT":
            return count is None or count >= cores
        case "GOMP_SPINCOUNT":
            return count is not None and count <= _LONGEST_SPIN
        case "NUMBA_OPT":
            return count == 3
    return value.strip().lower() in _OFF


def processor() -> Finding:
    """The CPU, its cores, and the vectors that kernels compute with."""
    cores, share = allowed_cores(), share_of_time()
    finding = judge_processor(platform.machine(), llvm.get_host_cpu_features())
    facts: dict[str, Fact] = {"cpu": cpu_name(), "cores": cores}
    if share is not None and share < cores:
        facts["cores' time"] = f"that of {share:g} (quota): siffra uses {available_cores()}"
    return Finding("processor", facts | dict(finding.facts), finding.complaints)


def judge_processor(machine: str, features: Mapping[str, bool]) -> Finding:
    """What kernels make of a CPU of this kind with these features (LLVM's names)."""
    if machine.lower() not in _X86:
        return Finding("processor", {"vectors": f"those of {machine}"})
    if features.get("avx512f"):
        return Finding("processor", {"vectors": "AVX-512"})
    missing = " and ".join(name.upper() for name in ("avx2", "fma") if not features.get(name))
    if not missing:
        return Finding("processor", {"vectors": "AVX2"})
    slow = Complaint(
        f"this CPU has no {missing}: siffra works, but several times more slowly.",
        "in a virtual machine, pass on the host's CPU (QEMU: -cpu host); else use a newer machine",
    )
    return Finding("processor", {"vectors": f"no {missing}"}, (slow,))


def data() -> Finding:
    """Whether the images that are shipped with siffra are intact."""
    try:
        intact = hashlib.sha256(MNIST.read_bytes()).hexdigest() == MNIST_SHA256
    except OSError:
        intact = False
    if intact:
        return Finding("data", {"mnist": f"intact ({MNIST_SHA256[:12]})"})
    wrong = Complaint(
        f"{MNIST}: these are not the images that siffra was shipped with.",
        "reinstall siffra: pip install --force-reinstall --no-deps, from the same source",
    )
    return Finding("data", {"mnist": "damaged"}, (wrong,))
