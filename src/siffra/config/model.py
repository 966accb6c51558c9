"""The kinds of network, and what can be turned on them."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainValidator, field_validator, model_validator

from siffra.config.validation import Frozen, newer

Widths = tuple[Annotated[int, Field(gt=0, le=1_000_000)], ...]
Activation = Literal["relu", "gelu", "tanh", "sigmoid"]
Pooling = Literal["max", "average"]

POOL = 2
"""Side of the windows of the max-pool after a model's last convolution, unless it says other."""


class _Model(Frozen):
    """What both kinds have.

    With `normalization`, the first thing that is done to an image is to take from its pixels
    their mean, and to divide them by their standard deviation: those of all pixels of the
    training images, a pair for each channel, or for each feature of a table (Keras'
    `Normalization` layer, adapted to them; a deviation of 0 is taken for 1). Zeros that a
    convolution is padded with come after it, those that a shift moves in come before it.

    `activation` comes after every hidden layer: ReLU, GELU (the exact one, with the normal
    distribution: Hendrycks & Gimpel 2016), tanh or the sigmoid 1 / (1 + exp(-z)). With
    `batch_norm`, hidden layers are normalised over the batch before it (Ioffe & Szegedy 2015),
    and have no bias of their own.
    `dropout` is the share of what a dense layer is given (unless that is the image) which
    training leaves out at random, the rest growing to make up for it (Srivastava et al. 2014).
    """

    normalization: bool = newer(False)
    activation: Activation = "relu"
    batch_norm: bool = False
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @field_validator("dropout", mode="before")
    @classmethod
    def _whole_numbers_are_numbers(cls, value: object) -> Any:
        return float(value) if type(value) is int else value


class DenseModel(_Model):
    """Flatten, then a hidden layer for each width in `neurons`, then softmax."""

    kind: Literal["dense"] = "dense"
    neurons: Annotated[Widths, Field(min_length=1)] = (32,)


class ConvModel(_Model):
    """Convolutions with their pooling, flatten or global pooling, dense layers, softmax.

    `filters`, `kernel_size`, `strides` and `pool_size` have an entry for each convolution;
    kernels, strides and windows of pooling are square. `padding` is Keras': `valid` stays inside
    the image, `same` pads it with zeros to as many positions as strides leave. A `pool_size` of 1
    is no pooling; the default is a window of 2 after the last convolution. With
    `global_pooling`, that window is the whole map instead, which leaves one number a filter.
    `space_to_depth` n makes every n x n pixels of the image one pixel of n² channels before all
    else (1: does nothing). `neurons` has the widths of the dense layers before the softmax.
    """

    kind: Literal["conv"] = "conv"
    space_to_depth: Annotated[int, Field(gt=0, le=64)] = 1
    filters: Annotated[Widths, Field(min_length=1)] = (16,)
    kernel_size: Annotated[Widths, Field(min_length=1)] = (8,)
    strides: Annotated[Widths, Field(min_length=1)] = (1,)
    padding: Literal["valid", "same"] = "valid"
    pool_size: Annotated[Widths, Field(min_length=1)] = (POOL,)
    pooling: Pooling = "max"
    global_pooling: Literal["none", "max", "average"] = "none"
    neurons: Widths = ()

    @model_validator(mode="before")
    @classmethod
    def _pool_after_the_last(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        # JSON's lists have become Python's by here, which strict fields do not take for tuples.
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        if "pool_size" in values:
            return values
        filters = values.get("filters", (16,))
        count = len(filters) if isinstance(filters, list | tuple) else 1
        return {**values, "pool_size": usual_pool_size(count, values.get("global_pooling"))}

    @model_validator(mode="after")
    def _one_entry_per_convolution(self) -> Self:
        lengths = list(
            map(len, (self.filters, self.kernel_size, self.strides, self.pool_size)),
        )
        if len(set(lengths)) > 1:
            raise ValueError(
                "`filters`, `kernel_size`, `strides` and `pool_size` need one entry per "
                "convolution, got {}, {}, {} and {}".format(*lengths)
            )
        if self.global_pooling != "none" and self.pool_size[-1] != 1:
            raise ValueError(
                f"pool_size: found {self.pool_size[-1]} for the last convolution; with "
                "`global_pooling` it must be 1"
            )
        return self


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("it must be the name of a function")
    return value  # as it is: a `Factory` stays one


class ModuleModel(Frozen):
    """What a function of the user's makes, a PyTorch module; see `siffra.config.factory`.

    `factory` is its name, which can only be used where it is a `Factory`; `source` the SHA-256
    of its code, so that a run of an edited function is another run; `arguments` are all its
    knobs, by name.
    """

    kind: Literal["module"] = "module"
    factory: Annotated[str, PlainValidator(_name, json_schema_input_type=str)]
    source: str
    arguments: tuple[tuple[str, bool | int | float | str], ...] = ()


Scalar = bool | int | float | str | None
Value = Scalar | tuple[Scalar, ...]
"""What a parameter of an estimator takes."""


class EstimatorModel(Frozen):
    """An estimator of scikit-learn's, or of the user's: see `siffra.config.estimator`.

    `factory` is its name, which can only be used where it is an `Estimator`; `source` says which
    version or code it is; `arguments` are those of its parameters that differ from its defaults.
    """

    kind: Literal["estimator"] = "estimator"
    factory: Annotated[str, PlainValidator(_name, json_schema_input_type=str)]
    source: str
    arguments: tuple[tuple[str, Value], ...] = ()


class ExternalModel(Frozen):
    """A training that siffra does not do itself, by the `values` of its own knobs.

    It is what `command` does, word by word with `{knob}` in the place of each value, or, if that
    is empty, one of which the results are given.
    """

    kind: Literal["external"] = "external"
    command: tuple[str, ...] = ()
    values: tuple[tuple[str, Scalar], ...] = ()


BuiltModel = DenseModel | ConvModel
"""A model that siffra builds itself, with any engine."""
OwnModel = ModuleModel | EstimatorModel
"""A model that someone else's code is."""
SteplessModel = EstimatorModel | ExternalModel
"""A model that siffra does not train step by step: the knobs of training are none of its own."""
Model = Annotated[BuiltModel | OwnModel | ExternalModel, Field(discriminator="kind")]


def usual_pool_size(convolutions: int, global_pooling: str | None) -> tuple[int, ...]:
    """The default `pool_size`: a window after the last convolution, unless a global one is."""
    last = POOL if global_pooling in (None, "none") else 1
    return (1,) * (convolutions - 1) + (last,)
