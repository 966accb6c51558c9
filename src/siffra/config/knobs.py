"""The list of knobs: what there is to turn, by name.

All that has a knob follows from it: options, Python's keyword arguments, the scikit-learn
classifier, the page's form, columns of tables and what both catalogues of words must have.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import get_args, get_origin

from siffra.config.model import ConvModel, DenseModel
from siffra.config.training import Training, usual
from siffra.errors import did_you_mean


@dataclass(frozen=True, slots=True)
class Knob:
    """One thing that can be turned: its name, what it does, and how a value is written.

    `suggested` are values worth comparing, and `needs` are knobs without which it does nothing.
    `aliases` are names that other programs have for it; a mistake's hint knows them.
    """

    name: str
    help: str
    type: type
    models: tuple[str, ...] = ("dense", "conv")
    per_layer: bool = False
    suggested: tuple[int | float, ...] = ()
    needs: Mapping[str, str | int | float] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()


def _knob(
    name: str,
    text: str,
    *,
    suggested: tuple[int | float, ...] = (),
    needs: Mapping[str, str | int | float] | None = None,
    aliases: str = "",
) -> Knob:
    """The knob `name`; the field that it sets says what it takes, and which models have it."""
    field_name = _COUNTED.get(name, name)
    models = ("conv",) if field_name in _CONV_ALONE else ("dense", "conv")
    annotation = _FIELDS[field_name].annotation if field_name in _FIELDS else str
    per_layer = name == field_name and get_origin(annotation) is tuple
    of = int if get_origin(annotation) is tuple else _TYPES.get(annotation, str)
    return Knob(name, text, of, models, per_layer, suggested, needs or {}, tuple(aliases.split()))


_FIELDS = {**ConvModel.model_fields, **DenseModel.model_fields, **Training.model_fields}
_CONV_ALONE = ConvModel.model_fields.keys() - DenseModel.model_fields.keys()
_COUNTED = {"layers": "neurons", "conv_layers": "filters"}
"""Knobs that say how many entries a field has."""
_TYPES = {bool: bool, int: int, float: float, int | float: float}
"""Of numbers; words are all else."""

KNOBS: Mapping[str, Knob] = {
    knob.name: knob
    for knob in (
        _knob(
            "model",
            "network type: dense, conv, your own (my_models:make) or a scikit-learn classifier "
            "(sklearn.svm:SVC)",
            aliases="arch architecture network net model_type",
        ),
        _knob(
            "learning_rate",
            "step size of gradient descent; with a schedule, the peak",
            suggested=(0.02, 0.7, 1),
            aliases="lr eta step_size base_lr max_lr peak_lr learning_rate_init",
        ),
        _knob(
            "batch_size",
            "training images per step",
            suggested=(9, 10, 11),
            aliases="batch bs batchsize minibatch_size",
        ),
        _knob(
            "epochs",
            "passes over the training images; may be fractional",
            suggested=(1, 3, 10),
            aliases="epoch max_epochs n_epochs num_epochs max_iter",
        ),
        _knob(
            "optimizer",
            "update rule: sgd, momentum, nesterov, rmsprop, adam, adamw, muon",
            aliases="opt solver optim",
        ),
        _knob(
            "momentum",
            "fraction of the previous step kept (momentum, nesterov, rmsprop, muon)",
            suggested=(0.5, 0.9, 0.98),
            needs={"optimizer": "momentum"},
            aliases="beta nesterovs_momentum",
        ),
        _knob(
            "weight_decay",
            "decoupled weight decay: fraction of each weight removed per step, times the rate",
            suggested=(0.0005, 0.005, 0.05),
            needs={"optimizer": "adamw", "learning_rate": 0.001},
            aliases="wd l2 regularization",
        ),
        _knob(
            "schedule",
            "learning-rate schedule: constant, one_cycle, cosine, step",
            aliases="scheduler lr_scheduler lr_schedule",
        ),
        _knob(
            "warmup",
            "fraction of the steps over which the learning rate rises from 0",
            suggested=(0, 0.1, 0.3),
            needs={"schedule": "one_cycle"},
            aliases="warm_up warmup_steps warmup_ratio",
        ),
        _knob(
            "step_every",
            "epochs after each of which the step schedule lowers the learning rate",
            suggested=(1, 5, 10),
            needs={"schedule": "step"},
            aliases="step_size decay_steps lr_step_size",
        ),
        _knob(
            "step_factor",
            "what the step schedule multiplies the learning rate by",
            suggested=(0.1, 0.5),
            needs={"schedule": "step"},
            aliases="gamma decay_rate lr_gamma",
        ),
        _knob(
            "loss",
            "what training makes small: cross_entropy, mean_squared_error (of the probabilities)",
            aliases="loss_function criterion objective",
        ),
        _knob(
            "label_smoothing",
            "probability mass spread over all classes",
            suggested=(0, 0.1),
            aliases="smoothing",
        ),
        _knob(
            "ema",
            "decay of the moving average of the weights that replaces the last weights; 0 is none",
            suggested=(0.9, 0.99),
            aliases="ema_decay weight_averaging",
        ),
        _knob(
            "augment",
            "augmentation of training images: none, move, rotate, shifts (either)",
            aliases="augmentation data_augmentation",
        ),
        _knob(
            "augment_move",
            "largest move in training, in pixels",
            suggested=(2, 5, 10),
            needs={"augment": "move"},
        ),
        _knob(
            "augment_rotate",
            "largest rotation in training, in degrees",
            suggested=(10, 20, 36),
            needs={"augment": "rotate"},
        ),
        _knob(
            "augment_clean",
            "fraction of images neither moved nor rotated",
            suggested=(0, 0.3, 0.6),
            needs={"augment": "shifts"},
        ),
        _knob(
            "augment_jitter",
            "jitter strength for all images: 1 is 1 px, 5 degrees, 5 %",
            suggested=(0, 1),
            needs={"augment": "shifts"},
        ),
        _knob(
            "normalization",
            "take the training pixels' mean from all pixels, and divide by their deviation",
            aliases="normalize normalise standardize standardise standardization",
        ),
        _knob(
            "layers",
            "number of hidden dense layers",
            suggested=(1, 2, 4),
            aliases="depth n_layers num_layers hidden_layers",
        ),
        _knob(
            "neurons",
            "units in each hidden dense layer",
            suggested=(4, 32, 256),
            needs={"layers": 1},
            aliases="width units hidden_size hidden_units hidden_dim hidden_layer_sizes",
        ),
        _knob(
            "activation",
            "activation of hidden layers: relu, gelu, tanh, sigmoid",
            aliases="act nonlinearity activation_function",
        ),
        _knob(
            "batch_norm",
            "batch normalization of hidden layers",
            aliases="bn batchnorm batch_normalization",
        ),
        _knob(
            "dropout",
            "fraction of a dense layer's inputs dropped in training, never of the image itself",
            suggested=(0, 0.2, 0.5),
            needs={"layers": 1},
            aliases="drop dropout_rate p_drop",
        ),
        _knob("conv_layers", "number of convolutions", suggested=(1, 2)),
        _knob(
            "filters",
            "filters in each convolution",
            suggested=(4, 16, 32),
            aliases="channels out_channels n_filters",
        ),
        _knob(
            "kernel_size",
            "side of a convolution kernel, in pixels",
            suggested=(4, 8, 16),
            aliases="kernel filter_size",
        ),
        _knob(
            "strides", "stride of a convolution, in pixels", suggested=(1, 2, 4), aliases="stride"
        ),
        _knob("padding", "padding of a convolution: valid (none), same (zeros)"),
        _knob(
            "pool_size",
            "side of a pooling window; 1 is no pooling",
            suggested=(1, 2, 4),
            aliases="pool maxpool max_pool",
        ),
        _knob("pooling", "pooling type: max, average"),
        _knob("global_pooling", "pooling over the whole feature map: none, max, average"),
        _knob(
            "space_to_depth",
            "side of the pixel blocks folded into channels before the first layer",
            suggested=(1, 2),
        ),
    )
}
_SEEDS = ("seed", "seeds", "random_state", "random_seed")
"""What is often taken for a knob."""


def no_such_knob(name: str, known: Iterable[str]) -> str:
    """Why `name` is none of the `known` knobs, and which one is meant, as far as that shows."""
    if name in _SEEDS:
        return (
            "it is no knob: every level is trained with the same seeds, and `seeds` says with how "
            "many (--seeds on the command line)."
        )
    known = set(known)
    meant = (knob for knob in KNOBS.values() if name.lower() in (*knob.aliases, knob.name))
    alias = next((knob.name for knob in meant if knob.name in known), None)
    return f"no such knob; {did_you_mean(alias or name, known)}"


def choices(name: str) -> tuple[str, ...] | None:
    """The words that a knob can be set to, as its description says; None if it takes numbers."""
    if name == "model":
        return KNOBS[name].models
    for described in (Training, DenseModel, ConvModel):
        field = described.model_fields.get(name)
        words = get_args(field.annotation) if field else ()
        if words and all(isinstance(word, str) for word in words):
            return words
    return None


def suggested(knob: Knob) -> tuple[str | bool | int | float, ...]:
    """Values that are worth comparing."""
    return (False, True) if knob.type is bool else knob.suggested or choices(knob.name) or ()


def default(name: str) -> str | bool | int | float | None:
    """What a knob is unless it is said; None if that depends on others, as on the model."""
    knob = KNOBS[name]
    if name == "model":
        return knob.models[0]
    if knob.per_layer or name in usual({"augment": "shifts"}):
        return None
    fields = {**DenseModel.model_fields, **Training.model_fields}
    return fields[name].default if name in fields else None


def spell(value: object) -> str:
    """A knob's value as it is typed: `64,32`."""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
