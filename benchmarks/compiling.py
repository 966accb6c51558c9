"""How long kernels take to compile, where nothing is in the cache yet."""

import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.peers.base import Problem
from benchmarks.workers import read_images
from siffra.bench.worker import Worker
from siffra.bench.workloads import SEED, WORKLOADS

AIM = 3.0
"""Seconds that a kernel may take at most."""
NETWORKS = {f"compiling {name}": WORKLOADS[name].title for name in ("dense", "conv", "3x3")}
_IMAGES = 300


@dataclass(frozen=True, slots=True)
class CompileTime:
    """A network's kernels: seconds by kernel, with what becomes part of each, and in all.

    `whole` are the seconds until a training can begin, `kernels` what of them is compiling.
    """

    name: str
    whole: float
    kernels: dict[str, float]

    @property
    def title(self) -> str:
        """What network it is."""
        return NETWORKS.get(self.name, self.name)

    @property
    def slowest(self) -> tuple[str, float]:
        """The kernel that takes longest, and its seconds."""
        return max(self.kernels.items(), key=lambda kernel: kernel[1])

    @property
    def missed(self) -> dict[str, float]:
        """The kernels that take longer than they may, the slowest first."""
        slow = [kernel for kernel in self.kernels.items() if kernel[1] > AIM]
        return dict(sorted(slow, key=lambda kernel: -kernel[1]))


def measure_compiling(
    names: Sequence[str], threads: int, say: Callable[[str], None]
) -> list[CompileTime]:
    """Compile all of each of `names` in `NETWORKS`, in a process and a cache of its own."""
    dataset = read_images(_IMAGES, 1)
    times = []
    for name in names:
        say(NETWORKS[name])
        problem = Problem(WORKLOADS[name.split()[1]].setting, dataset, SEED, threads)
        with tempfile.TemporaryDirectory() as cache, Worker.start() as worker:
            whole, kernels = worker.ask_rested(_compile, problem, cache)
        times.append(CompileTime(name, whole, kernels))
    return times


def _compile(problem: Problem, cache: str) -> tuple[float, dict[str, float]]:
    """The seconds of `Engine.prepare` without help, and of each kernel that it compiles."""
    os.environ["NUMBA_CACHE_DIR"] = cache  # which Numba reads when it is imported
    from numba.core import event

    from siffra.engine.native.engine import NativeEngine

    engine, setting = NativeEngine(problem.threads), problem.setting
    with event.install_recorder("numba:compile") as recorder:
        started = time.perf_counter()
        engine.prepare_alone(setting.model, setting.training, problem.dataset)
        whole = time.perf_counter() - started
    return whole, _by_kernel(recorder.buffer)


def _by_kernel(told: Sequence[tuple[float, Any]]) -> dict[str, float]:
    """Seconds by kernel, each with what becomes part of it: a `noinline` one does not."""
    from siffra.system.jit import noinline_kernels  # with Numba, see `_compile`

    apart = {id(kernel) for kernel in noinline_kernels.values()}
    seconds: defaultdict[str, float] = defaultdict(float)
    at_work: list[str] = []
    since = 0.0
    for moment, event in told:
        if at_work:
            seconds[at_work[-1]] += moment - since
        since = moment
        if event.is_start:
            compiled = event.data["dispatcher"]
            own = not at_work or id(compiled) in apart
            at_work.append(_name(compiled.py_func) if own else at_work[-1])
        else:
            at_work.pop()
    return dict(seconds)


def _name(function: Callable[..., Any]) -> str:
    name = f"{function.__module__.split('.')[-1]}.{function.__qualname__}"
    return name.replace(".<locals>", "")
