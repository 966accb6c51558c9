"""When and on what machine something was measured."""

from dataclasses import dataclass
from datetime import date

from siffra.bench.roofline import matrix_peak
from siffra.bench.worker import Worker
from siffra.errors import BenchError
from siffra.system.cpu import first_cpu
from siffra.training.run import this_machine

_TRIALS = 3
_APART = 0.2
"""By what share of the greater one two matrix peaks of the same machine may differ."""
_VECTORS = {"avx512f": "AVX-512", "avx2": "AVX2", "asimd": "NEON"}
"""By flag, the widest first."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A day (ISO 8601), a CPU with its model and vectors, and its matrix peak in GFLOP/s.

    The name of a CPU may be that of a whole family. `vectors` is empty where that is not told;
    `held` are those that all were held to, the peak's products too, and empty where to none.
    """

    day: str
    cpu: str
    vectors: str
    matrix_peak: float
    held: str = ""

    @classmethod
    def here(cls, threads: int, held: str = "") -> "Origin":
        """This machine today, with so many threads, where all are held to vectors already."""
        told = first_cpu()
        flags = (told.get("flags") or told.get("Features") or "").split()
        vectors = next((name for flag, name in _VECTORS.items() if flag in flags), "")
        with Worker.start() as gauge:
            peak = max(gauge.ask_rested(matrix_peak, threads) for _ in range(_TRIALS))
        return cls(date.today().isoformat(), this_machine(threads).cpu, vectors, peak, held)

    def agree(self, other: "Origin") -> None:
        """Raise `BenchError` where `other` is another machine, or the same one at another speed."""
        if self.cpu != other.cpu:
            raise BenchError(f"was measured on {self.cpu}; this is {other.cpu}")
        if self.held != other.held:
            return
        low, high = sorted((self.matrix_peak, other.matrix_peak))
        if low < (1 - _APART) * high:
            raise BenchError(
                f"was measured with a matrix peak of {self.matrix_peak:.0f} GFLOP/s; "
                f"now it is {other.matrix_peak:.0f}"
            )
