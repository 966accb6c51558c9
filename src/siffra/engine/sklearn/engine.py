"""The sklearn engine: fits estimators, which have neither epochs nor weights."""

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from siffra.config import Estimator, EstimatorModel, Model, Training
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine, EpochEnd, Fitted, blamed_on
from siffra.engine.process import alone, hold_blas
from siffra.errors import ConfigError, ModelFileError

_PIXEL = np.float32(1 / 255)
_SCORED = 2500
"""Images of the training set that loss and accuracy are told of: some estimators predict slowly."""
_LEAST = 1e-7
"""A share below this counts as so much: estimators that only decide would have an endless loss."""


class SklearnEngine(Engine):
    """Fits classes with `fit` and `predict`, in scikit-learn's manner.

    Images come to them as rows of float32 in [0, 1]. The seed is their `random_state`, and that
    of NumPy's global generator meanwhile; `n_jobs` is the number of threads in fitting, and 1 in
    predicting, where several would add up in any order. A fit is one epoch: its `seconds` are
    those of `fit`, its loss and accuracy those of the fitted estimator on some of the training
    images. Results depend on the versions of the packages, which are part of the model.
    """

    name = "sklearn"
    version = 1

    def __init__(self, threads: int = 1) -> None:
        """Fit with `threads` threads."""
        self.threads = threads

    @property
    def versions(self) -> dict[str, str]:
        """scikit-learn's, if it is there: a class in its manner may do without."""
        try:
            return {"scikit-learn": version("scikit-learn")}
        except PackageNotFoundError:
            return {}

    def prepare(self, model: Model, training: Training, dataset: Dataset) -> None:
        """Check that the estimator can be made; what it lacks shows when it is fitted."""
        self._made(model, dataset, seed=0)

    def fit(
        self,
        model: Model,
        training: Training,
        dataset: Dataset,
        seed: int,
        on_epoch: Callable[[EpochEnd, Fitted], None],
    ) -> Fitted:
        """See `Engine.fit`."""
        estimator = self._made(model, dataset, seed)
        assert isinstance(model, EstimatorModel)
        rows, labels = as_rows(dataset.train.x), dataset.train.y
        with self._settled(seed), blamed_on(model):
            started = time.perf_counter()
            estimator.fit(rows, labels)
            seconds = time.perf_counter() - started
        fitted = SklearnFitted(estimator, dataset.classes, self)
        scored = dataset.train.some(_SCORED)
        with blamed_on(model):
            probabilities = fitted.predict(scored.x)
        of_label = probabilities[np.arange(len(scored)), scored.y].astype(float)
        loss = float(-np.log(np.maximum(of_label, _LEAST)).mean())
        accuracy = float((probabilities.argmax(axis=1) == scored.y).mean())
        on_epoch(EpochEnd(1, loss, accuracy, seconds), fitted)
        return fitted

    @cached_property
    def on_one_thread(self) -> "SklearnEngine":
        """See `Engine.on_one_thread`."""
        return SklearnEngine(1)

    def load(
        self,
        model: Model,
        image_shape: tuple[int, int, int],
        classes: int,
        weights: Mapping[str, np.ndarray],
    ) -> Fitted:
        """There is nothing to load: see `Fitted.weights` of an estimator."""
        raise ModelFileError("weights: an estimator of scikit-learn's has none that siffra knows.")

    def predict(self, estimator: Any, images: np.ndarray, classes: int) -> np.ndarray:
        """What `estimator` gives for images: see `Fitted.predict`."""
        rows = as_rows(images)
        out = np.zeros((len(rows), classes), np.float32)
        if not len(rows):
            return out
        with self._settled(0):
            if hasattr(estimator, "predict_proba"):
                known = getattr(estimator, "classes_", np.arange(classes))
                out[:, _as_classes(known, classes)] = estimator.predict_proba(rows)
            else:
                decided = _as_classes(estimator.predict(rows), classes)
                out[np.arange(len(rows)), decided] = 1
        return out

    def _made(self, model: Model, dataset: Dataset, seed: int) -> Any:
        """The estimator that `model` names, not fitted.

        Raises:
            ConfigError: The class is not at hand, or does not take its arguments.
        """
        if not isinstance(model, EstimatorModel):
            raise ConfigError("model: the sklearn engine fits estimators alone.")
        factory = model.factory
        if not isinstance(factory, Estimator):
            raise ConfigError(f"model: {factory} is only a name here; its class was not loaded.")
        filled = {
            "image_shape": dataset.image_shape,
            "classes": dataset.classes,
            "random_state": _seed_of(seed),
            "n_jobs": self.threads,
        }
        with blamed_on(model):
            return factory.make(
                **{name: filled[name] for name in factory.given},
                **{name: _own(value) for name, value in model.arguments},
            )

    @contextmanager
    def _settled(self, seed: int) -> Iterator[None]:
        """BLAS and OpenMP on our threads, and NumPy's global state of `seed`; then as before."""
        openmp = partial(threadpool_limits, self.threads, "openmp")
        with alone(), hold_blas(self.threads), openmp(), warnings.catch_warnings():
            # Of estimators that take `n_jobs` for the sake of old programs alone.
            warnings.filterwarnings("ignore", ".*n_jobs", FutureWarning)
            # NumPy's old generator is what a class draws from that asks for no seed.
            state = np.random.get_state()  # noqa: NPY002
            np.random.seed(_seed_of(seed))  # noqa: NPY002
            try:
                yield
            finally:
                np.random.set_state(state)  # noqa: NPY002


class SklearnFitted(Fitted):
    """A fitted `estimator`; it is scikit-learn's own, and joblib keeps it."""

    def __init__(self, estimator: Any, classes: int, engine: SklearnEngine) -> None:
        self.estimator, self._classes, self._engine = estimator, classes, engine
        if "n_jobs" in getattr(estimator, "get_params", dict)():
            estimator.set_params(n_jobs=1)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """See `Fitted.predict`; an estimator without `predict_proba` is sure of its decision."""
        return self._engine.predict(self.estimator, images, self._classes)

    def weights(self) -> dict[str, np.ndarray]:
        """None: what was learnt is in attributes that each estimator has of its own."""
        return {}


def as_rows(images: np.ndarray) -> np.ndarray:
    """Images as estimators are given them: (n, pixels) float32 in [0, 1]."""
    rows = images.reshape(len(images), math.prod(images.shape[1:]))
    return rows * _PIXEL if rows.dtype == np.uint8 else rows.astype(np.float32, copy=False)


def _as_classes(labels: object, classes: int) -> np.ndarray:
    """What an estimator gives for labels, which must be those that it was given."""
    labels = np.asarray(labels)
    numbers = labels.astype(np.int64)
    if not ((numbers == labels) & (numbers >= 0) & (numbers < classes)).all():
        raise ValueError(f"it gives {labels.ravel()[:3]}, which are no classes 0 to {classes - 1}")
    return numbers


def _own(value: object) -> Any:
    """A list that the estimator may change."""
    return list(value) if isinstance(value, tuple) else value


def _seed_of(seed: int) -> int:
    """A seed as NumPy's older generators take it, below 2**32."""
    return seed if seed < 2**32 else int(np.random.SeedSequence(seed).generate_state(1)[0])
