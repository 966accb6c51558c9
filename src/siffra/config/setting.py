"""Settings: the model and the training that knobs make together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from pydantic import ValidationError

from siffra.config.estimator import Estimator
from siffra.config.factory import Factory
from siffra.config.knobs import KNOBS, Knob, no_such_knob
from siffra.config.model import (
    BuiltModel,
    ConvModel,
    DenseModel,
    EstimatorModel,
    ExternalModel,
    ModuleModel,
    OwnModel,
    Scalar,
    SteplessModel,
    usual_pool_size,
)
from siffra.config.training import Training, has_use, usual
from siffra.config.validation import describe, first_mistake
from siffra.errors import ConfigError

MOST_LAYERS = 1000
"""Layers of a kind that a model may have; deeper plain stacks do not train anyway."""

GREATEST_SEED = 2**63 - 1
"""Seeds are 0 to this, the greatest whole number that the store can keep."""

_TRAINING_KNOBS = tuple(name for name in KNOBS if name in Training.model_fields)
_ALWAYS_SAID = ("learning_rate", "batch_size", "epochs", "optimizer")
"""Knobs of training that are said even where they have their default."""
_MODEL_KNOBS = ("normalization", "activation", "batch_norm", "dropout")
_CONV_KNOBS = ("padding", "pooling", "global_pooling", "space_to_depth")
_DEFAULT_NEURONS = 32
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
_FITTED_ONCE = Training(epochs=1)
"""The training of what is not trained in steps, which has none of these knobs."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A model and its training: all that decides a run, apart from data, seed and engine."""

    model: BuiltModel | OwnModel | ExternalModel
    training: Training

    @classmethod
    def from_knobs(cls, knobs: Mapping[str, Any], *, where: str = "") -> Self:
        """Build a setting from knobs by name; what is not named keeps its default.

        Args:
            knobs: Values by knob name. Per-layer knobs take one value for all layers or a
                list with one for each. A `model` of the user's own is a `Factory`.
            where: Put before every message, as `digits.toml: questions[2]`.

        Raises:
            ConfigError: An unknown knob, a value out of range, a knob of the other model.
        """
        prefix = f"{where}: " if where else ""
        kind = knobs.get("model", "dense")
        own_knobs = kind.knobs if isinstance(kind, Factory) else {}
        for name in knobs:
            if name not in KNOBS and name not in own_knobs:
                raise ConfigError(f"{prefix}{name}: {no_such_knob(name, {**KNOBS, **own_knobs})}")
        if kind not in ("dense", "conv") and not isinstance(kind, Factory):
            raise ConfigError(
                f"{prefix}model: found {kind!r}; it must be dense, conv, or a model of your own "
                "as my_models:make."
            )
        known = knobs_of(kind)
        for name in knobs:
            if name not in known:
                raise ConfigError(f"{prefix}{name}: a {kind} model has no such knob{_whose(name)}.")
        try:
            if isinstance(kind, Estimator):
                return cls(_estimator(kind, knobs), _FITTED_ONCE)
            training = Training(**{k: knobs[k] for k in _TRAINING_KNOBS if k in knobs})
            if isinstance(kind, Factory):
                model = _module(kind, knobs)
            else:
                model = _dense(knobs) if kind == "dense" else _conv(knobs)
        except ValidationError as error:
            raise ConfigError(prefix + _in_words(error)) from error
        except ValueError as error:
            raise ConfigError(f"{prefix}{error}.") from error
        return cls(model, training)

    @classmethod
    def external(cls, values: Mapping[str, Scalar], command: Sequence[str] = ()) -> Self:
        """A training that siffra does not do itself; see `ExternalModel`."""
        model = ExternalModel(command=tuple(command), values=tuple(values.items()))
        return cls(model, _FITTED_ONCE)

    def knobs(self) -> dict[str, Any]:
        """The setting by knob name; per-layer knobs are one value where all layers agree.

        Of the knobs that most settings leave alone, those are told that do not have their default.
        """
        training = self.training
        knobs = _knobs_of_model(self.model)
        if isinstance(self.model, SteplessModel):
            return knobs
        described = dict(training)  # a dump leaves out what is newer
        usual_training = {**dict(Training()), **usual(described)}
        knobs |= {
            name: value
            for name, value in described.items()
            if name in _ALWAYS_SAID or value != usual_training[name]
        }
        if training.momentum:
            knobs["momentum"] = training.momentum
        return knobs

    def value_of(self, knob: str) -> Any:
        """What a knob is set to, whether or not `knobs` tells it; None if it is of no use here."""
        knobs = self.knobs()
        if knob in knobs:
            return knobs[knob]
        if isinstance(self.model, SteplessModel):
            return None
        if knob in _TRAINING_KNOBS:
            training = dict(self.training)
            return training[knob] if has_use(knob, training) else None
        value = getattr(self.model, knob, None) if knob in KNOBS else None
        return (_collapse(value) or None) if isinstance(value, tuple) else value


def knobs_of(model: object) -> Mapping[str, Knob]:
    """The knobs that there are for a value of `model`, by name."""
    if isinstance(model, Estimator):
        return {"model": KNOBS["model"], **model.knobs}
    if isinstance(model, Factory):
        return {name: KNOBS[name] for name in ("model", *_TRAINING_KNOBS)} | dict(model.knobs)
    return {name: knob for name, knob in KNOBS.items() if name == "model" or model in knob.models}


def _whose(name: str) -> str:
    if name in _TRAINING_KNOBS:
        return ", since it is not trained in steps"
    return f"; it belongs to the model {KNOBS[name].models[-1]}"


def _knobs_of_model(model: BuiltModel | OwnModel | ExternalModel) -> dict[str, Any]:
    if isinstance(model, ExternalModel):
        return dict(model.values)
    if isinstance(model, OwnModel):
        return {"model": model.factory, **dict(model.arguments)}
    knobs: dict[str, Any] = {"model": model.kind}
    if isinstance(model, ConvModel):
        knobs["conv_layers"] = len(model.filters)
        for name in ("filters", "kernel_size", "strides"):
            knobs[name] = _collapse(getattr(model, name))
        if model.pool_size != usual_pool_size(len(model.filters), model.global_pooling):
            knobs["pool_size"] = _collapse(model.pool_size)
    knobs["layers"] = len(model.neurons)
    if model.neurons:
        knobs["neurons"] = _collapse(model.neurons)
    usual_model = type(model)()
    for name in (*_MODEL_KNOBS, *(_CONV_KNOBS if isinstance(model, ConvModel) else ())):
        if getattr(model, name) != getattr(usual_model, name):
            knobs[name] = getattr(model, name)
    return knobs


def _module(factory: Factory, knobs: Mapping[str, Any]) -> ModuleModel:
    arguments = dict(factory.defaults)
    for name, knob in factory.knobs.items():
        value = knobs.get(name, arguments[name])
        if knob.type is float and type(value) is int:
            value = float(value)
        if type(value) is not knob.type:
            raise ValueError(f"{name}: found {value!r}; it must be {_WORDS[knob.type]}")
        arguments[name] = value
    return ModuleModel(factory=factory, source=factory.source, arguments=tuple(arguments.items()))


def _estimator(estimator: Estimator, knobs: Mapping[str, object]) -> EstimatorModel:
    arguments = []
    for name in (name for name in estimator.knobs if name in knobs):
        default, value = estimator.defaults[name], _argument(name, knobs[name])
        if type(default) is float and type(value) is int:
            value = float(value)
        if not (type(value) is type(default) and value == default):
            arguments.append((name, value))
    return EstimatorModel(factory=estimator, source=estimator.source, arguments=tuple(arguments))


def _argument(name: str, value: object) -> Any:
    """A value of an estimator's parameter; TOML has no None."""
    values = value if isinstance(value, list | tuple) else [value]
    for item in values:
        is_plain = item is None or type(item) in (bool, int, float, str)
        if not is_plain or (type(item) is float and not math.isfinite(item)):
            raise ValueError(
                f"{name}: found {value!r}; it must be a number, a text, true or false, None, or a "
                "list of these"
            )
    plain = tuple(None if item == "None" else item for item in values)
    return plain if values is value else plain[0]


def _dense(knobs: Mapping[str, object]) -> DenseModel:
    return DenseModel(neurons=_hidden_widths(knobs, default_layers=1), **_some(knobs, _MODEL_KNOBS))


def _conv(knobs: Mapping[str, object]) -> ConvModel:
    per_layer = {
        "filters": knobs.get("filters", 16),
        "kernel_size": knobs.get("kernel_size", 8),
        "strides": knobs.get("strides", 1),
        **_some(knobs, ("pool_size",)),
    }
    lengths = [len(v) for v in per_layer.values() if isinstance(v, list | tuple)]
    count = _count(knobs, "conv_layers", default=max(lengths, default=1))
    if count < 1:
        raise ValueError(f"conv_layers: found {count}; a conv model has at least 1")
    widths: dict[str, Any] = {
        name: _per_layer(name, v, count, "conv_layers") for name, v in per_layer.items()
    }
    if "neurons" in knobs and not says_layers(knobs):
        raise ValueError(
            "neurons: a conv model has no hidden dense layer unless `layers` says so; "
            "set `layers` to 1"
        )
    return ConvModel(
        neurons=_hidden_widths(knobs, default_layers=0),
        **widths,
        **_some(knobs, (*_MODEL_KNOBS, *_CONV_KNOBS)),
    )


def _some(knobs: Mapping[str, object], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: knobs[name] for name in names if name in knobs}


def says_layers(knobs: Mapping[str, object]) -> bool:
    """Whether `knobs` tell how many dense layers there are: `layers`, or a list of `neurons`."""
    return "layers" in knobs or isinstance(knobs.get("neurons"), list | tuple)


def _hidden_widths(knobs: Mapping[str, object], *, default_layers: int) -> tuple[int, ...]:
    neurons = knobs.get("neurons", _DEFAULT_NEURONS)
    listed = isinstance(neurons, list | tuple)
    layers = _count(knobs, "layers", default=len(neurons) if listed else default_layers)
    if layers < default_layers:
        raise ValueError(f"layers: found {layers}; a dense model has at least {default_layers}")
    if layers == 0 and listed and len(neurons) == 0:
        return ()
    return _per_layer("neurons", neurons, layers, "layers")


def _count(knobs: Mapping[str, object], name: str, *, default: int) -> int:
    count = knobs.get(name, default)
    if type(count) is not int or not 0 <= count <= MOST_LAYERS:
        raise ValueError(f"{name}: found {count!r}; it must be a whole number, 0 to {MOST_LAYERS}")
    return count


def _per_layer(name: str, value: object, count: int, counted_by: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        return (value,) * count
    if len(value) == 1:
        return tuple(value) * count
    if len(value) != count:
        raise ValueError(f"{name}: found {len(value)} values for {counted_by} = {count}")
    return tuple(value)


def _collapse(values: tuple[int, ...]) -> int | list[int]:
    return values[0] if len(set(values)) == 1 else list(values)


def _in_words(error: ValidationError) -> str:
    mistake = first_mistake(error)
    name = f"{mistake['loc'][0]}: " if mistake["loc"] else ""
    return f"{name}{describe(mistake)}"


def override(base: Mapping[str, object], knobs: Mapping[str, object]) -> dict[str, Any]:
    """`knobs`, and those of `base` that are not among them and are of use beside them.

    A base may speak of what other knobs took away: of the momentum, where the optimizer now has
    none, or of filters, where the model is dense. Such knobs are left out. Nothing that `knobs`
    says is, so that a mistake in it is found where the setting is made.

    A base for networks has nothing to say to an estimator, even if that has parameters that are
    called alike: its learning rate is another.
    """
    both = {**base, **knobs}
    of_networks = KNOBS if base.get("model", "dense") != both.get("model", "dense") else {}
    return {
        name: value
        for name, value in both.items()
        if name in knobs or _is_used(name, both, of_networks)
    }


def _is_used(name: str, knobs: Mapping[str, object], of_networks: Mapping[str, object]) -> bool:
    model = knobs.get("model", "dense")
    if isinstance(model, Estimator) and name in of_networks and name != "model":
        return False
    if name not in knobs_of(model):
        return False
    if name == "neurons" and model == "conv":
        return says_layers(knobs)
    return isinstance(model, Estimator) or has_use(name, knobs)
