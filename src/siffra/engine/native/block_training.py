"""Training any network, batch by batch and block by block."""

from collections.abc import Iterator

import numpy as np

from siffra.engine.governor import shared_out
from siffra.engine.native import pointwise
from siffra.engine.native.block import Block
from siffra.engine.native.gather import gather, scale_of
from siffra.engine.native.grid import aligned_zeros
from siffra.engine.native.limits import EXACT, check_count
from siffra.engine.native.parameters import Parameters
from siffra.engine.native.sequential import Sequential
from siffra.engine.native.training import Job, Trainer
from siffra.engine.native.warp import framed_floats, gather_warped
from siffra.engine.network import Network
from siffra.engine.rng import dropout_scales, epoch_maps


class BlockTrainer(Trainer):
    """Trains a network of any layers, by any optimizer, on images as they are or augmented.

    Whatever is as large as a batch or a kernel is made beforehand, but for what is drawn (maps for
    an epoch, dropout for a step), Muon's products, and where a convolution's images are not 0.
    Beside these a step makes only a few numbers a channel.
    """

    def __init__(self, job: Job) -> None:
        super().__init__(job, Parameters(job.network))
        network, training, images = job.network, job.training, job.images
        self._rows = images.x.reshape(len(images.x), -1)
        self._labels = np.zeros(self._batch_size, images.y.dtype)
        self._grads = aligned_zeros((self.parameters.trained,))
        self._sequential = Sequential(network, self.parameters, self._batch_size)
        self._draws: Iterator[np.ndarray] | None = None
        self._maps: np.ndarray | None = None
        if training.augment != "none":
            check_count(framed_floats(*images.x.shape[1:]), "floats of an augmented image", EXACT)
            self._draws = epoch_maps(training, len(images.x), job.seed)
        self._dropout = Dropout(network, self.parameters, self._batch_size, job.seed)

    def begin_epoch(self) -> None:
        """See `Trainer`."""
        self._maps = next(self._draws) if self._draws else None

    @np.errstate(all="ignore")  # a training that diverges is a result, which its loss tells
    def go_through(self, order: np.ndarray) -> tuple[float, int]:
        """See `Trainer`."""
        losses, correct = 0.0, 0
        for threads, first, last in shared_out(self._pieces, len(order), self._batch_size):
            self._sequential.begin(threads, self.params)
            for start in range(first, last, self._batch_size):
                batch = order[start : min(last, start + self._batch_size)]
                self._gather(batch)
                loss, right = self._gradients(batch)
                losses += loss
                correct += right
                self._step(self._grads, self._next_rates(1)[0])
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
        images, params, grads = len(batch), self.params, self._grads
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
