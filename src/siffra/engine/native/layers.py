"""A layer as the kernels see it: grids, taps and tables, worked out once from its sizes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from siffra.config.model import Activation, ConvModel
from siffra.engine.native.conv import LANES, padded, stored_channels
from siffra.engine.native.grid import Grid, in_group
from siffra.engine.native.products import Tap
from siffra.engine.network import Conv, Dense, Network

Sides = tuple[int, int]

_NARROW = 32
"""Units up to which a dense layer is faster by siffra's kernels than by BLAS."""


@dataclass(frozen=True, slots=True)
class LayerLayout:
    """One layer of a network: what it reads, where it is applied, what it leaves.

    `input` and `output` are grids of activations, `z` is that of the products, with a border as
    wide as the input's gradient needs. An output has `inputs` weights, padding not counted, and
    a position `outputs` of those. A dense layer is a convolution over an image of one
    pixel, of which all that came before is a channel; if it is wide, its kernel is kept as a
    plain matrix (`by_matrix`), for BLAS.
    """

    name: str
    inputs: int
    outputs: int
    input: Grid
    z: Grid
    output: Grid
    kernel_size: int
    strides: int
    padding: tuple[Sides, Sides]
    window: Sides
    largest: bool
    activation: Activation | None
    batch_norm: bool
    by_matrix: bool
    by_winograd: bool

    @property
    def tap(self) -> Tap:
        """What the forward products read."""
        return Tap(
            image=self.input.image,
            step=self.input.row,
            rows=self.kernel_size,
            row=self.kernel_size * self.input.channels,
            out=self.z.image,
            filters=self.z.channels,
        )

    @property
    def reads(self) -> np.ndarray:
        """Where each position starts to read, in a group of input images."""
        rows = np.arange(self.z.rows) * self.strides - self.padding[0][0]
        columns = np.arange(self.z.columns) * self.strides - self.padding[1][0]
        return in_group(self.input.offsets(rows, columns), self.input.image)

    @property
    def writes(self) -> np.ndarray:
        """Where each position's products go, in a group of images of z."""
        return in_group(self.z.pixels, self.z.image)

    @property
    def members(self) -> np.ndarray:
        """Where each pooling window's positions are in an image of z, window by window."""
        (tall, wide), out = self.window, self.output
        rows = np.arange(out.rows * tall)
        columns = np.arange(out.columns * wide)
        offsets = self.z.offsets(rows, columns).reshape(out.rows, tall, out.columns, wide)
        return offsets.transpose(0, 2, 1, 3).reshape(-1)

    @property
    def dropped(self) -> np.ndarray:
        """The positions that fill no whole window."""
        return np.setdiff1d(self.z.pixels, self.members)

    @property
    def multiplications(self) -> int:
        """Multiply-adds of one image's forward pass."""
        return self.tap.size * self.z.pixels.size

    def input_gradients(self) -> Iterator["InputGradient"]:
        """The products that give the input's gradient, one for each remainder by the strides."""
        for down in _phases(self.input.rows, self.padding[0][0], self.kernel_size, self.strides):
            for across in _phases(
                self.input.columns, self.padding[1][0], self.kernel_size, self.strides
            ):
                if down.taps.size and across.taps.size and down.pixels.size and across.pixels.size:
                    yield self._input_gradient(down, across)

    def _input_gradient(self, down: "_Phase", across: "_Phase") -> "InputGradient":
        tap = Tap(
            image=self.z.image,
            step=self.z.row,
            rows=down.taps.size,
            row=across.taps.size * self.z.channels,
            out=self.input.image,
            filters=self.input.channels,
        )
        reads = in_group(self.z.offsets(down.first, across.first), self.z.image)
        writes = in_group(self.input.offsets(down.pixels, across.pixels), self.input.image)
        # (block of inputs, row, column, filter, input): the kernel turned about, and transposed.
        inputs = self.input.channels
        block, row, column, f, lane = np.ogrid[
            : inputs // LANES,
            : down.taps.size,
            : across.taps.size,
            : self.z.channels,
            :LANES,
        ]
        i, j = down.taps[row], across.taps[column]
        weight = (i * self.kernel_size + j) * inputs + block * LANES + lane
        size = self.kernel_size**2 * inputs
        places = (f // LANES * size + weight) * LANES + f % LANES
        return InputGradient(tap, reads, writes, places.reshape(-1))

    def as_matrix(self, kernel: np.ndarray) -> np.ndarray:
        """The flat kernel as a matrix of inputs by outputs, padding included."""
        if self.by_matrix:
            return kernel.reshape(-1, self.z.channels)
        blocks = kernel.reshape(self.z.channels // LANES, -1, LANES)
        return blocks.transpose(1, 0, 2).reshape(blocks.shape[1], -1)

    def as_kernel(self, matrix: np.ndarray) -> np.ndarray:
        """`as_matrix` undone."""
        if self.by_matrix:
            return matrix.reshape(-1)
        blocks = matrix.reshape(len(matrix), -1, LANES)
        return blocks.transpose(1, 0, 2).reshape(-1)

    def kernel_offsets(self, channels: np.ndarray, filters: int) -> np.ndarray:
        """Where Keras' (row, column, channel, filter) are in the flat kernel.

        `channels` are those of the input grid's channels that are no padding.
        """
        if self.by_matrix:
            return channels[:, None] * self.z.channels + np.arange(filters)
        side = self.kernel_size
        i, j, c, f = np.ogrid[:side, :side, : len(channels), :filters]
        weight = (i * side + j) * self.input.channels + channels[c]
        size = side**2 * self.input.channels
        return (f // LANES * size + weight) * LANES + f % LANES


class InputGradient(NamedTuple):
    """Products of z's gradient that give some pixels of the input's.

    The kernel for them is `kernel[places]` of the layer's own.
    """

    tap: Tap
    reads: np.ndarray
    writes: np.ndarray
    places: np.ndarray


class _Phase(NamedTuple):
    """Along one side: `pixels` of the input that the kernel's `taps` reach from some position.

    The positions of a pixel start at `first`, in the order of the taps.
    """

    pixels: np.ndarray
    taps: np.ndarray
    first: np.ndarray


def _phases(side: int, before: int, kernel_size: int, strides: int) -> Iterator[_Phase]:
    """Pixels by their remainder by `strides`, `before` zeros in front of them counted in.

    Pixel y takes part in position p by tap t wherever p * strides + t = y + before.
    """
    pixels = np.arange(side)
    for phase in range(strides):
        of_phase = pixels[(pixels + before) % strides == phase]
        taps = np.arange(phase, kernel_size, strides)[::-1]
        last = (of_phase + before - phase) // strides
        yield _Phase(of_phase, taps, last - (taps.size - 1))


def layer_layouts(network: Network, *, as_stack: bool = False) -> list[LayerLayout]:
    """The layouts of the layers of `network`, from the image on.

    `as_stack`: all are dense; kernels are matrices whose inputs and units are whole vectors.
    """
    layouts: list[LayerLayout] = []
    layers = network.layers
    for layer, following in zip(layers, (*layers[1:], None), strict=True):
        first = not layouts
        if isinstance(layer, Conv):
            layouts.append(_conv_layout(layer, following))
        else:
            channels = layer.inputs if first else layouts[-1].output.image
            layouts.append(
                _dense_layout(
                    layer,
                    channels=padded(channels) if as_stack else channels,
                    by_matrix=as_stack or padded(layer.units) > _NARROW,
                )
            )
    return layouts


def _suits_winograd(kernel_size: int, strides: int) -> bool:
    """Whether a convolution after the first, if not fused, is by `siffra.engine.native.winograd`.

    It is faster at all sizes that were tried, from 16 channels on, which all but images have.
    """
    return kernel_size == 3 and strides == 1


def has_winograd(model: ConvModel) -> bool:
    """Whether a network of `model` has such a convolution."""
    is_plain = model.padding == "valid" and model.activation == "relu" and not model.batch_norm
    pools_few = model.pooling == "max" and model.global_pooling == "none"
    later = zip(model.kernel_size[1:], model.strides[1:], model.pool_size[1:], strict=True)
    return any(
        _suits_winograd(kernel_size, strides) and not (is_plain and pools_few and pool <= 2)
        for kernel_size, strides, pool in later
    )


def _conv_layout(conv: Conv, following: Conv | Dense | None) -> LayerLayout:
    rows, columns = conv.positions
    height, width, _ = conv.input
    (top, bottom), (left, right) = conv.padding
    down = _reach(height, conv.padding[0][0], conv, rows)
    across = _reach(width, conv.padding[1][0], conv, columns)
    filters = padded(conv.filters)
    out_rows, out_columns, _ = conv.output
    border = following.padding if isinstance(following, Conv) else ((0, 0), (0, 0))
    return LayerLayout(
        name=conv.name,
        inputs=conv.fans[0],
        outputs=conv.filters,
        input=Grid(height, width, stored_channels(conv), top, bottom, left, right),
        z=Grid(rows, columns, filters, *down, *across),
        output=Grid(out_rows, out_columns, filters, *border[0], *border[1]),
        kernel_size=conv.kernel_size,
        strides=conv.strides,
        padding=conv.padding,
        window=conv.window,
        largest=conv.pooling == "max",
        activation=conv.activation,
        batch_norm=conv.batch_norm,
        by_matrix=False,
        by_winograd=_suits_winograd(conv.kernel_size, conv.strides) and not conv.reads_image,
    )


def _dense_layout(dense: Dense, *, channels: int, by_matrix: bool) -> LayerLayout:
    units = Grid(1, 1, padded(dense.units))
    return LayerLayout(
        name=dense.name,
        inputs=dense.inputs,
        outputs=dense.units,
        input=Grid(1, 1, channels),
        z=units,
        output=units,
        kernel_size=1,
        strides=1,
        padding=((0, 0), (0, 0)),
        window=(1, 1),
        largest=True,
        activation=dense.activation,
        batch_norm=dense.batch_norm,
        by_matrix=by_matrix,
        by_winograd=False,
    )


def _reach(side: int, before: int, conv: Conv, positions: int) -> Sides:
    """How far outside its positions z is read for the input's gradient: before and after."""
    phases = [p for p in _phases(side, before, conv.kernel_size, conv.strides) if p.pixels.size]
    lowest = min(int(p.first.min()) for p in phases)
    highest = max(int(p.first.max()) + p.taps.size - 1 for p in phases)
    return max(-lowest, 0), max(highest - (positions - 1), 0)
