"""Class probabilities from a network's parameters; what that needs is allocated once."""

import abc
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from siffra.data.dataset import Images
from siffra.engine.governor import Governor, Pieces, shared_out
from siffra.engine.native import dense_predict
from siffra.engine.native.dense import Stack
from siffra.engine.native.dense_norm import ACTIVATIONS
from siffra.engine.native.gather import gather, scale_of
from siffra.engine.native.grid import aligned_zeros
from siffra.engine.native.parameters import Parameters
from siffra.engine.native.sequential import Sequential
from siffra.engine.native.sparse import index_type, is_sparse
from siffra.engine.network import Network

_SHARDS = 8
_ROWS = 64
"""Images of a shard that are predicted at a time."""
_CHUNK = _SHARDS * _ROWS
_MOST_KEPT = 2**26
"""Pixels of images whose sparse rows are kept, at most: those rows then take up to 160 MB."""


class Predictor(abc.ABC):
    """Predicts with the `params` that it is given, which may still be in training.

    Images are (n, pixels), uint8 or float32.
    """

    @abc.abstractmethod
    def prepare(self, images: np.ndarray) -> None:
        """Compile what `predict` takes for `images`."""

    @abc.abstractmethod
    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities, (n, classes) float32."""

    @abc.abstractmethod
    def keep(self, images: Images) -> Callable[[], np.ndarray]:
        """`predict` of these images, again and again; what can be done once is done here."""


def make_predictor(
    network: Network,
    parameters: Parameters,
    params: np.ndarray,
    governor: Governor,
    kept: "KeptRows",
) -> Predictor:
    """The predictor for parameters of this layout; sparse rows that are `kept` are its own too."""
    if parameters.as_stack:
        return StackPredictor(network, parameters, params, governor, kept)
    return SequentialPredictor(network, parameters, params, governor.work())


class _Rows(NamedTuple):
    """The sparse rows of a chunk of images, as `fill_shards` makes them: a row for each shard."""

    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray

    def copy(self) -> "_Rows":
        """What is used of them."""
        used = int(self.indptr.max()) + 1
        return _Rows(self.indptr.copy(), self.indices[:, :used].copy(), self.data[:, :used].copy())


KeptRows = WeakKeyDictionary[Images, Sequence[_Rows]]
"""The sparse rows of images, chunk by chunk, for as long as those images are used."""


class StackPredictor(Predictor):
    """Predicts with a stack of dense layers.

    Of `governor` it has times of its own for images whose sparse rows are made first, and for
    those that have them.
    """

    def __init__(
        self,
        network: Network,
        parameters: Parameters,
        params: np.ndarray,
        governor: Governor,
        kept: KeptRows,
    ) -> None:
        stack = Stack.of(parameters)
        self._params, self._layers, self._kept = params, stack.layers, kept
        self._pieces, self._pieces_kept = governor.work(), governor.work()
        self._activation = ACTIVATIONS.index(network.denses[0].activation or "relu")
        self._of_pixels = dense_predict.predict(stack.is_plain)
        self._of_rows = dense_predict.sparse_predict(stack.is_plain)
        self._classes = network.classes
        features = network.denses[0].inputs
        self._work = aligned_zeros((_SHARDS, stack.workspace(_ROWS)))
        self._x = aligned_zeros((_SHARDS, _ROWS * int(self._layers[0, 0])))
        indices = np.zeros((_SHARDS, _ROWS * features + 1), index_type(features))
        indptr = np.zeros((_SHARDS, _ROWS, 2), np.int64)
        self._rows = _Rows(indptr, indices, np.zeros(indices.shape, np.float32))
        self._bounds, self._order = np.array([0, features]), np.arange(_ROWS)

    def prepare(self, images: np.ndarray) -> None:
        """See `Predictor`: one of the images goes the way of them all."""
        self._predict(images[:1], _are_sparse(images))

    def predict(self, images: np.ndarray) -> np.ndarray:
        """See `Predictor`."""
        return self._predict(images, _are_sparse(images))

    def keep(self, images: Images) -> Callable[[], np.ndarray]:
        """See `Predictor`: making sparse rows takes several times as long as the prediction."""
        pixels = as_rows(images.x)
        if not _are_sparse(pixels):
            return partial(self._predict, pixels, False)
        if pixels.size > _MOST_KEPT:
            return partial(self._predict, pixels, True)
        rows = self._kept.get(images)
        if rows is None:  # two threads may both make them: they are the same
            self._kept[images] = rows = self._all_rows(pixels)
        return partial(self._predict_kept, rows, pixels)

    def _all_rows(self, images: np.ndarray) -> Sequence[_Rows]:
        return [
            self._rows_of(images, start).copy()
            for _, first, last in shared_out(self._pieces, len(images), _CHUNK)
            for start in range(first, last, _CHUNK)
        ]

    def _predict(self, images: np.ndarray, sparsely: bool) -> np.ndarray:
        out = np.empty((len(images), self._classes), np.float32)
        scale, order = scale_of(images), np.arange(len(images))
        for _, first, last in shared_out(self._pieces, len(images), _CHUNK):
            if sparsely:
                for start in range(first, last, _CHUNK):
                    self._predict_chunk(self._rows_of(images, start), scale, out, start)
            else:
                self._of_pixels(
                    images[first:last], order, scale, self._params, self._layers,
                    self._activation, self._x, self._work, out[first:last],
                )  # fmt: skip
        return out

    def _predict_kept(self, kept: Sequence[_Rows], images: np.ndarray) -> np.ndarray:
        out = np.empty((len(images), self._classes), np.float32)
        for _, first, last in shared_out(self._pieces_kept, len(images), _CHUNK):
            for start in range(first, last, _CHUNK):
                self._predict_chunk(kept[start // _CHUNK], scale_of(images), out, start)
        return out

    def _rows_of(self, images: np.ndarray, start: int) -> _Rows:
        """The sparse rows of the chunk of images from `start` on, in the same arrays each time."""
        dense_predict.fill_shards(images[start : start + _CHUNK], self._bounds, *self._rows)
        return self._rows

    def _predict_chunk(self, rows: _Rows, scale: np.float32, out: np.ndarray, start: int) -> None:
        self._of_rows(
            *rows, self._bounds, self._order, scale, self._params, self._layers, self._activation,
            self._work, out[start : start + _CHUNK],
        )  # fmt: skip


def as_rows(images: np.ndarray) -> np.ndarray:
    """(n, height, width, channels) images as (n, pixels)."""
    return images.reshape(len(images), math.prod(images.shape[1:]))


def _are_sparse(images: np.ndarray) -> bool:
    """Whether (n, pixels) images are predicted from their sparse rows."""
    return len(images) > 0 and is_sparse(images)


class SequentialPredictor(Predictor):
    """Predicts with any network, block by block."""

    _CHUNK = 256
    """Images that are predicted at a time."""

    def __init__(
        self, network: Network, parameters: Parameters, params: np.ndarray, pieces: Pieces
    ) -> None:
        self._params, self._classes, self._pieces = params, network.classes, pieces
        self._sequential = Sequential(network, parameters, self._CHUNK)

    def prepare(self, images: np.ndarray) -> None:
        """See `Predictor`."""
        self.predict(images[:1])

    @np.errstate(all="ignore")  # a diverged network's probabilities are NaN, which says it all
    def predict(self, images: np.ndarray) -> np.ndarray:
        """See `Predictor`."""
        out = np.empty((len(images), self._classes), np.float32)
        for threads, first, last in shared_out(self._pieces, len(images), self._CHUNK):
            self._sequential.begin(threads, self._params)
            for start in range(first, last, self._CHUNK):
                batch = np.arange(start, min(start + self._CHUNK, last))
                out[batch] = self._predict_chunk(images, batch)
        return out

    def keep(self, images: Images) -> Callable[[], np.ndarray]:
        """See `Predictor`: nothing can be done once."""
        return partial(self.predict, as_rows(images.x))

    def _predict_chunk(self, images: np.ndarray, batch: np.ndarray) -> np.ndarray:
        network = self._sequential
        network.share_out()
        gather(images, batch, scale_of(images), network.input_layout, network.inputs)
        network.normalize(len(batch))
        x = network.inputs
        for block in network.blocks:
            network.share_out(block)
            x = block.predict(x, len(batch), self._params)
        logits = x[: len(batch) * network.last.layout.output.image].reshape(len(batch), -1)
        return _softmax(logits[:, : self._classes])


def _softmax(logits: np.ndarray) -> np.ndarray:
    # Not `loss.softmax`: NumPy's exponential rounds otherwise, and stored runs have its bits.
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
