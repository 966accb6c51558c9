"""How one candidate differs from another, knob by knob."""

from collections.abc import Mapping
from typing import Any

from siffra.config import Setting
from siffra.config.training import has_use


def changes(knobs: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, Any]:
    """What `knobs` have otherwise than `reference`, by parameter: `learning_rate`, `filters_2`.

    Whole settings are compared, with what they leave unsaid, but not `epochs`, which follow from
    a budget. What other knobs have no use for is no change: a momentum that went with its
    optimizer. Of as many layers of which one differs, that one is told.
    """
    own, theirs = _described(knobs), _described(reference)
    found: dict[str, Any] = {}
    for name, value in own.items():
        is_same = name in theirs and _collapsed(value) == _collapsed(theirs[name])
        if not is_same and value != () and has_use(name, own):
            found |= _told(name, value, theirs.get(name))
    return found


def _described(knobs: Mapping[str, Any]) -> dict[str, Any]:
    """All of a setting, with a tuple of values where each layer has its own."""
    setting = Setting.from_knobs(knobs)
    model, training = setting.model.model_dump(), setting.training.model_dump()
    described = {"model": model.pop("kind")}
    if "filters" in model:
        described["conv_layers"] = len(model["filters"])
    described["layers"] = len(model["neurons"])
    del training["epochs"]
    return described | model | training


def _told(name: str, value: Any, other: Any) -> dict[str, Any]:
    if isinstance(value, tuple) and isinstance(other, tuple) and len(value) == len(other) > 1:
        different = [n for n, pair in enumerate(zip(value, other, strict=True)) if len({*pair}) > 1]
        if len(different) == 1:
            (n,) = different
            return {f"{name}_{n + 1}": value[n]}
    return {name: _collapsed(value)}


def _collapsed(value: Any) -> Any:
    """One value where all layers agree."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value
