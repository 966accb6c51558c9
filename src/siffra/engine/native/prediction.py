"""Class probabilities from a plain stack of dense layers; all that it needs is allocated once."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from siffra.engine.native import dense, ink
from siffra.engine.native.gather import scale_of
from siffra.engine.native.grid import zeros_on_lines
from siffra.engine.native.layout import Layout
from siffra.network import Network

_SHARDS = 8
_ROWS = 64
"""Images of a shard that are predicted at a time."""
_CHUNK = _SHARDS * _ROWS


class _Lists(NamedTuple):
    """The ink of a chunk of images, as `dense.list_shards` fills it: a row for each shard."""

    start: np.ndarray
    pixel: np.ndarray
    value: np.ndarray

    def copy(self) -> "_Lists":
        """What is used of them."""
        used = int(self.start.max()) + 1
        return _Lists(self.start.copy(), self.pixel[:, :used].copy(), self.value[:, :used].copy())


class StackPredictor:
    """Predicts with the `params` that it is given, which may still be in training."""

    def __init__(self, network: Network, layout: Layout, params: np.ndarray) -> None:
        self._params = params
        self._classes = network.classes
        self._layers = layout.stack.layers
        features = network.denses[0].inputs
        self._work = zeros_on_lines((_SHARDS, layout.stack.workspace(_ROWS)))
        self._rows = zeros_on_lines((_SHARDS, _ROWS * int(self._layers[0, 0])))
        pixel = np.zeros((_SHARDS, _ROWS * features + 1), ink.pixel_type(features))
        start = np.zeros((_SHARDS, _ROWS, 2), np.int64)
        self._lists = _Lists(start, pixel, np.zeros(pixel.shape, np.float32))
        self._whole, self._order = np.array([0, features]), np.arange(_ROWS)

    def prepare(self, images: np.ndarray) -> None:
        """Compile what `predict` takes for `images`: one of them goes the way of them all."""
        if _are_listed(images):
            self._predict_listed(self._listed(images[:1]), scale_of(images), 1)
        else:
            self._predict_rows(images[:1])

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities, (n, classes) float32, of (n, pixels) images."""
        if not _are_listed(images):
            return self._predict_rows(images)
        return self._predict_listed(self._listed(images), scale_of(images), len(images))

    def keep(self, images: np.ndarray) -> Callable[[], np.ndarray]:
        """`predict` of these images, again and again.

        Making their lists takes several times as long as the prediction: it is done here.
        """
        if not _are_listed(images):
            return partial(self._predict_rows, images)
        kept = [lists.copy() for lists in self._listed(images)]
        return partial(self._predict_listed, kept, scale_of(images), len(images))

    def _predict_rows(self, images: np.ndarray) -> np.ndarray:
        out = np.empty((len(images), self._classes), np.float32)
        scale = scale_of(images)
        order = np.arange(len(images))
        dense.predict(
            images, order, scale, self._params, self._layers, self._rows, self._work, out
        )  # fmt: skip
        return out

    def _listed(self, images: np.ndarray) -> Iterator[_Lists]:
        """The lists of one chunk of images after the other, in the same arrays."""
        for first in range(0, len(images), _CHUNK):
            dense.list_shards(images[first : first + _CHUNK], self._whole, *self._lists)
            yield self._lists

    def _predict_listed(
        self, chunks: Iterable[_Lists], scale: np.float32, images: int
    ) -> np.ndarray:
        out = np.empty((images, self._classes), np.float32)
        for chunk, lists in enumerate(chunks):
            some = out[chunk * _CHUNK : (chunk + 1) * _CHUNK]
            dense.predict_on_ink(
                *lists, self._whole, self._order, scale, self._params, self._layers, self._work,
                some,
            )  # fmt: skip
        return out


def _are_listed(images: np.ndarray) -> bool:
    """Whether (n, pixels) images are predicted from lists of their ink."""
    return len(images) > 0 and ink.is_sparse(images)
