"""PyTorch, eager: all images in memory as one tensor, batches taken by index."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from benchmarks.peers.base import Peer, Problem, pixels
from siffra.network import Conv, Network

_SCORED = 1000
"""Images that are scored at a time; more at once leave the cache and are slower."""


class PyTorch(Peer):
    """`nn.Sequential` and `torch.optim.SGD`, with its update in one call for all weights.

    `channels_last` made no difference to these networks, whose images have one channel.
    """

    def __init__(self, problem: Problem) -> None:
        """See `Peer`."""
        torch.set_num_threads(problem.threads)
        self._model = _network(problem.network, problem.weights)
        self._optimizer = torch.optim.SGD(
            self._model.parameters(), lr=problem.learning_rate, fused=True
        )
        self._batch_size = problem.batch_size
        train, test = problem.dataset.train, problem.dataset.test
        self._x, self._test = (
            torch.from_numpy(pixels(images)).permute(0, 3, 1, 2).contiguous()
            for images in (train, test)
        )
        self._y = torch.from_numpy(train.y)

    def ready(self, order: np.ndarray) -> torch.Tensor:
        """See `Peer`."""
        return torch.from_numpy(order)

    def train(self, ready: torch.Tensor) -> float:
        """See `Peer`."""
        total = torch.zeros(())
        for batch in ready.split(self._batch_size):
            loss = nn.functional.cross_entropy(self._model(self._x[batch]), self._y[batch])
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            total += loss.detach() * len(batch)
        return total.item() / len(ready)

    @torch.inference_mode()
    def score(self) -> np.ndarray:
        """See `Peer`."""
        logits = torch.cat([self._model(images) for images in self._test.split(_SCORED)])
        return logits.softmax(1).numpy()


def _network(network: Network, weights: dict[str, np.ndarray]) -> nn.Sequential:
    return nn.Sequential(*_layers(network, weights))


def _layers(network: Network, weights: dict[str, np.ndarray]) -> Iterator[nn.Module]:
    for conv in network.convs:
        kernel = weights[f"{conv.name}.kernel"].transpose(3, 2, 0, 1)
        layer = nn.Conv2d(conv.input[2], conv.filters, conv.kernel_size, conv.strides)
        yield _with(layer, kernel, weights[f"{conv.name}.bias"])
        yield nn.ReLU()
        if conv.pool > 1:
            yield nn.MaxPool2d(conv.pool)
    yield nn.Flatten()
    for dense in network.denses:
        kernel = weights[f"{dense.name}.kernel"]
        if network.convs and dense is network.denses[0]:
            kernel = _channels_first(kernel, network.convs[-1])
        layer = nn.Linear(dense.inputs, dense.units)
        yield _with(layer, kernel.T, weights[f"{dense.name}.bias"])
        if dense.activation:
            yield nn.ReLU()


def _with(layer: nn.Conv2d | nn.Linear, kernel: np.ndarray, bias: np.ndarray) -> nn.Module:
    layer.weight = nn.Parameter(torch.tensor(np.ascontiguousarray(kernel)))
    layer.bias = nn.Parameter(torch.tensor(bias))
    return layer


def _channels_first(kernel: np.ndarray, conv: Conv) -> np.ndarray:
    """A dense kernel whose inputs come as PyTorch flattens them: channel, row, column."""
    rows = kernel.reshape(*conv.output, -1).transpose(2, 0, 1, 3)
    return rows.reshape(kernel.shape)


PEER = PyTorch
