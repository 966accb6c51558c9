"""Layers that go step by step: products, batch norm, activation, pooling; and the last one."""

from functools import cached_property

import numpy as np

from siffra.config import Training
from siffra.engine.native import pointwise
from siffra.engine.native.block import Block
from siffra.engine.native.grid import aligned_zeros
from siffra.engine.native.layers import LayerLayout
from siffra.engine.native.limits import EXACT, number_type
from siffra.engine.native.linear import make_linear
from siffra.engine.native.loss import smoothed_cross_entropy, squared_error
from siffra.engine.native.parameters import LayerSlices
from siffra.engine.network import NORM_EPSILON, NORM_MOMENTUM


class UnfusedBlock(Block):
    """Any layer, over batches of at most `images` images; its output has room for `slack` more."""

    def __init__(self, layout: LayerLayout, slices: LayerSlices, images: int, slack: int) -> None:
        super().__init__(layout)
        self._slices, self._images = slices, images
        self._linear = make_linear(layout, images)
        self._members, self._places = layout.members, layout.output.pixels
        self._tables = self._members, self._places, layout.dropped
        self._positions = layout.z.pixels
        (tall, wide), out = layout.window, layout.output
        self._sizes = layout.z.image, out.image, tall * wide
        self._activate = pointwise.forward(layout.activation, layout.largest)
        self._z = layout.z.batch(images)
        self._out = out.batch(images, slack)
        small = number_type(
            tall * wide, "positions of a pooling window", np.uint8, np.uint16, np.uint32, most=EXACT
        )
        self._choices = np.zeros(images * self._places.size * out.channels, small)
        self._normed = aligned_zeros((3, out.channels))
        self._scale, self._shift, _ = self._normed
        self._scale[:] = 1
        self._mean = np.zeros(out.channels)
        self._inverse = np.ones(out.channels)
        self._x = self._out  # the inputs of the batch that `backward` was given
        self._dz = self._z  # in its place, since it comes when z is needed no more

    def predict(self, x: np.ndarray, images: int, params: np.ndarray) -> np.ndarray:
        """See `Block`."""
        slices = self._slices
        self._linear.forward(x, images, params[slices.kernel], self._z)
        self._shift[:] = params[slices.shift]
        if self.layout.batch_norm:
            self._norm(params, params[slices.mean], params[slices.variance])
        return self._outputs(images)

    def forward(self, x: np.ndarray, images: int, params: np.ndarray) -> np.ndarray:
        """See `Block`."""
        slices = self._slices
        self._linear.forward(x, images, params[slices.kernel], self._z)
        self._shift[:] = params[slices.shift]
        if self.layout.batch_norm:
            mean, variance = self._moments(images)
            for where, new in ((slices.mean, mean), (slices.variance, variance)):
                params[where] = NORM_MOMENTUM * params[where] + (1 - NORM_MOMENTUM) * new
            self._norm(params, mean, variance)
        return self._outputs(images)

    def backward(
        self,
        x: np.ndarray,
        images: int,
        gradient: np.ndarray,
        params: np.ndarray,
        grads: np.ndarray,
    ) -> None:
        """See `Block`."""
        slices = self._slices
        # A batch norm's gradient needs the sums first: two passes over z, the second of which
        # leaves its gradient in its place.
        self._slopes(images, gradient, self._plain, not self.layout.batch_norm)
        slopes, products = self._summed(images)
        grads[slices.shift] = slopes
        if self.layout.batch_norm:
            grads[slices.scale] = products * self._inverse
            self._slopes(images, gradient, self._terms(images, slopes, products), True)
        self._linear.weight_gradient(x, images, self._dz, grads[slices.kernel])
        self._x = x

    def input_gradient(self, images: int, gradient: np.ndarray, params: np.ndarray) -> np.ndarray:
        """See `Block`; it takes the place of the inputs, which are needed no more."""
        self._linear.input_gradient(images, self._dz, params[self._slices.kernel], self._x)
        return self._x

    def _moments(self, images: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean and biased variance of every channel of z, float64."""
        positions, z = self._positions, self.layout.z
        pointwise.moments(self._z, images, z.image, positions, z.channels, *self._sums)
        mean, square = self._summed(images) / (images * positions.size)
        return mean, np.maximum(square - mean**2, 0)

    def _norm(self, params: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> None:
        """Make `scale` and `shift` such that u = gamma * (z - mean) / deviation + beta."""
        self._mean[:] = self._normed[2] = mean
        self._inverse[:] = 1 / np.sqrt(variance.astype(np.float64) + NORM_EPSILON)
        scale = params[self._slices.scale] * self._inverse
        self._scale[:] = scale
        self._shift[:] = params[self._slices.shift] - self._mean * scale

    def _outputs(self, images: int) -> np.ndarray:
        if self.layout.activation == "sigmoid":
            # Of 0 it is a half, and padding has to stay 0 for the next layer's weights' sake.
            self._shift[self.layout.outputs :] = -np.inf
        self._activate(
            self._z, images, self._sizes, self._members, self._places, self._scale, self._shift,
            self._out, self._choices,
        )  # fmt: skip
        return self._out

    def _slopes(self, images: int, gradient: np.ndarray, terms: np.ndarray, writes: bool) -> None:
        """See `pointwise.backward`; a pass that `writes` leaves the gradient of z behind."""
        run = pointwise.backward(self.layout.activation, self.layout.largest)
        run(
            self._z, images, self._sizes, self._tables, self._normed, gradient, self._choices,
            terms, writes, *self._sums,
        )  # fmt: skip

    def _terms(self, images: int, slopes: np.ndarray, products: np.ndarray) -> np.ndarray:
        """What makes the gradient of z out of that of the normed values: a, b and c.

        `slopes` and `products` are the sums over images and positions of that gradient, and of
        it times z less its mean. Source: Ioffe & Szegedy 2015, section 3, z's terms gathered.
        """
        count = images * self._positions.size
        a = self._scale.astype(np.float64)
        b = -a * self._inverse**2 * products / count
        c = -a * slopes / count - b * self._mean
        return np.stack([a, b, c], out=self._of_norm, casting="same_kind")

    def _summed(self, images: int) -> np.ndarray:
        for rows, total in zip(self._sums, self._totals, strict=True):
            pointwise.column_sums(rows, images, total)
        return self._totals

    @cached_property
    def _sums(self) -> np.ndarray:
        return aligned_zeros((2, self._images, self.layout.z.channels))

    @cached_property
    def _totals(self) -> np.ndarray:
        return np.zeros((2, self.layout.z.channels))

    @cached_property
    def _plain(self) -> np.ndarray:
        """The terms with which a gradient stays as it is."""
        terms = aligned_zeros((3, self.layout.z.channels))
        terms[0] = 1
        return terms

    @cached_property
    def _of_norm(self) -> np.ndarray:
        """Room for the terms of a batch norm."""
        return aligned_zeros((3, self.layout.z.channels))


class OutputBlock(UnfusedBlock):
    """The layer whose outputs are logits, with softmax and loss at its end."""

    def __init__(self, layout: LayerLayout, slices: LayerSlices, images: int, slack: int) -> None:
        super().__init__(layout, slices, images, slack)
        self._dz = layout.z.batch(images)

    def learn(
        self,
        x: np.ndarray,
        labels: np.ndarray,
        training: Training,
        params: np.ndarray,
        grads: np.ndarray,
    ) -> tuple[float, int]:
        """Summed loss and correct answers on a batch with these `labels`.

        Fills this layer's part of `grads`; `input_gradient` may be asked for afterwards.
        """
        images, slices = len(labels), self._slices
        self._linear.forward(x, images, params[slices.kernel], self._z)
        answers = self._z, self.layout.outputs, params[slices.shift], labels
        filled = self._dz, self._losses, self._correct
        if training.loss == "mean_squared_error":
            squared_error(*answers, *filled)
        else:
            smoothed_cross_entropy(*answers, training.label_smoothing, *filled)
        rows = self._dz[: images * self.layout.z.channels].reshape(images, -1)
        pointwise.column_sums(rows, images, self._totals[0])
        grads[slices.shift] = self._totals[0]
        self._linear.weight_gradient(x, images, self._dz, grads[slices.kernel])
        self._x = x
        return float(self._losses[:images].sum()), int(self._correct[:images].sum())

    @cached_property
    def _losses(self) -> np.ndarray:
        return np.zeros(self._images)

    @cached_property
    def _correct(self) -> np.ndarray:
        return np.zeros(self._images, np.int64)
