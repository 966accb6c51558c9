"""Training any network, batch by batch and block by block."""

from collections.abc import Iterator, Mapping

import numpy as np

from siffra.config import Training
from siffra.data.dataset import Images
from siffra.engine.governor import Pieces, shared_out
from siffra.engine.native import optimizers, pointwise
from siffra.engine.native.block import Block
from siffra.engine.native.gather import gather, scale_of
from siffra.engine.native.grid import aligned_zeros
from siffra.engine.native.limits import EXACT, check_count
from siffra.engine.native.parameters import Parameters
from siffra.engine.native.sequential import Sequential
from siffra.engine.native.training import Trainer
from siffra.engine.native.warp import framed_floats, gather_warped
from siffra.engine.network import Network
from siffra.engine.rng import dropout_scales, epoch_maps
from siffra.engine.schedule import ema_decay, learning_rates


class BlockTrainer(Trainer):
    """Trains a network of any layers, by any optimizer, on images as they are or augmented.

    Whatever is as large as a batch or a kernel is made beforehand, but for what is drawn (maps for
    an epoch, dropout for a step), Muon's products, and where a convolution's images are not 0.
    Beside these a step makes only a few numbers a channel.
    """

    def __init__(
        self,
        network: Network,
        weights: Mapping[str, np.ndarray],
        training: Training,
        images: Images,
        seed: int,
        pieces: Pieces,
    ) -> None:
        self._pieces = pieces
        self.parameters = parameters = Parameters(network)
        self._training, self._params = training, parameters.flatten(weights)
        self.averaged = self._params.copy() if training.ema else self._params
        self._x, self._rows = images.x, images.x.reshape(len(images.x), -1)
        self._y = images.y
        self._batch_size = min(training.batch_size, len(images.x))
        self._labels = np.zeros(self._batch_size, images.y.dtype)
        self._grads = aligned_zeros((parameters.trained,))
        self._optimizer = optimizers.make_optimizer(training, parameters)
        self._rates = learning_rates(training, len(images.x))
        self._next = 0
        self._steps = np.zeros((), np.int64)  # those of trainings before this one too
        self.memory = {
            "params": self._params,
            "averaged": self.averaged,
            "steps": self._steps,
            **self._optimizer.memory,
        }
        self._sequential = Sequential(network, parameters, self._batch_size)
        self._draws: Iterator[np.ndarray] | None = None
        self._maps: np.ndarray | None = None
        if training.augment != "none":
            check_count(framed_floats(*images.x.shape[1:]), "floats of an augmented image", EXACT)
            self._draws = epoch_maps(training, len(images.x), seed)
        self._dropout = Dropout(network, parameters, self._batch_size, seed)

    def begin_epoch(self) -> None:
        """See `Trainer`."""
        self._maps = next(self._draws) if self._draws else None

    @np.errstate(all="ignore")  # a training that diverges is a result, which its loss tells
    def go_through(self, order: np.ndarray) -> tuple[float, int]:
        """See `Trainer`."""
        losses, correct = 0.0, 0
        for threads, first, last in shared_out(self._pieces, len(order), self._batch_size):
            self._sequential.begin(threads, self._params)
            for start in range(first, last, self._batch_size):
                batch = order[start : min(last, start + self._batch_size)]
                self._gather(batch)
                loss, right = self._gradients(batch)
                losses += loss
                correct += right
                self._update()
        return losses, correct

    def _gather(self, batch: np.ndarray) -> None:
        network, maps, scale = self._sequential, self._maps, scale_of(self._x)
        network.share_out()
        if maps is None:
            gather(self._rows, batch, scale, network.input_layout, network.inputs)
        else:
            gather_warped(self._x, batch, maps, scale, network.input_layout, network.inputs)
        network.normalize(len(batch))

    def _gradients(self, batch: np.ndarray) -> tuple[float, int]:
        images, params, grads = len(batch), self._params, self._grads
        network = self._sequential
        *blocks, last = network.blocks
        dropout = self._dropout
        dropout.draw()
        inputs, x = [], network.inputs
        for block in blocks:
            inputs.append(dropout.leave_out(block, x, images))
            network.share_out(block)
            x = block.forward(x, images, params)
        dropout.leave_out(last, x, images)
        network.share_out(last)
        # Without a mode NumPy would take them into an array of its own first.
        labels = self._y.take(batch, out=self._labels[:images], mode="clip")
        loss, right = network.last.learn(x, labels, self._training, params, grads)
        above, gradient = last, x
        for block in reversed(blocks):
            gradient = above.input_gradient(images, gradient, params)
            dropout.leave_out(above, gradient, images)
            network.share_out(block)
            block.backward(inputs.pop(), images, gradient, params, grads)
            above = block
        return loss, right

    def _update(self) -> None:
        rate = self._rates[self._next]
        self._next += 1
        self._steps += 1
        self._optimizer.step(self._params, self._grads, rate)
        if self._training.ema:
            decay = np.float32(ema_decay(self._training, int(self._steps)))
            optimizers.average(self.averaged, self._params, decay)


class Dropout:
    """What is left out of each dense layer's inputs, step by step."""

    def __init__(self, network: Network, parameters: Parameters, images: int, seed: int) -> None:
        self._draws = dropout_scales(network, images, seed)
        self._channels = {
            layer.name: parameters.channels(layer) for layer in network.denses if layer.dropout
        }
        self._scales: dict[str, np.ndarray] = {}

    def draw(self) -> None:
        """Draw for the next step."""
        if self._channels:
            self._scales = next(self._draws)

    def leave_out(self, block: Block, x: np.ndarray, images: int) -> np.ndarray:
        """Scale `x`, a block's inputs or their gradient, in place."""
        scales = self._scales.get(block.layout.name)
        if scales is not None:
            channels = self._channels[block.layout.name]
            pointwise.scale(x, images, block.layout.input.image, channels, scales)
        return x
