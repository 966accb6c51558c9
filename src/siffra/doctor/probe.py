"""A training in a process of its own: does it work, how fast, and where compiled code is kept."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from siffra.bench.limits import demand_of, matrix_peak
from siffra.bench.workers import Worker
from siffra.bench.works import WORKS
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine
from siffra.engine.network import build_network

_PATIENCE = 300.0
"""Seconds; the first start of all has to compile."""
_IMAGES, _EPOCHS = 4_800, 100
_WORK = WORKS["dense"]


@dataclass(frozen=True, slots=True)
class Probe:
    """What the training found.

    `peak` is what one core does at matrix products, `rate` what a training on one core comes
    to: its multiply-adds in GFLOP/s, with those that it leaves out. `layer` is what starts
    Numba's threads, `threads` how many; `caches` are the folders of compiled code, and `cached`
    the bytes in them; `lasts` says whether other processes will find it there.
    """

    peak: float
    rate: float
    layer: str
    threads: int
    caches: tuple[Path, ...]
    cached: int
    lasts: bool = True


def probe() -> Probe:
    """Train for a second.

    Raises:
        BenchError: The training failed; the text is what it failed of.
    """
    with Worker.start(_PATIENCE) as worker:
        return worker.ask(_probe)


def _probe() -> Probe:
    from numba import threading_layer  # pyright: ignore[reportPrivateImportUsage]
    from numba.core import config

    from siffra.data.load import load_dataset
    from siffra.engine.native.engine import NativeEngine
    from siffra.system.jit import lasting_folder

    if config.DISABLE_JIT:  # pyright: ignore[reportAttributeAccessIssue]
        raise RuntimeError("Numba is told not to compile")  # else it would take a minute to fail
    full = load_dataset()
    rate = _rate(NativeEngine(1), replace(full, train=full.train.some(_IMAGES)))
    peak = matrix_peak(1)
    caches = tuple(sorted(_caches()))
    files = (file for folder in caches for file in folder.glob("*.nbc"))
    size = sum(file.stat().st_size for file in files)
    threads, lasts = NativeEngine().threads, lasting_folder() is not None
    return Probe(peak, rate, threading_layer(), threads, caches, size, lasts)


def _rate(engine: Engine, dataset: Dataset) -> float:
    """GFLOP/s of the quickest epoch of a few."""
    setting, seconds = _WORK.setting, []
    training = setting.training.model_copy(update={"epochs": _EPOCHS})
    engine.prepare(setting.model, training, dataset)
    engine.fit(setting.model, training, dataset, 0, lambda end, _: seconds.append(end.seconds))
    network = build_network(setting.model, dataset.image_shape, dataset.classes)
    demand = demand_of(network, dataset.train.x, training=True)
    return 2e-9 * demand.multiplications / min(seconds)


def _caches() -> set[Path]:
    """The folders that Numba keeps siffra's compiled code in."""
    from numba.core.dispatcher import Dispatcher

    from siffra.system.jit import noinline_kernels

    modules = [module for name, module in sys.modules.items() if name.startswith("siffra.")]
    called = (each for m in modules for each in vars(m).values() if isinstance(each, Dispatcher))
    compiled = (*called, *noinline_kernels.values())
    return {Path(path) for each in compiled if (path := each.stats.cache_path)}
