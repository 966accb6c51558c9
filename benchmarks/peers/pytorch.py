"""PyTorch, eager: all images in memory as one tensor, batches taken by index."""

import copy
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.peers.base import Peer, Problem, pixels
from siffra.engine.network import NORM_EPSILON, NORM_MOMENTUM, Conv, Dense, Network

_SCORED = 1000
"""Images that are scored at a time; more at once leave the cache and are slower."""
_TRIAL = 10
"""Steps in each layout of memory, to see which is faster."""
_LAYOUTS = torch.contiguous_format, torch.channels_last


class PyTorch(Peer):
    """`nn.Sequential` and `torch.optim.SGD`, with its update in one call for all weights.

    Images and convolutions lie in memory channels first or last, as a trial says.
    """

    def __init__(self, problem: Problem) -> None:
        """See `Peer`."""
        torch.set_num_threads(problem.threads)
        self._rate, self._batch_size = problem.learning_rate, problem.batch_size
        train, test = problem.dataset.train, problem.dataset.test
        self._x, self._test = (
            torch.from_numpy(pixels(images)).permute(0, 3, 1, 2).contiguous()
            for images in (train, test)
        )
        self._y = torch.from_numpy(train.y)
        network: Any = _network(problem.network, problem.weights)
        layout = min(_LAYOUTS, key=lambda layout: self._seconds(network, layout))
        self._model = network.to(memory_format=layout)
        self._x, self._test = (x.contiguous(memory_format=layout) for x in (self._x, self._test))
        self._optimizer = self._sgd(network)

    def ready(self, order: np.ndarray) -> torch.Tensor:
        """See `Peer`."""
        return torch.from_numpy(order)

    def train(self, ready: torch.Tensor) -> float:
        """See `Peer`."""
        self._model.train()
        total = torch.zeros(())
        for batch in ready.split(self._batch_size):
            loss = self._step(self._model, self._optimizer, self._x, batch)
            total += loss * len(batch)
        return total.item() / len(ready)

    @torch.inference_mode()
    def score(self) -> np.ndarray:
        """See `Peer`."""
        self._model.eval()
        logits = torch.cat([self._model(images) for images in self._test.split(_SCORED)])
        return logits.softmax(1).numpy()

    def _sgd(self, network: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD(network.parameters(), lr=self._rate, fused=True)

    def _step(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        x: torch.Tensor,
        batch: torch.Tensor,
    ) -> torch.Tensor:
        loss = nn.functional.cross_entropy(model(x[batch]), self._y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    def _seconds(self, network: Any, layout: torch.memory_format) -> float:
        """Some steps' seconds, of a copy that is thrown away."""
        model = copy.deepcopy(network).to(memory_format=layout)
        optimizer, x = self._sgd(model), self._x.contiguous(memory_format=layout)
        batch = torch.arange(min(self._batch_size, len(x)))
        seconds = []
        for _ in range(_TRIAL):
            started = time.perf_counter()
            self._step(model, optimizer, x, batch)
            seconds.append(time.perf_counter() - started)
        return min(seconds)


def _network(network: Network, weights: dict[str, np.ndarray]) -> nn.Sequential:
    return nn.Sequential(*_layers(network, weights))


def _layers(network: Network, weights: dict[str, np.ndarray]) -> Iterator[nn.Module]:
    if network.space_to_depth > 1:
        # With several channels PyTorch would order them otherwise; the workloads' images have one.
        yield nn.PixelUnshuffle(network.space_to_depth)
    for conv in network.convs:
        yield from _conv(conv, weights)
        yield from _norm_and_activation(conv, nn.BatchNorm2d)
        if conv.pools_all:
            yield nn.MaxPool2d(conv.window)
        elif conv.pool > 1:
            yield nn.MaxPool2d(conv.pool)
    yield nn.Flatten()
    for dense in network.denses:
        kernel = weights[f"{dense.name}.kernel"]
        if network.convs and dense is network.denses[0]:
            kernel = _channels_first(kernel, network.convs[-1])
        layer = nn.Linear(dense.inputs, dense.units, bias=not dense.batch_norm)
        yield _with(layer, kernel.T, weights.get(f"{dense.name}.bias"))
        yield from _norm_and_activation(dense, nn.BatchNorm1d)


def _conv(conv: Conv, weights: dict[str, np.ndarray]) -> Iterator[nn.Module]:
    """A convolution, after a layer for its zeros where they are not alike on all sides."""
    (top, bottom), (left, right) = conv.padding
    alike = (top, left) == (bottom, right)
    if not alike:
        yield nn.ZeroPad2d((left, right, top, bottom))
    layer = nn.Conv2d(
        conv.input[2], conv.filters, conv.kernel_size, conv.strides,
        padding=(top, left) if alike else 0, bias=not conv.batch_norm,
    )  # fmt: skip
    kernel = weights[f"{conv.name}.kernel"].transpose(3, 2, 0, 1)
    yield _with(layer, kernel, weights.get(f"{conv.name}.bias"))


def _norm_and_activation(
    layer: Conv | Dense, norm: type[nn.BatchNorm2d | nn.BatchNorm1d]
) -> Iterator[nn.Module]:
    if layer.batch_norm:
        # PyTorch's momentum is the share that is new.
        yield norm(layer.weights[-1], eps=NORM_EPSILON, momentum=1 - NORM_MOMENTUM)
    if layer.activation:
        yield nn.ReLU()


def _with(layer: nn.Conv2d | nn.Linear, kernel: np.ndarray, bias: np.ndarray | None) -> nn.Module:
    layer.weight = nn.Parameter(torch.tensor(np.ascontiguousarray(kernel)))
    if bias is not None:
        layer.bias = nn.Parameter(torch.tensor(bias))
    return layer


def _channels_first(kernel: np.ndarray, conv: Conv) -> np.ndarray:
    """A dense kernel whose inputs come as PyTorch flattens them: channel, row, column."""
    rows = kernel.reshape(*conv.output, -1).transpose(2, 0, 1, 3)
    return rows.reshape(kernel.shape)


PEER = PyTorch
