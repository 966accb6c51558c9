"""Knobs put over others, as a lab's levels over its base, or an option over a recipe."""

from collections.abc import Mapping
from typing import Any

from siffra.config.knobs import knobs_of, says_layers
from siffra.config.training import has_use


def override(base: Mapping[str, Any], knobs: Mapping[str, Any]) -> dict[str, Any]:
    """`knobs`, and those of `base` that are not among them and are of use beside them.

    A base may speak of what other knobs took away: of the momentum, where the optimizer now has
    none, or of filters, where the model is dense. Such knobs are left out. Nothing that `knobs`
    says is, so that a mistake in it is found where the setting is made.
    """
    both = {**base, **knobs}
    return {name: value for name, value in both.items() if name in knobs or _is_used(name, both)}


def _is_used(name: str, knobs: Mapping[str, Any]) -> bool:
    model = knobs.get("model", "dense")
    if name not in knobs_of(model):
        return False
    if name == "neurons" and model == "conv":
        return says_layers(knobs)
    return has_use(name, knobs)
