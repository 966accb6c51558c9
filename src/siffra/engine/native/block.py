"""A layer at work on batches: products, batch norm, activation and pooling, there and back."""

import numpy as np

from siffra.engine.native import pointwise, products
from siffra.engine.native.part import Part
from siffra.engine.native.placement import Place
from siffra.network import NORM_EPSILON, NORM_MOMENTUM

_SHARDS = 8
"""Parts of a batch whose weight gradients are summed apart, and then added up in order."""


class Block:
    """One layer over batches of at most `images` images, for prediction.

    Activations are flat and lie as the part's grids say. What a method returns is a buffer that
    the next call overwrites.
    """

    def __init__(self, part: Part, place: Place, images: int) -> None:
        self.part, self._place = part, place
        self._tap, self._at, self._to = part.tap, part.at, part.to
        self._members, self._places = part.members, part.output.pixels
        (tall, wide), out = part.window, part.output
        self._sizes = part.z.image, out.image, tall * wide
        code = pointwise.ACTIVATIONS[part.activation]
        self._activate = pointwise.forward(code, part.largest)
        self._z = part.z.batch(images)
        self._out = out.batch(images)
        windows = out.rows * out.columns
        small = np.uint8 if tall * wide <= 256 else np.uint16
        self._choices = np.zeros(images * windows * out.channels, small)

    def predict(self, x: np.ndarray, images: int, params: np.ndarray) -> np.ndarray:
        """The outputs for `images` inputs `x`, normalised as training left it."""
        place = self._place
        self._products(x, images, params)
        if self.part.batch_norm:
            variance = params[place.variance].astype(np.float64)
            scale = params[place.scale] / np.sqrt(variance + NORM_EPSILON)
            shift = params[place.shift] - params[place.mean] * scale
        else:
            scale, shift = np.ones(self.part.z.channels), params[place.shift]
        return self._outputs(images, scale, shift)

    def _products(self, x: np.ndarray, images: int, params: np.ndarray) -> None:
        kernel = params[self._place.kernel]
        products.products(x, images, self._tap, self._at, self._to, kernel, self._z)

    def _outputs(self, images: int, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
        self._scale, self._shift = scale.astype(np.float32), shift.astype(np.float32)
        self._activate(
            self._z, images, self._sizes, self._members, self._places, self._scale, self._shift,
            self._out, self._choices,
        )  # fmt: skip
        return self._out


class TrainedBlock(Block):
    """A layer that can go backward, too; `forward` must have been on the same batch."""

    def __init__(self, part: Part, place: Place, images: int, *, first: bool) -> None:
        super().__init__(part, place, images)
        channels = part.z.channels
        code = pointwise.ACTIVATIONS[part.activation]
        self._slopes = pointwise.slopes(code, part.largest)
        self._positions = part.z.pixels
        self._dropped = part.dropped
        self._du = part.z.batch(images)
        self._sums = np.zeros((2, images, channels), np.float32)
        self._totals = np.zeros((2, channels))
        self._mean = np.zeros(channels)
        self._inverse = np.ones(channels)
        self._inputs = products.inputs_at_once(self._tap)
        self._weight_gradient = products.weight_gradient(self._inputs)
        shards = min(_SHARDS, images)
        self._shards = np.zeros((shards, products.gradient_room(self._tap)), np.float32)
        self._backward = [] if first else list(part.input_gradients())
        self._kernels = [np.zeros(step.tap.size, np.float32) for step in self._backward]
        self._dx = part.input.batch(0 if first else images)

    def forward(self, x: np.ndarray, images: int, params: np.ndarray) -> np.ndarray:
        """The outputs for `images` inputs `x`, normalised over them; moving averages move."""
        place = self._place
        self._products(x, images, params)
        if not self.part.batch_norm:
            return self._outputs(images, np.ones(self.part.z.channels), params[place.shift])
        positions = self._positions
        pointwise.moments(
            self._z, images, self.part.z.image, positions, self.part.z.channels, *self._sums
        )
        sums, squares = self._summed(images) / (images * positions.size)
        self._mean[:] = sums
        variance = np.maximum(squares - sums**2, 0)
        self._inverse = 1 / np.sqrt(variance + NORM_EPSILON)
        for where, new in ((place.mean, sums), (place.variance, variance)):
            params[where] = NORM_MOMENTUM * params[where] + (1 - NORM_MOMENTUM) * new
        scale = params[place.scale] * self._inverse
        return self._outputs(images, scale, params[place.shift] - sums * scale)

    def backward(
        self,
        x: np.ndarray,
        images: int,
        gradient: np.ndarray,
        params: np.ndarray,
        grads: np.ndarray,
    ) -> np.ndarray:
        """Fill this layer's part of `grads` from its outputs' `gradient`; the inputs' gradient."""
        part, place = self.part, self._place
        for offset in self._dropped:
            self._clear(images, offset)
        self._slopes(
            self._z, images, self._sizes, self._members, self._places, self._scale, self._shift,
            self._mean.astype(np.float32), gradient, self._choices, self._du, *self._sums,
        )  # fmt: skip
        sums, products_ = self._summed(images)
        grads[place.shift] = sums
        if part.batch_norm:
            grads[place.scale] = products_ * self._inverse
            self._through_norm(images, sums, products_)
        return self._to_inputs(x, images, params, grads)

    def _to_inputs(
        self, x: np.ndarray, images: int, params: np.ndarray, grads: np.ndarray
    ) -> np.ndarray:
        self._weight_gradient(x, images, self._tap, self._at, self._to, self._du, self._shards)
        kernel = self._place.kernel
        products.add_up(self._shards, self._inputs, self._tap, grads[kernel])
        for step, turned in zip(self._backward, self._kernels, strict=True):
            products.pick(params[kernel], step.places, turned)
            products.products(self._du, images, step.tap, step.at, step.to, turned, self._dx)
        return self._dx

    def _through_norm(self, images: int, sums: np.ndarray, products_: np.ndarray) -> None:
        """From the gradient of the normed values to that of the products.

        Source: Ioffe & Szegedy 2015, section 3, with z's terms gathered.
        """
        count = images * self._positions.size
        a = self._scale.astype(np.float64)
        b = -a * self._inverse**2 * products_ / count
        c = -a * sums / count - b * self._mean
        pointwise.through_norm(
            self._z, images, self.part.z.image, self._positions,
            *(terms.astype(np.float32) for terms in (a, b, c)), self._du,
        )  # fmt: skip

    def _clear(self, images: int, offset: int) -> None:
        rows = self._du[: images * self.part.z.image].reshape(images, -1)
        rows[:, offset : offset + self.part.z.channels] = 0

    def _summed(self, images: int) -> np.ndarray:
        for rows, total in zip(self._sums, self._totals, strict=True):
            pointwise.column_sums(rows, images, total)
        return self._totals


class LastBlock(TrainedBlock):
    """The layer whose outputs are logits, with softmax and cross-entropy at its end."""

    def __init__(self, part: Part, place: Place, images: int, classes: int, *, first: bool) -> None:
        super().__init__(part, place, images, first=first)
        self._classes = classes
        self._losses = np.zeros(images)
        self._hits = np.zeros(images, np.int64)

    def learn(
        self, x: np.ndarray, images: int, labels: np.ndarray, smoothing: float,
        params: np.ndarray, grads: np.ndarray,
    ) -> tuple[float, int, np.ndarray]:  # fmt: skip
        """Summed loss in nats and right answers on a batch so labelled; the inputs' gradient."""
        self._products(x, images, params)
        pointwise.cross_entropy(
            self._z, images, self._classes, params[self._place.shift], labels, smoothing,
            self._du, self._losses, self._hits,
        )  # fmt: skip
        rows = self._du[: images * self.part.z.channels].reshape(images, -1)
        pointwise.column_sums(rows, images, self._totals[0])
        grads[self._place.shift] = self._totals[0]
        dx = self._to_inputs(x, images, params, grads)
        return float(self._losses[:images].sum()), int(self._hits[:images].sum()), dx
