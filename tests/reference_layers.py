"""The layers of the twin: each goes forward, keeps what it needs, and comes back.

`forward` takes and gives a batch; `backward` takes d(loss)/d(output) of the batch that went
forward last, puts d(loss)/d(weight) of its own weights into `gradients`, and gives
d(loss)/d(input). All float64.
"""

import abc
from collections.abc import Callable, Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import expit, ndtr

from siffra.engine.network import NORM_EPSILON, Conv, Dense, Network

Arrays = dict[str, np.ndarray]

Function = Callable[[np.ndarray], np.ndarray]


class Layer(abc.ABC):
    """One operation. `weights` are the network's, by name; only those of `name` are its own."""

    def __init__(self, name: str, weights: Arrays) -> None:
        self.name, self.weights, self.gradients = name, weights, Arrays()

    def own(self, weight: str) -> np.ndarray:
        return self.weights[f"{self.name}.{weight}"]

    def gradient(self, weight: str, g: np.ndarray) -> None:
        self.gradients[f"{self.name}.{weight}"] = g

    @abc.abstractmethod
    def forward(self, x: np.ndarray, *, training: bool) -> np.ndarray: ...

    @abc.abstractmethod
    def backward(self, g: np.ndarray) -> np.ndarray: ...


class Reshape(Layer):
    """Flatten: only the shape changes."""

    def forward(self, x, *, training):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, g):
        return g.reshape(self.shape)


class Normalization(Layer):
    """Less the mean, by the deviation: of a channel, or of a feature, where there is one row."""

    def __init__(self, shape: tuple[int, int, int], weights: Arrays) -> None:
        super().__init__("normalization", weights)
        _, columns, channels = shape
        self.shape = (columns, channels) if shape[0] == 1 else (channels,)

    def forward(self, x, *, training):
        mean, variance = (self.own(name).reshape(self.shape) for name in ("mean", "variance"))
        return (x - mean) / np.sqrt(variance)

    def backward(self, g):
        return g


class SpaceToDepth(Layer):
    """See `Network`. The first layer, if there: nobody asks for the gradient of the image."""

    def __init__(self, block: int) -> None:
        super().__init__("", {})
        self.block = block

    def forward(self, x, *, training):
        n, height, width, channels = x.shape
        b = self.block
        x = x.reshape(n, height // b, b, width // b, b, channels)
        return x.transpose(0, 1, 3, 2, 4, 5).reshape(n, height // b, width // b, b * b * channels)

    def backward(self, g):
        return g


class Convolution(Layer):
    """Kernels at every position of the padded image."""

    def __init__(self, conv: Conv, weights: Arrays) -> None:
        super().__init__(conv.name, weights)
        self.conv = conv

    def forward(self, x, *, training):
        self.padded = np.pad(x, ((0, 0), *self.conv.padding, (0, 0)))
        k, s = self.conv.kernel_size, self.conv.strides
        windows = sliding_window_view(self.padded, (k, k), axis=(1, 2))[:, ::s, ::s]
        self.patches = windows.transpose(0, 1, 2, 4, 5, 3)
        return np.tensordot(self.patches, self.own("kernel"), axes=3)

    def backward(self, g):
        self.gradient("kernel", np.tensordot(self.patches, g, axes=((0, 1, 2), (0, 1, 2))))
        dx = np.zeros_like(self.padded)
        (rows, columns), s = self.conv.positions, self.conv.strides
        for i in range(self.conv.kernel_size):
            for j in range(self.conv.kernel_size):
                seen = dx[:, i : i + rows * s : s, j : j + columns * s : s]
                seen += g @ self.own("kernel")[i, j].T
        (above, _), (left, _) = self.conv.padding
        height, width, _ = self.conv.input
        return dx[:, above : above + height, left : left + width]


class Product(Layer):
    """A dense layer's matrix product."""

    def forward(self, x, *, training):
        self.x = x
        return x @ self.own("kernel")

    def backward(self, g):
        self.gradient("kernel", self.x.T @ g)
        return g @ self.own("kernel").T


class Bias(Layer):
    """One number is added to each channel."""

    def forward(self, x, *, training):
        return x + self.own("bias")

    def backward(self, g):
        self.gradient("bias", _over_all_but_channels(np.sum, g))
        return g


class BatchNorm(Layer):
    """Ioffe & Szegedy 2015, algorithm 1; statistics over images and positions, channel by channel.

    `moments` has the last training batch's mean and (biased) variance.
    """

    def forward(self, x, *, training):
        mean, variance = self.own("moving_mean"), self.own("moving_variance")
        if training:
            mean = _over_all_but_channels(np.mean, x)
            variance = _over_all_but_channels(np.var, x)
            self.moments = {
                f"{self.name}.moving_mean": mean,
                f"{self.name}.moving_variance": variance,
            }
        self.deviation = np.sqrt(variance + NORM_EPSILON)
        self.normed = (x - mean) / self.deviation
        return self.own("gamma") * self.normed + self.own("beta")

    def backward(self, g):
        self.gradient("gamma", _over_all_but_channels(np.sum, g * self.normed))
        self.gradient("beta", _over_all_but_channels(np.sum, g))
        g = g * self.own("gamma")
        along = _over_all_but_channels(np.mean, g * self.normed) * self.normed
        return (g - _over_all_but_channels(np.mean, g) - along) / self.deviation


def _over_all_but_channels(reduce: Callable, x: np.ndarray) -> np.ndarray:
    return reduce(x, axis=tuple(range(x.ndim - 1)))


def _gelu_slope(z: np.ndarray) -> np.ndarray:
    return ndtr(z) + z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)


ACTIVATIONS: Mapping[str, tuple[Function, Function]] = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(np.float64)),
    "gelu": (lambda z: z * ndtr(z), _gelu_slope),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sigmoid": (expit, lambda z: expit(z) * expit(-z)),
}
"""Each activation and its slope. `ndtr` is the normal distribution function."""


class Activated(Layer):
    """An activation."""

    def __init__(self, activation: str) -> None:
        super().__init__("", {})
        self.function, self.slope = ACTIVATIONS[activation]

    def forward(self, x, *, training):
        self.x = x
        return self.function(x)

    def backward(self, g):
        return g * self.slope(self.x)


class Pooling(Layer):
    """The greatest or the mean number of each window; what fills no window is dropped."""

    def __init__(self, conv: Conv) -> None:
        super().__init__("", {})
        self.conv = conv

    def forward(self, x, *, training):
        self.shape = x.shape
        (tall, wide), (rows, columns, filters) = self.conv.window, self.conv.output
        windows = x[:, : rows * tall, : columns * wide].reshape(
            len(x), rows, tall, columns, wide, filters
        )
        windows = windows.transpose(0, 1, 3, 5, 2, 4).reshape(*x.shape[:1], *self.conv.output, -1)
        size = windows.shape[-1]
        if self.conv.pooling == "average":
            self.shares = np.full(windows.shape, 1 / size)
        else:  # of equal maxima the first, as in Keras and PyTorch
            self.shares = np.arange(size) == windows.argmax(axis=-1)[..., None]
        return (windows * self.shares).sum(axis=-1)

    def backward(self, g):
        (tall, wide), (rows, columns, filters) = self.conv.window, self.conv.output
        routed = (g[..., None] * self.shares).reshape(-1, rows, columns, filters, tall, wide)
        dx = np.zeros(self.shape)
        dx[:, : rows * tall, : columns * wide] = routed.transpose(0, 1, 4, 2, 5, 3).reshape(
            len(g), rows * tall, columns * wide, filters
        )
        return dx


class Dropout(Layer):
    """In training, inputs are multiplied by `scales`, which whoever trains puts there."""

    scales: np.ndarray

    def forward(self, x, *, training):
        return x * self.scales[: len(x)] if training else x

    def backward(self, g):
        return g * self.scales[: len(g)]


def layers_of(network: Network, weights: Arrays) -> list[Layer]:
    """The network, one operation after the other."""
    layers: list[Layer] = []
    if network.normalizes:
        layers.append(Normalization(network.image_shape, weights))
    if network.space_to_depth > 1:
        layers.append(SpaceToDepth(network.space_to_depth))
    for conv in network.convs:
        layers += [Convolution(conv, weights), _shifted(conv, weights), Activated(conv.activation)]
        if conv.window != (1, 1):
            layers.append(Pooling(conv))
    layers.append(Reshape("", {}))
    for dense in network.denses:
        if dense.dropout:
            layers.append(Dropout(dense.name, {}))
        layers += [Product(dense.name, weights), _shifted(dense, weights)]
        if dense.activation:
            layers.append(Activated(dense.activation))
    return layers


def _shifted(layer: Conv | Dense, weights: Arrays) -> Layer:
    return (BatchNorm if layer.batch_norm else Bias)(layer.name, weights)
