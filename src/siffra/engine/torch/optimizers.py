"""siffra's optimizers on PyTorch's tensors.

They are not `torch.optim`'s, whose momentum has the learning rate outside the velocity, so that
a schedule means something else there, and whose SGD has no decoupled weight decay.
"""

import abc
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from siffra.config import Training

_OTHERS_MOMENTUM = 0.9
"""Of weights that are trained beside Muon's matrices, by Nesterov's rule."""
_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
_NEWTON_SCHULZ_STEPS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Weight:
    """A trained tensor, outputs on its first axis, and what may be done to it.

    A kernel `decays`; the kernel of a hidden layer `is_hidden`, so that Muon makes its steps
    orthogonal; with batch norm after it `is_normed`: its size has no meaning.
    """

    tensor: nn.Parameter
    decays: bool
    is_hidden: bool
    is_normed: bool


class Optimizer:
    """Takes the steps of one training."""

    def __init__(self, weights: list[Weight], training: Training) -> None:
        self._weights = [(weight, _rule(weight, training)) for weight in weights]
        self._decay = training.weight_decay
        self._holds_sizes = training.optimizer == "muon"

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Change every weight that has a gradient; weight decay comes first."""
        for weight, rule in self._weights:
            w, g = weight.tensor, weight.tensor.grad
            if g is None:
                continue
            if self._holds_sizes and weight.is_hidden and weight.is_normed:
                w.mul_(math.sqrt(len(w)) / w.norm())
            if weight.decays and self._decay:
                w.mul_(1 - rate * self._decay)
            rule.move(w, g, rate)
            weight.tensor.grad = None


class _Rule(abc.ABC):
    """How one weight is moved, with what it remembers of earlier steps."""

    @abc.abstractmethod
    def move(self, w: Tensor, g: Tensor, rate: float) -> None: ...


class _Sgd(_Rule):
    def move(self, w: Tensor, g: Tensor, rate: float) -> None:
        w.sub_(g, alpha=rate)


class _Momentum(_Rule):
    """Polyak 1964 as Keras has it: the learning rate is in the velocity."""

    def __init__(self, w: Tensor, momentum: float) -> None:
        self._momentum, self._velocity = momentum, torch.zeros_like(w)

    def move(self, w: Tensor, g: Tensor, rate: float) -> None:
        w.add_(self._next_velocity(g, rate))

    def _next_velocity(self, g: Tensor, rate: float) -> Tensor:
        return self._velocity.mul_(self._momentum).sub_(g, alpha=rate)


class _Nesterov(_Momentum):
    """Sutskever et al. 2013, as Keras has it."""

    def move(self, w: Tensor, g: Tensor, rate: float) -> None:
        w.add_(self._next_velocity(g, rate), alpha=self._momentum).sub_(g, alpha=rate)


class _RMSprop(_Rule):
    """Tieleman & Hinton 2012 as Keras has it: epsilon under the root, the rate in the velocity."""

    def __init__(self, w: Tensor, momentum: float) -> None:
        self._momentum = momentum
        self._square, self._velocity = torch.zeros_like(w), torch.zeros_like(w)

    def move(self, w: Tensor, g: Tensor, rate: float) -> None:
        self._square.lerp_(g * g, 0.1)
        deviation = self._square.add(1e-7).sqrt_()
        w.sub_(self._velocity.mul_(self._momentum).addcdiv_(g, deviation, value=rate))


class _Adam(_Rule):
    """Kingma & Ba 2015, algorithm 1."""

    def __init__(self, w: Tensor) -> None:
        self._mean, self._square, self._steps = torch.zeros_like(w), torch.zeros_like(w), 0

    def move(self, w: Tensor, g: Tensor, rate: float) -> None:
        self._steps += 1
        self._mean.lerp_(g, 0.1)
        self._square.lerp_(g * g, 0.001)
        deviation = (self._square / (1 - 0.999**self._steps)).sqrt_().add_(1e-8)
        w.addcdiv_(self._mean, deviation, value=-rate / (1 - 0.9**self._steps))


class _Muon(_Rule):
    """Jordan et al. 2024: momentum's step with all its singular values brought near 1."""

    def __init__(self, w: Tensor, momentum: float) -> None:
        self._momentum, self._buffer = momentum, torch.zeros_like(w)
        outputs, inputs = len(w), w[0].numel()
        self._scale = math.sqrt(max(1, outputs / inputs))

    def move(self, w: Tensor, g: Tensor, rate: float) -> None:
        self._buffer.mul_(self._momentum).add_(g)
        update = g.add(self._buffer, alpha=self._momentum)
        step = orthogonal(update.flatten(1)).view_as(w)
        w.sub_(step, alpha=rate * self._scale)


def _rule(weight: Weight, training: Training) -> _Rule:
    w, momentum = weight.tensor.detach(), training.momentum
    match training.optimizer:
        case "sgd":
            return _Sgd()
        case "momentum":
            return _Momentum(w, momentum)
        case "nesterov":
            return _Nesterov(w, momentum)
        case "rmsprop":
            return _RMSprop(w, momentum)
        case "adam" | "adamw":
            return _Adam(w)
        case "muon":
            return _Muon(w, momentum) if weight.is_hidden else _Nesterov(w, _OTHERS_MOMENTUM)


def orthogonal(matrix: Tensor) -> Tensor:
    """`matrix` with its singular values brought near 1, by Newton and Schulz' iteration."""
    a, b, c = _NEWTON_SCHULZ
    x = matrix / (matrix.norm() + 1e-7)
    is_tall = x.shape[0] > x.shape[1]
    x = x.T if is_tall else x
    for _ in range(_NEWTON_SCHULZ_STEPS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if is_tall else x
