"""Keras by one who knows what its defaults cost: many steps at a time, the rest by a trial."""

import os
import time
from collections.abc import Callable
from importlib import import_module
from itertools import product
from statistics import median
from typing import Any

from benchmarks.peers.base import Problem

# TensorFlow reads it when it is imported. Without, it is for CPUs with AVX-512 or AVX-VNNI alone.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"

from benchmarks.peers.keras_fit import Fed, Keras, arrays, fit

tf: Any = import_module("tensorflow")

_STEPS = 32
"""Steps that Keras takes before it is back in Python."""
_TRIAL = 4
"""Executions of so many steps that a trial's epoch has, if there are images enough."""
_EPOCHS = 3

Feed = Callable[[Any, Any, int], Fed]


class TunedKeras(Keras):
    """As `Keras`, with `steps_per_execution`; a trial chooses `jit_compile` and what `fit` is fed.

    What it is fed is the arrays, or a `tf.data.Dataset`. Keras makes one of arrays too, whose
    autotuning is on: at the end of an epoch it may wait until the autotuner, which sleeps twice
    as long each time, wakes once more. Convolutions are oneDNN's on any CPU.
    """

    def _fed(self, x: Any, y: Any) -> Fed:
        return self._feed(x, y, self._problem.batch_size)

    def _compiled(self, problem: Problem) -> Any:
        ways = product(("auto", False), (arrays, _dataset))
        jit, self._feed = min(ways, key=lambda way: self._seconds(problem, *way))
        return self._with(problem, steps_per_execution=_STEPS, jit_compile=jit)

    def _seconds(self, problem: Problem, jit: Any, feed: Feed) -> float:
        """A short epoch's seconds, of a model that is thrown away."""
        model = self._with(problem, steps_per_execution=_STEPS, jit_compile=jit)
        few = slice(_TRIAL * _STEPS * problem.batch_size)
        x, y = (tf.convert_to_tensor(array[few]) for array in (self._x, self._y))
        fed, seconds = feed(x, y, problem.batch_size), []
        fit(model, fed)
        for _ in range(_EPOCHS):
            started = time.perf_counter()
            fit(model, fed)
            seconds.append(time.perf_counter() - started)
        return median(seconds)


def _dataset(x: Any, y: Any, batch_size: int) -> Fed:
    options = tf.data.Options()
    options.autotune.enabled = False
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(batch_size)
    return {"x": batches.with_options(options)}


PEER = TunedKeras
