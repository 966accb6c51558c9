"""Stacks of dense layers in memory: their parameters, their shards' work spaces, their images.

All layers' inputs and units are padded with zeros to whole vectors. A shard's work space, flat
float32, holds outputs on the way forward and gradients on the way back; each layer's gradient
replaces the outputs that it is of, which are not needed any more:

    forward     | outputs 1        | outputs 2        | logits           | z 1 | z 2 | panel |
    loss        | outputs 1        | outputs 2        | d loss / d z 3   | z 1 | z 2 | panel |
    backward 3  | outputs 1        | d loss / d z 2   | d loss / d z 3   | z 1 | z 2 | panel |
    backward 2  | d loss / d z 1   | d loss / d z 2   | d loss / d z 3   | z 1 | z 2 | panel |

A field has `tiled(images)` rows of the layer's units, padding counted. z are the products, with
the bias unless a norm follows. A plain stack, of ReLUs without norms, has no fields of z: the ReLU
is part of the products, and its slope is read off the outputs just before they are replaced. The
panel is room for the weights that `matrices` packs.
"""

from functools import cache
from typing import NamedTuple, Self

import numpy as np

from siffra.engine.native import matrices
from siffra.engine.native.grid import aligned_zeros
from siffra.engine.native.parameters import Parameters
from siffra.engine.native.sparse import SparseColumns, SparseRows
from siffra.system.jit import inline

INPUTS, UNITS, OUTPUTS, BEFORE, PRODUCTS, KERNEL, BIAS, SCALE, MEAN, VARIANCE = range(10)
"""What a row of `Net.layers` tells of a layer.

Its inputs and units, padding counted, and the units that are no padding; how many units' outputs
come before its own and before its products in a work space; where its kernel, its bias (or a
norm's shift) and a norm's scale, moving mean and moving variance start in the parameters.
"""
_SUMS, _NORMS = 6, 4
_PARALLEL_FROM = 4_000_000
"""Multiply-adds of a step from which two threads are worth waking."""


class Kind(NamedTuple):
    """What kernels are made for: what hidden layers do with their products."""

    activation: str
    is_normed: bool

    @classmethod
    def of(cls, parameters: Parameters) -> Self:
        """That of a stack with these parameters."""
        first = parameters.layouts[0]
        return cls(first.activation or "linear", first.batch_norm)

    @property
    def is_plain(self) -> bool:
        """Whether a ReLU is all: it is part of the products then."""
        return self == ("relu", False)


class Net(NamedTuple):
    """A stack of dense layers at work, shard by shard.

    Attributes:
        params: (parameters,) float32.
        layers: (layers, 10) int64, see `INPUTS` and what follows it.
        floor: float32, the least output of hidden layers' products: 0 in plain stacks, else -inf.
        work: (shards, workspace) float32, see above.
        grads: (shards, trained) float32, or (shards, 0) without training.
        widest: int, inputs or units of the widest layer.
        norms: (shards, 4, hidden units) float32, of norms: the scale and shift that make what is
            activated of z, and the two numbers that make z's gradient, see `dense_norm.undo_norm`.
        sums: (shards, 6, hidden units) float64, of norms: sums of z and of its square; of the
            norm's gradient and of that times z less its mean; that mean, and the inverse deviation.
        zeros: (widest,) float32, the bias of layers with a norm. This one and the two before are
            None without norms: what is handed on and on costs a small batch its time.
    """

    params: np.ndarray
    layers: np.ndarray
    floor: np.float32
    work: np.ndarray
    grads: np.ndarray
    widest: int
    norms: np.ndarray | None
    sums: np.ndarray | None
    zeros: np.ndarray | None

    @classmethod
    def of(
        cls, parameters: Parameters, params: np.ndarray, shards: int, rows: int, *, trains: bool
    ) -> Self:
        """With room for `shards` of `rows` images."""
        kind, layers = Kind.of(parameters), layers_of(parameters)
        widest, hidden = int(layers[:, : UNITS + 1].max()), int(layers[-1, BEFORE])
        units = hidden * (1 if kind.is_plain else 2) + int(layers[-1, UNITS])
        workspace = matrices.tiled(rows) * units + matrices.PANEL * widest
        return cls(
            params,
            layers,
            np.float32(0 if kind.is_plain else -np.inf),
            aligned_zeros((shards, workspace)),
            aligned_zeros((shards, parameters.trained if trains else 0)),
            widest,
            aligned_zeros((shards, _NORMS, hidden)) if kind.is_normed else None,
            np.zeros((shards, _SUMS, hidden)) if kind.is_normed else None,
            aligned_zeros((widest,)) if kind.is_normed else None,
        )


def layers_of(parameters: Parameters) -> np.ndarray:
    """The `Net.layers` of a stack with these parameters."""
    units = [layout.z.channels for layout in parameters.layouts]
    rows, before = [], 0
    for layout, slices in zip(parameters.layouts, parameters.slices, strict=True):
        is_last = len(rows) == len(units) - 1
        apart = 0 if is_last or Kind.of(parameters).is_plain else sum(units)
        places = (slices.kernel, slices.shift, slices.scale, slices.mean, slices.variance)
        sizes = layout.input.image, layout.z.channels, layout.outputs, before, before + apart
        rows.append((*sizes, *(each.start for each in places)))
        before += layout.z.channels
    return np.array(rows, np.int64)


def shards_of(parameters: Parameters, batch_size: int) -> int:
    """Into how many parts a batch is cut: decided by sizes alone, never by the machine."""
    layers = layers_of(parameters)
    work = 3 * batch_size * int((layers[:, INPUTS] * layers[:, UNITS]).sum())
    return 1 if work < _PARALLEL_FROM else 2


class Inputs(NamedTuple):
    """Images to go through, of which all pixels are multiplied, or those that are not 0.

    Attributes:
        images: (n, pixels) uint8 or float32; or SparseRows.
        order: (images,) int64, which of them.
        scale: float32, what a pixel's value is multiplied by.
        room: (shards, rows * inputs) float32, rows filled up to whole tiles, work space of the
            first layer's inputs; or SparseColumns, of its gradient.
    """

    images: np.ndarray | SparseRows
    order: np.ndarray
    scale: np.float32
    room: np.ndarray | SparseColumns


class Drops(NamedTuple):
    """What is drawn for some steps' dropout; `words` are none without it.

    Attributes:
        words: (numbers and a vector more,) uint32, layer after layer from the second on, of each
            (steps, batch size, inputs that are no padding). An input is left out if its word's
            upper 24 bits are below `below`.
        rows: Of a layer: steps times batch size.
        below: uint32.
        gain: float32, what the inputs that are left are multiplied by.
    """

    words: np.ndarray
    rows: int
    below: np.uint32
    gain: np.float32


NO_DROPS = Drops(np.zeros(0, np.uint32), 0, np.uint32(0), np.float32(1))


class Part(NamedTuple):
    """What a shard works with: arrays as in `Net`, but where an axis of shards is left out.

    Attributes:
        s: int, which shard it is.
        params: (parameters,) float32.
        layers: (layers, 10) int64.
        floor: float32.
        work: (workspace,) float32.
        grads: (trained,) float32.
        widest: int.
        norms: (4, hidden units) float32, or None.
        sums: (shards, 6, hidden units) float64, those of all shards, or None.
        zeros: (widest,) float32, or None.
    """

    s: int
    params: np.ndarray
    layers: np.ndarray
    floor: np.float32
    work: np.ndarray
    grads: np.ndarray
    widest: int
    norms: np.ndarray | None
    sums: np.ndarray | None
    zeros: np.ndarray | None


@cache
def part_of(is_normed: bool):
    """The kernel that finds what a shard works with."""

    @inline
    def run(net, s):
        """What shard `s` works with.

        Args:
            net: Net.
            s: int.
        """
        work, grads, norms = net.work[s], net.grads[s], None
        if is_normed:
            norms = net.norms[s]
        return Part(
            s, net.params, net.layers, net.floor, work, grads, net.widest, norms, net.sums,
            net.zeros,
        )  # fmt: skip

    return run


@inline
def outputs_of(part, i, rows):
    """Where in a work space for `rows` images layer `i`'s outputs start.

    Args:
        part: Part.
        i, rows: int.
    """
    return matrices.tiled(rows) * part.layers[i, BEFORE]


@inline
def products_of(part, i, rows):
    """Where in a work space for `rows` images layer `i`'s products start.

    Args:
        part: Part.
        i, rows: int.
    """
    return matrices.tiled(rows) * part.layers[i, PRODUCTS]


@inline
def panel_of(part):
    """The end of a work space, in which weights are packed.

    Args:
        part: Part.
    """
    return part.work[part.work.size - matrices.PANEL * part.widest :]
