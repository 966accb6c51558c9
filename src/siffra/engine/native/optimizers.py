"""How the weights are updated: one class an optimizer, all of them in place.

Each is made once for a training and then called step by step with that step's learning rate.
Kernels here work on flat arrays and allocate nothing.
"""

import abc
import math
from collections.abc import Mapping
from typing import final

import numpy as np

from siffra.config import Training
from siffra.engine.native.grid import aligned_zeros
from siffra.engine.native.layers import LayerLayout
from siffra.engine.native.parameters import Parameters
from siffra.system.jit import compiled

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8
_RHO, _RMS_EPSILON = 0.9, 1e-7
_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
_NEWTON_SCHULZ_PIECES = (2, 3)
"""Steps that are taken on one Gram matrix, which is then made anew: five in all."""
_MUON_OTHERS = 0.9
"""Momentum of the weights that are no hidden matrix."""


class Optimizer(abc.ABC):
    """Changes `params`, of which the first `trained` are trained, by `grads` of as many.

    Weight decay is decoupled (Loshchilov & Hutter 2019): it takes its share of every kernel
    before the step, whatever the optimizer makes of the gradient.

    `memory` has by name what it remembers from step to step: its own arrays.
    """

    memory: Mapping[str, np.ndarray]

    def __init__(self, training: Training, parameters: Parameters) -> None:
        self._decay = training.weight_decay
        self._kernels = [slices.kernel for slices in parameters.slices]
        self._momentum = np.float32(training.momentum)

    def step(self, params: np.ndarray, grads: np.ndarray, rate: float) -> None:
        """One step at learning rate `rate`; `grads` may be used up."""
        self._hold(params)
        if self._decay:
            for kernel in self._kernels:
                params[kernel] *= np.float32(1 - rate * self._decay)
        self._update(params, grads, rate)

    def _hold(self, params: np.ndarray) -> None:  # noqa: B027  most have nothing to do here
        """What is to be done to the weights themselves before a step."""

    @abc.abstractmethod
    def _update(self, params: np.ndarray, grads: np.ndarray, rate: float) -> None:
        """The step itself."""


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

    def __init__(self, training: Training, parameters: Parameters) -> None:
        super().__init__(training, parameters)
        self._velocity = aligned_zeros((parameters.trained,))
        self.memory = {"velocity": self._velocity}

    def _update(self, params: np.ndarray, grads: np.ndarray, rate: float) -> None:
        momentum(params, grads, self._velocity, self._momentum, np.float32(rate))


@final
class Nesterov(Optimizer):
    """Keras' SGD with `nesterov`: v = momentum * v - rate * g; w = w + momentum * v - rate * g."""

    def __init__(self, training: Training, parameters: Parameters) -> None:
        super().__init__(training, parameters)
        self._velocity = aligned_zeros((parameters.trained,))
        self.memory = {"velocity": self._velocity}

    def _update(self, params: np.ndarray, grads: np.ndarray, rate: float) -> None:
        nesterov(params, grads, self._velocity, self._momentum, np.float32(rate))


@final
class RMSprop(Optimizer):
    """Keras' RMSprop: a = rho * a + (1 - rho) * g^2; v = momentum * v + rate * g / sqrt(a + eps).

    Then w = w - v. Source: Tieleman & Hinton 2012, lecture 6.5. PyTorch's adds eps to the root.
    """

    def __init__(self, training: Training, parameters: Parameters) -> None:
        super().__init__(training, parameters)
        self._square = aligned_zeros((parameters.trained,))
        self._velocity = aligned_zeros((parameters.trained,))
        self.memory = {"square": self._square, "velocity": self._velocity}

    def _update(self, params: np.ndarray, grads: np.ndarray, rate: float) -> None:
        rmsprop(params, grads, self._square, self._velocity, self._momentum, np.float32(rate))


@final
class Adam(Optimizer):
    """Kingma & Ba 2015, algorithm 1."""

    def __init__(self, training: Training, parameters: Parameters) -> None:
        super().__init__(training, parameters)
        self._first = aligned_zeros((parameters.trained,))
        self._second = aligned_zeros((parameters.trained,))
        self._steps = np.zeros((), np.int64)
        self.memory = {
            "first": self._first,
            "second": self._second,
            "steps_of_moments": self._steps,
        }

    def _update(self, params: np.ndarray, grads: np.ndarray, rate: float) -> None:
        self._steps += 1
        steps = int(self._steps)
        first = np.float32(rate / (1 - _BETA_1**steps))
        second = np.float32(1 / math.sqrt(1 - _BETA_2**steps))
        adam(params, grads, self._first, self._second, first, second)


@final
class Muon(Optimizer):
    """Momentum made orthogonal for hidden kernels, Nesterov momentum for all other weights.

    A kernel is a matrix of inputs by outputs. Where a batch norm follows, its size means nothing,
    and it is held at the square root of its outputs, so that a step turns it as far at any time.

    Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks";
    the fixed size is that of Jordan's speed runs on CIFAR-10.
    """

    def __init__(self, training: Training, parameters: Parameters) -> None:
        super().__init__(training, parameters)
        hidden = zip(parameters.layouts[:-1], parameters.slices[:-1], strict=True)
        self._hidden = [_Hidden(layout, slices.kernel) for layout, slices in hidden]
        self._velocity = aligned_zeros((parameters.trained,))
        buffers = {f"buffer_{number}": layer.buffer for number, layer in enumerate(self._hidden)}
        self.memory = {"velocity": self._velocity, **buffers}

    def _hold(self, params: np.ndarray) -> None:
        for layer in self._hidden:
            layer.hold(params)

    def _update(self, params: np.ndarray, grads: np.ndarray, rate: float) -> None:
        for layer in self._hidden:
            layer.step(params, grads, self._momentum, rate)
        nesterov(params, grads, self._velocity, np.float32(_MUON_OTHERS), np.float32(rate))


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


@compiled
def momentum(params, grads, velocity, momentum, rate):
    """See `Momentum`.

    Args:
        params: (parameters or more,) float32; those past `grads` are not trained.
        grads, velocity: (parameters,) float32.
        momentum, rate: float32.
    """
    for i in range(grads.size):
        change = momentum * velocity[i] - rate * grads[i]
        velocity[i] = change
        params[i] += change


@compiled
def nesterov(params, grads, velocity, momentum, rate):
    """See `Nesterov`.

    Args:
        params: (parameters or more,) float32; those past `grads` are not trained.
        grads, velocity: (parameters,) float32.
        momentum, rate: float32.
    """
    for i in range(grads.size):
        step = rate * grads[i]
        change = momentum * velocity[i] - step
        velocity[i] = change
        params[i] += momentum * change - step


@compiled(error_model="numpy")
def rmsprop(params, grads, square, velocity, momentum, rate):
    """See `RMSprop`.

    Args:
        params: (parameters or more,) float32; those past `grads` are not trained.
        grads, square, velocity: (parameters,) float32.
        momentum, rate: float32.
    """
    for i in range(grads.size):
        g = grads[i]
        a = np.float32(_RHO) * square[i] + np.float32(1 - _RHO) * g * g
        change = momentum * velocity[i] + rate * g / math.sqrt(a + np.float32(_RMS_EPSILON))
        square[i], velocity[i] = a, change
        params[i] -= change


@compiled(error_model="numpy")
def adam(params, grads, first, second, rate, root):
    """See `Adam`; `rate` and `root` have the corrections of the two moments in them.

    Args:
        params: (parameters or more,) float32; those past `grads` are not trained.
        grads, first, second: (parameters,) float32.
        rate, root: float32.
    """
    for i in range(grads.size):
        g = grads[i]
        m = np.float32(_BETA_1) * first[i] + np.float32(1 - _BETA_1) * g
        v = np.float32(_BETA_2) * second[i] + np.float32(1 - _BETA_2) * g * g
        first[i], second[i] = m, v
        params[i] -= rate * m / (math.sqrt(v) * root + np.float32(_EPSILON))


@compiled
def average(mean, params, decay):
    """Let `mean` keep a share `decay` of itself, and take the rest from `params`.

    Args:
        mean, params: (parameters,) float32.
        decay: float32 in [0, 1].
    """
    for i in range(mean.size):
        mean[i] += (np.float32(1) - decay) * (params[i] - mean[i])
