"""A plain NumPy, float64 twin of the engines: slow, short, and easy to see to be right.

Tests compare the engines with it number by number; it is itself checked against finite
differences and PyTorch in `tests/engine/test_reference*.py`.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from reference_layers import Arrays, BatchNorm, Dropout, layers_of
from reference_optimizers import Optimizer

from siffra.config import Model, Training
from siffra.data.dataset import Dataset, Images
from siffra.engine.base import Engine, EpochEnd, Fitted
from siffra.engine.network import NORM_MOMENTUM, Network, build_network
from siffra.engine.rng import dropout_scales, epoch_maps, epoch_orders, initial_weights
from siffra.engine.schedule import ema_decay, learning_rates


def as_float(images: np.ndarray) -> np.ndarray:
    """Images as float64 in [0, 1]."""
    return images / 255.0 if images.dtype == np.uint8 else images.astype(np.float64)


def moments_of(network: Network, x: np.ndarray) -> dict[str, np.ndarray]:
    """Mean and variance of a channel, or of a feature in one row; 1 where nothing varies."""
    if not network.normalizes:
        return {}
    x = as_float(x)
    axes = 0 if x.shape[1] == 1 else (0, 1, 2)
    mean, variance = x.mean(axis=axes).ravel(), x.var(axis=axes).ravel()
    variance[np.ptp(x, axis=axes).ravel() == 0] = 1
    return {"normalization.mean": mean, "normalization.variance": variance}


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Row-wise logarithm of the softmax."""
    logits = logits - logits.max(axis=1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def warped(images: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Float `images` (n, height, width, channels) through `maps` (n, 2, 3), as drawn: from.

    Bilinear, with zeros around the image: see `siffra.data.shifts`.
    """
    n, height, width, _ = images.shape
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    down, right = np.mgrid[:height, :width]
    here = np.stack([right, down], axis=-1) - centre
    there = np.einsum("nab,yxb->nyxa", maps[:, :, :2], here) + maps[:, None, None, :, 2] + centre
    corner = np.floor(there)
    share = there - corner
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    total = np.zeros_like(images)
    for lower in (0, 1):
        for later in (0, 1):
            # Beyond the image by more than a pixel is as good as by one: zero.
            x = np.clip(corner[..., 0] + later, -1, width).astype(int) + 2
            y = np.clip(corner[..., 1] + lower, -1, height).astype(int) + 2
            of_x = share[..., 0] if later else 1 - share[..., 0]
            of_y = share[..., 1] if lower else 1 - share[..., 1]
            total += (of_x * of_y)[..., None] * padded[np.arange(n)[:, None, None], y, x]
    return total


def logits_of(network: Network, weights: Arrays, x: np.ndarray) -> np.ndarray:
    """(n, classes) logits of float images."""
    for layer in layers_of(network, weights):
        x = layer.forward(x, training=False)
    return x


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch says: mean loss in nats, right answers, and d(loss)/d(trained weight).

    `moments` has the batch's mean and variance by the name of their moving averages.
    """

    loss: float
    hits: int
    gradients: Arrays = field(default_factory=dict)
    moments: Arrays = field(default_factory=dict)


def cross_entropy(
    logits: np.ndarray, targets: np.ndarray, smoothing: float
) -> tuple[float, np.ndarray]:
    """Mean loss and its gradient by the logits, of one-hot targets."""
    targets = (1 - smoothing) * targets + smoothing / targets.shape[1]
    logs = log_softmax(logits)
    return -(targets * logs).sum(axis=1).mean(), (np.exp(logs) - targets) / len(targets)


def mean_squared_error(
    logits: np.ndarray, targets: np.ndarray, smoothing: float
) -> tuple[float, np.ndarray]:
    """The same of the mean over images and classes; the softmax's Jacobian written out."""
    p = np.exp(log_softmax(logits))
    jacobian = p[:, :, None] * (np.eye(p.shape[1]) - p[:, None, :])
    g = np.einsum("ni,nic->nc", 2 * (p - targets) / targets.size, jacobian)
    return ((p - targets) ** 2).mean(), g


LOSSES = {"cross_entropy": cross_entropy, "mean_squared_error": mean_squared_error}
PLAIN = Training()


def gradients_of(
    network: Network,
    weights: Arrays,
    x: np.ndarray,
    y: np.ndarray,
    training: Training = PLAIN,
    scales: Mapping[str, np.ndarray] | None = None,
) -> Batch:
    """The loss of float images `x` and what it is to every weight; `scales` are dropout's."""
    layers = layers_of(network, weights)
    for layer in layers:
        if isinstance(layer, Dropout):
            layer.scales = (scales or {})[layer.name]
        x = layer.forward(x, training=True)
    loss, g = LOSSES[training.loss](x, np.eye(network.classes)[y], training.label_smoothing)
    batch = Batch(float(loss), int((x.argmax(axis=1) == y).sum()))
    for layer in reversed(layers):
        g = layer.backward(g)
        batch.gradients.update(layer.gradients)
        if isinstance(layer, BatchNorm):
            batch.moments.update(layer.moments)
    return batch


class ReferenceFitted(Fitted):
    """A network in float64."""

    def __init__(self, network: Network, weights: Mapping[str, np.ndarray]) -> None:
        self.network = network
        self.w = {name: array.astype(np.float64) for name, array in weights.items()}

    def predict(self, images: np.ndarray) -> np.ndarray:
        if not len(images):
            return np.zeros((0, self.network.classes), np.float32)
        chunks = [images[i : i + 1000] for i in range(0, len(images), 1000)]
        logits = [logits_of(self.network, self.w, as_float(chunk)) for chunk in chunks]
        return np.exp(log_softmax(np.concatenate(logits))).astype(np.float32)

    def weights(self) -> dict[str, np.ndarray]:
        return {name: array.astype(np.float32) for name, array in self.w.items()}


class ReferenceTraining:
    """One training: the weights, their average, and the step it is at."""

    def __init__(self, network: Network, training: Training, images: Images, seed: int) -> None:
        self.network, self.training = network, training
        weights = initial_weights(network, seed) | moments_of(network, images.x)
        self.last = ReferenceFitted(network, weights)
        self.average = ReferenceFitted(network, self.last.weights())
        self.optimizer = Optimizer(network, training)
        self.scales = dropout_scales(network, min(training.batch_size, len(images)), seed)
        self.rates = learning_rates(training, len(images))
        self.number = 0

    @property
    def fitted(self) -> ReferenceFitted:
        return self.average if self.training.ema else self.last

    def step(self, x: np.ndarray, y: np.ndarray) -> Batch:
        w, average = self.last.w, self.average.w
        batch = gradients_of(self.network, w, x, y, self.training, next(self.scales))
        rate = float(self.rates[self.number])
        self.number += 1
        self.optimizer.step(w, batch.gradients, rate, self.number)
        for name, moment in batch.moments.items():
            w[name] += (1 - NORM_MOMENTUM) * (moment - w[name])
        if self.training.ema:
            decay = ema_decay(self.training, self.number)
            for name in w:
                average[name] += (1 - decay) * (w[name] - average[name])
        return batch


class ReferenceEngine(Engine):
    """Trains in float64 with NumPy alone."""

    name = "reference"
    version = 2
    threads = 1

    def prepare(self, model: Model, training: Training, dataset: Dataset) -> None:
        build_network(model, dataset.image_shape, dataset.classes)

    def fit(
        self,
        model: Model,
        training: Training,
        dataset: Dataset,
        seed: int,
        on_epoch: Callable[[EpochEnd, Fitted], None],
    ) -> Fitted:
        network = build_network(model, dataset.image_shape, dataset.classes)
        x, y = dataset.train.x, dataset.train.y
        state = ReferenceTraining(network, training, dataset.train, seed)
        orders, maps = epoch_orders(len(x), seed), epoch_maps(training, len(x), seed)
        epoch, size = 0, training.batch_size
        while state.number < len(state.rates):
            epoch += 1
            started = time.perf_counter()
            order = next(orders)[: (len(state.rates) - state.number) * size]
            warps = next(maps) if training.augment != "none" else None
            losses, hits = 0.0, 0
            for chosen in np.split(order, range(size, len(order), size)):
                pixels = as_float(x[chosen])
                pixels = pixels if warps is None else warped(pixels, warps[chosen])
                batch = state.step(pixels, y[chosen])
                losses += batch.loss * len(chosen)
                hits += batch.hits
            seconds = time.perf_counter() - started
            end = EpochEnd(epoch, losses / len(order), hits / len(order), seconds)
            on_epoch(end, state.fitted)
        return state.fitted

    def load(
        self,
        model: Model,
        image_shape: tuple[int, int, int],
        classes: int,
        weights: Mapping[str, np.ndarray],
    ) -> Fitted:
        return ReferenceFitted(build_network(model, image_shape, classes), weights)
