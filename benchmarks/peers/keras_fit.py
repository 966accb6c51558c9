"""Keras: `fit` and `predict` on arrays, on TensorFlow unless KERAS_BACKEND says otherwise."""

import os
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.peers.base import Peer, Problem, pixels
from siffra.network import Network

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras: Any = import_module("keras")

_SCORED = 1000
"""Images that are scored at a time."""
_STEPS = 32
"""Steps that Keras takes before it is back in Python."""


class Keras(Peer):
    """A `Sequential` model that `fit` is called on, an epoch at a time.

    So that Keras uses the same batches as the others, its images are laid out in the epoch's
    order and made a tensor before the clock starts, and `fit` itself shuffles nothing.
    """

    def __init__(self, problem: Problem) -> None:
        """See `Peer`."""
        self._model = keras.Sequential(list(_layers(problem.network)))
        self._model.build((None, *problem.dataset.image_shape))
        self._model.set_weights(list(problem.weights.values()))
        self._model.compile(
            optimizer=keras.optimizers.SGD(problem.learning_rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            steps_per_execution=_STEPS,
        )
        self._scorer = keras.Sequential([self._model, keras.layers.Softmax()])
        train, test = problem.dataset.train, problem.dataset.test
        self._x, self._y, self._test = pixels(train), train.y, pixels(test)
        self._batch_size = problem.batch_size

    def ready(self, order: np.ndarray) -> tuple[Any, Any]:
        """See `Peer`."""
        to_tensor = keras.ops.convert_to_tensor
        return to_tensor(self._x[order]), to_tensor(self._y[order])

    def train(self, ready: tuple[Any, Any]) -> float:
        """See `Peer`."""
        x, y = ready
        history = self._model.fit(x, y, batch_size=self._batch_size, shuffle=False, verbose=0)
        return history.history["loss"][0]

    def score(self) -> np.ndarray:
        """See `Peer`."""
        return self._scorer.predict(self._test, batch_size=_SCORED, verbose=0)


def _layers(network: Network) -> Iterator[Any]:
    layers = keras.layers
    for conv in network.convs:
        yield layers.Conv2D(conv.filters, conv.kernel_size, conv.strides, activation="relu")
        if conv.pool > 1:
            yield layers.MaxPooling2D(conv.pool)
    yield layers.Flatten()
    for dense in network.denses:
        yield layers.Dense(dense.units, activation=dense.activation)


PEER = Keras
