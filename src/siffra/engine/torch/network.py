"""A `Network` as a PyTorch module, with siffra's names and PyTorch's order of axes."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  its usual name
from torch import Tensor, nn

from siffra.engine.network import (
    NORM_EPSILON,
    NORM_MOMENTUM,
    STATISTICS,
    Conv,
    Dense,
    Network,
    is_trained,
)

Scales = Iterator[Mapping[str, np.ndarray]]
"""What `siffra.engine.rng.dropout_scales` draws."""

_ACTIVATIONS = {
    "relu": F.relu,
    "gelu": F.gelu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    None: lambda z: z,
}


class TorchNetwork(nn.ModuleDict):
    """Images (n, channels, height, width), float32 in [0, 1], to logits (n, classes).

    In training each forward pass takes the next of `scales`, which a network with dropout must
    be given before.
    """

    scales: Scales | None = None

    def __init__(self, network: Network, weights: Mapping[str, np.ndarray]) -> None:
        """Start from `weights`, in Keras' shapes."""
        super().__init__()
        self.network = network
        if network.normalizes:
            self["normalization"] = _Normalization(network, weights)
        for layer in network.layers:
            of_layer = {
                name.removeprefix(f"{layer.name}."): _turned(array)
                for name, array in weights.items()
                if name.startswith(f"{layer.name}.")
            }
            self[layer.name] = (
                _Conv(layer, of_layer) if isinstance(layer, Conv) else _Dense(layer, of_layer)
            )

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        if self.network.normalizes:
            x = self["normalization"](x)
        if self.network.space_to_depth > 1:
            x = _space_to_depth(x, self.network.space_to_depth)
        for conv in self.network.convs:
            x = self[conv.name](x)
        # Keras' order: row, column, channel.
        x = x.permute(0, 2, 3, 1).flatten(1)
        scales = next(self.scales) if self.training and self.scales else {}
        for dense in self.network.denses:
            if dense.name in scales:
                x = x * torch.from_numpy(scales[dense.name][: len(x)]).to(x.device)
            x = self[dense.name](x)
        return x

    def weights(self) -> dict[str, np.ndarray]:
        """A copy of the weights by siffra's names, in Keras' shapes."""
        arrays = {name: tensor.cpu().numpy() for name, tensor in self.state_dict().items()}
        back = {2: (1, 0), 4: (2, 3, 1, 0)}
        return {
            name: arrays[name].transpose(back.get(arrays[name].ndim, (0,))).copy()
            for name in self.network.weights
        }


class _Normalization(nn.Module):
    """Pixels less their mean, by their deviation; the weights are buffers."""

    mean: Tensor
    variance: Tensor

    def __init__(self, network: Network, weights: Mapping[str, np.ndarray]) -> None:
        super().__init__()
        self._per_row = (1, -1, network.image_shape[2])
        for name in STATISTICS:
            self.register_buffer(name.rpartition(".")[2], torch.from_numpy(weights[name].copy()))

    def forward(self, x: Tensor) -> Tensor:
        # From (row, column, channel) to PyTorch's order.
        mean, variance = (
            each.reshape(self._per_row).permute(2, 0, 1) for each in (self.mean, self.variance)
        )
        return (x - mean) / variance.sqrt()


class _Layer(nn.Module):
    """What convolutions and dense layers have in common: weights, norm and activation."""

    kernel: Tensor
    bias: Tensor | None
    gamma: Tensor
    beta: Tensor
    moving_mean: Tensor
    moving_variance: Tensor

    def __init__(self, layer: Conv | Dense, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._normalises = layer.batch_norm
        self._activation = _ACTIVATIONS[layer.activation]
        self.register_parameter("bias", None)
        for name, tensor in weights.items():
            if is_trained(f"{layer.name}.{name}"):
                self.register_parameter(name, nn.Parameter(tensor))
            else:
                self.register_buffer(name, tensor)

    def _finished(self, z: Tensor) -> Tensor:
        """`z` (n, channels, ...), which has its bias if there is one, normalised and activated."""
        return self._activation(self._normed(z) if self._normalises else z)

    def _normed(self, z: Tensor) -> Tensor:
        if not self.training:
            return F.batch_norm(
                z, self.moving_mean, self.moving_variance, self.gamma, self.beta, eps=NORM_EPSILON
            )
        with torch.no_grad():
            others = [axis for axis in range(z.ndim) if axis != 1]
            variance, mean = torch.var_mean(z, others, correction=0)
            # By hand: PyTorch would keep the unbiased variance.
            self.moving_mean.lerp_(mean, 1 - NORM_MOMENTUM)
            self.moving_variance.lerp_(variance, 1 - NORM_MOMENTUM)
        # `F.batch_norm` would refuse a batch of a single number a channel, which may come last.
        return torch.batch_norm(
            z, self.gamma, self.beta, None, None, True, 0.0, NORM_EPSILON, False
        )


class _Conv(_Layer):
    def __init__(self, conv: Conv, weights: Mapping[str, Tensor]) -> None:
        super().__init__(conv, weights)
        self._conv = conv

    def forward(self, x: Tensor) -> Tensor:
        conv = self._conv
        if conv.same:
            (above, below), (left, right) = conv.padding
            x = F.pad(x, (left, right, above, below))
        x = self._finished(F.conv2d(x, self.kernel, self.bias, conv.strides))
        if conv.window == (1, 1):
            return x
        return (F.max_pool2d if conv.pooling == "max" else F.avg_pool2d)(x, conv.window)


class _Dense(_Layer):
    def forward(self, x: Tensor) -> Tensor:
        return self._finished(F.linear(x, self.kernel, self.bias))


def _turned(array: np.ndarray) -> Tensor:
    """A weight in Keras' shape as PyTorch has it: outputs first."""
    axes = {2: (1, 0), 4: (3, 2, 0, 1)}.get(array.ndim, (0,))
    return torch.from_numpy(np.ascontiguousarray(array.transpose(axes), np.float32).copy())


def _space_to_depth(x: Tensor, block: int) -> Tensor:
    """See `Network`; `F.pixel_unshuffle` would put the channel before the place in the block."""
    n, channels, height, width = x.shape
    x = x.reshape(n, channels, height // block, block, width // block, block)
    x = x.permute(0, 3, 5, 1, 2, 4)
    return x.reshape(n, block * block * channels, height // block, width // block)
