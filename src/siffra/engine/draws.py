"""Everything random in a run, drawn by NumPy from the run's seed, the same for every engine.

Each use has a stream of its own, so that the order of the images does not depend on the
network, nor a layer's weights on the layers before it: runs with the same seed share every
draw that their shapes allow.
"""

from collections.abc import Iterator

import numpy as np

from siffra.network import Network

_WEIGHTS, _ORDER = 0, 1


def initial_weights(network: Network, seed: int) -> dict[str, np.ndarray]:
    """Glorot-uniform float32 kernels and zero biases, by name, in Keras' shapes.

    Source: Glorot & Bengio 2010, eq. 16: U(-a, a) with a = sqrt(6 / (fan in + fan out)).
    """
    weights = {}
    for layer in network.layers:
        kind, number = layer.name.split("_")
        rng = _stream(seed, _WEIGHTS, ("conv", "dense").index(kind), int(number))
        limit = np.sqrt(6.0 / sum(layer.fans))
        weights[f"{layer.name}.kernel"] = rng.uniform(-limit, limit, layer.weights).astype(
            np.float32
        )
        weights[f"{layer.name}.bias"] = np.zeros(layer.weights[-1], np.float32)
    return weights


def epoch_orders(images: int, seed: int) -> Iterator[np.ndarray]:
    """For each epoch, the (images,) int64 order in which the images are used, without end."""
    rng = _stream(seed, _ORDER)
    while True:
        yield rng.permutation(images)


def _stream(seed: int, *path: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=path))
