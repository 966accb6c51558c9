"""What is trained and how: frozen, validated descriptions of a model and its training.

A *knob* is a setting by its one name (Keras' where Keras has it), in lab files, on the
command line, in the store and in reports. `Setting.from_knobs` turns knobs into a model
and a training; `Setting.knobs` turns them back.
"""

from siffra.config.estimator import Estimator
from siffra.config.factory import Factory
from siffra.config.knobs import KNOBS, Knob, choices, default, no_such_knob, suggested
from siffra.config.model import (
    BuiltModel,
    ConvModel,
    DenseModel,
    EstimatorModel,
    ExternalModel,
    Model,
    ModuleModel,
    OwnModel,
    SteplessModel,
)
from siffra.config.own_models import as_model, load_factory
from siffra.config.setting import (
    GREATEST_SEED,
    MOST_LAYERS,
    Setting,
    knobs_of,
    override,
    says_layers,
)
from siffra.config.training import Training

__all__ = [
    "GREATEST_SEED",
    "KNOBS",
    "MOST_LAYERS",
    "BuiltModel",
    "ConvModel",
    "DenseModel",
    "Estimator",
    "EstimatorModel",
    "ExternalModel",
    "Factory",
    "Knob",
    "Model",
    "ModuleModel",
    "OwnModel",
    "Setting",
    "SteplessModel",
    "Training",
    "as_model",
    "choices",
    "default",
    "knobs_of",
    "load_factory",
    "no_such_knob",
    "override",
    "says_layers",
    "suggested",
]
