"""JAX: an epoch is one compiled `lax.scan` over its batches, with the images on the device."""

from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.peers.base import Peer, Problem, pixels
from siffra.network import Network

jax: Any = import_module("jax")
jnp: Any = import_module("jax.numpy")
lax: Any = import_module("jax.lax")


class Jax(Peer):
    """Plain functions of a dictionary of weights, which every epoch gives back updated."""

    def __init__(self, problem: Problem) -> None:
        """See `Peer`."""
        self._weights = {name: jnp.asarray(array) for name, array in problem.weights.items()}
        train, test = problem.dataset.train, problem.dataset.test
        self._x, self._y, self._test = map(jnp.asarray, (pixels(train), train.y, pixels(test)))
        self._epoch = jax.jit(
            partial(_epoch, problem.network, problem.batch_size, problem.learning_rate),
            donate_argnums=0,
        )
        self._predict = jax.jit(lambda w, x: jax.nn.softmax(_logits(problem.network, w, x)))

    def ready(self, order: np.ndarray) -> Any:
        """See `Peer`."""
        return jnp.asarray(order)

    def train(self, ready: Any) -> float:
        """See `Peer`."""
        self._weights, loss = self._epoch(self._weights, self._x, self._y, ready)
        return float(loss)

    def score(self) -> np.ndarray:
        """See `Peer`."""
        return np.asarray(self._predict(self._weights, self._test))


def _epoch(
    network: Network, size: int, learning_rate: float, weights: Any, x: Any, y: Any, order: Any
) -> tuple[Any, Any]:
    """All whole batches by a scan, then the rest; the weights after it and the mean loss."""

    def step(weights: Any, batch: Any) -> tuple[Any, Any]:
        loss, grads = jax.value_and_grad(partial(_loss, network))(weights, x[batch], y[batch])
        weights = jax.tree.map(lambda w, g: w - learning_rate * g, weights, grads)
        return weights, loss * len(batch)

    whole = len(order) // size * size
    weights, losses = lax.scan(step, weights, order[:whole].reshape(-1, size))
    total = losses.sum()
    if whole < len(order):
        weights, loss = step(weights, order[whole:])
        total += loss
    return weights, total / len(order)


def _loss(network: Network, weights: Any, x: Any, y: Any) -> Any:
    log_p = jax.nn.log_softmax(_logits(network, weights, x))
    return -jnp.take_along_axis(log_p, y[:, None], axis=1).mean()


def _logits(network: Network, weights: Any, x: Any) -> Any:
    for conv in network.convs:
        kernel, bias = weights[f"{conv.name}.kernel"], weights[f"{conv.name}.bias"]
        strides = (conv.strides, conv.strides)
        x = lax.conv_general_dilated(
            x, kernel, strides, "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        x = jax.nn.relu(x + bias)
        if conv.pool > 1:
            window = (1, conv.pool, conv.pool, 1)
            x = lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")
    x = x.reshape(len(x), -1)
    for dense in network.denses:
        x = x @ weights[f"{dense.name}.kernel"] + weights[f"{dense.name}.bias"]
        if dense.activation:
            x = jax.nn.relu(x)
    return x


PEER = Jax
