"""The native engine's heaviest kernels alone, against the matrix peak."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from statistics import median

import numpy as np

from siffra.bench.roofline import matrix_peak
from siffra.bench.worker import Worker
from siffra.bench.workloads import WORKLOADS
from siffra.config import Setting
from siffra.engine.network import Conv, Network, build_network

_SHAPE, _CLASSES = (28, 28, 1), 10
_BATCHES = 100
_TRIALS, _SECONDS = 7, 0.15
"""A kernel runs for so many seconds, and so often; the matrix peak is measured between."""

_SIZES = (8, 12, 16)
KERNELS = {
    **{f"digits {s}x{s}": f"fused convolution 16@{s}×{s}, digits" for s in _SIZES},
    **{f"full {s}x{s}": f"fused convolution 16@{s}×{s}, no pixel blank" for s in _SIZES},
    "outputs 3x3": "3×3 products, second to last layers",
    "weights 3x3": "3×3 gradients of weights",
    "inputs 3x3": "3×3 gradients of inputs",
}
AIMS = {f"{what} {s}x{s}": 0.65 if s < 12 else 0.8 for what in ("digits", "full") for s in _SIZES}
"""The least share of the matrix peak, where there is an aim."""


@dataclass(frozen=True, slots=True)
class KernelTime:
    """One kernel: its GFLOP/s by trial, and the machine's matrix peak beside each.

    All multiply-adds that the network asks for count, also those that the kernel skips because
    their pixel is blank; those with padding don't.
    """

    name: str
    images: int
    gflops: list[float]
    peaks: list[float]

    @property
    def title(self) -> str:
        """What it is."""
        return f"{KERNELS.get(self.name, self.name)}, {self.images} images"

    @property
    def share(self) -> float:
        """The median share of the matrix peak."""
        return median(g / peak for g, peak in zip(self.gflops, self.peaks, strict=True))


def measure_kernels(
    names: Sequence[str], threads: int, say: Callable[[str], None]
) -> list[KernelTime]:
    """Time each of `names` in `KERNELS`, on a process of siffra's and one of NumPy's in turn."""
    times = []
    with Worker.start() as worker, Worker.start() as gauge:
        for name in names:
            say(f"kernel {KERNELS[name]}")
            images = worker.ask(_prepare, name, threads)
            gflops, peaks = [], []
            for _ in range(_TRIALS):
                peaks.append(gauge.ask_rested(matrix_peak, threads))
                gflops.append(worker.ask_rested(_trial))
            times.append(KernelTime(name, images, gflops, peaks))
    return times


class _Kernel:
    """A call that does some multiply-adds; the engine is imported only in the worker."""

    def __init__(self, call: Callable[[], object], multiplications: int, threads: int) -> None:
        from siffra.engine.native.engine import NativeEngine

        self._call, self._multiplications = call, multiplications
        self._engine = NativeEngine(threads)
        with self._engine.hold_threads():
            call()

    def gflops(self) -> float:
        with self._engine.hold_threads():
            self._calls()  # after a pause caches are cold, and cores asleep
            calls, seconds = self._calls()
        return 2e-9 * self._multiplications * calls / seconds

    def _calls(self) -> tuple[int, float]:
        calls, started, seconds = 0, time.perf_counter(), 0.0
        while seconds < _SECONDS:
            self._call()
            calls, seconds = calls + 1, time.perf_counter() - started
        return calls, seconds


_kernel: _Kernel


def _prepare(name: str, threads: int) -> int:
    """Set up the kernel; how many images it is for."""
    global _kernel
    what, size = name.split()
    fused = what in ("digits", "full")
    if fused:
        knobs = {**WORKLOADS["conv"].knobs, "kernel_size": int(size.split("x")[0])}
    else:
        knobs = WORKLOADS["3x3"].knobs
    setting = Setting.from_knobs(knobs)
    network = build_network(setting.model, _SHAPE, _CLASSES)
    images = setting.training.batch_size
    if fused:
        call = _fused(network, images, of_digits=what == "digits")
        multiplications = network.convs[0].multiplications
    else:
        call, multiplications = _products(network, images, what)
    _kernel = _Kernel(call, images * multiplications, threads)
    return images


def _trial() -> float:
    return _kernel.gflops()


def _fused(network: Network, images: int, *, of_digits: bool) -> Callable[[], object]:
    from siffra.data.load import load_dataset
    from siffra.engine.native.grid import aligned_zeros
    from siffra.engine.native.parameters import Parameters
    from siffra.engine.native.sequential import Sequential
    from siffra.engine.rng import initial_weights

    parameters = Parameters(network)
    sequential = Sequential(network, parameters, images)
    params = parameters.flatten(initial_weights(network, 0))
    sequential.inputs[:] = _floats(sequential.inputs.size)
    batches = [sequential.inputs]
    if of_digits:
        # Of the same digits again and again the processor would learn where the blank ones are.
        batches = [aligned_zeros(sequential.inputs.shape) for _ in range(_BATCHES)]
        pixels = load_dataset().train.x
        for i, batch in enumerate(batches):
            digits = pixels[i * images : (i + 1) * images].reshape(-1)
            batch[: digits.size] = digits / np.float32(255)
    turns = cycle(batches)
    return lambda: sequential.blocks[0].forward(next(turns), images, params)


def _products(network: Network, images: int, what: str) -> tuple[Callable[[], object], int]:
    """One kind of products of all convolutions but the first, which is small and has 4 channels."""
    from siffra.engine.native.layers import LayerLayout, layer_layouts
    from siffra.engine.native.linear import make_linear

    layers: list[tuple[Conv, LayerLayout]] = list(
        zip(network.convs[1:], layer_layouts(network)[1:], strict=False)
    )
    calls = []
    for _, layout in layers:
        linear = make_linear(layout, images)
        x, z = _filled(layout.input, images), _filled(layout.z, images)
        kernel = _floats(layout.tap.size)
        calls.append(
            {
                "outputs": partial(linear.forward, x, images, kernel, z),
                "weights": partial(linear.weight_gradient, x, images, z, kernel),
                "inputs": partial(linear.input_gradient, images, z, kernel, x),
            }[what]
        )
    multiplications = sum(conv.multiplications for conv, _ in layers)
    return lambda: [call() for call in calls], multiplications


def _filled(grid, images: int) -> np.ndarray:
    array = grid.batch(images, 0)
    array[:] = _floats(array.size)
    return array


def _floats(count: int) -> np.ndarray:
    return np.random.default_rng(0).random(count, np.float32)
