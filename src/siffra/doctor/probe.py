"""The training that a process of its own does for `siffra.doctor.training`."""

from numba import threading_layer  # pyright: ignore[reportPrivateImportUsage]
from numba.core import config

from siffra.bench.roofline import demand_of, matrix_peak
from siffra.bench.timing import digits, time_epochs
from siffra.bench.workloads import WORKLOADS
from siffra.doctor.training import Probe
from siffra.engine.native.engine import NativeEngine
from siffra.engine.network import build_network
from siffra.system.jit import lasting_folder

_IMAGES, _EPOCHS = 4_800, 100


def probe() -> Probe:
    """Train for a second."""
    if config.DISABLE_JIT:  # pyright: ignore[reportAttributeAccessIssue]
        raise RuntimeError("Numba is told not to compile")  # else it would take a minute to fail
    setting, dataset = WORKLOADS["dense"].setting, digits(_IMAGES)
    quickest = min(time_epochs(NativeEngine(1), setting, dataset, _EPOCHS))
    network = build_network(setting.model, dataset.image_shape, dataset.classes)
    demand = demand_of(network, dataset.train.x, training=True)
    cache = lasting_folder()
    return Probe(
        peak=matrix_peak(1),
        rate=2e-9 * demand.multiplications / quickest,
        layer=threading_layer(),
        threads=NativeEngine().threads,
        cache=cache,
        cached=sum(file.stat().st_size for file in cache.glob("*.nbc")) if cache else 0,
    )
