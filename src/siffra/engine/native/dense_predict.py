"""Class probabilities of a stack of dense layers."""

from functools import cache

import numpy as np
from numba import prange

from siffra.engine.native import sparse
from siffra.engine.native.dense import UNITS, Kind, outputs_of, part_of
from siffra.engine.native.dense_layer import first_forward, forward
from siffra.engine.native.loss import softmax
from siffra.system.jit import noinline, parallel


@cache
def _predict_some(kind: Kind, is_sparse: bool):
    """The kernel for as many images as a work space has room for."""
    view = part_of(kind.is_normed)
    from_images, there = first_forward(is_sparse, kind.is_normed), forward(kind)

    @noinline
    def run(s, first, last, images, order, scale, room, drops, net, out):
        """Fill `out` with the class probabilities of images `order[first:last]`.

        Args:
            s, first, last: int, the shard and its images.
            images: array or SparseRows, see `Inputs`.
            order: (images,) int64.
            scale: float32.
            room: array or SparseColumns.
            drops: Drops, none.
            net: Net.
            out: (last - first, classes) float32.
        """
        part, rows, top = view(net, s), last - first, net.layers.shape[0] - 1
        from_images(first, last, images, order, scale, room, part)
        for i in range(1, top + 1):
            there(i, rows, first, 0, drops, part)
        start, units = outputs_of(part, top, rows), net.layers[top, UNITS]
        softmax(part.work[start : start + rows * units].reshape(rows, units), out)

    return run


@cache
def predict(kind: Kind, is_sparse: bool):
    """The kernel for many images."""
    predict_some = _predict_some(kind, is_sparse)

    @parallel
    def run(images, order, scale, room, most, drops, net, out):
        """Fill `out` with the class probabilities of images `order`.

        Args:
            images: array or SparseRows, see `Inputs`.
            order: (n,) int64.
            scale: float32.
            room: array or SparseColumns.
            most: int, images that a work space has room for.
            drops: Drops, none.
            net: Net.
            out: (n, classes) float32.
        """
        shards, n = net.work.shape[0], out.shape[0]
        for shard in prange(shards):
            s = np.int64(shard)
            end = n * (s + 1) // shards
            for first in range(n * s // shards, end, most):
                last = min(first + most, end)
                predict_some(
                    s, first, last, images, order, scale, room, drops, net, out[first:last]
                )

    return run


@parallel
def fill_rows(images, shards, rows):
    """Fill `rows`, whose lists have room for as many entries as there are pixels.

    Args:
        images: (n, pixels) uint8 or float32.
        shards: int, parts of the images; each has as large a part of the lists.
        rows: SparseRows, of one block of all pixels.
    """
    n, room = images.shape[0], rows.indices.size // shards
    for shard in prange(shards):
        s = np.int64(shard)
        first, last = n * s // shards, n * (s + 1) // shards
        sparse.fill(
            images[first:last], rows.bounds, rows.indptr[first:last], rows.indices, rows.data,
            s * room,
        )  # fmt: skip
