"""The processor, the cores that there are to use, and the BLAS that multiplies matrices."""

import os
import platform
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from threadpoolctl import threadpool_info

from siffra.bench.workers import Worker
from siffra.doctor.finding import Complaint, Fact, Finding
from siffra.system.cores import allowed_cores, available_cores, share_of_time
from siffra.training.run import this_machine

_X86 = ("x86_64", "amd64")
_CORETYPE = "OPENBLAS_CORETYPE"
_PATIENCE = 60.0


def processor() -> Finding:
    """The CPU, and what siffra's kernels make of it."""
    import llvmlite.binding as llvm

    cores, share = allowed_cores(), share_of_time()
    found = judge_processor(platform.machine(), llvm.get_host_cpu_features())
    facts: dict[str, Fact] = {"cpu": this_machine(cores).cpu, "cores": cores}
    if share is not None and share < cores:
        facts["cores' time"] = (
            f"that of {share:g}, by the container's quota: siffra computes on {available_cores()}"
        )
    return Finding("processor", facts | dict(found.facts), found.complaints)


def judge_processor(machine: str, features: Mapping[str, bool]) -> Finding:
    """What kernels make of a CPU of this kind with these features (LLVM's names)."""
    if machine.lower() not in _X86:
        return Finding("processor", {"vectors": f"those of {machine}"})
    if features.get("avx512f"):
        return Finding("processor", {"vectors": "AVX-512: kernels hold 16 numbers in a register"})
    if features.get("avx2") and features.get("fma"):
        return Finding("processor", {"vectors": "AVX2: kernels hold 8 numbers in a register"})
    missing = " and ".join(name.upper() for name in ("avx2", "fma") if not features.get(name))
    slow = Complaint(
        f"this CPU has no {missing}: siffra works, but several times slower than it could.",
        "in a virtual machine, give it the host's CPU (QEMU: -cpu host); else use a newer machine",
    )
    return Finding("processor", {"vectors": f"no {missing}"}, (slow,))


def blas(environment: Mapping[str, str]) -> Finding:
    """The BLAS of NumPy and of SciPy, and whether it is the one for this CPU."""
    found = libraries()
    facts: dict[str, Fact] = {
        name: f"{library['internal_api']} {library['version']}, for {library.get('architecture')}, "
        f"{library['num_threads']} threads (siffra holds it to one)"
        for name, library in found.items()
    }
    forced = environment.get(_CORETYPE)
    return Finding("matrix products", facts, _forced(forced, found) if forced else ())


def _forced(forced: str, found: Mapping[str, Any]) -> tuple[Complaint, ...]:
    """Whether another core than the machine's was forced upon OpenBLAS; a new process knows."""
    os.environ.pop(_CORETYPE, None)  # OpenBLAS here has read it; the new process must not
    try:
        with Worker.start(_PATIENCE) as worker:
            own = worker.ask(libraries)
    finally:
        os.environ[_CORETYPE] = forced
    for name, library in found.items():
        wanted, chosen = own[name].get("architecture"), library.get("architecture")
        if wanted != chosen:
            told = f"{_CORETYPE}={forced}: {name} multiplies as on {chosen}, and this is {wanted}: "
            return (Complaint(f"{told}slower, other bits.", f"unset {_CORETYPE}"),)
    return ()


def libraries() -> dict[str, dict[str, Any]]:
    """The BLAS libraries in this process, by whose they are: NumPy's, SciPy's."""
    for module in ("numpy", "scipy.linalg.blas"):
        import_module(module)
    loaded = [each for each in threadpool_info() if each["user_api"] == "blas"]
    if len(loaded) == 1:
        return {"NumPy and SciPy": loaded[0]}
    owners = (("NumPy", "numpy.libs"), ("SciPy", "scipy.libs"))
    return {name: each for name, folder in owners for each in loaded if folder in each["filepath"]}
