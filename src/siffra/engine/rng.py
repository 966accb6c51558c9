"""Everything random in a run, drawn by NumPy from the run's seed, the same for every engine.

Each use has a stream of its own, so that the order of the images does not depend on the
network, nor a layer's weights on the layers before it: runs with the same seed share every
draw that their shapes allow.
"""

from collections.abc import Iterator

import numpy as np

from siffra.config import Training
from siffra.engine.network import Conv, Dense, Network

_WEIGHTS, _ORDER, _AUGMENTATION, _DROPOUT = 0, 1, 2, 3
_TURN, _STRETCH = 5.0, 0.05
"""Degrees, and the share of size and shear, that jitter 1 stands for."""


def initial_weights(network: Network, seed: int) -> dict[str, np.ndarray]:
    """Glorot-uniform float32 kernels, zero biases and unit norms, by name, in Keras' shapes.

    A network that normalises its input leaves it as it is, as long as no images were seen.

    Source: Glorot & Bengio 2010, eq. 16: U(-a, a) with a = sqrt(6 / (fan in + fan out)).
    """
    ones = ("gamma", "variance")
    weights = {
        name: (np.ones if name.endswith(ones) else np.zeros)(shape, np.float32)
        for name, shape in network.weights.items()
    }
    for layer in network.layers:
        rng = _stream(seed, _WEIGHTS, *_place(layer))
        limit = np.sqrt(6.0 / sum(layer.fans))
        kernel = rng.uniform(-limit, limit, layer.weights).astype(np.float32)
        weights[f"{layer.name}.kernel"] = kernel
    return weights


def epoch_orders(images: int, seed: int) -> Iterator[np.ndarray]:
    """For each epoch, the (images,) int64 order in which the images are used, without end."""
    rng = _stream(seed, _ORDER)
    while True:
        yield rng.permutation(images)


def epoch_maps(training: Training, images: int, seed: int) -> Iterator[np.ndarray]:
    """For each epoch, what every image goes through, (images, 2, 3) float32, without end.

    Row i is for image i of the training set. These are maps *from*: the pixel at p of what
    comes out is the image at `map[:, :2] @ p + map[:, 2]`, in the coordinates of
    `siffra.data.shifts` (so `shifts.warp` with their inverses does the same).
    """
    rng = _stream(seed, _AUGMENTATION)
    moves = 0.5 if training.augment == "shifts" else float(training.augment == "move")
    jitter = training.augment_jitter
    while True:
        # float32 throughout: a tenth of the time, and far finer than a pixel.
        kind, turn, right, down, size, shear = rng.random((6, images), np.float32)
        first_turned = training.augment_clean + (1 - training.augment_clean) * moves
        is_moved = (kind >= training.augment_clean) & (kind < first_turned)
        is_turned = kind >= first_turned
        reach = np.where(is_moved, training.augment_move, jitter).astype(np.float32)
        degrees = np.where(is_turned, training.augment_rotate, _TURN * jitter)
        angle = np.deg2rad(degrees.astype(np.float32)) * _signed(turn)
        stretch = np.float32(_STRETCH * jitter)
        size, shear = 1 + stretch * _signed(size), stretch * _signed(shear)
        cos, sin = np.cos(angle) * size, np.sin(angle) * size
        maps = np.empty((images, 2, 3), np.float32)
        maps[:, 0, 0] = cos
        maps[:, 0, 1] = shear * cos + sin
        maps[:, 0, 2] = reach * _signed(right)
        maps[:, 1, 0] = -sin
        maps[:, 1, 1] = cos - shear * sin
        maps[:, 1, 2] = reach * _signed(down)
        yield maps


def dropout_scales(network: Network, batch_size: int, seed: int) -> Iterator[dict[str, np.ndarray]]:
    """For each step, what each dense layer's inputs are multiplied by, by the layer's name.

    Arrays are (batch_size, inputs) float32: 0 where an input is left out, else 1 / (1 - dropout).
    Only layers with dropout are there. A partial batch uses the first rows. Without end.
    """
    streams = dropout_streams(network, seed)
    while True:
        yield {
            layer.name: np.where(
                stream.random((batch_size, layer.inputs), np.float32) < layer.dropout,
                np.float32(0),
                np.float32(1 / (1 - layer.dropout)),
            )
            for layer, stream in streams
        }


def dropout_streams(network: Network, seed: int) -> list[tuple[Dense, np.random.Generator]]:
    """The dense layers with dropout, and what is drawn from for each: a float32 an input."""
    layers = [layer for layer in network.denses if layer.dropout]
    return [(layer, _stream(seed, _DROPOUT, *_place(layer))) for layer in layers]


def float32_words(stream: np.random.Generator, times: int, count: int) -> np.ndarray:
    """What `times` draws of `count` float32 of `stream` are made of, (times * count,) uint32.

    The uniform float32 that it would draw are the upper 24 bits of each, times 2 ** -24. An even
    count, which leaves no half of a number of 64 bits for the next draw, takes half the time.
    """
    if count % 2:
        return stream.integers(0, 2**32 - 1, times * count, np.uint32, endpoint=True)
    half = times * count // 2
    return stream.integers(0, 2**64 - 1, half, np.uint64, endpoint=True).view(np.uint32)


def _signed(uniform: np.ndarray) -> np.ndarray:
    """U(0, 1) as U(-1, 1)."""
    return 2 * uniform - 1


def _place(layer: Conv | Dense) -> tuple[int, int]:
    """A layer's part of the path to a stream."""
    kind, number = layer.name.split("_")
    return ("conv", "dense").index(kind), int(number)


def _stream(seed: int, *path: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=path))
