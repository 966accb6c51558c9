"""Narrower vectors than the machine has: all are held to them, and watched whether they keep to it.

Each library is told by what it documents. That leaves what is loaded here as it is: it is for
processes that are started from here, before they load anything.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from siffra.errors import BenchError, ConfigError, did_you_mean

HELD = {"avx2": "AVX2"}
"""What one may be held to, and its name: AVX2 has 16 registers of 256 bits, AVX-512 32 of 512."""

_SETTINGS = {
    # Numba; XLA takes that CPU too for the earliest one with AVX2.
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe,+popcnt,+sse4.2",
    "OPENBLAS_CORETYPE": "Haswell",  # NumPy's and SciPy's products
    "ATEN_CPU_CAPABILITY": "avx2",  # PyTorch's own kernels, and those that it compiles
    "TORCHINDUCTOR_CPP_MARCH": "haswell",  # the C++ compiler's part in these
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # PyTorch's, TensorFlow's and JAX' oneDNN
    "TF_ENABLE_ONEDNN_OPTS": "0",  # TensorFlow's default without instructions for neural networks
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",  # PyTorch's products
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW",  # copying memory
}
_XLA = (
    "--xla_cpu_max_isa=AVX2",  # JAX, and Keras where XLA compiles
    "--xla_cpu_experimental_ynn_fusion_type=",  # without YNNPACK, which cannot be held
)

_TASKS = Path("/proc/self/task")
_GRAIN = 50.0
"""Milliseconds within which Linux' clock and Python's may tell a moment apart."""


def avx512() -> list[str]:
    """What NumPy found here of AVX-512; empty on a machine without."""
    config: Any = np.show_config(mode="dicts")
    found = config.get("SIMD Extensions", {}).get("found", [])
    return [name for name in found if name.startswith(("AVX512", "X86_V4"))]


def hold_to_vectors(name: str) -> str:
    """Hold all processes that are started from here to some of `HELD`, and say its name.

    Raises:
        ConfigError: There is no such.
        BenchError: Nobody here could tell whether they keep to it.
    """
    if name not in HELD:
        raise ConfigError(f"--vectors {name}: not known; {did_you_mean(name, HELD)}")
    if not any(True for _ in _since_wide()):
        raise BenchError(f"--vectors {name}: is for Linux on a CPU with AVX-512")
    flags = " ".join([os.environ.get("XLA_FLAGS", ""), *_XLA]).strip()
    os.environ.update(_SETTINGS, XLA_FLAGS=flags, NPY_DISABLE_CPU_FEATURES=" ".join(avx512()))
    return HELD[name]


def used_avx512(since: float) -> bool:
    """Whether a thread of this process had something in AVX-512's registers after `since`.

    That is of `time.monotonic()`. Linux notes it whenever a thread leaves a core, and a thread
    has what the one that started it had.
    """
    passed = 1000 * (time.monotonic() - since) - _GRAIN
    return any(0 <= elapsed < passed for elapsed in _since_wide())


def _since_wide() -> Iterator[int]:
    """For each thread the milliseconds since it was last seen so, -1 for never."""
    for path in _TASKS.glob("*/arch_status"):
        with suppress(OSError):  # a thread that has ended meanwhile
            for line in path.read_text("ascii").splitlines():
                key, _, value = line.partition(":")
                if key == "AVX512_elapsed_ms":
                    yield int(value)
