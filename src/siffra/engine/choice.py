"""Which engine trains a model: the one that was asked for, but for scikit-learn's estimators."""

from collections.abc import Callable
from pkgutil import resolve_name

from siffra.config import EstimatorModel, Model
from siffra.engine.base import Engine

ESTIMATORS = "sklearn"
"""The name of the engine that fits estimators."""

_CLASSES = {
    "native": "siffra.engine.native.engine:NativeEngine",
    "torch": "siffra.engine.torch.engine:TorchEngine",
    ESTIMATORS: "siffra.engine.sklearn.engine:SklearnEngine",
}
"""By name. Each is imported when it is needed: one brings Numba, the others need extras."""


def engine_class(name: str) -> Callable[[int | None], Engine]:
    """The engine of this name, which is made with a number of threads (None: one per core).

    Raises:
        ModuleNotFoundError: What it needs is not installed.
    """
    return resolve_name(_CLASSES[name])


def engine_for(model: Model, engine: Engine) -> Engine:
    """`engine`, or with an estimator the one that fits those, with as many threads."""
    if not isinstance(model, EstimatorModel) or engine.name == ESTIMATORS:
        return engine
    return engine_class(ESTIMATORS)(engine.threads)
