"""Class probabilities from a plain stack of dense layers; all that it needs is allocated once."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from siffra.engine.governor import Governor, shared_out
from siffra.engine.native import dense, sparse
from siffra.engine.native.gather import scale_of
from siffra.engine.native.grid import zeros_on_lines
from siffra.engine.native.layout import Layout
from siffra.engine.network import Network

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
    """Predicts with the `params` that it is given, which may still be in training.

    Of `governor` it has times of its own for images that are listed first and for those that are.
    """

    def __init__(
        self, network: Network, layout: Layout, params: np.ndarray, governor: Governor
    ) -> None:
        self._params = params
        self._pieces, self._pieces_listed = governor.work(), governor.work()
        self._classes = network.classes
        self._layers = layout.stack.layers
        features = network.denses[0].inputs
        self._work = zeros_on_lines((_SHARDS, layout.stack.workspace(_ROWS)))
        self._rows = zeros_on_lines((_SHARDS, _ROWS * int(self._layers[0, 0])))
        pixel = np.zeros((_SHARDS, _ROWS * features + 1), sparse.pixel_type(features))
        start = np.zeros((_SHARDS, _ROWS, 2), np.int64)
        self._lists = _Lists(start, pixel, np.zeros(pixel.shape, np.float32))
        self._whole, self._order = np.array([0, features]), np.arange(_ROWS)

    def prepare(self, images: np.ndarray) -> None:
        """Compile what `predict` takes for `images`: one of them goes the way of them all."""
        if _are_listed(images):
            self._predict_listed(images[:1])
        else:
            self._predict_rows(images[:1])

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities, (n, classes) float32, of (n, pixels) images."""
        if not _are_listed(images):
            return self._predict_rows(images)
        return self._predict_listed(images)

    def keep(self, images: np.ndarray) -> Callable[[], np.ndarray]:
        """`predict` of these images, again and again.

        Making their lists takes several times as long as the prediction: it is done here.
        """
        if not _are_listed(images):
            return partial(self._predict_rows, images)
        kept = []
        for _, first, last in shared_out(self._pieces, len(images), _CHUNK):
            starts = range(first, last, _CHUNK)
            kept.extend(self._listed(images, start).copy() for start in starts)
        return partial(self._predict_kept, kept, images)

    def _predict_rows(self, images: np.ndarray) -> np.ndarray:
        out = np.empty((len(images), self._classes), np.float32)
        scale = scale_of(images)
        order = np.arange(len(images))
        for _, first, last in shared_out(self._pieces, len(images), _CHUNK):
            dense.predict(
                images[first:last], order, scale, self._params, self._layers, self._rows,
                self._work, out[first:last],
            )  # fmt: skip
        return out

    def _predict_listed(self, images: np.ndarray) -> np.ndarray:
        out = np.empty((len(images), self._classes), np.float32)
        for _, first, last in shared_out(self._pieces, len(images), _CHUNK):
            for start in range(first, last, _CHUNK):
                self._predict_chunk(self._listed(images, start), scale_of(images), out, start)
        return out

    def _predict_kept(self, kept: Sequence[_Lists], images: np.ndarray) -> np.ndarray:
        out = np.empty((len(images), self._classes), np.float32)
        for _, first, last in shared_out(self._pieces_listed, len(images), _CHUNK):
            for start in range(first, last, _CHUNK):
                self._predict_chunk(kept[start // _CHUNK], scale_of(images), out, start)
        return out

    def _listed(self, images: np.ndarray, start: int) -> _Lists:
        """The lists of the chunk of images from `start` on, in the same arrays each time."""
        dense.list_shards(images[start : start + _CHUNK], self._whole, *self._lists)
        return self._lists

    def _predict_chunk(self, lists: _Lists, scale: np.float32, out: np.ndarray, start: int) -> None:
        dense.predict_on_ink(
            *lists, self._whole, self._order, scale, self._params, self._layers, self._work,
            out[start : start + _CHUNK],
        )  # fmt: skip


def _are_listed(images: np.ndarray) -> bool:
    """Whether (n, pixels) images are predicted from lists of their ink."""
    return len(images) > 0 and sparse.is_sparse(images)
