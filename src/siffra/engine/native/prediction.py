"""Class probabilities from a network, with everything that they need allocated beforehand."""

import math

import numpy as np

from siffra.engine.native import dense, ink
from siffra.engine.native.conv_layer import ConvLayer
from siffra.engine.native.layout import Layout
from siffra.engine.native.training import PIXEL
from siffra.network import Network

_CHUNK = 256
"""Images that are predicted at a time."""
_SHARDS = 8
_ONE = np.float32(1)


class Predictor:
    """Predicts with the `params` that it is given, which may still be in training."""

    def __init__(self, network: Network, layout: Layout, params: np.ndarray) -> None:
        self._params = params
        self._dense_params = params[layout.dense]
        self._classes = network.classes
        self._layers = layout.stack.layers
        self._features = int(self._layers[0, 0])
        rows = _CHUNK // _SHARDS
        self._work = np.zeros((_SHARDS, layout.stack.workspace(rows)), np.float32)
        self._rows = np.zeros((_SHARDS, rows * self._features), np.float32)
        self._start = np.zeros((_SHARDS, rows, 2), np.int64)
        self._pixel = np.zeros(
            (_SHARDS, rows * self._features + 1), ink.number_type(self._features)
        )
        slack = max((part.shape.slack for part in layout.convs), default=0)
        self._convs = [ConvLayer(part, _CHUNK, slack) for part in layout.convs]
        self._x = np.zeros(_CHUNK * math.prod(network.image_shape) + slack, np.float32)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities, (n, classes) float32, of (n, pixels) images."""
        scale = PIXEL if images.dtype == np.uint8 else _ONE
        out = np.empty((len(images), self._classes), np.float32)
        if self._convs:
            self._through_convs(images, scale, out)
        elif len(images) and ink.is_sparse(images):
            value = np.zeros(self._pixel.shape, images.dtype)
            dense.predict_on_ink(
                images, scale, self._dense_params, self._layers, self._start, self._pixel, value,
                self._work, out,
            )  # fmt: skip
        else:
            self._through_dense(images, scale, out)
        return out

    def _through_convs(self, images: np.ndarray, scale: np.float32, out: np.ndarray) -> None:
        order = np.arange(len(images))
        for start in range(0, len(images), _CHUNK):
            stop = min(start + _CHUNK, len(images))
            dense.gather_batch(images, order, start, stop, scale, self._x)
            x, size = self._x, stop - start
            for conv in self._convs:
                x = conv.forward(x, size, self._params)
            rows = x[: size * self._features].reshape(size, self._features)
            self._through_dense(rows, _ONE, out[start:stop])

    def _through_dense(self, rows: np.ndarray, scale: np.float32, out: np.ndarray) -> None:
        dense.predict(rows, scale, self._dense_params, self._layers, self._rows, self._work, out)
