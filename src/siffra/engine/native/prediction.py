"""Class probabilities from a plain stack of dense layers; all that it needs is allocated once."""

import numpy as np

from siffra.engine.native import dense, ink
from siffra.engine.native.gather import scale_of
from siffra.engine.native.layout import Layout
from siffra.network import Network

_SHARDS = 8
_ROWS = 64
"""Images of a shard that are predicted at a time."""


class StackPredictor:
    """Predicts with the `params` that it is given, which may still be in training."""

    def __init__(self, network: Network, layout: Layout, params: np.ndarray) -> None:
        self._params = params
        self._classes = network.classes
        self._layers = layout.stack.layers
        features = int(self._layers[0, 0])
        self._work = np.zeros((_SHARDS, layout.stack.workspace(_ROWS)), np.float32)
        self._rows = np.zeros((_SHARDS, _ROWS * features), np.float32)
        self._start = np.zeros((_SHARDS, _ROWS, 2), np.int64)
        self._pixel = np.zeros((_SHARDS, _ROWS * features + 1), ink.number_type(features))
        self._value = np.zeros(self._pixel.shape, np.float32)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities, (n, classes) float32, of (n, pixels) images."""
        scale = scale_of(images)
        out = np.empty((len(images), self._classes), np.float32)
        if len(images) and ink.is_sparse(images):
            for first in range(0, len(images), _SHARDS * _ROWS):
                some = slice(first, first + _SHARDS * _ROWS)
                self._predict_on_ink(images[some], scale, out[some])
        else:
            dense.predict(
                images, scale, self._params, self._layers, self._rows, self._work, out
            )  # fmt: skip
        return out

    def _predict_on_ink(self, images: np.ndarray, scale: np.float32, out: np.ndarray) -> None:
        lists = self._start, self._pixel, self._value
        dense.list_shards(images, *lists)
        dense.predict_on_ink(*lists, scale, self._params, self._layers, self._work, out)
