"""Training a network epoch by epoch; plain stacks have all that they need made beforehand."""

import abc
from collections.abc import Mapping

import numpy as np

from siffra.config import Training
from siffra.data.dataset import Images
from siffra.engine.governor import Pieces, shared_out
from siffra.engine.native import dense
from siffra.engine.native.gather import scale_of
from siffra.engine.native.grid import zeros_on_lines
from siffra.engine.native.layout import Layout
from siffra.engine.native.matrices import tiled
from siffra.engine.native.placement import Placement
from siffra.engine.native.sparse import Ink, Turned
from siffra.engine.network import Network
from siffra.errors import ConfigError

Memory = Mapping[str, np.ndarray]
"""All that a next step depends on, beside its images and draws, by name."""


class Trainer(abc.ABC):
    """Trains a network in place: `averaged` are the parameters to predict with, as laid out.

    `memory` holds the trainer's own arrays, which change as it goes on.
    """

    layout: Layout | Placement
    averaged: np.ndarray
    memory: Memory

    @abc.abstractmethod
    def epoch(self, order: np.ndarray) -> tuple[float, int]:
        """One pass in `order`; the summed loss in nats and the number of right answers."""

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


class StackTrainer(Trainer):
    """What trainings of plain stacks by plain descent share; images are rows."""

    def __init__(
        self,
        network: Network,
        weights: Mapping[str, np.ndarray],
        training: Training,
        images: Images,
        pieces: Pieces,
    ) -> None:
        self._pieces = pieces
        self.layout = layout = Layout(network)
        self.averaged = self.params = layout.flatten(weights)
        self._x = images.x.reshape(len(images.x), -1)
        self._y = images.y
        self._batch_size = min(training.batch_size, len(images.x))
        self._velocity = zeros_on_lines(self.params.shape)
        self.memory = {"params": self.params, "velocity": self._velocity}
        self._descent = dense.Descent(
            scale_of(images.x), np.float32(training.learning_rate), np.float32(training.momentum)
        )
        self._layers = layout.stack.layers
        shards = layout.stack.shards(self._batch_size)
        self._rows = -(-self._batch_size // shards)
        self._dense_grads = zeros_on_lines((shards, layout.stack.total))
        self._work = zeros_on_lines((shards, layout.stack.workspace(self._rows)))
        self._losses, self._hits = np.zeros(shards), np.zeros(shards, np.int64)

    def epoch(self, order: np.ndarray) -> tuple[float, int]:
        """See `Trainer`."""
        self._losses[:], self._hits[:] = 0, 0
        if len(self._work) == 1:
            self._pass(order)
        else:
            for _, first, last in shared_out(self._pieces, len(order), self._batch_size):
                self._pass(order[first:last])
        return float(self._losses.sum()), int(self._hits.sum())

    @abc.abstractmethod
    def _pass(self, order: np.ndarray) -> None:
        """Go through the images; adds each shard's summed loss and right answers to its own."""


class DenseTrainer(StackTrainer):
    """Trains a network without convolutions on rows of pixels: many steps are one call."""

    def __init__(
        self,
        network: Network,
        weights: Mapping[str, np.ndarray],
        training: Training,
        images: Images,
        pieces: Pieces,
    ) -> None:
        super().__init__(network, weights, training, images, pieces)
        shards = len(self._work)
        self._inputs = zeros_on_lines((shards, tiled(self._rows) * int(self._layers[0, 0])))
        self._run = dense.epoch_on_one_thread if shards == 1 else dense.epoch_on_many_threads

    def _pass(self, order: np.ndarray) -> None:
        self._run(
            self._x, self._y, order, self._batch_size, self.params, self._velocity,
            self._dense_grads, self._layers, self._work, self._inputs, self._descent,
            self._losses, self._hits,
        )  # fmt: skip


class InkTrainer(StackTrainer):
    """Trains a network without convolutions on lists of the pixels that are not blank."""

    def __init__(
        self,
        network: Network,
        weights: Mapping[str, np.ndarray],
        training: Training,
        images: Images,
        pieces: Pieces,
        ink: Ink,
    ) -> None:
        super().__init__(network, weights, training, images, pieces)
        self._ink = ink
        first_kernel = int(self._layers[0, 0] * self._layers[0, 1]) if training.momentum else 0
        self._first_grads = zeros_on_lines((1, first_kernel))
        self._turned = Turned.room(ink)
        one = len(self._work) == 1
        self._run = dense.ink_epoch_on_one_thread if one else dense.ink_epoch_on_many_threads

    def _pass(self, order: np.ndarray) -> None:
        self._run(
            self._ink, self._y, order, self._batch_size, self.params, self._velocity,
            self._dense_grads, self._layers, self._work, self._first_grads, self._turned,
            self._descent, self._losses, self._hits,
        )  # fmt: skip


def is_plain_descent(training: Training) -> bool:
    """Whether training is SGD, with momentum or without, at one rate, and nothing else."""
    if training.optimizer not in ("sgd", "momentum"):
        return False
    usual = Training(
        learning_rate=training.learning_rate,
        batch_size=training.batch_size,
        epochs=training.epochs,
        optimizer=training.optimizer,
        momentum=training.momentum,
    )
    return training == usual
