"""The part of a layer that multiplies: its products, and the gradients of both their factors."""

import abc
from functools import cached_property

import numpy as np
from numba import config, prange

from siffra.engine.native import products, winograd
from siffra.engine.native.grid import GROUP, aligned_zeros
from siffra.engine.native.layers import InputGradient, LayerLayout
from siffra.engine.native.limits import check_count
from siffra.system.jit import parallel

_CONV_SHARDS = 8
"""Parts of a batch whose weight gradients are summed apart, and then added up in order."""
_MATRIX_SHARDS = 2
"""The same for BLAS, which does better in few large pieces."""


class Linear(abc.ABC):
    """From inputs and a kernel to z, for batches of at most `images` images.

    Arrays are flat and lie as the layer's grids say; `dz` as z does.
    """

    @abc.abstractmethod
    def forward(self, x: np.ndarray, images: int, kernel: np.ndarray, z: np.ndarray) -> None:
        """Fill `z` with the products of `images` inputs `x` and `kernel`."""

    @abc.abstractmethod
    def weight_gradient(self, x: np.ndarray, images: int, dz: np.ndarray, out: np.ndarray) -> None:
        """Fill `out` with the gradient of the kernel."""

    @abc.abstractmethod
    def input_gradient(
        self, images: int, dz: np.ndarray, kernel: np.ndarray, dx: np.ndarray
    ) -> None:
        """Fill `dx` with the gradient of the inputs; its border stays as it is."""


def make_linear(layout: LayerLayout, images: int) -> Linear:
    """What multiplies for `layout`."""
    if layout.by_winograd:
        return WinogradLinear(layout, images)
    return MatrixLinear(layout, images) if layout.by_matrix else ConvLinear(layout, images)


class ConvLinear(Linear):
    """A convolution or a narrow dense layer, by siffra's own kernels."""

    def __init__(self, layout: LayerLayout, images: int) -> None:
        self._layout, self._images = layout, images
        self._tap, self._reads, self._writes = layout.tap, layout.reads, layout.writes

    def forward(self, x: np.ndarray, images: int, kernel: np.ndarray, z: np.ndarray) -> None:
        """See `Linear`."""
        run = products.products(self._tap.together)
        run(x, images, self._tap, self._reads, self._writes, kernel, z)

    def weight_gradient(self, x: np.ndarray, images: int, dz: np.ndarray, out: np.ndarray) -> None:
        """See `Linear`."""
        tap = self._tap
        run = products.weight_gradient(tap.inputs, tap.together)
        run(x, images, tap, self._reads, self._writes, dz, self._shards)
        products.add_up(self._shards, tap, tap.inputs, tap.together, out)

    def input_gradient(
        self, images: int, dz: np.ndarray, kernel: np.ndarray, dx: np.ndarray
    ) -> None:
        """See `Linear`."""
        if not self._reaches_all:
            dx[: images * self._tap.image] = 0
        for step, turned in self._backward:
            products.pick(kernel, step.places, turned)
            run = products.products(step.tap.together)
            run(dz, images, step.tap, step.reads, step.writes, turned, dx)

    @cached_property
    def _shards(self) -> np.ndarray:
        shards = min(_CONV_SHARDS, self._images)
        return aligned_zeros((shards, products.gradient_room(self._tap)))

    @cached_property
    def _reaches_all(self) -> bool:
        """Whether every pixel of the input takes part in some product."""
        reached = sum(step.writes.size for step, _ in self._backward)
        return reached == GROUP * self._layout.input.pixels.size

    @cached_property
    def _backward(self) -> list[tuple[InputGradient, np.ndarray]]:
        """The products of a backward pass, and room for the kernel of each."""
        steps = self._layout.input_gradients()
        return [(step, aligned_zeros((step.places.size,))) for step in steps]


class WinogradLinear(Linear):
    """A convolution of 3 x 3 at every position, by fewer multiplications."""

    def __init__(self, layout: LayerLayout, images: int) -> None:
        self._layout, self._images = layout, images
        (top, _), (left, _) = layout.padding
        self._tiles = winograd.Tiles.of(layout.input, layout.z, top, left)
        self._weights = aligned_zeros((self._tiles.weights,))
        threads: int = config.NUMBA_NUM_THREADS  # pyright: ignore[reportAttributeAccessIssue]
        self._rooms = aligned_zeros((threads, self._tiles.room))

    def forward(self, x: np.ndarray, images: int, kernel: np.ndarray, z: np.ndarray) -> None:
        """See `Linear`."""
        self._multiply(x, images, self._tiles, kernel, z)

    def weight_gradient(self, x: np.ndarray, images: int, dz: np.ndarray, out: np.ndarray) -> None:
        """See `Linear`."""
        tiles = self._tiles
        inputs = winograd.inputs_together(tiles.together)
        run = winograd.weight_gradient(*inputs, tiles.together)
        run(x, images, tiles, dz, self._shards, self._rooms)
        winograd.add_up(self._shards, tiles, tiles.together, out)

    def input_gradient(
        self, images: int, dz: np.ndarray, kernel: np.ndarray, dx: np.ndarray
    ) -> None:
        """See `Linear`."""
        tiles, places, turned = self._backward
        products.pick(kernel, places, turned)
        self._multiply(dz, images, tiles, turned, dx)

    def _multiply(
        self, x: np.ndarray, images: int, tiles: winograd.Tiles, kernel: np.ndarray, z: np.ndarray
    ) -> None:
        winograd.transform(kernel, tiles, tiles.together, self._weights)
        winograd.products(tiles.together)(x, images, tiles, self._weights, z, self._rooms)

    @cached_property
    def _shards(self) -> np.ndarray:
        return aligned_zeros((min(_CONV_SHARDS, self._images), self._tiles.weights))

    @cached_property
    def _backward(self) -> tuple[winograd.Tiles, np.ndarray, np.ndarray]:
        """The tiles of a backward pass, where its kernel comes from, and room for that."""
        layout = self._layout
        (top, _), (left, _) = layout.padding
        (step,) = layout.input_gradients()
        tiles = winograd.Tiles.of(layout.z, layout.input, 2 - top, 2 - left)
        return tiles, step.places, aligned_zeros((step.places.size,))


class MatrixLinear(Linear):
    """A wide dense layer, by BLAS; its kernel is the matrix (inputs, outputs), row by row."""

    def __init__(self, layout: LayerLayout, images: int) -> None:
        self._inputs, self._units = layout.input.image, layout.z.channels
        check_count(self._inputs, "inputs of a dense layer", np.iinfo(np.int32).max)
        self._count = min(_MATRIX_SHARDS, images)

    def forward(self, x: np.ndarray, images: int, kernel: np.ndarray, z: np.ndarray) -> None:
        """See `Linear`."""
        _forward(*self._rows(images, x, z), self._matrix(kernel), self._count)

    def weight_gradient(self, x: np.ndarray, images: int, dz: np.ndarray, out: np.ndarray) -> None:
        """See `Linear`."""
        _weight_gradient(*self._rows(images, x, dz), self._shards)
        np.sum(self._shards, axis=0, out=self._matrix(out))

    def input_gradient(
        self, images: int, dz: np.ndarray, kernel: np.ndarray, dx: np.ndarray
    ) -> None:
        """See `Linear`."""
        _input_gradient(*self._rows(images, dx, dz), self._matrix(kernel), self._count)

    def _rows(self, images: int, x: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (
            x[: images * self._inputs].reshape(images, -1),
            z[: images * self._units].reshape(images, -1),
        )

    def _matrix(self, kernel: np.ndarray) -> np.ndarray:
        return kernel.reshape(self._inputs, self._units)

    @cached_property
    def _shards(self) -> np.ndarray:
        return np.zeros((self._count, self._inputs, self._units), np.float32)


@parallel
def _forward(x, z, kernel, shards):
    """Compute `z = x @ kernel`, in `shards` parts of the rows.

    Args:
        x: (images, inputs) float32.
        z: (images, units) float32.
        kernel: (inputs, units) float32.
        shards: int.
    """
    for s in prange(shards):
        # BLAS is held to one thread: its own would wait for ours. Rows of z are a thread's own.
        first, last = len(x) * s // shards, len(x) * (s + 1) // shards
        np.dot(x[first:last], kernel, z[first:last])


@parallel
def _weight_gradient(x, dz, shards):
    """Fill each shard with `x.T @ dz` over its part of the rows.

    Args:
        x: (images, inputs) float32.
        dz: (images, units) float32.
        shards: (shards, inputs, units) float32.
    """
    count = len(shards)
    for s in prange(count):
        first, last = len(x) * s // count, len(x) * (s + 1) // count
        np.dot(x[first:last].T, dz[first:last], shards[s])


@parallel
def _input_gradient(dx, dz, kernel, shards):
    """Compute `dx = dz @ kernel.T`, in `shards` parts of the rows.

    Args:
        dx: (images, inputs) float32.
        dz: (images, units) float32.
        kernel: (inputs, units) float32.
        shards: int.
    """
    for s in prange(shards):
        first, last = len(dx) * s // shards, len(dx) * (s + 1) // shards
        np.dot(dz[first:last], kernel.T, dx[first:last])
