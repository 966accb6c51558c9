"""A search without waiting: an engine that moves a clock on, and is as good as its knobs say."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import optuna
import pytest

from siffra.config import Model, Training
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine, EpochEnd, Fitted
from siffra.engine.network import Network, build_network
from siffra.engine.schedule import total_steps
from siffra.search.proposals import proposals
from siffra.search.space import quiet_optuna
from siffra.training import timing


class FakeClock:
    """Seconds that pass when somebody says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class FakeFitted(Fitted):
    """Right about a share of the images, the same ones every time; `share` of 1 is all."""

    def __init__(self, share: float, network: Network, seed: int, engine: "FakeEngine") -> None:
        self._share, self._network, self._seed, self._engine = share, network, seed, engine
        self._classes = network.classes

    def predict(self, images: np.ndarray) -> np.ndarray:
        self._engine.clock.now += self._engine.seconds_per_image * len(images)
        # The class is written into the first pixel by `fake_data`.
        scale = 1 if images.dtype == np.uint8 else 255
        truth = np.rint(images[:, 0, 0, 0] * scale).astype(int) % self._classes
        rng = np.random.default_rng(self._seed)
        right = rng.random(len(images)) < self._share
        given = np.where(right, truth, (truth + 1) % self._classes)
        return np.eye(self._classes, dtype=np.float32)[given]

    def weights(self) -> dict[str, np.ndarray]:
        """Those of the network, all zero but for what `load` goes by."""
        weights = {name: np.zeros(s, np.float32) for name, s in self._network.weights.items()}
        next(iter(weights.values())).flat[:2] = self._share, self._seed
        return weights


@dataclass
class FakeSteps:
    """Takes steps, one at a time, in which nothing is learned."""

    processor: FakeClock
    an_image: float
    a_step: float

    def begin_epoch(self) -> None:
        """See `Steps`."""

    def take(self, order: np.ndarray) -> None:
        self.processor.now += len(order) * self.an_image + self.a_step


class FakeEngine(Engine):
    """Takes time by its arithmetic; better the nearer the learning rate is to 0.1, and longer."""

    name, version, threads = "fake", 1, 1

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.multiplications_per_second = 1e7
        self.seconds_per_step = 0.0
        """What a step takes beside its arithmetic."""
        self.seconds_per_image = 0.0
        """What it takes to score."""
        self.processor: FakeClock | None = None
        """Moves on while steps are taken one by one, whatever else the machine does."""
        self.trained: list[tuple[str, int, int]] = []
        self.slowness: Callable[[float, int], float] = lambda seconds, seed: 1.0
        """The factor by which a run of so many seconds takes longer, for the machine is busy."""

    def prepare(self, model, training, dataset) -> None:
        pass

    def fit(
        self,
        model: Model,
        training: Training,
        dataset: Dataset,
        seed: int,
        on_epoch: Callable[[EpochEnd, Fitted], None],
    ) -> Fitted:
        steps = total_steps(training, len(dataset.train))
        network = build_network(model, dataset.image_shape, dataset.classes)
        work = network.multiplications * training.batch_size
        seconds = steps * (work / self.multiplications_per_second + self.seconds_per_step)
        learned = seconds
        seconds *= self.slowness(seconds, seed)
        self.clock.now += seconds
        self.trained.append((str((model, training)), steps, seed))
        off = abs(math.log10(training.learning_rate / 0.1))
        # A model file keeps 32 bits of it.
        share = float(np.float32(max(0.1, 0.95 - 0.2 * off - 0.5 / (1 + learned))))
        fitted = FakeFitted(share, network, seed, self)
        epochs = math.ceil(training.epochs)
        for number in range(1, epochs + 1):
            on_epoch(EpochEnd(number, 1.0, share, seconds / epochs), fitted)
        return fitted

    def steps(self, model, training, dataset, seed) -> "FakeSteps | None":
        network = build_network(model, dataset.image_shape, dataset.classes)
        an_image = network.multiplications / self.multiplications_per_second
        return self.processor and FakeSteps(self.processor, an_image, self.seconds_per_step)

    def load(self, model, image_shape, classes, weights) -> Fitted:
        network = build_network(model, image_shape, classes)
        share, seed = map(float, weights[next(iter(network.weights))].flat[:2])
        return FakeFitted(share, network, int(seed), self)


@pytest.fixture(scope="session")
def propose():
    """`propose(space, parents, seed)`: parameters and knobs, where nothing was seen yet."""
    with quiet_optuna():
        study = optuna.create_study(direction="maximize")
    return lambda space, parents, seed: next(proposals(study, space, parents, seed))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def engine(clock: FakeClock) -> FakeEngine:
    return FakeEngine(clock)


@pytest.fixture
def stepping(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """The engine, on a machine that says how much of its processor time a step takes."""
    engine.processor = processor = FakeClock()
    monkeypatch.setattr(timing, "clock_of", lambda engine: processor)
    return engine


@pytest.fixture(scope="session")
def fake_data(tmp_path_factory: pytest.TempPathFactory):
    """600 + 200 images of 12 x 12 in 3 classes; the class is in the corner pixel."""
    rng = np.random.default_rng(3)

    def images(count: int) -> tuple[np.ndarray, np.ndarray]:
        y = np.arange(count) % 3
        x = rng.integers(0, 255, (count, 12, 12))
        x[:, 0, 0] = y
        return x.astype(np.uint8), y

    path = tmp_path_factory.mktemp("data") / "fake.npz"
    (x_train, y_train), (x_test, y_test) = images(600), images(200)
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path
