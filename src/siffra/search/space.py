"""What a search can propose: every knob, with the values that are worth trying.

The space is walked by asking for one *parameter* after the other, as Optuna's trials do; which
come next depends on the answers. Parameters are knobs, but for those with a value for each layer
(`filters_2`), and those whose sensible range depends on the optimizer (`learning_rate_muon`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from siffra.config import ConvModel, DenseModel, Setting
from siffra.data.dataset import Dataset

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
    "adam": (3e-4, 0.03),
    "adamw": (3e-4, 0.03),
    "muon": (0.01, 0.5),
}
"""Of all optimizers: those that are not proposed may be fixed."""
_WITH_MOMENTUM = ("momentum", "nesterov", "muon")
_BEYOND = 1.3
"""Training may shift images further than the shifted sets do, by this factor."""


class Asks(Protocol):
    """How parameters are asked for, as by an `optuna.Trial`."""

    def suggest_categorical(self, name: str, choices: Sequence[Any], /) -> Any:
        """One of the choices."""
        ...

    def suggest_int(self, name: str, low: int, high: int, /, *, step: int = 1) -> int:
        """A whole number, both ends included."""
        ...

    def suggest_float(self, name: str, low: float, high: float, /, *, log: bool = False) -> float:
        """A number, drawn evenly or on a logarithmic scale."""
        ...


@dataclass(frozen=True, slots=True)
class Space:
    """The networks and trainings for a data set whose test images move and turn so far.

    Rows of a table (`is_table`) take dense networks, and cannot be augmented. What belongs to a
    knob that is `fixed` is not asked for, and what is asked for beside it is fit for it.
    """

    moved: float
    rotated: float
    is_table: bool = False
    fixed: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, dataset: Dataset, fixed: Mapping[str, Any]) -> "Space":
        """The space for a data set, with these knobs fixed."""
        far = dataset.strengths
        moved, rotated = far.get("moved", 0.0), far.get("rotated", 0.0)
        return cls(moved, rotated, bool(dataset.features), fixed)

    def ask(self, trial: Asks) -> dict[str, Any]:
        """Knobs of a whole setting but for `epochs`; whether a network fits is not checked."""
        trial = _Fixed(trial, self.fixed)
        kinds = ("dense",) if self.is_table else ("conv", "dense")
        model = trial.suggest_categorical("model", kinds)
        knobs = {
            "model": model,
            "activation": trial.suggest_categorical("activation", ("relu", "gelu", "tanh")),
            "batch_norm": trial.suggest_categorical("batch_norm", (False, True)),
            "dropout": trial.suggest_categorical("dropout", _DROPOUTS),
        }
        knobs |= _convolutions(trial) if model == "conv" else {}
        knobs |= _dense_layers(trial, model)
        return knobs | _training(trial) | self._augmentation(trial)

    def _augmentation(self, trial: Asks) -> dict[str, Any]:
        kinds = ("none",) if self.is_table else ("none", "move", "rotate", "shifts")
        kind = trial.suggest_categorical("augment", kinds)
        knobs: dict[str, Any] = {"augment": kind}
        if kind in ("move", "shifts"):
            most = max(1.0, _BEYOND * self.moved)
            knobs["augment_move"] = trial.suggest_float("augment_move", 0.0, most)
        if kind in ("rotate", "shifts"):
            most = min(180.0, max(1.0, _BEYOND * self.rotated))
            knobs["augment_rotate"] = trial.suggest_float("augment_rotate", 0.0, most)
        if kind != "none":
            knobs["augment_clean"] = trial.suggest_float("augment_clean", 0.0, 0.6)
            knobs["augment_jitter"] = trial.suggest_float("augment_jitter", 0.0, 2.0)
        return knobs


def _convolutions(trial: Asks) -> dict[str, Any]:
    layers = trial.suggest_int("conv_layers", 1, MOST_CONVOLUTIONS)
    pools_all = trial.suggest_categorical("global_pooling", ("max", "average", "none"))
    numbers = range(1, layers + 1)
    return {
        "space_to_depth": trial.suggest_categorical("space_to_depth", (1, 2)),
        "global_pooling": pools_all,
        "padding": trial.suggest_categorical("padding", ("same", "valid")),
        "pooling": trial.suggest_categorical("pooling", ("max", "average")),
        "filters": [trial.suggest_int(f"filters_{n}", *_FILTERS, step=8) for n in numbers],
        "kernel_size": [trial.suggest_categorical(f"kernel_size_{n}", _KERNELS) for n in numbers],
        "strides": [
            trial.suggest_categorical(f"strides_{n}", _STRIDES if n == 1 else _FURTHER_STRIDES)
            for n in numbers
        ],
        "pool_size": [
            1 if n == layers and pools_all != "none" else trial.suggest_int(f"pool_size_{n}", 1, 3)
            for n in numbers
        ],
    }


def _dense_layers(trial: Asks, model: str) -> dict[str, Any]:
    name, least = ("layers", 1) if model == "dense" else ("layers_after", 0)
    layers = trial.suggest_int(name, least, MOST_DENSE[model])
    widths = [trial.suggest_categorical(f"neurons_{n}", _NEURONS) for n in range(1, layers + 1)]
    return {"layers": layers, "neurons": widths} if layers else {"layers": 0}


def _training(trial: Asks) -> dict[str, Any]:
    optimizer = trial.suggest_categorical("optimizer", _OPTIMIZERS)
    least, most = _LEARNING_RATES[optimizer]
    knobs = {
        "optimizer": optimizer,
        "learning_rate": trial.suggest_float(f"learning_rate_{optimizer}", least, most, log=True),
        "batch_size": trial.suggest_categorical("batch_size", _BATCHES),
        "schedule": trial.suggest_categorical("schedule", ("constant", "one_cycle", "cosine")),
        "warmup": trial.suggest_float("warmup", 0.0, 0.5),
        "label_smoothing": trial.suggest_float("label_smoothing", 0.0, 0.3),
        "ema": trial.suggest_categorical("ema", _EMAS),
    }
    if optimizer == "adamw":
        knobs["weight_decay"] = trial.suggest_float("weight_decay_adamw", 1e-4, 0.2, log=True)
    else:
        knobs["weight_decay"] = trial.suggest_float("weight_decay", 0.0, 0.005)
    if optimizer in _WITH_MOMENTUM:
        knobs["momentum"] = trial.suggest_float(f"momentum_{optimizer}", 0.3, 0.98)
    return knobs


def parameters_of(setting: Setting) -> dict[str, Any]:
    """What the parameters must be for `Space.ask` to come to `setting`, as far as it can."""
    model, training = setting.model.model_dump(), setting.training.model_dump()
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
    is_of = knob and (last.isdecimal() or last in _LEARNING_RATES)
    return (knob, last) if is_of else (parameter, "")


class Given:
    """Answers with given parameters, brought into their ranges; keeps what was asked for.

    `answers` has them afterwards.

    Raises:
        KeyError: A parameter is not given, or is none of its choices.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        self.answers: dict[str, Any] = {}

    def suggest_categorical(self, name: str, choices: Sequence[Any], /) -> Any:
        """The given one, if it is a choice; of numbers the nearest that is."""
        value = self._given[name]
        if value not in choices and all(type(choice) in (int, float) for choice in choices):
            value = min(choices, key=lambda choice: abs(choice - value))
        if value not in choices:
            raise KeyError(name)
        return self._keep(name, value)

    def suggest_int(self, name: str, low: int, high: int, /, *, step: int = 1) -> int:
        """The given number, or the nearest there is."""
        nearest = low + round((self._given[name] - low) / step) * step
        return self._keep(name, min(max(nearest, low), high))

    def suggest_float(self, name: str, low: float, high: float, /, *, log: bool = False) -> float:
        """The given number, or the end of the range that is nearest."""
        return self._keep(name, min(max(float(self._given[name]), low), high))

    def _keep(self, name: str, value: Any) -> Any:
        self.answers[name] = value
        return value


class _Fixed(Asks):
    """Asks for parameters, but for those of knobs that are fixed: it knows them."""

    def __init__(self, trial: Asks, fixed: Mapping[str, Any]) -> None:
        self._trial = trial
        self._fixed = {**numbers_of_layers(fixed), **fixed}

    def suggest_categorical(self, name: str, choices: Sequence[Any], /) -> Any:
        return self._known(name, lambda: self._trial.suggest_categorical(name, choices))

    def suggest_int(self, name: str, low: int, high: int, /, *, step: int = 1) -> int:
        return self._known(name, lambda: self._trial.suggest_int(name, low, high, step=step))

    def suggest_float(self, name: str, low: float, high: float, /, *, log: bool = False) -> float:
        return self._known(name, lambda: self._trial.suggest_float(name, low, high, log=log))

    def _known(self, name: str, asked: Callable[[], Any]) -> Any:
        knob, of = knob_of(name)
        if knob not in self._fixed:
            return asked()
        value = self._fixed[knob]
        if not isinstance(value, list | tuple):
            return value
        number = int(of) if of.isdecimal() else 0
        return value[number - 1] if 0 < number <= len(value) else asked()


def numbers_of_layers(fixed: Mapping[str, Any]) -> dict[str, int]:
    """How many layers there are, where a list has a value for each of them."""
    lists = {name: len(value) for name, value in fixed.items() if isinstance(value, list | tuple)}
    convolutions = [lists[name] for name in BY_CONVOLUTION if name in lists]
    told = {"conv_layers": convolutions[0]} if convolutions else {}
    return told | ({"layers": lists["neurons"]} if "neurons" in lists else {})
