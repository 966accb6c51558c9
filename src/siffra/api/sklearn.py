"""siffra's networks as a scikit-learn classifier; needs the extra `siffra[sklearn]`."""

from __future__ import annotations

import inspect
import math
import threading
import warnings
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, Literal, Self, Unpack

import numpy as np

from siffra.api.arguments import NetworkKnobs, make_engine
from siffra.config import GREATEST_SEED, KNOBS, DenseModel, Setting, default, no_such_knob
from siffra.data.dataset import Dataset, Images
from siffra.engine.base import EpochEnd, Fitted
from siffra.errors import ConfigError

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ModuleNotFoundError as error:
    if error.name != "sklearn":
        raise
    raise ModuleNotFoundError(
        "SiffraClassifier needs scikit-learn; run `pip install 'siffra[sklearn]'`.",
        name=error.name,
    ) from error

_AT_ONCE = 256
"""Rows are predicted this many at a time, the last of them filled up: so the probabilities of a row
do not depend, to the last bit, on how many others are asked about."""
_BYTE = 1 / 255
_ONE_AT_A_TIME = threading.Lock()
"""An engine's buffers are for one thread at a time, and joblib may call us from several."""


class SiffraClassifier(ClassifierMixin, BaseEstimator):
    """A dense or convolutional network of siffra's.

    Rows of X are images, pixel by pixel, or any features. All of siffra's knobs are parameters
    under their own names, with siffra's own defaults; None stands for a default that depends on
    other knobs (`learning_rate` on `optimizer`, `layers` on `model`), or for a knob of the
    convolutional model. `siffra train --help` says what each does.

    Args:
        model: `"dense"` or `"conv"`.
        image_shape: (height, width) or (height, width, channels) of the image in a row. None: a
            square, if the number of features has a whole root. A dense network on features as
            they come needs none, unless it is to augment them.
        scale: What features are multiplied by. `"auto"` is 1/255 for uint8; else the largest
            absolute value in training becomes 1, all features having one scale, as the pixels of
            an image do. Features of different units need a scaler of their own before this one.
            1.0 leaves them as they are. Networks compute in float32.
        engine: `"native"`, or `"torch"` for PyTorch, an extra.
        threads: Threads to compute with; None: one per core. Results do not depend on it (with
            PyTorch, but for rounding).
        random_state: Decides the initial weights, the order of the rows and what else is drawn:
            equal whole numbers give equal bits. It is what `siffra train --seed` is.

    There are no sample weights: the engines have none.

    Attributes:
        classes_: The labels, sorted.
        n_features_in_: Features of a row.
        n_iter_: Epochs trained.
        loss_curve_: The mean training loss of each epoch; a cross-entropy is in nats.
        weights_: The weights by name, in Keras' shapes.
        scale_: What features are multiplied by.

    `fit` and `partial_fit` raise `siffra.errors.ConfigError` for a parameter that cannot be used.
    """

    def __init__(
        self,
        model: Literal["dense", "conv"] = "dense",
        *,
        image_shape: tuple[int, ...] | None = None,
        scale: float | Literal["auto"] = "auto",
        engine: Literal["native", "torch"] = "native",
        threads: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        **knobs: Unpack[NetworkKnobs],
    ) -> None:
        if unknown := knobs.keys() - KNOBS:
            raise TypeError(f"{min(unknown)}: {no_such_knob(min(unknown), KNOBS)}")
        self.model = model
        for name in KNOBS.keys() - {"model"}:
            setattr(self, name, knobs.get(name, default(name)))
        self.image_shape = image_shape
        self.scale = scale
        self.engine = engine
        self.threads = threads
        self.random_state = random_state

    def fit(self, X: object, y: object) -> Self:  # noqa: N803  scikit-learn's name
        """Train from scratch on rows X (n, features) with labels y (n,)."""
        setting = self._setting()
        x, y = self._checked(X, y, reset=True)
        self._begin(x, setting)
        self.classes_, labels = np.unique(y, return_inverse=True)
        self._train(setting, x, labels, self._seed, before=None)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:  # noqa: N803
        """Train on for one epoch, on these rows alone.

        The first call, unless `fit` came before, starts from scratch, needs all `classes` and
        decides the scale, and the mean and deviation of `normalization`. Weights, the optimizer's
        memory and the average of the weights are carried on; order, augmentation and dropout are
        drawn anew in each call. `epochs` does not count. A learning rate may be changed between
        calls, but for a schedule the number of steps would have to be known. With the native engine
        only.
        """
        setting = self._setting(epochs=1)
        if setting.training.schedule != "constant" or setting.training.warmup:
            raise ConfigError(
                "schedule, warmup: partial_fit does not know how many steps will follow; "
                "leave them at their defaults."
            )
        if self.engine != "native":
            raise ConfigError(f'engine: partial_fit needs "native"; found {self.engine!r}.')
        first = not hasattr(self, "weights_")
        if first and classes is None:
            raise ValueError("classes: the first call of partial_fit needs all classes.")
        x, y = self._checked(X, y, reset=first)
        if first:
            self._begin(x, setting)
            self.classes_ = np.unique(classes)
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"classes: found {classes}; those of the first call {self.classes_}.")
        unknown = np.setdiff1d(y, self.classes_)
        if unknown.size:
            raise ValueError(f"y: found {unknown}, which are none of the classes {self.classes_}.")
        labels = np.searchsorted(self.classes_, y)
        self._train(setting, x, labels, self._next_seed(), before=self._memory)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Probabilities (n, classes), float32, of rows X (n, features); columns as `classes_`.

        Raises:
            ConfigError: The training diverged, so that they are no numbers.
        """
        check_is_fitted(self, "weights_")
        rows: Any = validate_data(self, X, reset=False, **_AS_IT_IS)
        x = self._images(rows)
        parts = [x[first : first + _AT_ONCE] for first in range(0, len(x), _AT_ONCE)]
        # Filled up with rows of its own, since an engine may look at how many zeros there are.
        parts[-1] = parts[-1][np.arange(_AT_ONCE) % len(parts[-1])]
        with _ONE_AT_A_TIME:
            shares_of_parts = [self._network.predict(part) for part in parts]
        shares = np.concatenate(shares_of_parts)[: len(x)]
        if np.isnan(shares).any():
            raise ConfigError(
                "the training diverged: what it predicts are no numbers; lower learning_rate."
            )
        return shares

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The likeliest label of each row of X."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return self.classes_[likeliest]

    def __getstate__(self) -> dict[str, Any]:
        """All but the network itself, which has an engine's buffers: the weights make it anew."""
        state: Any = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_network"}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Make the network anew, to compute with all threads that there are here."""
        usual = {name: default(name) for name in KNOBS if name != "model"}
        super().__setstate__(usual | state)  # an earlier version had fewer knobs
        if hasattr(self, "weights_"):
            self._network = self._loaded(threads=None)

    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[np.ndarray, np.ndarray]:  # noqa: N803
        checked: Any = validate_data(self, X, y, reset=reset, **_AS_IT_IS)
        check_classification_targets(checked[1])
        return checked

    def _setting(self, **knobs: object) -> Setting:
        """What the parameters say, `knobs` put over them."""
        knobs = {name: _plain(getattr(self, name)) for name in KNOBS} | knobs
        return Setting.from_knobs({k: value for k, value in knobs.items() if value is not None})

    def _begin(self, x: np.ndarray, setting: Setting) -> None:
        """Decide what holds for all of a training."""
        self._seed = _seed_of(self.random_state)
        self._calls = 0
        self._shape = self._shape_of(x.shape[1], setting)
        self.scale_ = self._scale_for(x)
        self._memory: Mapping[str, np.ndarray] | None = None
        self.loss_curve_: list[float] = []

    def _next_seed(self) -> int:
        if self._calls == 0:
            return self._seed
        path = np.random.SeedSequence(self._seed, spawn_key=(self._calls,))
        return int(path.generate_state(1, np.uint64)[0] >> np.uint64(1))

    def _train(
        self,
        setting: Setting,
        x: np.ndarray,
        labels: np.ndarray,
        seed: int,
        before: Mapping[str, np.ndarray] | None,
    ) -> None:
        images = Images(self._images(x), labels.astype(np.int64))
        dataset = _training_on(images, len(self.classes_))
        losses: list[float] = []

        def end_epoch(end: EpochEnd, fitted: Fitted) -> None:
            losses.append(end.loss)

        with _ONE_AT_A_TIME:
            engine: Any = make_engine(self.threads, self.engine)
            about = (setting.model, setting.training, dataset, seed)
            if self.engine == "native":
                fitted, memory = engine.go_on(*about, before, end_epoch)
            else:
                fitted, memory = engine.fit(*about, end_epoch), None
        self._memory = memory
        self._trained, self._engine = setting.model, self.engine
        self._calls += 1
        self.loss_curve_ += losses
        self.n_iter_ = len(self.loss_curve_)
        self.weights_ = fitted.weights()
        self._network = self._loaded(self.threads)
        if not np.isfinite(losses[-1]):
            _warn_of_divergence()

    def _loaded(self, threads: int | None) -> Fitted:
        """The network with its weights, free of what it was trained with."""
        engine = make_engine(threads, self._engine)
        return engine.load(self._trained, self._shape, len(self.classes_), self.weights_)

    def _images(self, x: np.ndarray) -> np.ndarray:
        """Rows as an engine takes them, (n, height, width, channels), of numbers it may scale."""
        if x.dtype != np.uint8 or self.scale_ != _BYTE:
            x = x.astype(np.float32) * np.float32(self.scale_)
        # Kernels are compiled for arrays that may be written; joblib's may not.
        return np.require(x, requirements=["C", "A", "W"]).reshape(len(x), *self._shape)

    def _scale_for(self, x: np.ndarray) -> float:
        if isinstance(self.scale, Real) and 0 < float(self.scale) < math.inf:
            return float(self.scale)
        if self.scale != "auto":
            raise ConfigError(
                f'scale: found {self.scale!r}; it must be "auto" or a number above 0.'
            )
        if x.dtype == np.uint8:
            return _BYTE
        largest = float(np.abs(x).max())
        # The reciprocal of the very smallest numbers is no float32.
        return 1 / largest if largest > 1e-30 else 1.0

    def _shape_of(self, features: int, setting: Setting) -> tuple[int, int, int]:
        if self.image_shape is not None:
            shape = tuple(_plain(side) for side in self.image_shape)
            image_shape = (*shape, 1) if len(shape) == 2 else shape
            if len(image_shape) != 3 or math.prod(image_shape) != features:
                raise ConfigError(
                    f"image_shape: found {shape}, but a row has {features} features; it must be "
                    "(height, width) or (height, width, channels) of as many."
                )
            return image_shape
        side = math.isqrt(features)
        if side**2 == features:
            return side, side, 1
        if not isinstance(setting.model, DenseModel) or setting.training.augment != "none":
            raise ConfigError(
                f"image_shape: {features} features are no square image; say (height, width) or "
                "(height, width, channels)."
            )
        return 1, features, 1


def _signature() -> inspect.Signature:
    """`__init__` with every knob written out: there scikit-learn looks for parameters."""
    self, model, *others, _ = inspect.signature(SiffraClassifier.__init__).parameters.values()
    knobs = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default(name))
        for name in KNOBS
        if name != "model"
    ]
    return inspect.Signature([self, model, *knobs, *others])


SiffraClassifier.__init__.__signature__ = _signature()

_AS_IT_IS: Mapping[str, Any] = {"dtype": [np.float32, np.uint8], "order": "C"}
"""How scikit-learn hands over X: bytes as they are, all else as float32."""


def _seed_of(state: object) -> int:
    """A whole number is the seed itself, also one that NumPy's `RandomState` cannot take."""
    if not isinstance(state, Integral):
        return int(check_random_state(state).randint(2**31 - 1))
    if not 0 <= int(state) <= GREATEST_SEED:
        raise ConfigError(f"random_state: found {state}; it must be from 0 to 2**63 - 1.")
    return int(state)


def _plain(value: object) -> Any:
    """NumPy's numbers and arrays, which a grid search may bring, as Python's own."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _training_on(images: Images, classes: int) -> Dataset:
    """A data set to train on and nothing else."""
    none = Images(images.x[:0], images.y[:0])
    return Dataset("rows", classes, images, none, none, shifted={}, fingerprint="")


def _warn_of_divergence() -> None:
    warnings.warn(
        "the training diverged: its loss is no longer a number; lower learning_rate.",
        ConvergenceWarning,
        stacklevel=4,
    )
