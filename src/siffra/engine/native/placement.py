"""Where each weight of a network of parts is in one flat array of parameters."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from siffra.engine.native.grid import zeros_on_lines
from siffra.engine.native.layers import Part, parts_of
from siffra.engine.network import Dense, Network


@dataclass(frozen=True, slots=True)
class Place:
    """A part's slices of the parameters; without a batch norm it has a `shift` (its bias) only."""

    kernel: slice
    shift: slice
    scale: slice
    mean: slice
    variance: slice


class Placement:
    """All parts in their order: kernels, biases and norms, and after them what is not trained."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.parts = parts_of(network)
        self.trained = sum(_trained(part) for part in self.parts)
        self.size = self.trained + sum(
            2 * part.z.channels for part in self.parts if part.batch_norm
        )
        self.places: list[Place] = []
        self._where: dict[str, np.ndarray] = {}
        start, state = 0, self.trained
        for layer, part in zip(network.layers, self.parts, strict=True):
            place = _place(part, start, state)
            self.places.append(place)
            start += _trained(part)
            state = place.variance.stop
            channels = self.channels(layer) if isinstance(layer, Dense) else None
            self._note(part, place, layer.weights, channels)

    def flatten(self, weights: Mapping[str, np.ndarray]) -> np.ndarray:
        """Weights by name, in Keras' shapes, as one flat float32 array."""
        flat = zeros_on_lines((self.size,))
        for name, where in self._where.items():
            flat[where] = weights[name]
        return flat

    def unflatten(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """A copy of the weights by name, in Keras' shapes."""
        return {name: flat[where] for name, where in self._where.items()}

    def channels(self, dense: Dense) -> np.ndarray:
        """Where the inputs of a dense layer are among those that it has in memory."""
        convs = self._network.convs
        if not convs or dense is not self._network.denses[0]:
            return np.arange(dense.inputs)
        pixel, f = np.divmod(np.arange(dense.inputs), convs[-1].filters)
        return pixel * self.parts[len(convs) - 1].output.channels + f

    def _note(
        self, part: Part, place: Place, shape: tuple[int, ...], channels: np.ndarray | None
    ) -> None:
        inputs, outputs = shape[-2:]
        if channels is None:
            channels = np.arange(inputs)
        places = place.kernel.start + part.kernel_places(channels, outputs)
        self._where[f"{part.name}.kernel"] = places.reshape(shape)
        vectors = {"bias": place.shift}
        if part.batch_norm:
            vectors = {
                "gamma": place.scale,
                "beta": place.shift,
                "moving_mean": place.mean,
                "moving_variance": place.variance,
            }
        for name, where in vectors.items():
            self._where[f"{part.name}.{name}"] = where.start + np.arange(outputs)


def _trained(part: Part) -> int:
    return part.tap.size + part.z.channels * (2 if part.batch_norm else 1)


def _place(part: Part, start: int, state: int) -> Place:
    channels = part.z.channels
    shift = start + part.tap.size
    scale = shift + channels
    norm = channels if part.batch_norm else 0
    return Place(
        kernel=slice(start, shift),
        shift=slice(shift, scale),
        scale=slice(scale, scale + norm),
        mean=slice(state, state + norm),
        variance=slice(state + norm, state + 2 * norm),
    )
