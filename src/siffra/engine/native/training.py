"""Training a network epoch by epoch."""

import abc
from collections.abc import Mapping

import numpy as np

from siffra.engine.native.parameters import Parameters
from siffra.errors import ConfigError

Memory = Mapping[str, np.ndarray]
"""All that a next step depends on, beside its images and draws, by name."""


class Trainer(abc.ABC):
    """Trains a network in place.

    `averaged` are the weights to predict with, laid out as `parameters` says. `memory` holds the
    trainer's own arrays, which change as it goes on.
    """

    parameters: Parameters
    averaged: np.ndarray
    memory: Memory

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
        shapes = ({k: array.shape for k, array in each.items()} for each in (self.memory, memory))
        if len({tuple(sorted(each.items())) for each in shapes}) > 1:
            raise ConfigError(
                "a training goes on with the network and the optimizer that it began with; "
                "they were changed."
            )
        for name, array in self.memory.items():
            array[...] = memory[name]
