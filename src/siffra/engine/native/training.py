"""Training a network epoch by epoch; plain stacks have all that they need made beforehand."""

import abc
from collections.abc import Mapping

import numpy as np

from siffra.config import Training
from siffra.data.dataset import Images
from siffra.engine.governor import Pieces, shared_out
from siffra.engine.native import dense
from siffra.engine.native.gather import scale_of
from siffra.engine.native.grid import aligned_zeros
from siffra.engine.native.matrices import tiled
from siffra.engine.native.parameters import Parameters
from siffra.engine.native.sparse import SparseColumns, SparseRows
from siffra.engine.network import Network
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


class StackTrainer(Trainer):
    """What trainings of plain stacks by plain SGD share; images are rows."""

    def __init__(
        self,
        network: Network,
        weights: Mapping[str, np.ndarray],
        training: Training,
        images: Images,
        pieces: Pieces,
    ) -> None:
        self._pieces = pieces
        self.parameters = Parameters(network, as_stack=True)
        self.averaged = self.params = self.parameters.flatten(weights)
        self._x = images.x.reshape(len(images.x), -1)
        self._y = images.y
        self._batch_size = min(training.batch_size, len(images.x))
        self._velocity = aligned_zeros(self.params.shape)
        self.memory = {"params": self.params, "velocity": self._velocity}
        self._sgd = dense.Sgd(
            scale_of(images.x), np.float32(training.learning_rate), np.float32(training.momentum)
        )
        stack = dense.Stack.of(self.parameters)
        self._layers = stack.layers
        shards = stack.shards(self._batch_size)
        self._rows = -(-self._batch_size // shards)
        self._grads = aligned_zeros((shards, self.parameters.size))
        self._work = aligned_zeros((shards, stack.workspace(self._rows)))
        self._losses, self._correct = np.zeros(shards), np.zeros(shards, np.int64)

    def go_through(self, order: np.ndarray) -> tuple[float, int]:
        """See `Trainer`."""
        self._losses[:], self._correct[:] = 0, 0
        if len(self._work) == 1:
            self._pass(order)
        else:
            for _, first, last in shared_out(self._pieces, len(order), self._batch_size):
                self._pass(order[first:last])
        return float(self._losses.sum()), int(self._correct.sum())

    @abc.abstractmethod
    def _pass(self, order: np.ndarray) -> None:
        """Go through the images; adds each shard's summed loss and correct answers."""


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
        self._inputs = aligned_zeros((shards, tiled(self._rows) * int(self._layers[0, 0])))
        self._run = dense.epoch_on_one_thread if shards == 1 else dense.epoch_on_many_threads

    def _pass(self, order: np.ndarray) -> None:
        self._run(
            self._x, self._y, order, self._batch_size, self.params, self._velocity, self._grads,
            self._layers, self._work, self._inputs, self._sgd, self._losses, self._correct,
        )  # fmt: skip


class SparseTrainer(StackTrainer):
    """Trains a network without convolutions on the pixels that are not 0."""

    def __init__(
        self,
        network: Network,
        weights: Mapping[str, np.ndarray],
        training: Training,
        images: Images,
        pieces: Pieces,
        rows: SparseRows,
    ) -> None:
        super().__init__(network, weights, training, images, pieces)
        self._csr = rows
        first_kernel = int(self._layers[0, 0] * self._layers[0, 1]) if training.momentum else 0
        self._first_grads = aligned_zeros((1, first_kernel))
        self._csc = SparseColumns.room_for(rows)
        on_one_thread = len(self._work) == 1
        self._run = (
            dense.sparse_epoch_on_one_thread
            if on_one_thread
            else dense.sparse_epoch_on_many_threads
        )

    def _pass(self, order: np.ndarray) -> None:
        self._run(
            self._csr, self._y, order, self._batch_size, self.params, self._velocity, self._grads,
            self._layers, self._work, self._first_grads, self._csc, self._sgd, self._losses,
            self._correct,
        )  # fmt: skip


def is_plain_sgd(training: Training) -> bool:
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
