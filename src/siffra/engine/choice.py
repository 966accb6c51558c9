"""Which engine trains a model: the one that was asked for, but for scikit-learn's estimators."""

from siffra.config import EstimatorModel, Model
from siffra.engine.base import Engine

ESTIMATORS = "sklearn"
"""The name of the engine that fits estimators: `SklearnEngine.name`, without its import."""


def engine_for(model: Model, engine: Engine) -> Engine:
    """`engine`, or with an estimator the one that fits those, with as many threads."""
    if not isinstance(model, EstimatorModel) or engine.name == ESTIMATORS:
        return engine
    from siffra.engine.sklearn.engine import SklearnEngine  # only when needed

    return SklearnEngine(engine.threads)
