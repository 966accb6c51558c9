"""Training a network epoch by epoch, with everything that it needs allocated beforehand."""

import abc
from collections.abc import Mapping

import numpy as np

from siffra.config import Training
from siffra.data.dataset import Images
from siffra.engine.native import dense
from siffra.engine.native.conv_layer import TrainedConvLayer
from siffra.engine.native.ink import Ink
from siffra.engine.native.layout import Layout
from siffra.engine.native.placement import Placement
from siffra.network import Network

PIXEL = np.float32(1 / 255)
"""What a uint8 pixel counts."""


class Trainer(abc.ABC):
    """Trains a network in place: `averaged` are the parameters to predict with, as laid out."""

    layout: Layout | Placement
    averaged: np.ndarray

    @abc.abstractmethod
    def epoch(self, order: np.ndarray) -> tuple[float, int]:
        """One pass in `order`; the summed loss in nats and the number of right answers."""


class PlainTrainer(Trainer):
    """What trainings of plain networks by plain descent share; images are rows."""

    def __init__(
        self,
        network: Network,
        weights: Mapping[str, np.ndarray],
        training: Training,
        images: Images,
    ) -> None:
        self._plain = self.layout = layout = Layout(network)
        self.averaged = self.params = layout.flatten(weights)
        self._x = images.x.reshape(len(images.x), -1)
        self._y = images.y
        self._batch_size = min(training.batch_size, len(images.x))
        self._velocity = np.zeros_like(self.params)
        self._descent = dense.Descent(
            PIXEL, np.float32(training.learning_rate), np.float32(training.momentum)
        )
        self._layers = layout.stack.layers
        shards = layout.stack.shards(self._batch_size)
        self._rows = -(-self._batch_size // shards)
        self._dense_grads = np.zeros((shards, layout.stack.total), np.float32)
        self._work = np.zeros((shards, layout.stack.workspace(self._rows)), np.float32)


class DenseTrainer(PlainTrainer):
    """Trains a network without convolutions on rows of pixels: a whole epoch is one call."""

    def __init__(
        self,
        network: Network,
        weights: Mapping[str, np.ndarray],
        training: Training,
        images: Images,
    ) -> None:
        super().__init__(network, weights, training, images)
        shards = len(self._work)
        self._inputs = np.zeros((shards, self._rows * self._x.shape[1]), np.float32)
        self._run = dense.epoch_on_one_thread if shards == 1 else dense.epoch_on_many_threads

    def epoch(self, order: np.ndarray) -> tuple[float, int]:
        """See `Trainer`."""
        return self._run(
            self._x, self._y, order, self._batch_size, self.params, self._velocity,
            self._dense_grads, self._layers, self._work, self._inputs, self._descent,
        )  # fmt: skip


class InkTrainer(PlainTrainer):
    """Trains a network without convolutions on lists of the pixels that are not blank."""

    def __init__(
        self,
        network: Network,
        weights: Mapping[str, np.ndarray],
        training: Training,
        images: Images,
        ink: Ink,
    ) -> None:
        super().__init__(network, weights, training, images)
        self._ink = ink
        first_kernel = int(self._layers[0, 0] * self._layers[0, 1]) if training.momentum else 0
        self._first_grads = np.zeros(first_kernel, np.float32)
        one = len(self._work) == 1
        self._run = dense.ink_epoch_on_one_thread if one else dense.ink_epoch_on_many_threads

    def epoch(self, order: np.ndarray) -> tuple[float, int]:
        """See `Trainer`."""
        return self._run(
            self._ink, self._y, order, self._batch_size, self.params, self._velocity,
            self._dense_grads, self._layers, self._work, self._first_grads, self._descent,
        )  # fmt: skip


class ConvTrainer(PlainTrainer):
    """Trains a network that starts with convolutions, batch by batch."""

    def __init__(
        self,
        network: Network,
        weights: Mapping[str, np.ndarray],
        training: Training,
        images: Images,
    ) -> None:
        super().__init__(network, weights, training, images)
        batch, layout = self._batch_size, self._plain
        slack = max(part.shape.slack for part in layout.convs)
        self._convs = [TrainedConvLayer(part, batch, slack) for part in layout.convs]
        self._inputs = np.zeros(batch * self._x.shape[1] + slack, np.float32)
        self._features = int(self._layers[0, 0])
        self._dx = np.zeros(batch * self._features, np.float32)
        self._conv_end = layout.dense.start
        self._conv_grads = np.zeros((1, self._conv_end), np.float32)
        self._dense_params = self.params[layout.dense]

    def epoch(self, order: np.ndarray) -> tuple[float, int]:
        """See `Trainer`."""
        losses, hits = 0.0, 0
        for start in range(0, len(order), self._batch_size):
            size = min(self._batch_size, len(order) - start)
            loss, right = self._gradients(order, start, size)
            losses += loss
            hits += right
            self._descend()
        return losses, hits

    def _gradients(self, order: np.ndarray, start: int, size: int) -> tuple[float, int]:
        dense.gather_batch(self._x, order, start, start + size, PIXEL, self._inputs)
        inputs = [self._inputs]
        for conv in self._convs:
            inputs.append(conv.forward(inputs[-1], size, self.params))
        loss, right = dense.batch_step(
            inputs.pop(), size, self._y, order, start, self._dense_params, self._layers,
            self._work, self._dense_grads, self._dx,
        )  # fmt: skip
        gradient = self._dx
        for conv in reversed(self._convs):
            conv.weight_gradient(inputs.pop(), size, gradient, self._conv_grads[0])
            if conv is not self._convs[0]:
                gradient = conv.input_gradient(size, gradient, self.params)
        return loss, right

    def _descend(self) -> None:
        end = self._conv_end
        for params, velocity, grads in (
            (self.params[:end], self._velocity[:end], self._conv_grads),
            (self.params[end:], self._velocity[end:], self._dense_grads),
        ):
            dense.descend(params, velocity, grads, 0, params.size, self._descent)


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
