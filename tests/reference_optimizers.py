"""The optimizers of the twin: weights, gradients and a learning rate in, weights changed."""

import numpy as np

from siffra.config import Training
from siffra.engine.network import Network

Arrays = dict[str, np.ndarray]

MUON_OTHERS_MOMENTUM = 0.9
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


class Optimizer:
    """Takes the steps of one training."""

    def __init__(self, network: Network, training: Training) -> None:
        self.training = training
        self.orthogonal = {
            f"{layer.name}.kernel": layer.batch_norm for layer in network.layers[:-1]
        }
        self.first: Arrays = {}
        self.second: Arrays = {}

    def step(self, weights: Arrays, gradients: Arrays, rate: float, number: int) -> None:
        """Step `number`, from 1. Decay comes first, on kernels alone (Loshchilov & Hutter 2019)."""
        for name, g in gradients.items():
            w = weights[name]
            self.first.setdefault(name, np.zeros_like(w))
            self.second.setdefault(name, np.zeros_like(w))
            if self.training.optimizer == "muon" and self.orthogonal.get(name):
                # Batch norm makes the scale of a kernel meaningless: it is held at one.
                w *= np.sqrt(w.shape[-1]) / np.linalg.norm(w)
            if name.endswith(".kernel"):
                w -= rate * self.training.weight_decay * w
            w += self._change(name, g, rate, number)

    def _change(self, name: str, g: np.ndarray, rate: float, number: int) -> np.ndarray:
        match self.training.optimizer:
            case "sgd":
                return -rate * g
            case "momentum":
                return self._velocity(name, g, rate, self.training.momentum)
            case "nesterov":
                return self._nesterov(name, g, rate, self.training.momentum)
            case "rmsprop":
                return self._rmsprop(name, g, rate)
            case "adam" | "adamw":
                return self._adam(name, g, rate, number)
            case "muon" if name in self.orthogonal:
                return self._muon(name, g, rate)
            case "muon":
                return self._nesterov(name, g, rate, MUON_OTHERS_MOMENTUM)

    def _velocity(self, name: str, g: np.ndarray, rate: float, momentum: float) -> np.ndarray:
        """Polyak 1964, as Keras has it: the rate is in the velocity."""
        self.first[name] = momentum * self.first[name] - rate * g
        return self.first[name]

    def _nesterov(self, name: str, g: np.ndarray, rate: float, momentum: float) -> np.ndarray:
        """Sutskever et al. 2013, as Keras has it."""
        return momentum * self._velocity(name, g, rate, momentum) - rate * g

    def _rmsprop(self, name: str, g: np.ndarray, rate: float) -> np.ndarray:
        """Tieleman & Hinton 2012, as Keras has it: epsilon under the root, the rate in v."""
        self.second[name] = 0.9 * self.second[name] + 0.1 * g**2
        scaled = g / np.sqrt(self.second[name] + 1e-7)
        return self._velocity(name, scaled, rate, self.training.momentum)

    def _adam(self, name: str, g: np.ndarray, rate: float, number: int) -> np.ndarray:
        """Kingma & Ba 2015, algorithm 1."""
        self.first[name] = 0.9 * self.first[name] + 0.1 * g
        self.second[name] = 0.999 * self.second[name] + 0.001 * g**2
        mean = self.first[name] / (1 - 0.9**number)
        square = self.second[name] / (1 - 0.999**number)
        return -rate * mean / (np.sqrt(square) + 1e-8)

    def _muon(self, name: str, g: np.ndarray, rate: float) -> np.ndarray:
        """Jordan et al. 2024: the step is (nearly) the orthogonal matrix next to Nesterov's."""
        self.first[name] = self.training.momentum * self.first[name] + g
        update = g + self.training.momentum * self.first[name]
        matrix = update.reshape(-1, update.shape[-1])
        inputs, outputs = matrix.shape
        scale = rate * np.sqrt(max(1, outputs / inputs))
        return -scale * orthogonalised(matrix).reshape(g.shape)


def orthogonalised(matrix: np.ndarray) -> np.ndarray:
    """`matrix` with all its singular values brought near 1, by five Newton-Schulz steps."""
    a, b, c = NEWTON_SCHULZ
    x = matrix / (np.linalg.norm(matrix) + 1e-7)
    turned = x.shape[0] > x.shape[1]
    x = x.T if turned else x
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if turned else x
