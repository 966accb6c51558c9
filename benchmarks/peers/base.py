"""The contract between the clock and what it times."""

import abc
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from siffra.bench.workloads import Task
from siffra.config import Setting
from siffra.data.dataset import Dataset, Images
from siffra.engine.network import Network, build_network
from siffra.engine.rng import initial_weights


@dataclass(frozen=True)
class Problem:
    """What every peer is given: a setting, the images, the seed of all draws, and the threads."""

    setting: Setting
    dataset: Dataset
    seed: int
    threads: int

    @cached_property
    def network(self) -> Network:
        """The layers with their sizes."""
        return build_network(self.setting.model, self.dataset.image_shape, self.dataset.classes)

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """The weights to start from, by name, in Keras' shapes."""
        return initial_weights(self.network, self.seed)

    def images(self, task: Task) -> Images:
        """Those that a turn is about."""
        return self.dataset.train if task == "train" else self.dataset.test

    @property
    def batch_size(self) -> int:
        """Images a step; the last step of an epoch may have fewer."""
        return self.setting.training.batch_size

    @property
    def learning_rate(self) -> float:
        """Of plain SGD on a batch's mean cross-entropy."""
        return self.setting.training.learning_rate


class Peer(abc.ABC):
    """Trains a problem's network as a user of one library would who knows that library well.

    What can be done once for a whole training (moving images to where the library wants them,
    compiling) belongs in `__init__`, or happens in the first epoch: neither is timed.
    """

    @abc.abstractmethod
    def __init__(self, problem: Problem) -> None:
        """Build the network from `problem.weights`."""

    def ready(self, order: np.ndarray) -> Any:
        """What `train` wants to be given for an epoch in this order; not timed."""
        return order

    @abc.abstractmethod
    def train(self, ready: Any) -> float | None:
        """One epoch; the mean over its images of the loss before each step, in nats."""

    @abc.abstractmethod
    def score(self) -> np.ndarray | None:
        """Class probabilities, (n, classes), of the test images with the weights as they are."""

    def close(self) -> None:  # noqa: B027  most have nothing to end
        """End what goes on in the background: another peer is to work in this process."""


def pixels(images: Images) -> np.ndarray:
    """The images as most libraries want them: float32 in [0, 1], (n, height, width, channels)."""
    return images.x.astype(np.float32) / np.float32(255)
