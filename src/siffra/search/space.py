"""What a search can propose: every knob, with the values that are worth trying.

The space is walked by asking for one *parameter* after the other; which come next depends on the
answers. Parameters are knobs, but for those with a value for each layer (`filters_2`), and those
whose sensible range depends on the optimizer (`learning_rate_muon`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial

from siffra.config import ConvModel, DenseModel, Setting
from siffra.data.dataset import Dataset

Ask = Callable[[str, BaseDistribution], Any]
"""Returns a value for the parameter of that name, from that distribution."""

SPACE = 4
"""Raised whenever parameters come to mean other knobs, or a search to go by other numbers.

Searches that were begun before then begin anew.
"""
MOST_CONVOLUTIONS = 6
MOST_DENSE = {"dense": 8, "conv": 6}
"""Hidden dense layers; those of a convolutional network come after its convolutions."""

BY_CONVOLUTION = ("filters", "kernel_size", "strides", "pool_size")
"""Knobs with a value for each convolution."""

_FILTERS = (8, 256)
_KERNELS = (2, 3, 4, 5, 7, 8, 12, 16)
_STRIDES = (1, 2, 3, 4, 8)
"""Of the first convolution; those after it have `_FURTHER_STRIDES`."""
_FURTHER_STRIDES = (1, 2, 3)
_DROPOUTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
_NEURONS = (16, 32, 64, 128, 256, 512, 1024)
_BATCHES = (8, 16, 32, 64, 128, 256, 512)
_EMAS = (0.0, 0.9, 0.98, 0.99, 0.995, 0.999)
_OPTIMIZERS = ("sgd", "nesterov", "adamw", "muon")
_LEARNING_RATES = {
    "sgd": (0.01, 2.0),
    "momentum": (0.003, 0.5),
    "nesterov": (0.003, 0.5),
    "rmsprop": (3e-4, 0.03),
    "adam": (3e-4, 0.03),
    "adamw": (3e-4, 0.03),
    "muon": (0.01, 0.5),
}
"""Of all optimizers: those that are not proposed may be fixed."""
_WITH_MOMENTUM = ("momentum", "nesterov", "muon")
_BEYOND = 1.3
"""Training may shift images further than the shifted sets do, by this factor."""


@dataclass(frozen=True, slots=True)
class Space:
    """The networks and trainings that are worth trying on a data set.

    Args:
        moved: How far its test images are moved, in pixels; training may move them further.
        rotated: How far they are rotated, in degrees.
        is_table: Whether it is rows of a table, for dense networks without augmentation.
        fixed: Knobs that are given: their parameters are not asked for, and what depends on
            them is asked for in ranges that suit them.
    """

    moved: float
    rotated: float
    is_table: bool = False
    fixed: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, dataset: Dataset, fixed: Mapping[str, object]) -> "Space":
        """The space for a data set, with these knobs fixed."""
        strengths = dataset.strengths
        moved, rotated = strengths.get("moved", 0.0), strengths.get("rotated", 0.0)
        return cls(moved, rotated, bool(dataset.features), fixed)

    def knobs(self, ask: Ask) -> dict[str, Any]:
        """Knobs of a whole setting but for `epochs`; whether a network fits is not checked."""
        ask = _with_fixed(ask, self.fixed)
        model = _choice(ask, "model", ("dense",) if self.is_table else ("conv", "dense"))
        knobs = {
            "model": model,
            "activation": _choice(ask, "activation", ("relu", "gelu", "tanh")),
            "batch_norm": _choice(ask, "batch_norm", (False, True)),
            "dropout": _choice(ask, "dropout", _DROPOUTS),
        }
        knobs |= _convolutions(ask) if model == "conv" else {}
        knobs |= _dense_layers(ask, model)
        return knobs | _training(ask) | self._augmentation(ask)

    def trial(
        self,
        parameters: Mapping[str, object],
        *,
        value: float | None = None,
        attributes: Mapping[str, object] | None = None,
    ) -> FrozenTrial:
        """Optuna's trial of these parameters: complete with its `value`, or running without.

        Raises:
            KeyError: A parameter is missing, or is none of its choices.
        """
        asked = Parameters(parameters)
        self.knobs(asked)
        return create_trial(
            state=TrialState.RUNNING if value is None else TrialState.COMPLETE,
            value=value,
            params=asked.values,
            distributions=asked.distributions,
            user_attrs=dict(attributes or {}),
        )

    def _augmentation(self, ask: Ask) -> dict[str, Any]:
        kinds = ("none",) if self.is_table else ("none", "move", "rotate", "shifts")
        kind = _choice(ask, "augment", kinds)
        knobs: dict[str, Any] = {"augment": kind}
        if kind in ("move", "shifts"):
            most = max(1.0, _BEYOND * self.moved)
            knobs["augment_move"] = _number(ask, "augment_move", 0.0, most)
        if kind in ("rotate", "shifts"):
            most = min(180.0, max(1.0, _BEYOND * self.rotated))
            knobs["augment_rotate"] = _number(ask, "augment_rotate", 0.0, most)
        if kind != "none":
            knobs["augment_clean"] = _number(ask, "augment_clean", 0.0, 0.6)
            knobs["augment_jitter"] = _number(ask, "augment_jitter", 0.0, 2.0)
        return knobs


def _convolutions(ask: Ask) -> dict[str, Any]:
    layers = _count(ask, "conv_layers", 1, MOST_CONVOLUTIONS)
    pools_all = _choice(ask, "global_pooling", ("max", "average", "none"))
    numbers = range(1, layers + 1)
    return {
        "space_to_depth": _choice(ask, "space_to_depth", (1, 2)),
        "global_pooling": pools_all,
        "padding": _choice(ask, "padding", ("same", "valid")),
        "pooling": _choice(ask, "pooling", ("max", "average")),
        "filters": [_count(ask, f"filters_{n}", *_FILTERS, step=8) for n in numbers],
        "kernel_size": [_choice(ask, f"kernel_size_{n}", _KERNELS) for n in numbers],
        "strides": [
            _choice(ask, f"strides_{n}", _STRIDES if n == 1 else _FURTHER_STRIDES) for n in numbers
        ],
        "pool_size": [
            1 if n == layers and pools_all != "none" else _count(ask, f"pool_size_{n}", 1, 3)
            for n in numbers
        ],
    }


def _dense_layers(ask: Ask, model: str) -> dict[str, Any]:
    name, least = ("layers", 1) if model == "dense" else ("layers_after", 0)
    layers = _count(ask, name, least, MOST_DENSE[model])
    widths = [_choice(ask, f"neurons_{n}", _NEURONS) for n in range(1, layers + 1)]
    return {"layers": layers, "neurons": widths} if layers else {"layers": 0}


def _training(ask: Ask) -> dict[str, Any]:
    optimizer = _choice(ask, "optimizer", _OPTIMIZERS)
    least, most = _LEARNING_RATES[optimizer]
    knobs = {
        "optimizer": optimizer,
        "learning_rate": _number(ask, f"learning_rate_{optimizer}", least, most, log=True),
        "batch_size": _choice(ask, "batch_size", _BATCHES),
        "schedule": _choice(ask, "schedule", ("constant", "one_cycle", "cosine")),
        "warmup": _number(ask, "warmup", 0.0, 0.5),
        "label_smoothing": _number(ask, "label_smoothing", 0.0, 0.3),
        "ema": _choice(ask, "ema", _EMAS),
    }
    if optimizer == "adamw":
        knobs["weight_decay"] = _number(ask, "weight_decay_adamw", 1e-4, 0.2, log=True)
    elif optimizer != "adam":  # which has no use for it
        knobs["weight_decay"] = _number(ask, "weight_decay", 0.0, 0.005)
    if optimizer in _WITH_MOMENTUM:
        knobs["momentum"] = _number(ask, f"momentum_{optimizer}", 0.3, 0.98)
    return knobs


def _choice(ask: Ask, name: str, choices: Sequence[Any]) -> Any:
    return ask(name, CategoricalDistribution(choices))


def _count(ask: Ask, name: str, low: int, high: int, *, step: int = 1) -> int:
    return ask(name, IntDistribution(low, high, step=step))


def _number(ask: Ask, name: str, low: float, high: float, *, log: bool = False) -> float:
    return ask(name, FloatDistribution(low, high, log=log))


def _with_fixed(ask: Ask, fixed: Mapping[str, object]) -> Ask:
    """Asks for parameters, except for those of fixed knobs."""
    known = {**numbers_of_layers(fixed), **fixed}

    def answer(name: str, distribution: BaseDistribution) -> Any:
        knob, part = knob_of(name)
        if knob not in known:
            return ask(name, distribution)
        value = known[knob]
        if not isinstance(value, list | tuple):
            return value
        layer = int(part) if part.isdecimal() else 0
        return value[layer - 1] if 0 < layer <= len(value) else ask(name, distribution)

    return answer


class Parameters:
    """Answers with the `given` parameters, moved into their ranges, and draws the others.

    `values` and `distributions` hold what was asked for.

    Raises:
        KeyError: A parameter is missing with no way to draw it, or is none of its choices.
    """

    def __init__(self, given: Mapping[str, Any], draw: Ask | None = None) -> None:
        self._given, self._draw = given, draw
        self.values: dict[str, Any] = {}
        self.distributions: dict[str, BaseDistribution] = {}

    def __call__(self, name: str, distribution: BaseDistribution) -> Any:
        """The value of a parameter."""
        if name not in self._given and self._draw:
            value = self._draw(name, distribution)
        else:
            value = _nearest(name, self._given[name], distribution)
        self.values[name], self.distributions[name] = value, distribution
        return value


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Optuna logs warnings only, and after that as before, for others who use it."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _nearest(name: str, value: Any, distribution: BaseDistribution) -> Any:
    """The nearest value within a distribution.

    Raises:
        KeyError: It is none of the choices, and these are not numbers.
    """
    match distribution:
        case IntDistribution(low=low, high=high, step=step):
            return min(max(low + round((value - low) / step) * step, low), high)
        case FloatDistribution(low=low, high=high):
            return min(max(float(value), low), high)
        case CategoricalDistribution(choices=choices) if value in choices:
            return value
        case CategoricalDistribution(choices=choices) if all(
            type(c) in (int, float) for c in choices
        ):
            return min(choices, key=lambda choice: abs(choice - value))
    raise KeyError(name)


def parameters_of(setting: Setting) -> dict[str, Any]:
    """The parameters for which `Space.knobs` gives this setting, as far as it is in the space."""
    model, training = dict(setting.model), dict(setting.training)
    given: dict[str, Any] = {"model": model.pop("kind")}
    for name, value in (model | training).items():
        if isinstance(value, tuple):
            given |= {f"{name}_{n}": each for n, each in enumerate(value, start=1)}
        else:
            given[name] = value
    optimizer = given["optimizer"]
    for name in ("learning_rate", "momentum", "weight_decay"):
        given[f"{name}_{optimizer}"] = given[name]
    if isinstance(setting.model, DenseModel):
        given["layers"] = len(setting.model.neurons)
    elif isinstance(setting.model, ConvModel):
        given["layers_after"] = len(setting.model.neurons)
        given["conv_layers"] = len(setting.model.filters)
    return given


def knob_of(parameter: str) -> tuple[str, str]:
    """The knob that a parameter is of, and for which layer or optimizer, if for one.

    `filters_2` is of `filters`, for `2`; `learning_rate_muon` of `learning_rate`, for `muon`.
    """
    if parameter == "layers_after":
        return "layers", ""
    knob, _, last = parameter.rpartition("_")
    has_part = knob and (last.isdecimal() or last in _LEARNING_RATES)
    return (knob, last) if has_part else (parameter, "")


def numbers_of_layers(fixed: Mapping[str, object]) -> dict[str, int]:
    """Numbers of layers, from knobs with a value for each layer."""
    lists = {name: len(value) for name, value in fixed.items() if isinstance(value, list | tuple)}
    convolutions = [lists[name] for name in BY_CONVOLUTION if name in lists]
    counts = {"conv_layers": convolutions[0]} if convolutions else {}
    return counts | ({"layers": lists["neurons"]} if "neurons" in lists else {})
