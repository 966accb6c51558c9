"""Where each weight of a plain stack of dense layers is in its flat array of parameters.

Inputs and units are padded with zeros to whole vectors, which the kernels want. Padding stays zero
in training: its gradients are zero.
"""

from collections.abc import Mapping

import numpy as np

from siffra.engine.native.dense import Stack
from siffra.engine.native.grid import zeros_on_lines
from siffra.engine.network import Network


def is_stack(network: Network) -> bool:
    """Whether `network` is dense layers with ReLU and nothing else."""
    return not network.convs and all(
        layer.activation in ("relu", None) and not layer.batch_norm and not layer.dropout
        for layer in network.denses
    )


class Layout:
    """The parameters of a stack: kernel and bias, layer by layer."""

    def __init__(self, network: Network) -> None:
        widths = [network.denses[0].inputs, *(dense.units for dense in network.denses)]
        self.stack = Stack.of(widths)
        self.size = self.stack.total
        self._places: dict[str, np.ndarray] = {}
        for dense, (_, units, kernel, bias, _) in zip(
            network.denses, self.stack.layers, strict=True
        ):
            rows = np.arange(dense.inputs)
            self._places[f"{dense.name}.kernel"] = (
                kernel + rows[:, None] * units + np.arange(dense.units)
            )
            self._places[f"{dense.name}.bias"] = bias + np.arange(dense.units)

    def flatten(self, weights: Mapping[str, np.ndarray]) -> np.ndarray:
        """Weights by name, in Keras' shapes, as one flat float32 array."""
        flat = zeros_on_lines((self.size,))
        for name, places in self._places.items():
            flat[places] = weights[name]
        return flat

    def unflatten(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """A copy of the weights by name, in Keras' shapes."""
        return {name: flat[places] for name, places in self._places.items()}
