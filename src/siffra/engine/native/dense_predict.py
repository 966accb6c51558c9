"""Class probabilities of a stack of dense layers; work spaces are those of `dense`."""

from functools import cache

import numpy as np
from numba import prange

from siffra.engine.native import sparse
from siffra.engine.native.dense import floor, forward, forward_first, start_of
from siffra.engine.native.dense_norm import products_first, score, sparse_products_first
from siffra.engine.native.loss import softmax
from siffra.engine.native.sparse import SparseRows
from siffra.system.jit import inline, noinline, parallel


@inline
def score_plain(rows, params, layers, work):
    """From the first layer's outputs, in `work`, to the logits.

    Args:
        rows: int.
        params: (parameters,) float32.
        layers: (layers, 9) int64.
        work: (workspace,) float32.
    """
    for i in range(1, layers.shape[0]):
        forward(i, rows, params, layers, work)


@inline
def softmax_of(layers, work, out):
    """Fill `out` with the softmax of the logits in `work`.

    Args:
        layers: (layers, 9) int64.
        work: (workspace,) float32.
        out: (images, classes) float32.
    """
    rows, last = out.shape[0], layers.shape[0] - 1
    start, units = start_of(layers, rows, last), layers[last, 1]
    softmax(work[start : start + rows * units].reshape(rows, units), out)


def _predict_rows(is_plain: bool):
    """The kernel for some images' pixels."""

    @noinline
    def run(images, order, first, last, scale, params, layers, activation, x, work, out):
        """Class probabilities of images `order[first:last]`, into those rows of `out`.

        Args:
            images: (n, pixels) uint8 or float32.
            order: (n,) int64.
            first, last: int.
            scale: float32.
            params: (parameters,) float32.
            layers: (layers, 9) int64.
            activation: int.
            x: (rows * inputs,) float32, work space.
            work: (workspace,) float32.
            out: (n, classes) float32.
        """
        rows = last - first
        if is_plain:
            forward_first(
                images, order, first, last, scale, params, layers, params, layers[0, 3],
                floor(layers, 0), x, work, 0,
            )  # fmt: skip
            score_plain(rows, params, layers, work)
        else:
            products_first(images, order, first, last, scale, params, layers, x, work)
            score(activation, rows, params, layers, work)
        softmax_of(layers, work, out[first:last])

    return run


_rows_plain, _rows = _predict_rows(True), _predict_rows(False)


@cache
def predict(is_plain: bool):
    """The kernel for images' pixels."""

    @parallel
    def run(images, order, scale, params, layers, activation, x, work, out):
        """Class probabilities of `images`.

        Args:
            images: (n, pixels) uint8 or float32.
            order: (n,) int64: 0, 1, 2, ...
            scale: float32.
            params: (parameters,) float32.
            layers: (layers, 9) int64.
            activation: int, of hidden layers, by its number in `dense_norm.ACTIVATIONS`.
            x: (shards, rows * inputs) float32, work space.
            work: (shards, workspace) float32, for as many rows.
            out: (n, classes) float32.
        """
        shards = x.shape[0]
        n, most = images.shape[0], x.shape[1] // layers[0, 0]
        for shard in prange(shards):
            s = np.int64(shard)
            for first in range(n * s // shards, n * (s + 1) // shards, most):
                last = min(first + most, n * (s + 1) // shards)
                if is_plain:
                    _rows_plain(
                        images, order, first, last, scale, params, layers, activation, x[s],
                        work[s], out,
                    )  # fmt: skip
                else:
                    _rows(
                        images, order, first, last, scale, params, layers, activation, x[s],
                        work[s], out,
                    )  # fmt: skip

    return run


@parallel
def fill_shards(images, bounds, indptr, indices, data):
    """A `SparseRows` for each shard of `images`, which are split evenly.

    Args:
        images: (n, pixels) uint8 or float32.
        bounds: (2,) int64, of one block of all pixels.
        indptr: (shards, rows, 2) int64.
        indices: (shards, rows * pixels + 1) uint16 or uint32.
        data: (shards, rows * pixels + 1) float32.
    """
    shards, n = indptr.shape[0], images.shape[0]
    for s in prange(shards):
        first, last = n * s // shards, n * (s + 1) // shards
        sparse.fill(images[first:last], bounds, indptr[s], indices[s], data[s])


def _sparse_predict_rows(is_plain: bool):
    """The kernel for some images' sparse rows."""

    @noinline
    def run(csr, order, scale, params, layers, activation, work, out):
        """Class probabilities of the first images, into `out`.

        Args:
            csr: SparseRows.
            order: (n,) int64: 0, 1, 2, ...
            scale: float32.
            params: (parameters,) float32.
            layers: (layers, 9) int64.
            activation: int.
            work: (workspace,) float32.
            out: (rows, classes) float32.
        """
        rows = out.shape[0]
        if is_plain:
            sparse.forward(
                csr, order, 0, rows, scale, params, layers[0, 1], params, layers[0, 3],
                floor(layers, 0), work,
            )  # fmt: skip
            score_plain(rows, params, layers, work)
        else:
            sparse_products_first(csr, order, 0, rows, scale, params, layers, work)
            score(activation, rows, params, layers, work)
        softmax_of(layers, work, out)

    return run


_sparse_rows_plain, _sparse_rows = _sparse_predict_rows(True), _sparse_predict_rows(False)


@cache
def sparse_predict(is_plain: bool):
    """The kernel for images' sparse rows."""

    @parallel
    def run(indptr, indices, data, bounds, order, scale, params, layers, activation, work, out):
        """Class probabilities from what `fill_shards` made.

        Args:
            indptr: (shards, rows, 2) int64.
            indices: (shards, rows * pixels + 1) uint16 or uint32.
            data: (shards, rows * pixels + 1) float32.
            bounds: (2,) int64.
            order: (rows,) int64: 0, 1, 2, ...
            scale: float32.
            params: (parameters,) float32.
            layers: (layers, 9) int64.
            activation: int, of hidden layers, by its number in `dense_norm.ACTIVATIONS`.
            work: (shards, workspace) float32.
            out: (n, classes) float32.
        """
        shards, n = indptr.shape[0], out.shape[0]
        for shard in prange(shards):
            s = np.int64(shard)
            own = out[n * s // shards : n * (s + 1) // shards]
            csr = SparseRows(indptr[s], indices[s], data[s], bounds)
            if is_plain:
                _sparse_rows_plain(csr, order, scale, params, layers, activation, work[s], own)
            else:
                _sparse_rows(csr, order, scale, params, layers, activation, work[s], own)

    return run
