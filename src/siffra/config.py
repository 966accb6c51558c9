"""What is trained and how: frozen, validated descriptions of a model and its training.

A *knob* is a setting by its one name (Keras' where Keras has it), in lab files, on the
command line, in the store and in reports. `Setting.from_knobs` turns knobs into a model
and a training; `Setting.knobs` turns them back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from siffra.errors import ConfigError, did_you_mean


class _Frozen(BaseModel):
    # `strict` so that TOML's "0.1" or true is not taken for a number.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


MOST_LAYERS = 1000
"""Layers of a kind that a model may have; deeper plain stacks do not train anyway."""

GREATEST_SEED = 2**63 - 1
"""Seeds are 0 to this, the greatest whole number that the store can keep."""

Widths = tuple[Annotated[int, Field(gt=0, le=1_000_000)], ...]


class DenseModel(_Frozen):
    """Flatten, then a hidden layer with ReLU for each width in `neurons`, then softmax."""

    kind: Literal["dense"] = "dense"
    neurons: Annotated[Widths, Field(min_length=1)] = (32,)


class ConvModel(_Frozen):
    """Convolutions (valid, ReLU), one 2x2 max-pool, flatten, dense layers, softmax.

    `filters`, `kernel_size` and `strides` have an entry for each convolution; kernels and
    strides are square. `neurons` has the widths of the dense layers before the softmax.
    """

    kind: Literal["conv"] = "conv"
    filters: Annotated[Widths, Field(min_length=1)] = (16,)
    kernel_size: Annotated[Widths, Field(min_length=1)] = (8,)
    strides: Annotated[Widths, Field(min_length=1)] = (1,)
    neurons: Widths = ()

    @model_validator(mode="after")
    def _one_entry_per_convolution(self) -> Self:
        if not len(self.filters) == len(self.kernel_size) == len(self.strides):
            raise ValueError(
                "`filters`, `kernel_size` and `strides` need one entry per convolution, got "
                f"{len(self.filters)}, {len(self.kernel_size)} and {len(self.strides)}"
            )
        return self


Model = Annotated[DenseModel | ConvModel, Field(discriminator="kind")]


class Training(_Frozen):
    """How a model is trained: mini-batch gradient descent on the mean cross-entropy.

    `learning_rate` is per step, within what float32 can compute with; `batch_size` in images
    (the last, partial batch of an epoch is used), at most a million; `momentum` is 0 for plain
    SGD, and more than that for the optimizer of its name: no training has two descriptions.
    """

    learning_rate: Annotated[float, Field(ge=1e-30, le=1e30)] = 0.7
    batch_size: Annotated[int, Field(gt=0, le=1_000_000)] = 140
    epochs: Annotated[int, Field(gt=0, le=1_000_000)] = 20
    optimizer: Literal["sgd", "momentum"] = "sgd"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="before")
    @classmethod
    def _momentum_of_the_optimizer(cls, values: Any) -> Any:
        if isinstance(values, dict):
            default = 0.9 if values.get("optimizer") == "momentum" else 0.0
            values = {"momentum": default, **values}
            if values.get("optimizer", "sgd") == "sgd" and values["momentum"] != 0.0:
                raise ValueError('`momentum` needs `optimizer = "momentum"`')
            if values.get("optimizer") == "momentum" and values["momentum"] == 0:
                raise ValueError(
                    f"momentum: found {values['momentum']}; it must be greater than 0 "
                    '(without momentum it is `optimizer = "sgd"`)'
                )
        return values

    @field_validator("learning_rate", "momentum", mode="before")
    @classmethod
    def _whole_numbers_are_numbers(cls, value: Any) -> Any:
        return float(value) if type(value) is int else value


@dataclass(frozen=True, slots=True)
class Knob:
    """One thing that can be turned: its name, what it does, and how a value is written."""

    name: str
    help: str
    type: type
    models: tuple[str, ...] = ("dense", "conv")
    per_layer: bool = False


KNOBS: Mapping[str, Knob] = {
    knob.name: knob
    for knob in (
        Knob("model", "which kind of network: dense or conv", str),
        Knob("learning_rate", "size of each step down the gradient", float),
        Knob("batch_size", "images per step", int),
        Knob("epochs", "passes over the training images", int),
        Knob("optimizer", "how a step is taken: sgd or momentum", str),
        Knob("momentum", "share of the last step that is kept (optimizer momentum)", float),
        Knob("layers", "hidden dense layers", int),
        Knob("neurons", "width of the hidden dense layers", int, per_layer=True),
        Knob("conv_layers", "convolutions, one after the other", int, ("conv",)),
        Knob("filters", "filters of a convolution", int, ("conv",), per_layer=True),
        Knob("kernel_size", "side of a convolution's kernel, in pixels", int, ("conv",), True),
        Knob("strides", "step between a convolution's positions", int, ("conv",), True),
    )
}
_TRAINING_KNOBS = ("learning_rate", "batch_size", "epochs", "optimizer", "momentum")
_DEFAULT_NEURONS = 32


@dataclass(frozen=True, slots=True)
class Setting:
    """A model and its training: all that decides a run, apart from data, seed and engine."""

    model: DenseModel | ConvModel
    training: Training

    @classmethod
    def from_knobs(cls, knobs: Mapping[str, Any], *, where: str = "") -> Self:
        """Build a setting from knobs by name; what is not named keeps its default.

        Args:
            knobs: Values by knob name. Per-layer knobs take one value for all layers or a
                list with one for each.
            where: Put before every message, as `digits.toml: questions[2]`.

        Raises:
            ConfigError: An unknown knob, a value out of range, a knob of the other model.
        """
        prefix = f"{where}: " if where else ""
        for name in knobs:
            if name not in KNOBS:
                raise ConfigError(f"{prefix}{name}: no such knob; {did_you_mean(name, KNOBS)}")
        kind = knobs.get("model", "dense")
        if kind not in ("dense", "conv"):
            raise ConfigError(f"{prefix}model: found {kind!r}; it must be `dense` or `conv`.")
        for name in knobs:
            if kind not in KNOBS[name].models:
                raise ConfigError(
                    f"{prefix}{name}: a {kind} model has no such knob; "
                    "it belongs to `model = conv`."
                )
        try:
            training = Training(**{k: knobs[k] for k in _TRAINING_KNOBS if k in knobs})
            model = _dense(knobs) if kind == "dense" else _conv(knobs)
        except ValidationError as error:
            raise ConfigError(prefix + _first_mistake(error)) from error
        except ValueError as error:
            raise ConfigError(f"{prefix}{error}.") from error
        return cls(model, training)

    def knobs(self) -> dict[str, Any]:
        """The setting by knob name; per-layer knobs are one value where all layers agree."""
        model, training = self.model, self.training
        knobs: dict[str, Any] = {"model": model.kind}
        if isinstance(model, ConvModel):
            knobs["conv_layers"] = len(model.filters)
            for name in ("filters", "kernel_size", "strides"):
                knobs[name] = _collapse(getattr(model, name))
        knobs["layers"] = len(model.neurons)
        if model.neurons:
            knobs["neurons"] = _collapse(model.neurons)
        knobs |= training.model_dump()
        if training.optimizer == "sgd":
            del knobs["momentum"]
        return knobs


def _dense(knobs: Mapping[str, Any]) -> DenseModel:
    return DenseModel(neurons=_hidden_widths(knobs, default_layers=1))


def _conv(knobs: Mapping[str, Any]) -> ConvModel:
    per_layer = {
        "filters": knobs.get("filters", 16),
        "kernel_size": knobs.get("kernel_size", 8),
        "strides": knobs.get("strides", 1),
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
            "add `layers = 1`"
        )
    return ConvModel(neurons=_hidden_widths(knobs, default_layers=0), **widths)


def says_layers(knobs: Mapping[str, Any]) -> bool:
    """Whether `knobs` tell how many dense layers there are: `layers`, or a list of `neurons`."""
    return "layers" in knobs or isinstance(knobs.get("neurons"), list | tuple)


def _hidden_widths(knobs: Mapping[str, Any], *, default_layers: int) -> tuple[int, ...]:
    neurons = knobs.get("neurons", _DEFAULT_NEURONS)
    listed = isinstance(neurons, list | tuple)
    layers = _count(knobs, "layers", default=len(neurons) if listed else default_layers)
    if layers < default_layers:
        raise ValueError(f"layers: found {layers}; a dense model has at least {default_layers}")
    if layers == 0 and listed and len(neurons) == 0:
        return ()
    return _per_layer("neurons", neurons, layers, "layers")


def _count(knobs: Mapping[str, Any], name: str, *, default: int) -> int:
    count = knobs.get(name, default)
    if type(count) is not int or not 0 <= count <= MOST_LAYERS:
        raise ValueError(f"{name}: found {count!r}; it must be a whole number, 0 to {MOST_LAYERS}")
    return count


def _per_layer(name: str, value: Any, count: int, counted_by: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        return (value,) * count
    if len(value) == 1:
        return tuple(value) * count
    if len(value) != count:
        raise ValueError(f"{name}: found {len(value)} values for {counted_by} = {count}")
    return tuple(value)


def _collapse(values: tuple[int, ...]) -> int | list[int]:
    return values[0] if len(set(values)) == 1 else list(values)


def _first_mistake(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    message = first["msg"].removeprefix("Value error, ")
    if not name:
        return f"{message}."
    return f"{name}: found {first['input']!r}; {message[0].lower()}{message[1:]}."
