"""siffra's native engine."""

from queue import SimpleQueue
from threading import Thread
from typing import Any

import numpy as np

from benchmarks.peers.base import Peer, Problem
from siffra.engine.base import EpochEnd, Fitted
from siffra.engine.native.engine import NativeEngine
from siffra.errors import BenchError

_NO_END = 5_000_000
"""Steps: more than are timed, but the learning rate of each is worked out beforehand."""
_MOST_EPOCHS = 1_000_000
"""Epochs that a training may have."""


class _ClosedError(Exception):
    """There are no more turns."""


class Siffra(Peer):
    """One long `Engine.fit`, held between an epoch's end and the next turn.

    It draws an epoch's order itself, while the clock runs; its peers are given theirs.
    """

    def __init__(self, problem: Problem) -> None:
        """See `Peer`."""
        self._problem = problem
        self._engine = NativeEngine(problem.threads)
        self._turns: SimpleQueue[bool] = SimpleQueue()
        self._ends: SimpleQueue[float | Exception] = SimpleQueue()
        self._fitting = Thread(target=self._fit, daemon=True)
        self._network: Fitted = self._engine.load(
            problem.setting.model,
            problem.dataset.image_shape,
            problem.dataset.classes,
            problem.weights,
        )

    def train(self, ready: Any) -> float:
        """See `Peer`."""
        if not self._fitting.ident:
            self._fitting.start()
        self._turns.put(True)
        end = self._ends.get()
        if isinstance(end, Exception):
            raise end
        return end

    def score(self) -> np.ndarray:
        """See `Peer`."""
        return self._network.predict(self._problem.dataset.test.x)

    def close(self) -> None:
        """See `Peer`. The threads of a fit that waits would make those of the next give up sooner.

        GNU's OpenMP counts them: where there are more than cores, none waits for another awake.
        """
        if self._fitting.ident:
            self._turns.put(False)
            self._fitting.join()

    def _fit(self) -> None:
        def wait(end: EpochEnd, fitted: Fitted) -> None:
            self._network = fitted
            self._ends.put(end.loss)
            if not self._turns.get():
                raise _ClosedError

        problem = self._problem
        steps = -(-len(problem.dataset.train) // problem.batch_size)
        epochs = min(_NO_END // steps, _MOST_EPOCHS)
        training = problem.setting.training.model_copy(update={"epochs": epochs})
        self._turns.get()
        try:
            self._engine.fit(problem.setting.model, training, problem.dataset, problem.seed, wait)
        except _ClosedError:
            return
        except Exception as error:  # the thread that waits for this epoch raises it
            self._ends.put(error)
        else:
            self._ends.put(BenchError(f"it was to train for no more than {_NO_END:,} steps"))


PEER = Siffra
