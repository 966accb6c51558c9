"""Training a network of any of siffra's layers, batch by batch and block by block."""

from collections.abc import Iterator, Mapping

import numpy as np

from siffra.config import Training
from siffra.data.dataset import Images
from siffra.engine.draws import dropout_scales, epoch_maps
from siffra.engine.native import descent, pointwise
from siffra.engine.native.block import Block, LastBlock, TrainedBlock
from siffra.engine.native.gather import gather, gather_warped, pixel_places
from siffra.engine.native.placement import Placement
from siffra.engine.native.training import PIXEL, Trainer
from siffra.engine.schedule import ema_decay, learning_rates
from siffra.network import Network


class BlockTrainer(Trainer):
    """Trains a network of any layers, by any optimizer, on images as they are or augmented."""

    def __init__(
        self,
        network: Network,
        weights: Mapping[str, np.ndarray],
        training: Training,
        images: Images,
        seed: int,
    ) -> None:
        self.layout = placement = Placement(network)
        self._training, self._params = training, placement.flatten(weights)
        self._x, self._y = images.x, images.y
        self._batch_size = min(training.batch_size, len(images.x))
        self._grads = np.zeros(placement.trained, np.float32)
        self._optimizer = descent.make_optimizer(training, placement)
        self._rates = learning_rates(training, len(images.x))
        self._steps = 0
        parts, places = placement.parts, placement.places
        size = self._batch_size
        self._blocks = [
            TrainedBlock(part, place, size, first=part is parts[0])
            for part, place in zip(parts[:-1], places[:-1], strict=True)
        ]
        self._last = LastBlock(parts[-1], places[-1], size, network.classes, first=len(parts) == 1)
        self._places = pixel_places(network, parts[0])
        self._inputs = parts[0].input.batch(size)
        self._image = parts[0].input.image
        self._maps: Iterator[np.ndarray] | None = None
        if training.augment != "none":
            self._maps = epoch_maps(training, len(images.x), seed)
        self._dropout = Dropout(network, placement, size, seed)
        self.averaged = self._params.copy() if training.ema else self._params

    def epoch(self, order: np.ndarray) -> tuple[float, int]:
        """One pass in `order`; the summed loss in nats and the number of right answers."""
        maps = next(self._maps) if self._maps else None
        losses, hits = 0.0, 0
        for start in range(0, len(order), self._batch_size):
            batch = order[start : start + self._batch_size]
            self._gather(batch, maps)
            loss, right = self._gradients(batch)
            losses += loss
            hits += right
            self._descend()
        return losses, hits

    def _gather(self, batch: np.ndarray, maps: np.ndarray | None) -> None:
        if maps is None:
            rows = self._x.reshape(len(self._x), -1)
            gather(rows, batch, PIXEL, self._places, self._image, self._inputs)
        else:
            gather_warped(self._x, batch, maps, PIXEL, self._places, self._image, self._inputs)

    def _gradients(self, batch: np.ndarray) -> tuple[float, int]:
        images, params, grads = len(batch), self._params, self._grads
        self._dropout.draw()
        inputs, x = [], self._inputs
        for block in self._blocks:
            self._dropout.leave_out(block, x, images)
            inputs.append(x)
            x = block.forward(x, images, params)
        self._dropout.leave_out(self._last, x, images)
        smoothing = self._training.label_smoothing
        loss, right, gradient = self._last.learn(
            x, images, self._y[batch], smoothing, params, grads
        )
        self._dropout.leave_out(self._last, gradient, images)
        for block in reversed(self._blocks):
            gradient = block.backward(inputs.pop(), images, gradient, params, grads)
            self._dropout.leave_out(block, gradient, images)
        return loss, right

    def _descend(self) -> None:
        rate = float(self._rates[self._steps])
        self._steps += 1
        self._optimizer.step(self._params, self._grads, rate)
        if self._training.ema:
            decay = np.float32(ema_decay(self._training, self._steps))
            descent.average(self.averaged, self._params, decay)


class Dropout:
    """What is left out of each dense layer's inputs, step by step."""

    def __init__(self, network: Network, placement: Placement, images: int, seed: int) -> None:
        self._draws = dropout_scales(network, images, seed)
        self._channels = {
            layer.name: placement.channels(layer) for layer in network.denses if layer.dropout
        }
        self._scales: dict[str, np.ndarray] = {}

    def draw(self) -> None:
        """Draw for the next step."""
        if self._channels:
            self._scales = next(self._draws)

    def leave_out(self, block: Block, x: np.ndarray, images: int) -> None:
        """Scale `x`, a block's inputs or their gradient, in place."""
        scales = self._scales.get(block.part.name)
        if scales is not None:
            channels = self._channels[block.part.name]
            pointwise.scale(x, images, block.part.input.image, channels, scales)


class BlockPredictor:
    """Predicts with the `params` that it is given, which may still be in training."""

    _CHUNK = 256
    """Images that are predicted at a time."""

    def __init__(self, network: Network, placement: Placement, params: np.ndarray) -> None:
        self._params, self._classes = params, network.classes
        self._blocks = [
            Block(part, place, self._CHUNK)
            for part, place in zip(placement.parts, placement.places, strict=True)
        ]
        first = placement.parts[0]
        self._places = pixel_places(network, first)
        self._inputs, self._image = first.input.batch(self._CHUNK), first.input.image

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities, (n, classes) float32, of (n, pixels) images."""
        scale = PIXEL if images.dtype == np.uint8 else np.float32(1)
        out = np.empty((len(images), self._classes), np.float32)
        for start in range(0, len(images), self._CHUNK):
            batch = np.arange(start, min(start + self._CHUNK, len(images)))
            gather(images, batch, scale, self._places, self._image, self._inputs)
            x = self._inputs
            for block in self._blocks:
                x = block.predict(x, len(batch), self._params)
            logits = x[: len(batch) * self._blocks[-1].part.output.image].reshape(len(batch), -1)
            out[batch] = _softmax(logits[:, : self._classes])
        return out


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
