"""A plain NumPy, float64 twin of the engines: slow, short, and easy to see to be right.

Tests compare the native engine with it number by number; it is itself checked against finite
differences and PyTorch in `tests/engine/test_reference.py`.
"""

import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from siffra.config import ConvModel, DenseModel, Training
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine, EpochEnd, Fitted
from siffra.engine.draws import epoch_orders, initial_weights
from siffra.network import Conv, Dense, Network, build_network

Arrays = dict[str, np.ndarray]


def as_float(images: np.ndarray) -> np.ndarray:
    """Images as float64 in [0, 1]."""
    return images / 255.0 if images.dtype == np.uint8 else images.astype(np.float64)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Row-wise softmax."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _patches(conv: Conv, x: np.ndarray) -> np.ndarray:
    """The pixels under the kernel at every position: (n, rows, columns, k, k, channels)."""
    k, s = conv.kernel_size, conv.strides
    windows = sliding_window_view(x, (k, k), axis=(1, 2))[:, ::s, ::s]
    return windows.transpose(0, 1, 2, 4, 5, 3)


def _conv_forward(conv: Conv, x: np.ndarray, w: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Pooled activations, and the mask that routes a gradient back to each position."""
    kernel, bias = w[f"{conv.name}.kernel"], w[f"{conv.name}.bias"]
    z = np.tensordot(_patches(conv, x), kernel, axes=3) + bias
    rows, columns, filters = conv.output
    p = conv.pool
    z = z[:, : rows * p, : columns * p]
    n = len(z)
    windows = z.reshape(n, rows, p, columns, p, filters).transpose(0, 1, 3, 5, 2, 4)
    windows = windows.reshape(n, rows, columns, filters, p * p)
    first = windows.argmax(axis=-1)  # ties go to the first, as in Keras and PyTorch
    top = np.take_along_axis(windows, first[..., None], axis=-1)[..., 0]
    mask = (np.arange(p * p) == first[..., None]) & (top > 0)[..., None]
    return np.maximum(top, 0), mask


def _conv_backward(
    conv: Conv, x: np.ndarray, mask: np.ndarray, g: np.ndarray, w: Arrays, grads: Arrays
) -> np.ndarray:
    """Fill in the gradients of `conv`'s weights; return the gradient of its input."""
    rows, columns, filters = conv.output
    n, p, k, s = len(x), conv.pool, conv.kernel_size, conv.strides
    routed = (g[..., None] * mask).reshape(n, rows, columns, filters, p, p)
    dz = routed.transpose(0, 1, 4, 2, 5, 3).reshape(n, rows * p, columns * p, filters)
    patches = _patches(conv, x)[:, : rows * p, : columns * p]
    grads[f"{conv.name}.kernel"] = np.tensordot(patches, dz, axes=((0, 1, 2), (0, 1, 2)))
    grads[f"{conv.name}.bias"] = dz.sum(axis=(0, 1, 2))
    dx = np.zeros_like(x)
    kernel = w[f"{conv.name}.kernel"]
    for i in range(k):
        for j in range(k):
            dx[:, i : i + rows * p * s : s, j : j + columns * p * s : s] += dz @ kernel[i, j].T
    return dx


def logits_of(network: Network, w: Arrays, x: np.ndarray) -> np.ndarray:
    """(n, classes) logits of float images."""
    for conv in network.convs:
        x, _ = _conv_forward(conv, x, w)
    x = x.reshape(len(x), -1)
    for dense in network.denses:
        x = _dense_forward(dense, x, w)
    return x


def _dense_forward(dense: Dense, x: np.ndarray, w: Arrays) -> np.ndarray:
    z = x @ w[f"{dense.name}.kernel"] + w[f"{dense.name}.bias"]
    return np.maximum(z, 0) if dense.activation else z


def loss_and_gradients(
    network: Network, w: Arrays, x: np.ndarray, y: np.ndarray
) -> tuple[float, int, Arrays]:
    """Mean cross-entropy in nats, number of right answers, and d(loss)/d(weights)."""
    grads: Arrays = {}
    inputs, masks = [], []
    for conv in network.convs:
        inputs.append(x)
        x, mask = _conv_forward(conv, x, w)
        masks.append(mask)
    shape = x.shape
    x = x.reshape(len(x), -1)
    activations = [x]
    for dense in network.denses:
        activations.append(_dense_forward(dense, activations[-1], w))
    p = softmax(activations[-1])
    picked = p[np.arange(len(y)), y]
    loss = -np.log(picked).mean()
    g = p.copy()
    g[np.arange(len(y)), y] -= 1
    g /= len(y)
    for dense, x, out in zip(
        network.denses[::-1], activations[-2::-1], activations[:0:-1], strict=True
    ):
        if dense.activation:
            g = g * (out > 0)
        grads[f"{dense.name}.kernel"] = x.T @ g
        grads[f"{dense.name}.bias"] = g.sum(axis=0)
        g = g @ w[f"{dense.name}.kernel"].T
    g = g.reshape(shape)
    for conv, x, mask in zip(network.convs[::-1], inputs[::-1], masks[::-1], strict=True):
        g = _conv_backward(conv, x, mask, g, w, grads)
    return float(loss), int((p.argmax(axis=1) == y).sum()), grads


class ReferenceFitted(Fitted):
    """A network in float64."""

    def __init__(self, network: Network, weights: Mapping[str, np.ndarray]) -> None:
        self.network = network
        self.w = {name: array.astype(np.float64) for name, array in weights.items()}

    def predict(self, images: np.ndarray) -> np.ndarray:
        chunks = [images[i : i + 1000] for i in range(0, len(images), 1000)]
        logits = [logits_of(self.network, self.w, as_float(chunk)) for chunk in chunks]
        return softmax(np.concatenate(logits)).astype(np.float32)

    def weights(self) -> dict[str, np.ndarray]:
        return {name: array.astype(np.float32) for name, array in self.w.items()}


class ReferenceEngine(Engine):
    """Trains in float64 with NumPy alone."""

    name = "reference"
    version = 1
    threads = 1

    def prepare(self, model: DenseModel | ConvModel, training: Training, dataset: Dataset) -> None:
        build_network(model, dataset.image_shape, dataset.classes)

    def fit(
        self,
        model: DenseModel | ConvModel,
        training: Training,
        dataset: Dataset,
        seed: int,
        on_epoch: Callable[[EpochEnd, Fitted], None],
    ) -> Fitted:
        network = build_network(model, dataset.image_shape, dataset.classes)
        fitted = ReferenceFitted(network, initial_weights(network, seed))
        velocity = {name: np.zeros_like(array) for name, array in fitted.w.items()}
        images, labels = dataset.train.x, dataset.train.y
        orders = epoch_orders(len(images), seed)
        for epoch in range(1, training.epochs + 1):
            started = time.perf_counter()
            order = next(orders)
            losses, hits = 0.0, 0
            for start in range(0, len(order), training.batch_size):
                batch = order[start : start + training.batch_size]
                loss, right, grads = loss_and_gradients(
                    network, fitted.w, as_float(images[batch]), labels[batch]
                )
                losses += loss * len(batch)
                hits += right
                for name, grad in grads.items():
                    velocity[name] = (
                        training.momentum * velocity[name] - training.learning_rate * grad
                    )
                    fitted.w[name] += velocity[name]
            seconds = time.perf_counter() - started
            on_epoch(EpochEnd(epoch, losses / len(order), hits / len(order), seconds), fitted)
        return fitted

    def load(
        self,
        model: DenseModel | ConvModel,
        image_shape: tuple[int, int, int],
        classes: int,
        weights: Mapping[str, np.ndarray],
    ) -> Fitted:
        return ReferenceFitted(build_network(model, image_shape, classes), weights)
