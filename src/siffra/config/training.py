"""How a model is trained."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from siffra.config.validation import Frozen, newer

Share = Annotated[float, Field(ge=0, lt=1)]
Loss = Literal["cross_entropy", "mean_squared_error"]

_LEARNING_RATES = {
    "momentum": 0.1, "nesterov": 0.1, "rmsprop": 0.001, "adam": 0.001, "adamw": 0.001, "muon": 0.05,
}  # fmt: skip
_MOMENTA = {"momentum": 0.9, "nesterov": 0.9, "muon": 0.95}
_WITH_MOMENTUM = ("momentum", "nesterov", "rmsprop", "muon")
"""Optimizers that can have one; all but RMSprop need it."""
_STEPS = {"step_every": 10.0, "step_factor": 0.1}
_AUGMENTED = {
    "none": {},
    "move": {"augment_move": 10.0, "augment_clean": 0.2, "augment_jitter": 1.0},
    "rotate": {"augment_rotate": 36.0, "augment_clean": 0.2, "augment_jitter": 1.0},
    "shifts": {
        "augment_move": 10.0,
        "augment_rotate": 36.0,
        "augment_clean": 0.2,
        "augment_jitter": 1.0,
    },
}
_AUGMENTING = {
    name: [kind for kind, fields in _AUGMENTED.items() if name in fields]
    for name in ("augment_move", "augment_rotate", "augment_clean", "augment_jitter")
}
"""The kinds that have a use for each field."""


class Training(Frozen):
    """How a model is trained: mini-batch gradient descent on the mean of a loss.

    `learning_rate` is per step, within what float32 can compute with: the greatest, if there is a
    schedule. `batch_size` is in images (the last, partial batch of an epoch is used), at most a
    million. `epochs` may be a fraction, which ends in the middle of a pass.

    `optimizer` names are Keras', and so is what they do, with Keras' defaults where there is no
    knob: `rmsprop` has rho 0.9, and epsilon 1e-7 under the root. `momentum` is the share of the
    last step that is kept by the optimizers that do so, and 0 for the others; `weight_decay` times
    the learning rate is what a step takes from every kernel (not from biases and norms) beside its
    gradient's work, as in Keras and in Loshchilov & Hutter 2019; Adam with it is `adamw`. `warmup`
    is the share of all steps over which the rate rises from 0; then it stays (`constant`), or
    falls to 0 along a line (`one_cycle`) or half a cosine (`cosine`), or is multiplied by
    `step_factor` after every `step_every` epochs of the training (`step`: PyTorch's `StepLR`, its
    `step_size` and `gamma`).

    `loss` is taken of the softmax's probabilities: the cross-entropy of an image in nats, or
    Keras' `mean_squared_error`, the mean over the classes of (probability - target)^2 with a
    target of 1 for the label and 0 for the others. `label_smoothing` is the share of the target
    that all classes get alike, which Keras has for the cross-entropy alone; `ema` is the decay,
    per step, of the average of the weights that is used instead of the last ones (0: none).

    `augment` says what training images go through, each anew in each epoch: a share
    `augment_clean` stays in its place; the others are moved by up to `augment_move` pixels to
    either side, or (`shifts`: half of them) turned by up to `augment_rotate` degrees. With
    `augment_jitter` j, what is not moved is moved by up to j pixels, what is not turned is
    turned by up to 5j degrees, and all are scaled and sheared by up to 5j %.

    Fields that an optimizer, a schedule or an augmentation has no use for are 0: no training
    has two descriptions.
    """

    learning_rate: Annotated[float, Field(ge=1e-30, le=1e30)] = 0.7
    batch_size: Annotated[int, Field(gt=0, le=1_000_000)] = 140
    epochs: Annotated[int | float, Field(gt=0, le=1_000_000)] = 20
    optimizer: Literal["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "muon"] = "sgd"
    momentum: Share = 0.0
    weight_decay: Annotated[float, Field(ge=0, le=1e3)] = 0.0
    schedule: Literal["constant", "one_cycle", "cosine", "step"] = "constant"
    warmup: Share = 0.0
    step_every: Annotated[float, Field(ge=0, le=1_000_000)] = newer(0.0)
    step_factor: Share = newer(0.0)
    loss: Loss = newer("cross_entropy")
    label_smoothing: Share = 0.0
    ema: Share = 0.0
    augment: Literal["none", "move", "rotate", "shifts"] = "none"
    augment_move: Annotated[float, Field(ge=0, le=1000)] = 0.0
    augment_rotate: Annotated[float, Field(ge=0, le=180)] = 0.0
    augment_clean: Annotated[float, Field(ge=0, le=1)] = 0.0
    augment_jitter: Annotated[float, Field(ge=0, le=10)] = 0.0

    @model_validator(mode="before")
    @classmethod
    def _defaults_that_depend(cls, values: object) -> Any:
        return {**usual(values), **values} if isinstance(values, dict) else values

    @field_validator("*", mode="before")
    @classmethod
    def _whole_numbers_are_numbers(cls, value: object, info: Any) -> Any:
        if info.field_name == "epochs":
            return int(value) if type(value) is float and value.is_integer() else value
        if cls.model_fields[info.field_name].annotation is float and type(value) is int:
            return float(value)
        return value

    @model_validator(mode="after")
    def _no_two_descriptions(self) -> Self:
        _needs("momentum", self.momentum, "optimizer", self.optimizer, _WITH_MOMENTUM)
        if self.optimizer in _MOMENTA and self.momentum == 0:
            raise ValueError(
                "momentum: found 0; it must be above 0 (without momentum it is the optimizer sgd)"
            )
        for name in _STEPS:
            _needs(name, getattr(self, name), "schedule", self.schedule, ["step"])
            if self.schedule == "step" and getattr(self, name) == 0:
                raise ValueError(f"{name}: found 0; it must be above 0")
        _needs("label_smoothing", self.label_smoothing, "loss", self.loss, ["cross_entropy"])
        if self.optimizer == "adam" and self.weight_decay:
            raise ValueError("weight_decay: Adam with weight decay is the optimizer adamw")
        if self.optimizer == "adamw" and not self.weight_decay:
            raise ValueError(
                "weight_decay: found 0; it must be above 0 "
                "(without weight decay it is the optimizer adam)"
            )
        for name, users in _AUGMENTING.items():
            _needs(name, getattr(self, name), "augment", self.augment, users)
        return self


def usual(values: Mapping[str, object]) -> dict[str, Any]:
    """The defaults of fields whose default depends on others in `values`."""
    optimizer = values.get("optimizer", "sgd")
    augment = values.get("augment", "none")
    return {
        "learning_rate": _of(_LEARNING_RATES, optimizer, 0.7),
        "momentum": _of(_MOMENTA, optimizer, 0.0),
        "weight_decay": 0.004 if optimizer == "adamw" else 0.0,
        "warmup": 0.15 if values.get("schedule") == "one_cycle" else 0.0,
        **(_STEPS if values.get("schedule") == "step" else dict.fromkeys(_STEPS, 0.0)),
        **_of(_AUGMENTED, augment, {}),
    }


def has_use(name: str, values: Mapping[str, object]) -> bool:
    """Whether the field `name` does anything beside `values`, or must be left out."""
    optimizer, augment = values.get("optimizer", "sgd"), values.get("augment", "none")
    if name == "momentum":
        return optimizer in _WITH_MOMENTUM
    if name in _STEPS:
        return values.get("schedule", "constant") == "step"
    if name == "label_smoothing":
        return values.get("loss", "cross_entropy") == "cross_entropy"
    if name == "weight_decay":
        return optimizer != "adam"
    if name.startswith("augment_"):
        return name in _of(_AUGMENTED, augment, {})
    return True


def _of(table: Mapping[str, object], key: object, default: object) -> Any:
    return table.get(key, default) if isinstance(key, str) else default


def _needs(name: str, value: float, other: str, choice: str, users: Any) -> None:
    if choice not in users and value != 0:
        *most, last = users
        wanted = " or ".join(filter(None, (", ".join(most), last)))
        raise ValueError(f"{name}: it needs the {other} {wanted}; found {choice}")
