"""Knobs put over others, as a lab's levels over its base, or an option over a recipe."""

from collections.abc import Mapping
from typing import Any

from siffra.config.estimator import Estimator
from siffra.config.knobs import KNOBS, knobs_of, says_layers
from siffra.config.training import has_use


def override(base: Mapping[str, Any], knobs: Mapping[str, Any]) -> dict[str, Any]:
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


def _is_used(name: str, knobs: Mapping[str, Any], of_networks: Mapping[str, Any]) -> bool:
    model = knobs.get("model", "dense")
    if isinstance(model, Estimator) and name in of_networks and name != "model":
        return False
    if name not in knobs_of(model):
        return False
    if name == "neurons" and model == "conv":
        return says_layers(knobs)
    return isinstance(model, Estimator) or has_use(name, knobs)
