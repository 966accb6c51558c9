"""What is trained and how: frozen, validated descriptions of a model and its training.

A *knob* is a setting by its one name (Keras' where Keras has it), in lab files, on the
command line, in the store and in reports. `Setting.from_knobs` turns knobs into a model
and a training; `Setting.knobs` turns them back.
"""

from siffra.config.knobs import GREATEST_SEED, KNOBS, Knob, Setting, says_layers
from siffra.config.model import ConvModel, DenseModel, Model
from siffra.config.training import Training

__all__ = [
    "GREATEST_SEED",
    "KNOBS",
    "ConvModel",
    "DenseModel",
    "Knob",
    "Model",
    "Setting",
    "Training",
    "says_layers",
]
