"""The contract between siffra and whatever trains its networks."""

import abc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Protocol, Self

import numpy as np

from siffra.config import Model, OwnModel, Training
from siffra.data.dataset import Dataset, Images
from siffra.engine.network import is_trained
from siffra.errors import ConfigError

Weights = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class EngineName:
    """An engine by its `kind`, which users ask for, and the device that it computes on."""

    kind: str
    device: str = "cpu"

    @classmethod
    def parse(cls, name: str) -> Self:
        """Of `native`, `torch-cuda`: the device is left out where it is the CPU."""
        kind, _, device = name.partition("-")
        return cls(kind, device or "cpu")

    def __str__(self) -> str:
        return self.kind if self.device == "cpu" else f"{self.kind}-{self.device}"


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """What an engine knows at the end of an epoch.

    `epoch` counts from 1. `loss` (per image; a cross-entropy is in nats) and `accuracy` (a
    fraction) are means over the epoch's batches, each taken before its update, as Keras reports
    them; a diverged run has a `loss` that is not finite. `seconds` is the wall time of this
    epoch's training.
    """

    epoch: int
    loss: float
    accuracy: float
    seconds: float


class Fitted(abc.ABC):
    """A network with weights."""

    @abc.abstractmethod
    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities, (n, classes) float32, of (n, height, width, channels) images.

        Images are uint8 in 0..255 or float32 in [0, 1].
        """

    def keep(self, images: Images) -> Callable[[], np.ndarray]:
        """What gives `predict` of these images again and again, as training goes on.

        Whatever can be done to them once is done here, for all networks of the same engine.
        """
        return partial(self.predict, images.x)

    @abc.abstractmethod
    def weights(self) -> dict[str, np.ndarray]:
        """A copy of the weights by name (`conv_1.kernel`, `dense_1.bias`), in Keras' shapes.

        Those of a module of the user's have PyTorch's names and shapes.
        """

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return sum(w.size for name, w in self.weights().items() if is_trained(name))


class Steps(Protocol):
    """A training that takes this many steps as it is asked for, and waits between them."""

    def begin_epoch(self) -> None:
        """Do what comes before the steps of every epoch, such as drawing its augmentation."""
        ...

    def take(self, order: np.ndarray) -> None:
        """Train on these images, (n,) int64, in their order, batch by batch; wait for the end."""
        ...


class Engine(abc.ABC):
    """Trains networks.

    An engine draws nothing itself: initial weights and shuffles come from `siffra.engine.rng`,
    so that two engines train the same network on the same batches. Equal arguments give equal
    bits on one kind of CPU, with the same packages and as many threads; the native engine's are
    the same on any number of threads. An engine owns no files and writes no logs.
    """

    name: str
    version: int
    """Raised whenever equal arguments come to give other bits."""
    threads: int
    """How many it computes with; its times depend on it, and its rounding may."""

    def version_of(self, model: Model) -> int:
        """The version that last changed the bits of trainings of `model`; part of a run's key."""
        return self.version

    @property
    def versions(self) -> dict[str, str]:
        """What its results and times depend on beside siffra's own packages: none."""
        return {}

    @abc.abstractmethod
    def prepare(self, model: Model, training: Training, dataset: Dataset) -> None:
        """Do what is needed once before a training can be timed, such as compiling.

        Raises:
            ConfigError: The model cannot be built for these images.
        """

    def prepare_all(  # noqa: B027  most engines gain nothing by it
        self, tasks: Sequence[tuple[Model, Training]], dataset: Dataset
    ) -> None:
        """Do ahead, for many trainings, what takes less time that way; `prepare` does the rest.

        Raises:
            ConfigError: A model cannot be built for these images.
        """

    @abc.abstractmethod
    def fit(
        self,
        model: Model,
        training: Training,
        dataset: Dataset,
        seed: int,
        on_epoch: Callable[[EpochEnd, Fitted], None],
    ) -> Fitted:
        """Train `model` on `dataset.train` from scratch.

        `on_epoch` is called after every epoch with the network as it then is, always the same
        `Fitted`, which it may ask for predictions; its time is not counted. What it raises ends
        the training. A diverged run is trained to its end all the same: it is a result.

        Raises:
            ConfigError: The model cannot be built for these images.
        """

    @cached_property
    def on_one_thread(self) -> "Engine":
        """An engine that trains as this one does, with one thread: by default this one itself."""
        return self

    @cached_property
    def on_all_threads(self) -> "Engine":
        """An engine that trains as this one does, never with fewer than all its threads.

        By default it is this one itself.
        """
        return self

    def steps(self, model: Model, training: Training, dataset: Dataset, seed: int) -> Steps | None:
        """What trains as `fit` does, but step by step; None where a training is all or nothing.

        Several may be at work by turns, all called by one thread.

        Raises:
            ConfigError: The model cannot be built for the data set's images.
        """
        return None

    @abc.abstractmethod
    def load(
        self,
        model: Model,
        image_shape: tuple[int, int, int],
        classes: int,
        weights: Weights,
    ) -> Fitted:
        """A network with the `weights` that `Fitted.weights` gave.

        Raises:
            ModelFileError: A weight is missing, unknown or of the wrong shape.
        """


@contextmanager
def blamed_on(model: OwnModel, where: str = "") -> Iterator[None]:
    """Whatever is raised within becomes one line; `where` says more, as ` on a batch of 7`.

    Raises:
        ConfigError: Something was.
    """
    try:
        yield
    except Exception as error:
        message = " ".join(str(error).split()).rstrip(".")
        raise ConfigError(
            f"model: {model.factory} fails{where}: {type(error).__name__}: {message}."
        ) from error
