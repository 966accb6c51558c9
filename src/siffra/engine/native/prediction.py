"""Class probabilities from a network's parameters; what that needs is allocated once."""

import abc
import math
from collections.abc import Callable
from functools import partial
from weakref import WeakKeyDictionary

import numpy as np

from siffra.data.dataset import Images
from siffra.engine.governor import Governor, Pieces, shared_out
from siffra.engine.native import dense_predict
from siffra.engine.native.dense import NO_DROPS, Inputs, Kind, Net
from siffra.engine.native.gather import gather, scale_of
from siffra.engine.native.grid import aligned_zeros
from siffra.engine.native.parameters import Parameters
from siffra.engine.native.sequential import Sequential
from siffra.engine.native.sparse import SparseColumns, SparseRows, index_type, is_sparse
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


KeptRows = WeakKeyDictionary[Images, SparseRows]
"""The sparse rows of images, for as long as those images are used."""


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
        kind, self._kept = Kind.of(parameters), kept
        self._pieces, self._pieces_kept = governor.work(), governor.work()
        self._of_pixels = dense_predict.predict(kind, False)
        self._of_rows = dense_predict.predict(kind, True)
        self._net = Net.of(parameters, params, _SHARDS, _ROWS, trains=False)
        self._classes, features = network.classes, network.denses[0].inputs
        self._x = aligned_zeros((_SHARDS, _ROWS * parameters.layouts[0].input.image))
        entries = _CHUNK * features + _SHARDS  # of each shard one more than it has pixels
        self._rows = SparseRows(
            np.zeros((_CHUNK, 2), np.int64),
            np.zeros(entries, index_type(features)),
            np.zeros(entries, np.float32),
            np.array([0, features]),
        )
        self._columns = SparseColumns.room_for(0, np.float32)

    def prepare(self, images: np.ndarray) -> None:
        """See `Predictor`: one of the images goes the way of all, and of those kept."""
        sparsely = _are_sparse(images)
        self._predict(images[:1], sparsely)
        if sparsely:
            SparseRows.of(images[:1], np.float32)

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
            self._kept[images] = rows = SparseRows.of(pixels, np.float32)
        return partial(self._predict_kept, rows, scale_of(pixels))

    def _predict(self, images: np.ndarray, sparsely: bool) -> np.ndarray:
        out, scale = np.empty((len(images), self._classes), np.float32), scale_of(images)
        for _, first, last in shared_out(self._pieces, len(images), _CHUNK):
            if sparsely:
                for start in range(first, last, _CHUNK):
                    end = min(start + _CHUNK, last)
                    dense_predict.fill_rows(images[start:end], _SHARDS, self._rows)
                    self._predict_rows(self._rows, scale, out[start:end])
            else:
                inputs = Inputs(images[first:last], np.arange(last - first), scale, self._x)
                self._of_pixels(*inputs, _ROWS, NO_DROPS, self._net, out[first:last])
        return out

    def _predict_kept(self, kept: SparseRows, scale: np.float32) -> np.ndarray:
        out = np.empty((len(kept.indptr), self._classes), np.float32)
        for _, first, last in shared_out(self._pieces_kept, len(out), _CHUNK):
            rows = kept._replace(indptr=kept.indptr[first:last])
            self._predict_rows(rows, scale, out[first:last])
        return out

    def _predict_rows(self, rows: SparseRows, scale: np.float32, out: np.ndarray) -> None:
        inputs = Inputs(rows, np.arange(len(out)), scale, self._columns)
        self._of_rows(*inputs, _ROWS, NO_DROPS, self._net, out)


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
