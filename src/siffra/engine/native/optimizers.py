"""How the weights are updated: one class an optimizer, all of them in place.

Each is made once for a training. Kernels here work on flat arrays and allocate nothing; those of
stacks of dense layers call the rules themselves.
"""

import math
from collections.abc import Mapping
from functools import cache
from typing import final

import numpy as np

from siffra.config import Training
from siffra.engine.native.grid import aligned_zeros
from siffra.engine.native.layers import LayerLayout
from siffra.engine.native.parameters import Parameters
from siffra.system.jit import compiled, inline

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8
_RHO, _RMS_EPSILON = 0.9, 1e-7
_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
_NEWTON_SCHULZ_PIECES = (2, 3)
"""Steps that are taken on one Gram matrix, which is then made anew: five in all."""
_MUON_OTHERS = 0.9
"""Momentum of the weights that are no hidden matrix."""
MOMENTUM, NESTEROV, RMSPROP, ADAM, NONE = range(5)
"""The rules of steps, by number; with none, the gradient is all that is asked for."""


class Optimizer:
    """Changes `params`, of which the first `trained` are trained, by `grads` of as many.

    Weight decay is decoupled (Loshchilov & Hutter 2019): it takes its share of every kernel
    before the step, whatever the optimizer makes of the gradient.

    `rule` says how a step is taken, parameter by parameter if it `is_elementwise`; `state` is what
    that remembers, (1 or 2, trained).
    `memory` has by name all that is remembered from step to step: the optimizer's own arrays.
    """

    rule: int
    is_elementwise = True
    names: tuple[str, ...] = ("velocity",)

    def __init__(self, training: Training, parameters: Parameters) -> None:
        self._decay = training.weight_decay
        self._kernels = [slices.kernel for slices in parameters.slices]
        self.momentum = np.float32(training.momentum)
        self.state = aligned_zeros((len(self.names), parameters.trained))
        self.memory: Mapping[str, np.ndarray] = dict(zip(self.names, self.state, strict=True))

    def paces(self, rates: np.ndarray) -> np.ndarray:
        """For the next steps, at these learning rates, (steps, 3) float32.

        A row has two numbers for the rule, and what weight decay leaves of a kernel.
        """
        paces = np.zeros((len(rates), 3), np.float32)
        paces[:, 0] = rates
        paces[:, 2] = 1 - rates.astype(np.float64) * self._decay
        return paces

    def step(self, params: np.ndarray, grads: np.ndarray, rate: np.float32) -> None:
        """One step at learning rate `rate`; `grads` may be used up."""
        pace = self.paces(np.array([rate]))[0]
        self._hold(params)
        if self._decay:
            for kernel in self._kernels:
                params[kernel] *= pace[2]
        self._update(params, grads, pace)

    def _hold(self, params: np.ndarray) -> None:
        """What is to be done to the weights themselves before a step: for most, nothing."""

    def _update(self, params: np.ndarray, grads: np.ndarray, pace: np.ndarray) -> None:
        """The step itself."""
        update(self.rule)(params, grads[None], self.state, 0, grads.size, self.momentum, pace)


def make_optimizer(training: Training, parameters: Parameters) -> Optimizer:
    """The optimizer that `training` names, for parameters laid out so."""
    kinds: dict[str, type[Optimizer]] = {
        "sgd": Momentum,
        "momentum": Momentum,
        "nesterov": Nesterov,
        "rmsprop": RMSprop,
        "adam": Adam,
        "adamw": Adam,
        "muon": Muon,
    }
    return kinds[training.optimizer](training, parameters)


@final
class Momentum(Optimizer):
    """Keras' SGD: v = momentum * v - rate * g; w = w + v. Without momentum, plain SGD."""

    rule = MOMENTUM


class Nesterov(Optimizer):
    """Keras' SGD with `nesterov`: v = momentum * v - rate * g; w = w + momentum * v - rate * g."""

    rule = NESTEROV


@final
class RMSprop(Optimizer):
    """Keras' RMSprop: a = rho * a + (1 - rho) * g^2; v = momentum * v + rate * g / sqrt(a + eps).

    Then w = w - v. Source: Tieleman & Hinton 2012, lecture 6.5. PyTorch's adds eps to the root.
    """

    rule = RMSPROP
    names = ("square", "velocity")


@final
class Adam(Optimizer):
    """Kingma & Ba 2015, algorithm 1."""

    rule = ADAM
    names = ("first", "second")

    def __init__(self, training: Training, parameters: Parameters) -> None:
        super().__init__(training, parameters)
        self._steps = np.zeros((), np.int64)
        self.memory = {**self.memory, "steps_of_moments": self._steps}

    def paces(self, rates: np.ndarray) -> np.ndarray:
        """See `Optimizer`: the two numbers have the corrections of the two moments in them."""
        paces = super().paces(rates)
        for pace, rate in zip(paces, rates, strict=True):
            self._steps += 1
            steps = int(self._steps)
            pace[0] = float(rate) / (1 - _BETA_1**steps)
            pace[1] = 1 / math.sqrt(1 - _BETA_2**steps)
        return paces


@final
class Muon(Nesterov):
    """Momentum made orthogonal for hidden kernels, Nesterov momentum for all other weights.

    A kernel is a matrix of inputs by outputs. Where a batch norm follows, its size means nothing,
    and it is held at the square root of its outputs, so that a step turns it as far at any time.

    Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks";
    the fixed size is that of Jordan's speed runs on CIFAR-10.
    """

    is_elementwise = False

    def __init__(self, training: Training, parameters: Parameters) -> None:
        super().__init__(training, parameters)
        hidden = zip(parameters.layouts[:-1], parameters.slices[:-1], strict=True)
        self._hidden = [_Hidden(layout, slices.kernel) for layout, slices in hidden]
        self._own, self.momentum = self.momentum, np.float32(_MUON_OTHERS)
        buffers = {f"buffer_{number}": layer.buffer for number, layer in enumerate(self._hidden)}
        self.memory = {**self.memory, **buffers}

    def _hold(self, params: np.ndarray) -> None:
        for layer in self._hidden:
            layer.hold(params)

    def _update(self, params: np.ndarray, grads: np.ndarray, pace: np.ndarray) -> None:
        for layer in self._hidden:
            layer.step(params, grads, self._own, float(pace[0]))
        super()._update(params, grads, pace)


class _Hidden:
    """A kernel that Muon trains, seen as a matrix."""

    def __init__(self, layout: LayerLayout, kernel: slice) -> None:
        self._layout, self._kernel = layout, kernel
        self._size = math.sqrt(layout.outputs)
        self._stretch = math.sqrt(max(1.0, layout.outputs / layout.inputs))
        self.buffer = np.zeros_like(layout.as_matrix(np.zeros(layout.tap.size, np.float32)))

    def hold(self, params: np.ndarray) -> None:
        """Bring a kernel that is followed by a batch norm back to its size."""
        if self._layout.batch_norm:
            weights = params[self._kernel]
            weights *= np.float32(self._size / np.linalg.norm(weights))

    def step(
        self, params: np.ndarray, grads: np.ndarray, momentum: np.float32, rate: float
    ) -> None:
        """One step, which leaves no gradient of this kernel for others."""
        gradient = self._layout.as_matrix(grads[self._kernel])
        self.buffer[:] = momentum * self.buffer + gradient
        turn = orthogonal(gradient + momentum * self.buffer)
        turn *= np.float32(rate * self._stretch)
        params[self._kernel] -= self._layout.as_kernel(turn)
        grads[self._kernel] = 0


def orthogonal(matrix: np.ndarray) -> np.ndarray:
    """About the nearest matrix with orthonormal rows or columns, (n, m) float32.

    Singular values come out near 1, not at it: Newton & Schulz' iteration with Jordan's
    coefficients, which trade that for few steps.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = np.ascontiguousarray(matrix.T if tall else matrix)
    x = x / np.float32(np.linalg.norm(x) + 1e-7)
    # A step multiplies the rounding errors of the Gram matrix that it is taken on by up to a^2,
    # about 12, where singular values are small: five on one would leave 1e-3 of the largest.
    for steps in _NEWTON_SCHULZ_PIECES:
        x = _newton_schulz(x @ x.T, steps) @ x
    return x.T if tall else x


def _newton_schulz(gram: np.ndarray, steps: int) -> np.ndarray:
    """What so many steps multiply a matrix by, of which `gram` is the rows' Gram matrix.

    A step is x = p x with p = a + b g + c g^2 and g = x x^T. As p and g are polynomials of the
    first g, they commute, and the next g is p g p: the long side takes part only at the ends.
    """
    a, b, c = (np.float32(factor) for factor in _NEWTON_SCHULZ)
    one = np.eye(len(gram), dtype=np.float32)
    product = p = a * one + b * gram + c * (gram @ gram)
    for _ in range(steps - 1):
        gram = p @ gram @ p
        p = a * one + b * gram + c * (gram @ gram)
        product = p @ product
    return product


@inline
def momentum_rule(params, grads, state, first, last, momentum, pace):
    """See `Momentum`, and `update`.

    Args:
        params: (parameters or more,) float32.
        grads: (shards, parameters) float32.
        state: (1, parameters) float32, velocities.
        first, last: int.
        momentum: float32.
        pace: (3 or more,) float32, with the learning rate.
    """
    rate, two, w, v = pace[0], grads.shape[0] == 2, params[first:last], state[0, first:last]
    one, other = grads[0, first:last], grads[-1, first:last]
    for i in range(w.size):  # from 0: else LLVM finds no vectors in it
        g = one[i]
        if two:
            g += other[i]
        change = momentum * v[i] - rate * g
        v[i] = change
        w[i] += change


@inline
def nesterov_rule(params, grads, state, first, last, momentum, pace):
    """See `Nesterov`, and `update`.

    Args:
        params: (parameters or more,) float32.
        grads: (shards, parameters) float32.
        state: (1, parameters) float32, velocities.
        first, last: int.
        momentum: float32.
        pace: (3 or more,) float32, with the learning rate.
    """
    rate, two, w, v = pace[0], grads.shape[0] == 2, params[first:last], state[0, first:last]
    one, other = grads[0, first:last], grads[-1, first:last]
    for i in range(w.size):
        g = one[i]
        if two:
            g += other[i]
        step = rate * g
        change = momentum * v[i] - step
        v[i] = change
        w[i] += momentum * change - step


@inline(error_model="numpy")
def rmsprop_rule(params, grads, state, first, last, momentum, pace):
    """See `RMSprop`, and `update`.

    Args:
        params: (parameters or more,) float32.
        grads: (shards, parameters) float32.
        state: (2, parameters) float32, mean squares and velocities.
        first, last: int.
        momentum: float32.
        pace: (3 or more,) float32, with the learning rate.
    """
    rate, two, w = pace[0], grads.shape[0] == 2, params[first:last]
    one, other = grads[0, first:last], grads[-1, first:last]
    squares, v = state[0, first:last], state[1, first:last]
    for i in range(w.size):
        g = one[i]
        if two:
            g += other[i]
        a = np.float32(_RHO) * squares[i] + np.float32(1 - _RHO) * g * g
        change = momentum * v[i] + rate * g / math.sqrt(a + np.float32(_RMS_EPSILON))
        squares[i], v[i] = a, change
        w[i] -= change


@inline(error_model="numpy")
def adam_rule(params, grads, state, first, last, momentum, pace):
    """See `Adam`, and `update`.

    Args:
        params: (parameters or more,) float32.
        grads: (shards, parameters) float32.
        state: (2, parameters) float32, moments.
        first, last: int.
        momentum: float32, of no use here.
        pace: (3 or more,) float32, with what `Adam.paces` gives.
    """
    rate, root, two, w = pace[0], pace[1], grads.shape[0] == 2, params[first:last]
    one, other = grads[0, first:last], grads[-1, first:last]
    means, squares = state[0, first:last], state[1, first:last]
    for i in range(w.size):
        g = one[i]
        if two:
            g += other[i]
        m = np.float32(_BETA_1) * means[i] + np.float32(1 - _BETA_1) * g
        v = np.float32(_BETA_2) * squares[i] + np.float32(1 - _BETA_2) * g * g
        means[i], squares[i] = m, v
        w[i] -= rate * m / (math.sqrt(v) * root + np.float32(_EPSILON))


@cache
def update(rule: int):
    """The kernel of a step by `rule`."""

    @compiled
    def run(params, grads, state, first, last, momentum, pace):
        """One step of the parameters `first` to `last`.

        Args:
            params: (parameters or more,) float32; those past `grads` are not trained.
            grads: (shards, parameters) float32, of one shard or two, to be added up.
            state: (1 or 2, parameters) float32.
            first, last: int.
            momentum: float32.
            pace: (3 or more,) float32, see `Optimizer.paces`.
        """
        if rule == ADAM:
            adam_rule(params, grads, state, first, last, momentum, pace)
        elif rule == RMSPROP:
            rmsprop_rule(params, grads, state, first, last, momentum, pace)
        elif rule == NESTEROV:
            nesterov_rule(params, grads, state, first, last, momentum, pace)
        else:
            momentum_rule(params, grads, state, first, last, momentum, pace)

    return run


@inline
def move_average(mean, params, first, last, decay):
    """Let `mean` keep a share `decay` of itself, and take the rest from `params`.

    Args:
        mean, params: (parameters,) float32.
        first, last: int, the parameters.
        decay: float32 in [0, 1].
    """
    kept, w = mean[first:last], params[first:last]
    for i in range(w.size):
        kept[i] += (np.float32(1) - decay) * (w[i] - kept[i])


@compiled
def average(mean, params, decay):
    """`move_average` of all parameters.

    Args:
        mean, params: (parameters,) float32.
        decay: float32 in [0, 1].
    """
    move_average(mean, params, 0, mean.size, decay)
