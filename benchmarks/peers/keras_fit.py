"""Keras as most of its users write it: `compile`, `fit` and `predict`, with its defaults."""

import os
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.peers.base import Peer, Problem, pixels
from siffra.engine.network import NORM_EPSILON, NORM_MOMENTUM, Conv, Dense, Network

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras: Any = import_module("keras")

Fed = dict[str, Any]
"""What `fit` is called with."""

_SCORED = 1000
"""Images that are scored at a time."""


class Keras(Peer):
    """A `Sequential` model that `fit` is called on, an epoch at a time.

    So that Keras uses the same batches as the others, its images are laid out in the epoch's
    order and made a tensor before the clock starts, and `fit` itself shuffles nothing.
    """

    def __init__(self, problem: Problem) -> None:
        """See `Peer`."""
        train, test = problem.dataset.train, problem.dataset.test
        self._x, self._y, self._test = pixels(train), train.y, pixels(test)
        self._problem = problem
        self._model = self._compiled(problem)
        self._scorer = keras.Sequential([self._model, keras.layers.Softmax()])

    def ready(self, order: np.ndarray) -> Fed:
        """See `Peer`."""
        to_tensor = keras.ops.convert_to_tensor
        return self._fed(to_tensor(self._x[order]), to_tensor(self._y[order]))

    def train(self, ready: Fed) -> float:
        """See `Peer`."""
        return fit(self._model, ready)

    def score(self) -> np.ndarray:
        """See `Peer`."""
        return self._scorer.predict(self._test, batch_size=_SCORED, verbose=0)

    def _fed(self, x: Any, y: Any) -> Fed:
        return arrays(x, y, self._problem.batch_size)

    def _compiled(self, problem: Problem) -> Any:
        return self._with(problem)

    def _with(self, problem: Problem, **settings: Any) -> Any:
        """The network with the problem's weights, compiled with `settings`."""
        model = keras.Sequential(list(_layers(problem.network)))
        model.build((None, *problem.dataset.image_shape))
        model.set_weights(list(problem.weights.values()))
        model.compile(
            optimizer=keras.optimizers.SGD(problem.learning_rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            **settings,
        )
        return model


def arrays(x: Any, y: Any, batch_size: int) -> Fed:
    """Images and labels as they are."""
    return {"x": x, "y": y, "batch_size": batch_size}


def fit(model: Any, fed: Fed) -> float:
    """An epoch; the mean loss."""
    return model.fit(**fed, shuffle=False, verbose=0).history["loss"][0]


def _layers(network: Network) -> Iterator[Any]:
    layers = keras.layers
    if network.space_to_depth > 1:
        yield from _space_to_depth(network)
    for conv in network.convs:
        yield layers.Conv2D(
            conv.filters, conv.kernel_size, conv.strides,
            padding="same" if conv.same else "valid", use_bias=not conv.batch_norm,
        )  # fmt: skip
        yield from _norm_and_activation(conv)
        if conv.pools_all:
            yield layers.GlobalMaxPooling2D()
        elif conv.pool > 1:
            yield layers.MaxPooling2D(conv.pool)
    yield layers.Flatten()
    for dense in network.denses:
        yield layers.Dense(dense.units, use_bias=not dense.batch_norm)
        yield from _norm_and_activation(dense)


def _norm_and_activation(layer: Conv | Dense) -> Iterator[Any]:
    if layer.batch_norm:
        yield keras.layers.BatchNormalization(momentum=NORM_MOMENTUM, epsilon=NORM_EPSILON)
    if layer.activation:
        yield keras.layers.Activation(layer.activation)


def _space_to_depth(network: Network) -> Iterator[Any]:
    """Blocks of pixels as channels; there is no layer for it, so it takes three."""
    height, width, channels = network.image_shape
    side = network.space_to_depth
    rows, columns = height // side, width // side
    yield keras.layers.Reshape((rows, side, columns, side * channels))
    yield keras.layers.Permute((1, 3, 2, 4))
    yield keras.layers.Reshape((rows, columns, side * side * channels))


PEER = Keras
