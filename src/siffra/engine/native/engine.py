"""The native engine: NumPy draws and holds, Numba computes, nothing else is needed."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numba
import numpy as np
from numba.core import config as numba_config

from siffra.config import ConvModel, Model, Training
from siffra.data.dataset import Dataset, Images
from siffra.engine.base import Engine, EpochEnd, Fitted, Steps
from siffra.engine.governor import Governor, ThreadGovernor
from siffra.engine.native.block_training import BlockTrainer
from siffra.engine.native.grid import aligned_zeros
from siffra.engine.native.layers import has_winograd
from siffra.engine.native.parameters import Parameters, is_stack
from siffra.engine.native.precompile import prepare_all
from siffra.engine.native.prediction import KeptRows, as_rows, make_predictor
from siffra.engine.native.sparse import SparseRows, is_sparse
from siffra.engine.native.stack_training import AugmentedTrainer, DenseTrainer, SparseTrainer
from siffra.engine.native.training import Job, Memory, Trainer
from siffra.engine.network import Network, build_network
from siffra.engine.normalization import statistics
from siffra.engine.process import hold_blas
from siffra.engine.rng import initial_weights
from siffra.engine.schedule import training_orders
from siffra.errors import ConfigError, ModelFileError
from siffra.system.cpu import available_cores


class NativeEngine(Engine):
    """Trains dense and convolutional networks on the CPU with siffra's own kernels."""

    name = "native"
    version = 7

    def __init__(self, threads: int | None = None) -> None:
        """Use at most `threads` threads, or as many as there are cores to use the time of.

        Raises:
            ConfigError: There are not that many.
        """
        config: Any = numba_config  # whose values type checkers can't see
        most = config.NUMBA_NUM_THREADS
        if threads is not None and not 1 <= threads <= most:
            raise ConfigError(f"threads: found {threads}; this machine has 1 to {most}.")
        # A number that the user has given to Numba stays.
        is_users = most != config.NUMBA_DEFAULT_NUM_THREADS
        self.threads = threads or (most if is_users else min(most, available_cores()))
        self.governor: Governor = ThreadGovernor(self.threads)
        # The sparse rows of the images trained last: a lab trains on the same ones again and again.
        # One pair, so that two threads that train on different images never mix them up.
        self._sparse: tuple[Images, SparseRows] | None = None
        # And those of the images that are predicted again and again, by every run of a lab.
        self.kept_rows: KeptRows = WeakKeyDictionary()
        # What is prepared takes a whole trainer; runs of other seeds need no more.
        self._prepared: set[tuple[Model, Training, str]] = set()

    def version_of(self, model: Model) -> int:
        """See `Engine.version_of`: what each kind of network computes is from another version."""
        if not isinstance(model, ConvModel):
            return 6
        return 7 if has_winograd(model) else 5

    def prepare(self, model: Model, training: Training, dataset: Dataset) -> None:
        """Compile, or load from the cache on disk, what training and scoring need.

        With threads to share it, what is not in the cache is compiled on two cores.
        """
        if self.threads > 1:
            self.prepare_all([(model, training)], dataset)
        else:
            self.prepare_alone(model, training, dataset)

    def prepare_all(self, tasks: Sequence[tuple[Model, Training]], dataset: Dataset) -> None:
        """See `Engine.prepare_all`: what is not in the cache is compiled on two cores."""
        prepare_all(tasks, dataset, self.prepare_alone)

    def prepare_alone(
        self, model: Model, training: Training, dataset: Dataset, *, scoring_first: bool = False
    ) -> None:
        """`prepare` without help.

        That is one real step, and one image of every set, as the whole set is predicted; once for
        all seeds of a training.
        """
        network = build_network(model, dataset.image_shape, dataset.classes)
        task = model, training, dataset.fingerprint
        if task in self._prepared:
            return
        trainer = self._trainer(network, training, dataset.train, 0)

        def train() -> None:
            with self.hold_threads():
                trainer.epoch(np.arange(min(training.batch_size, len(dataset.train))))

        def score() -> None:
            fitted = NativeFitted(network, trainer, self)
            fitted.prepare(dataset.train.x[:1].astype(np.float32))
            for images in dataset.sets.values():
                fitted.prepare(images.x)

        for prepare in (score, train) if scoring_first else (train, score):
            prepare()
        self._prepared.add(task)

    def fit(
        self,
        model: Model,
        training: Training,
        dataset: Dataset,
        seed: int,
        on_epoch: Callable[[EpochEnd, Fitted], None],
    ) -> Fitted:
        """See `Engine.fit`."""
        return self.go_on(model, training, dataset, seed, None, on_epoch)[0]

    def go_on(
        self,
        model: Model,
        training: Training,
        dataset: Dataset,
        seed: int,
        before: Memory | None,
        on_epoch: Callable[[EpochEnd, Fitted], None] = lambda end, fitted: None,
    ) -> tuple[Fitted, Memory]:
        """`fit` from where another training of the same model ended, unless `before` is None.

        `before` is what that one gave beside its network: the weights, and all that its optimizer
        remembers. Order, augmentation and dropout come from `seed`, as always; the schedule of
        learning rates starts anew.
        """
        network = build_network(model, dataset.image_shape, dataset.classes)
        trainer = self._trainer(network, training, dataset.train, seed)
        if before is not None:
            trainer.remember(before)
        fitted = NativeFitted(network, trainer, self)
        for epoch, order in enumerate(training_orders(training, len(dataset.train), seed), start=1):
            with self.hold_threads():
                started = time.perf_counter()
                loss, correct = trainer.epoch(order)
                seconds = time.perf_counter() - started
            fitted.take(trainer)
            images = len(order)
            on_epoch(EpochEnd(epoch, loss / images, correct / images, seconds), fitted)
        return fitted, trainer.memory

    @cached_property
    def on_one_thread(self) -> "NativeEngine":
        """See `Engine.on_one_thread`."""
        return self if self.threads == 1 else NativeEngine(1)

    @cached_property
    def on_all_threads(self) -> "NativeEngine":
        """See `Engine.on_all_threads`."""
        engine = NativeEngine(self.threads)
        engine.governor = ThreadGovernor(self.threads, fewest=self.threads)
        return engine

    def steps(self, model: Model, training: Training, dataset: Dataset, seed: int) -> "NativeSteps":
        """See `Engine.steps`."""
        network = build_network(model, dataset.image_shape, dataset.classes)
        return NativeSteps(self._trainer(network, training, dataset.train, seed), self)

    def load(
        self,
        model: Model,
        image_shape: tuple[int, int, int],
        classes: int,
        weights: Mapping[str, np.ndarray],
    ) -> Fitted:
        """See `Engine.load`."""
        network = build_network(model, image_shape, classes)
        shapes = {name: array.shape for name, array in weights.items()}
        if shapes != network.weights:
            raise ModelFileError(f"weights: found {shapes}; the model has {network.weights}.")
        return NativeFitted(network, weights, self)

    def _trainer(self, network: Network, training: Training, images: Images, seed: int) -> Trainer:
        pieces = self.governor.work()
        weights = initial_weights(network, seed) | statistics(network, images)
        job = Job(network, weights, training, images, seed, pieces)
        if not is_stack(network) or training.loss != "cross_entropy":
            return BlockTrainer(job)
        if training.augment != "none":
            return AugmentedTrainer(job)
        rows = images.x.reshape(len(images.x), -1)
        if not is_sparse(rows):
            return DenseTrainer(job)
        known = self._sparse
        if known is None or known[0] is not images:
            self._sparse = known = images, SparseRows.of(rows)
        return SparseTrainer(job, known[1])

    @contextmanager
    def hold_threads(self) -> Iterator[None]:
        """Our threads, and one for BLAS; afterwards the calling thread has its own number again."""
        before = numba.get_num_threads()
        try:
            with hold_blas(1):
                numba.set_num_threads(self.threads)
                yield
        finally:
            numba.set_num_threads(before)


class NativeSteps(Steps):
    """See `Steps`."""

    def __init__(self, trainer: Trainer, engine: NativeEngine) -> None:
        self.trainer, self._engine = trainer, engine

    def begin_epoch(self) -> None:
        """See `Steps`."""
        self.trainer.begin_epoch()

    def take(self, order: np.ndarray) -> None:
        """See `Steps`."""
        with self._engine.hold_threads():
            self.trainer.go_through(order)


class NativeFitted(Fitted):
    """A network whose parameters may still be in training; it predicts for one thread at a time."""

    def __init__(
        self, network: Network, weights: Trainer | Mapping[str, np.ndarray], engine: NativeEngine
    ) -> None:
        """Predict with those of a trainer, or with `weights` by name."""
        self._engine, self._turn = engine, threading.Lock()
        self._parameters = Parameters(network, as_stack=is_stack(network))
        self._params = aligned_zeros((self._parameters.size,))
        self._predictor = make_predictor(
            network, self._parameters, self._params, engine.governor, engine.kept_rows
        )
        if isinstance(weights, Trainer):
            self.take(weights)
        else:
            self._params[:] = self._parameters.flatten(weights)

    def take(self, trainer: Trainer) -> None:
        """Go on with the parameters that `trainer` has now."""
        if trainer.parameters.as_stack == self._parameters.as_stack:
            self._params[:] = trainer.averaged
        else:
            weights = trainer.parameters.unflatten(trainer.averaged)
            self._params[:] = self._parameters.flatten(weights)

    def prepare(self, images: np.ndarray) -> None:
        """Compile, or load, what predicting these images needs."""
        with self._at_work():
            self._predictor.prepare(as_rows(images))

    def predict(self, images: np.ndarray) -> np.ndarray:
        """See `Fitted.predict`."""
        with self._at_work():
            return self._predictor.predict(as_rows(images))

    def keep(self, images: Images) -> Callable[[], np.ndarray]:
        """See `Fitted.keep`."""
        with self._at_work():
            predict = self._predictor.keep(images)

        def again() -> np.ndarray:
            with self._at_work():
                return predict()

        return again

    def weights(self) -> dict[str, np.ndarray]:
        """See `Fitted.weights`."""
        return self._parameters.unflatten(self._params)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        # Kernels run without Python's lock, and a predictor has its buffers but once.
        with self._turn, self._engine.hold_threads():
            yield
