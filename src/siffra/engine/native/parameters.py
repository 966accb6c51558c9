"""Where each weight of a network is in one flat array of parameters."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from siffra.engine.native.grid import aligned_zeros
from siffra.engine.native.layers import LayerLayout, layer_layouts
from siffra.engine.network import STATISTICS, Dense, Network


def is_stack(network: Network) -> bool:
    """Whether `network` is dense layers alone, on pixels as they are."""
    return not (network.convs or network.normalizes)


@dataclass(frozen=True, slots=True)
class LayerSlices:
    """A layer's slices of the parameters.

    Without batch norm `shift` is the bias, and `scale`, `mean` and `variance` are empty.
    """

    kernel: slice
    shift: slice
    scale: slice
    mean: slice
    variance: slice


class Parameters:
    """The layers' kernels, biases and norms in order, followed by what is not trained.

    Channels are padded with zeros to whole vectors. Padding stays zero in training, since its
    gradients are zero. With `as_stack` all kernels are matrices, as the kernels of
    `siffra.engine.native.dense` read them; `size` and `trained` count floats.
    """

    def __init__(self, network: Network, *, as_stack: bool = False) -> None:
        self.as_stack = as_stack
        self.layouts = layer_layouts(network, as_stack=as_stack)
        self.trained = sum(_trained(layout) for layout in self.layouts)
        self.size = self.trained + sum(
            2 * layout.z.channels for layout in self.layouts if layout.batch_norm
        )
        self.slices: list[LayerSlices] = []
        self._network = network
        self._offsets: dict[str, np.ndarray] = {}
        for name in STATISTICS if network.normalizes else ():
            (pairs,) = network.weights[name]
            self._offsets[name] = self.size + np.arange(pairs)
            self.size += pairs
        start, state = 0, self.trained
        for layer, layout in zip(network.layers, self.layouts, strict=True):
            slices = _slices(layout, start, state)
            self.slices.append(slices)
            start += _trained(layout)
            state = slices.variance.stop
            channels = (
                self.channels(layer) if isinstance(layer, Dense) else np.arange(layer.input[2])
            )
            kernel = slices.kernel.start + layout.kernel_offsets(channels, layout.outputs)
            self._offsets[f"{layout.name}.kernel"] = kernel.reshape(layer.weights)
            for name, vector in _vectors(layout, slices).items():
                self._offsets[f"{layout.name}.{name}"] = vector.start + np.arange(layout.outputs)

    def flatten(self, weights: Mapping[str, np.ndarray]) -> np.ndarray:
        """Weights by name, in Keras' shapes, as one flat float32 array."""
        flat = aligned_zeros((self.size,))
        for name, offsets in self._offsets.items():
            flat[offsets] = weights[name]
        return flat

    def unflatten(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """A copy of the weights by name, in Keras' shapes."""
        return {name: flat[offsets] for name, offsets in self._offsets.items()}

    def statistics(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """The weights that the network's input is normalised by."""
        return {name: flat[self._offsets[name]] for name in STATISTICS}

    def channels(self, dense: Dense) -> np.ndarray:
        """Where the inputs of a dense layer are among those that it has in memory."""
        convs = self._network.convs
        if not convs or dense is not self._network.denses[0]:
            return np.arange(dense.inputs)
        pixel, f = np.divmod(np.arange(dense.inputs), convs[-1].filters)
        return pixel * self.layouts[len(convs) - 1].output.channels + f


def _trained(layout: LayerLayout) -> int:
    return layout.tap.size + layout.z.channels * (2 if layout.batch_norm else 1)


def _slices(layout: LayerLayout, start: int, state: int) -> LayerSlices:
    channels = layout.z.channels
    shift = start + layout.tap.size
    scale = shift + channels
    norm = channels if layout.batch_norm else 0
    return LayerSlices(
        kernel=slice(start, shift),
        shift=slice(shift, scale),
        scale=slice(scale, scale + norm),
        mean=slice(state, state + norm),
        variance=slice(state + norm, state + 2 * norm),
    )


def _vectors(layout: LayerLayout, slices: LayerSlices) -> dict[str, slice]:
    if not layout.batch_norm:
        return {"bias": slices.shift}
    return {
        "gamma": slices.scale,
        "beta": slices.shift,
        "moving_mean": slices.mean,
        "moving_variance": slices.variance,
    }
