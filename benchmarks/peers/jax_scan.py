"""JAX: an epoch is one compiled `lax.scan` over its batches, with the images on the device."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.peers.base import Peer, Problem, pixels
from siffra.engine.network import NORM_EPSILON, NORM_MOMENTUM, Conv, Dense, Network, is_trained

jax: Any = import_module("jax")
jnp: Any = import_module("jax.numpy")
lax: Any = import_module("jax.lax")


class Jax(Peer):
    """Plain functions of two dictionaries of weights, which every epoch gives back updated.

    What is trained is one, the norms' moving means and variances are the other.
    """

    def __init__(self, problem: Problem) -> None:
        """See `Peer`."""
        weights = {name: jnp.asarray(array) for name, array in problem.weights.items()}
        self._weights = {name: w for name, w in weights.items() if is_trained(name)}
        self._state = {name: w for name, w in weights.items() if not is_trained(name)}
        train, test = problem.dataset.train, problem.dataset.test
        self._x, self._y, self._test = map(jnp.asarray, (pixels(train), train.y, pixels(test)))
        self._epoch = jax.jit(
            partial(epoch, problem.network, problem.batch_size, problem.learning_rate),
            donate_argnums=(0, 1),
        )
        self._predict = jax.jit(partial(_predict, problem.network))

    def ready(self, order: np.ndarray) -> Any:
        """See `Peer`."""
        return jnp.asarray(order)

    def train(self, ready: Any) -> float:
        """See `Peer`."""
        self._weights, self._state, loss = self._epoch(
            self._weights, self._state, self._x, self._y, ready
        )
        return float(loss)

    def score(self) -> np.ndarray:
        """See `Peer`."""
        return np.asarray(self._predict(self._weights, self._state, self._test))


def epoch(
    network: Network, size: int, rate: float, weights: Any, state: Any, x: Any, y: Any, order: Any
) -> tuple[Any, Any, Any]:
    """All whole batches by a scan, then the rest; both kinds of weights after it, the mean loss."""

    def step(carried: Any, batch: Any) -> tuple[Any, Any]:
        weights, state = carried
        loss_of = jax.value_and_grad(partial(_loss, network), has_aux=True)
        (loss, state), grads = loss_of(weights, state, x[batch], y[batch])
        weights = jax.tree.map(lambda w, g: w - rate * g, weights, grads)
        return (weights, state), loss * len(batch)

    whole = len(order) // size * size
    carried, losses = lax.scan(step, (weights, state), order[:whole].reshape(-1, size))
    total = losses.sum()
    if whole < len(order):
        carried, loss = step(carried, order[whole:])
        total += loss
    return *carried, total / len(order)


def _loss(network: Network, weights: Any, state: Any, x: Any, y: Any) -> tuple[Any, Any]:
    new = dict(state)
    log_p = jax.nn.log_softmax(_logits(network, weights, x, partial(_normed, new)))
    return -jnp.take_along_axis(log_p, y[:, None], axis=1).mean(), new


def _predict(network: Network, weights: Any, state: Any, x: Any) -> Any:
    def normed(x: Any, name: str) -> Any:
        mean, variance = state[f"{name}.moving_mean"], state[f"{name}.moving_variance"]
        return (x - mean) * lax.rsqrt(variance + NORM_EPSILON)

    return jax.nn.softmax(_logits(network, weights, x, normed))


def _normed(state: dict[str, Any], x: Any, name: str) -> Any:
    """`x` normalised over the batch, whose moments move those in `state`."""
    axes = tuple(range(x.ndim - 1))
    moments = {"moving_mean": x.mean(axes), "moving_variance": x.var(axes)}
    for kind, moment in moments.items():
        old = state[f"{name}.{kind}"]
        state[f"{name}.{kind}"] = NORM_MOMENTUM * old + (1 - NORM_MOMENTUM) * moment
    return (x - moments["moving_mean"]) * lax.rsqrt(moments["moving_variance"] + NORM_EPSILON)


def _logits(network: Network, weights: Any, x: Any, normed: Callable[[Any, str], Any]) -> Any:
    x = _space_to_depth(x, network.space_to_depth)
    for conv in network.convs:
        x = lax.conv_general_dilated(
            x, weights[f"{conv.name}.kernel"], (conv.strides, conv.strides), conv.padding,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )  # fmt: skip
        x = _biased_and_active(conv, weights, x, normed)
        if conv.pools_all:
            x = x.max((1, 2))
        elif conv.pool > 1:
            window = (1, conv.pool, conv.pool, 1)
            x = lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")
    x = x.reshape(len(x), -1)
    for dense in network.denses:
        x = x @ weights[f"{dense.name}.kernel"]
        x = _biased_and_active(dense, weights, x, normed)
    return x


def _biased_and_active(
    layer: Conv | Dense, weights: Any, x: Any, normed: Callable[[Any, str], Any]
) -> Any:
    name = layer.name
    if layer.batch_norm:
        x = normed(x, name) * weights[f"{name}.gamma"] + weights[f"{name}.beta"]
    else:
        x = x + weights[f"{name}.bias"]
    return jax.nn.relu(x) if layer.activation else x


def _space_to_depth(x: Any, side: int) -> Any:
    if side == 1:
        return x
    n, height, width, channels = x.shape
    blocks = x.reshape(n, height // side, side, width // side, side * channels)
    return blocks.transpose(0, 1, 3, 2, 4).reshape(n, height // side, width // side, -1)


PEER = Jax
