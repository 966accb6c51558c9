"""Class probabilities of a stack of dense layers; work spaces are those of `dense`."""

import numpy as np
from numba import prange

from siffra.engine.native import sparse
from siffra.engine.native.dense import (
    forward_after_first,
    forward_first,
    matrix,
    sparse_forward_first,
)
from siffra.engine.native.loss import softmax
from siffra.engine.native.sparse import SparseRows
from siffra.system.jit import inline, noinline, parallel


@inline
def score_after_first(params, layers, work, out):
    """From the first layer's outputs, in `work`, to class probabilities.

    Args:
        params: (parameters,) float32.
        layers: (layers, 5) int64.
        work: (workspace,) float32.
        out: (images, classes) float32.
    """
    rows = out.shape[0]
    start = forward_after_first(rows, params, layers, work)
    softmax(matrix(work, start, rows, layers[-1, 1]), out)


@noinline
def predict_rows(images, order, first, last, scale, params, layers, x, work, out):
    """Class probabilities of images `order[first:last]`, into those rows of `out`.

    Args:
        images: (n, pixels) uint8 or float32.
        order: (n,) int64.
        first, last: int.
        scale: float32.
        params: (parameters,) float32.
        layers: (layers, 5) int64.
        x: (rows * inputs,) float32, work space.
        work: (workspace,) float32.
        out: (n, classes) float32.
    """
    forward_first(images, order, first, last, scale, params, layers, x, work)
    score_after_first(params, layers, work, out[first:last])


@parallel
def predict(images, order, scale, params, layers, x, work, out):
    """Class probabilities of `images`.

    Args:
        images: (n, pixels) uint8 or float32.
        order: (n,) int64: 0, 1, 2, ...
        scale: float32.
        params: (parameters,) float32.
        layers: (layers, 5) int64.
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
            predict_rows(images, order, first, last, scale, params, layers, x[s], work[s], out)


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


@noinline
def sparse_predict_rows(csr, order, rows, scale, params, layers, work, out):
    """Class probabilities of images `order[:rows]`, into `out`.

    Args:
        csr: SparseRows.
        order: (n,) int64.
        rows: int.
        scale: float32.
        params: (parameters,) float32.
        layers: (layers, 5) int64.
        work: (workspace,) float32.
        out: (rows, classes) float32.
    """
    sparse_forward_first(csr, order, 0, rows, scale, params, layers, work)
    score_after_first(params, layers, work, out)


@parallel
def sparse_predict(indptr, indices, data, bounds, order, scale, params, layers, work, out):
    """`predict` from what `fill_shards` made.

    Args:
        indptr: (shards, rows, 2) int64.
        indices: (shards, rows * pixels + 1) uint16 or uint32.
        data: (shards, rows * pixels + 1) float32.
        bounds: (2,) int64.
        order: (rows,) int64: 0, 1, 2, ...
        scale: float32.
        params: (parameters,) float32.
        layers: (layers, 5) int64.
        work: (shards, workspace) float32.
        out: (n, classes) float32.
    """
    shards, n = indptr.shape[0], out.shape[0]
    for shard in prange(shards):
        s = np.int64(shard)
        begin, end = n * s // shards, n * (s + 1) // shards
        csr = SparseRows(indptr[s], indices[s], data[s], bounds)
        sparse_predict_rows(csr, order, end - begin, scale, params, layers, work[s], out[begin:end])
