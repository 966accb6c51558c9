"""What a network's first layer answers to one image: the activations that a hidden unit has.

Engines predict; what goes on inside they do not tell. One image through one layer is little
work, so that plain NumPy does it here, by the same formulas
(`siffra.engine.network` has the sizes).
"""

from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import erf, expit

from siffra.config.model import Activation
from siffra.engine.network import NORM_EPSILON, Conv, Network
from siffra.engine.normalization import scale_and_shift

Weights = Mapping[str, np.ndarray]


def first_response(network: Network, weights: Weights, image: np.ndarray) -> np.ndarray:
    """The first layer's activations: (units,), or (filters, rows, columns) before any pooling.

    `image` is (height, width, channels) float32 in [0, 1].
    """
    layer = network.layers[0]
    if network.normalizes:
        scale, shift = scale_and_shift(weights, network.image_shape)
        image = image * scale + shift
    image = _blocks_to_channels(image, network.space_to_depth)
    kernel = weights[f"{layer.name}.kernel"]
    if isinstance(layer, Conv):
        padded = np.pad(image, (*layer.padding, (0, 0)))
        size = layer.kernel_size
        windows = sliding_window_view(padded, (size, size), axis=(0, 1))  # rows, columns, c, i, j
        windows = windows[:: layer.strides, :: layer.strides]
        products = np.einsum("rkcij,ijcf->rkf", windows, kernel, optimize=True)
    else:
        products = image.reshape(-1) @ kernel
    active = _activate(_shift(products, layer.name, weights), layer.activation)
    return np.moveaxis(active, -1, 0)


def _shift(products: np.ndarray, name: str, weights: Weights) -> np.ndarray:
    """The bias added, or batch norm as it is in prediction."""
    if f"{name}.bias" in weights:
        return products + weights[f"{name}.bias"]
    gamma, beta, mean, variance = (
        weights[f"{name}.{part}"] for part in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    return (products - mean) * (gamma / np.sqrt(variance + NORM_EPSILON)) + beta


def _activate(z: np.ndarray, activation: Activation | None) -> np.ndarray:
    match activation:
        case "relu":
            return np.maximum(z, 0)
        case "tanh":
            return np.tanh(z)
        case "sigmoid":
            return expit(z)
        case "gelu":
            return z * 0.5 * (1 + erf(z / np.sqrt(2)))
        case _:
            return z


def _blocks_to_channels(image: np.ndarray, block: int) -> np.ndarray:
    """As TensorFlow's `space_to_depth`."""
    height, width, channels = image.shape
    rows, columns = height // block, width // block
    blocks = image.reshape(rows, block, columns, block, channels).transpose(0, 2, 1, 3, 4)
    return blocks.reshape(rows, columns, block * block * channels)
