"""Keras by one who knows what its defaults cost: many steps at a time, XLA only if it is faster."""

import time
from typing import Any

from siffra.bench.peers.base import Problem
from siffra.bench.peers.keras_fit import Keras

_STEPS = 32
"""Steps that Keras takes before it is back in Python."""


class TunedKeras(Keras):
    """As `Keras`, with `steps_per_execution`, and with `jit_compile` as a trial says."""

    def _compiled(self, problem: Problem) -> Any:
        jit = min(("auto", False), key=lambda jit: self._seconds(problem, jit))
        return self._with(problem, steps_per_execution=_STEPS, jit_compile=jit)

    def _seconds(self, problem: Problem, jit: Any) -> float:
        """An execution's seconds, of a model that is thrown away."""
        model = self._with(problem, steps_per_execution=_STEPS, jit_compile=jit)
        few = slice(_STEPS * problem.batch_size)
        self._fit(model, self._x[few], self._y[few])
        started = time.perf_counter()
        self._fit(model, self._x[few], self._y[few])
        return time.perf_counter() - started


PEER = TunedKeras
