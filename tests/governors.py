"""Governors for tests: what one decides must never be seen in a result."""

import numpy as np
from numba.core import config


class Whole:
    """Never cuts anything, and computes on all threads: what there was before any governor."""

    def work(self) -> "Whole":
        return self

    def length(self, images: int) -> int:
        return 10**6

    def begin(self) -> int:
        return config.NUMBA_NUM_THREADS  # pyright: ignore[reportAttributeAccessIssue]

    def end(self, images: int) -> None:
        pass


class AtRandom(Whole):
    """Cuts anywhere, and computes on any number of threads."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self.chosen: list[int] = []

    def length(self, images: int) -> int:
        return int(self._rng.integers(1, 4))

    def begin(self) -> int:
        self.chosen.append(int(self._rng.integers(1, super().begin() + 1)))
        return self.chosen[-1]
