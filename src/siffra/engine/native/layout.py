"""Where each weight of a network is in the native engine's flat array of parameters.

Kernels want channels in whole vectors, so filters are padded with zeros, and so are the inputs
of whatever comes after them. Padding stays zero in training: its gradients are zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from siffra.engine.native.conv import LANES, Shape, padded
from siffra.engine.native.dense import Stack
from siffra.network import Conv, Dense, Network


@dataclass(frozen=True, slots=True)
class ConvPart:
    """A convolution's part of the parameters: its kernel and its bias."""

    conv: Conv
    shape: Shape
    kernel: slice
    bias: slice


class Layout:
    """The order of a network's parameters: its convolutions, then its dense stack."""

    def __init__(self, network: Network) -> None:
        self.convs: list[ConvPart] = []
        self._places: dict[str, np.ndarray] = {}
        start = 0
        for conv in network.convs:
            part = _conv_part(conv, start)
            self.convs.append(part)
            self._places[f"{conv.name}.kernel"] = _kernel_places(part)
            self._places[f"{conv.name}.bias"] = part.bias.start + np.arange(conv.filters)
            start = part.bias.stop
        rows = self._input_rows(network)
        features = network.denses[0].inputs
        if self.convs:
            features = self.convs[-1].shape.windows * self.convs[-1].shape.filters
        widths = [features, *(dense.units for dense in network.denses)]
        if not self.convs:
            widths[1] = padded(widths[1])
        self.stack = Stack.of(widths)
        self.dense = slice(start, start + self.stack.total)
        self.size = self.dense.stop
        for dense, (_, units, kernel, bias) in zip(network.denses, self.stack.layers, strict=True):
            rows = rows if dense is network.denses[0] else np.arange(dense.inputs)
            self._places[f"{dense.name}.kernel"] = (
                start + kernel + rows[:, None] * units + np.arange(dense.units)
            )
            self._places[f"{dense.name}.bias"] = start + bias + np.arange(dense.units)

    def flatten(self, weights: Mapping[str, np.ndarray]) -> np.ndarray:
        """Weights by name, in Keras' shapes, as one flat float32 array."""
        flat = np.zeros(self.size, np.float32)
        for name, places in self._places.items():
            flat[places] = weights[name]
        return flat

    def unflatten(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """A copy of the weights by name, in Keras' shapes."""
        return {name: flat[places] for name, places in self._places.items()}

    def _input_rows(self, network: Network) -> np.ndarray:
        """The rows of the first dense kernel that are not padding."""
        features = np.arange(network.denses[0].inputs)
        if not self.convs:
            return features
        filters = network.convs[-1].filters
        return features // filters * self.convs[-1].shape.filters + features % filters


def is_plain(network: Network) -> bool:
    """Whether the kernels that do several things at once have all that the network needs.

    They are for ReLU, convolutions without padding and 2 x 2 max-pools, and no norms or dropout.
    """
    return network.space_to_depth == 1 and all(map(_is_plain, network.layers))


def _is_plain(layer: Conv | Dense) -> bool:
    if layer.batch_norm or layer.activation not in ("relu", None):
        return False
    if isinstance(layer, Dense):
        return layer.dropout == 0
    pooled = layer.pooling == "max" and layer.pool <= 2 and not layer.pools_all
    return pooled and not any(map(sum, layer.padding))


def _conv_part(conv: Conv, start: int) -> ConvPart:
    shape = Shape.of(conv)
    stop = start + shape.kernel_rows * shape.kernel_row * shape.filters
    return ConvPart(conv, shape, slice(start, stop), slice(stop, stop + shape.filters))


def _kernel_places(part: ConvPart) -> np.ndarray:
    rows, columns, channels, filters = part.conv.weights
    shape = part.shape
    i, j, c, f = np.ogrid[:rows, :columns, :channels, :filters]
    float_ = i * shape.kernel_row + j * (shape.kernel_row // columns) + c
    block_size = shape.kernel_rows * shape.kernel_row * LANES
    return part.kernel.start + f // LANES * block_size + float_ * LANES + f % LANES
