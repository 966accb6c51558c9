"""Recipes under fixed knobs: what is fixed stays, and as much of the recipe as makes a network."""

import pytest

from siffra.config import DenseModel, Setting, choices
from siffra.config.recipes import find_recipe, shipped_names
from siffra.engine.network import build_network
from siffra.errors import ConfigError
from siffra.search.constraints import under_fixed

CONV = {"model": "conv"}
FIXED = [
    {},
    {"model": "dense"},
    {"model": "dense", "layers": 2},
    {"model": "dense", "neurons": [64, 32]},
    {"neurons": 64},
    {"neurons": [64, 32]},
    {"layers": 2},
    {"layers": 0},
    *({**CONV, "conv_layers": count} for count in (1, 2, 3, 4, 5, 6, 8)),
    {**CONV, "filters": [8, 8]},
    {**CONV, "filters": 24},
    {**CONV, "kernel_size": [5, 3, 3]},
    {**CONV, "kernel_size": 12},
    {**CONV, "kernel_size": 8, "strides": 8},
    {**CONV, "strides": 2},
    {**CONV, "strides": [1, 2]},
    {**CONV, "pool_size": 2},
    {**CONV, "pool_size": 3, "conv_layers": 2},
    {**CONV, "pool_size": [2, 1, 2]},
    {**CONV, "pool_size": 1},
    {**CONV, "padding": "valid"},
    {**CONV, "padding": "valid", "conv_layers": 5},
    {**CONV, "padding": "valid", "space_to_depth": 2},
    {**CONV, "padding": "valid", "kernel_size": 5, "conv_layers": 4},
    {**CONV, "space_to_depth": 1},
    {**CONV, "space_to_depth": 2},
    {**CONV, "space_to_depth": 4},
    {**CONV, "space_to_depth": 7, "conv_layers": 3},
    {**CONV, "global_pooling": "none"},
    {**CONV, "global_pooling": "average"},
    {**CONV, "pooling": "average"},
    {"batch_norm": False},
    {"activation": "tanh"},
    {"dropout": 0.3},
    *({"optimizer": name} for name in choices("optimizer") or ()),
    {"learning_rate": 0.5},
    {"batch_size": 27},
    {"momentum": 0.9},
    {"weight_decay": 0.001},
    {"schedule": "constant"},
    {"warmup": 0.0},
    {"label_smoothing": 0.0},
    {"ema": 0.99},
    {"augment": "none"},
    {"augment": "move", "augment_move": 3.0},
    {"augment_rotate": 10.0},
    {"augment_clean": 0.5},
    {"augment_jitter": 0.0},
]  # fmt: skip


def first(name: str, fixed, side: int = 28) -> Setting | None:
    for knobs in under_fixed(find_recipe(name).knobs, fixed):
        try:
            setting = Setting.from_knobs(knobs)
            build_network(setting.model, (side, side, 1), 10)
        except ConfigError:
            continue
        return setting
    return None


def holds(setting: Setting, knob: str, value) -> bool:
    if knob == "model":
        return setting.model.kind == value
    if knob in ("layers", "conv_layers"):
        return len(getattr(setting.model, "neurons" if knob == "layers" else "filters")) == value
    found = getattr(setting.model, knob, None)
    found = getattr(setting.training, knob) if found is None else found
    if isinstance(found, tuple):
        expected = tuple(value) if isinstance(value, list) else (value,) * len(found)
        return found == expected and len(found) > 0
    return found == value


@pytest.mark.parametrize("fixed", FIXED, ids=str)
@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_recipe_starts_under_fixed_knobs(name, fixed):
    setting = first(name, fixed)

    assert setting is not None
    assert all(holds(setting, knob, value) for knob, value in fixed.items())


@pytest.mark.parametrize("fixed", [f for f in FIXED if f.get("model") == "conv"], ids=str)
@pytest.mark.parametrize("name", shipped_names())
def test_what_is_fixed_of_a_models_shape_leaves_a_recipes_training(name, fixed):
    setting = first(name, fixed)

    assert setting is not None
    assert setting.training == Setting.from_knobs(find_recipe(name).knobs).training


@pytest.mark.parametrize("side", [3, 8, 12])
@pytest.mark.parametrize("name", shipped_names())
def test_small_images_take_as_much_of_a_recipe_as_fits_them(name, side):
    setting = first(name, {}, side)

    assert setting is not None
    assert setting.training == Setting.from_knobs(find_recipe(name).knobs).training


def test_lists_are_cut_or_go_on_and_the_last_window_makes_way_for_the_whole_map():
    recipe = {**CONV, "filters": [8, 16, 32], "strides": [1, 2, 1], "pool_size": [1, 2, 1],
              "kernel_size": 3, "padding": "same", "global_pooling": "max"}  # fmt: skip

    shorter, longer = (
        next(under_fixed(recipe, {**CONV, "conv_layers": count})) for count in (2, 5)
    )

    assert (shorter["filters"], shorter["strides"]) == ([8, 16], [1, 2])
    assert shorter["pool_size"] == [1, 1]
    assert (longer["filters"], longer["strides"]) == ([8, 16, 32, 32, 32], [1, 2, 1, 1, 1])
    assert longer["pool_size"] == [1, 2, 1, 1, 1]


def test_without_anything_fixed_a_recipe_comes_first_as_it_is():
    recipe = find_recipe("digits-5s").knobs

    assert Setting.from_knobs(next(under_fixed(recipe, {}))) == Setting.from_knobs(recipe)


def test_a_convolutional_recipe_without_dense_layers_makes_a_dense_network_all_the_same():
    recipe = {**CONV, "layers": 0, "learning_rate": 0.3, "filters": 8}

    setting = Setting.from_knobs(next(under_fixed(recipe, {"model": "dense"})))

    assert isinstance(setting.model, DenseModel)
    assert len(setting.model.neurons) == 1
    assert setting.training.learning_rate == 0.3
