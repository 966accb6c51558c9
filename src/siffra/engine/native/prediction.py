"""Class probabilities from a plain stack of dense layers; all that it needs is allocated once."""

import numpy as np

from siffra.engine.native import dense, ink
from siffra.engine.native.gather import scale_of
from siffra.engine.native.layout import Layout
from siffra.network import Network

_CHUNK = 256
"""Images that are predicted at a time."""
_SHARDS = 8


class StackPredictor:
    """Predicts with the `params` that it is given, which may still be in training."""

    def __init__(self, network: Network, layout: Layout, params: np.ndarray) -> None:
        self._params = params
        self._classes = network.classes
        self._layers = layout.stack.layers
        features = int(self._layers[0, 0])
        rows = _CHUNK // _SHARDS
        self._work = np.zeros((_SHARDS, layout.stack.workspace(rows)), np.float32)
        self._rows = np.zeros((_SHARDS, rows * features), np.float32)
        self._start = np.zeros((_SHARDS, rows, 2), np.int64)
        self._pixel = np.zeros((_SHARDS, rows * features + 1), ink.number_type(features))

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities, (n, classes) float32, of (n, pixels) images."""
        scale = scale_of(images)
        out = np.empty((len(images), self._classes), np.float32)
        if len(images) and ink.is_sparse(images):
            value = np.zeros(self._pixel.shape, images.dtype)
            dense.predict_on_ink(
                images, scale, self._params, self._layers, self._start, self._pixel, value,
                self._work, out,
            )  # fmt: skip
        else:
            dense.predict(
                images, scale, self._params, self._layers, self._rows, self._work, out
            )  # fmt: skip
        return out
