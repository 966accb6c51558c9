"""A recipe under fixed knobs: as much of it as may still make a network."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from siffra.config import Training
from siffra.config.setting import override
from siffra.search.space import BY_CONVOLUTION, numbers_of_layers

_RATES = ("learning_rate", "momentum", "weight_decay")
"""Knobs whose good values depend on the optimizer."""
_PLAIN = {"model": "conv", "filters": 16, "kernel_size": 5}
"""The model that has a recipe's training, where nothing else of the recipe can be had."""

Knobs = Mapping[str, Any]


def under_fixed(recipe: Knobs, fixed: Knobs) -> Iterator[dict[str, Any]]:
    """Knobs with all of the `fixed` ones, from what keeps most of a recipe to what keeps least.

    The caller takes the first that makes a network for its images. A recipe's lists with a value
    for each layer are cut to as many layers as are fixed, or go on with their last value; where
    that is not a network, it is without space-to-depth, then of fewer convolutions or, where their
    number is fixed, with less pooling and smaller strides. In the end the recipe's training is
    left, of a plain model.
    """
    knobs = _with_dense_layers(_with_rates(recipe, fixed), fixed)
    both = {**knobs, **fixed}
    if both.get("model", "dense") != "conv":
        # A convolutional recipe may say that it has no dense layers; a dense model has some.
        yield override({k: v for k, v in knobs.items() if (k, v) != ("layers", 0)}, fixed)
        return
    for model in _convolutions(knobs, fixed):
        yield override(model, fixed)
        if both.get("space_to_depth", 1) != 1:
            yield override({**model, "space_to_depth": 1}, fixed)
    training = {name: value for name, value in knobs.items() if name in Training.model_fields}
    yield override(_with_dense_layers({**training, **_PLAIN}, fixed), fixed)


def _with_rates(knobs: Knobs, fixed: Knobs) -> Knobs:
    """Another optimizer takes none of a recipe's rates."""
    optimizer = knobs.get("optimizer", "sgd")
    if fixed.get("optimizer", optimizer) == optimizer:
        return knobs
    return {name: value for name, value in knobs.items() if name not in _RATES}


def _with_dense_layers(knobs: Knobs, fixed: Knobs) -> Knobs:
    """As many dense layers as are fixed; a convolutional model with fixed neurons has some."""
    count = numbers_of_layers(fixed).get("layers", fixed.get("layers"))
    neurons = knobs.get("neurons")
    if count is None and "neurons" in fixed:
        count = knobs.get("layers") or (len(neurons) if _is_list(neurons) else 1)
    if count is None:
        return knobs
    layers = {**knobs, "layers": count}
    return {**layers, "neurons": _fit(neurons, count)} if _is_list(neurons) and count else layers


def _convolutions(knobs: Knobs, fixed: Knobs) -> Iterator[Knobs]:
    count = {**numbers_of_layers(fixed), **fixed}.get("conv_layers")
    if count is None:
        most = {**numbers_of_layers(knobs), **knobs}.get("conv_layers", 1)
        for fewer in range(most, 0, -1):
            yield _with_convolutions(knobs, fixed, fewer)
        return
    whole = dict(_with_convolutions(knobs, fixed, count))
    yield whole
    for name in ("pool_size", "strides"):
        values = _fit(whole.get(name, 1), count)
        for last in reversed([n for n, value in enumerate(values) if value > 1]):
            values = [*values[:last], 1, *values[last + 1 :]]
            whole = {**whole, name: values}
            yield whole


def _with_convolutions(knobs: Knobs, fixed: Knobs, count: int) -> Knobs:
    """So many convolutions; pooled over the whole map in the end, unless windows are fixed."""
    lists = {name: _fit(knobs[name], count) for name in BY_CONVOLUTION if _is_list(knobs.get(name))}
    model = {**knobs, **lists, "conv_layers": count}
    if {**knobs, **fixed}.get("global_pooling", "none") == "none":
        return model
    windows = fixed.get("pool_size", 1)
    if (windows[-1] if _is_list(windows) else windows) > 1:
        return {**model, "global_pooling": "none"}
    if _is_list(model.get("pool_size")):
        model["pool_size"] = [*model["pool_size"][:-1], 1]
    return model


def _fit(values: object, count: int) -> list[Any]:
    """A value for each of this many layers: the first ones, or the last over and over."""
    values = list(values) if _is_list(values) else [values]
    return (values + values[-1:] * count)[:count]


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, list | tuple)
