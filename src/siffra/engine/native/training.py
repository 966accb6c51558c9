"""Training a network epoch by epoch."""

import abc
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from siffra.config import Training
from siffra.data.dataset import Images
from siffra.engine.governor import Pieces
from siffra.engine.native import optimizers
from siffra.engine.native.parameters import Parameters
from siffra.engine.network import Network
from siffra.engine.schedule import ema_decay, learning_rates
from siffra.errors import ConfigError

Memory = Mapping[str, np.ndarray]
"""All that a next step depends on, beside its images and draws, by name."""


class Job(NamedTuple):
    """What is trained, on which images, and by whose draws; `pieces` share it out to threads."""

    network: Network
    weights: Mapping[str, np.ndarray]
    training: Training
    images: Images
    seed: int
    pieces: Pieces


class Trainer(abc.ABC):
    """Trains a network in place.

    `averaged` are the weights to predict with, laid out as `parameters` says. `memory` holds the
    trainer's own arrays, which change as it goes on.
    """

    def __init__(self, job: Job, parameters: Parameters) -> None:
        training, images = job.training, job.images
        self.parameters = parameters
        self.params = parameters.flatten(job.weights)
        self.averaged = self.params.copy() if training.ema else self.params
        self._training, self._pieces = training, job.pieces
        self._x, self._y = images.x, images.y
        self._batch_size = min(training.batch_size, len(images.x))
        self._optimizer = optimizers.make_optimizer(training, parameters)
        self._rates = learning_rates(training, len(images.x))
        self._next = 0
        self._steps = np.zeros((), np.int64)  # those of trainings before this one too
        self.memory: Memory = {
            "params": self.params,
            "averaged": self.averaged,
            "steps": self._steps,
            **self._optimizer.memory,
        }

    def epoch(self, order: np.ndarray) -> tuple[float, int]:
        """One pass in `order`; the summed loss in nats and the number of correct answers."""
        self.begin_epoch()
        return self.go_through(order)

    def begin_epoch(self) -> None:  # noqa: B027  most draw nothing
        """Draw what all images of an epoch go through."""

    @abc.abstractmethod
    def go_through(self, order: np.ndarray) -> tuple[float, int]:
        """Part of an epoch: what `epoch` returns, of these images."""

    def remember(self, memory: Memory) -> None:
        """Go on from what another trainer of the same network and optimizer had.

        Raises:
            ConfigError: It had another network or optimizer.
        """
        # Those of dense networks in older pickles have these two only if there was an average.
        memory = {"averaged": memory["params"], "steps": np.zeros((), np.int64), **memory}
        shapes = ({k: array.shape for k, array in each.items()} for each in (self.memory, memory))
        if len({tuple(sorted(each.items())) for each in shapes}) > 1:
            raise ConfigError(
                "a training goes on with the network and the optimizer that it began with; "
                "they were changed."
            )
        for name, array in self.memory.items():
            array[...] = memory[name]

    def _next_rates(self, steps: int) -> np.ndarray:
        """The learning rates of the next steps, which count as taken."""
        rates = self._rates[self._next : self._next + steps]
        self._next += steps
        self._steps += steps
        return rates

    def _step(self, grads: np.ndarray, rate: np.float32) -> None:
        """One step, and the average of the weights after it."""
        self._optimizer.step(self.params, grads, rate)
        if self._training.ema:
            decay = np.float32(ema_decay(self._training, int(self._steps)))
            optimizers.average(self.averaged, self.params, decay)
