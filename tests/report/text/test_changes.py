"""What is told of a candidate beside another one: cases that were worked out by hand."""

import pytest

from siffra.config import Setting
from siffra.config.recipes import find_recipe, shipped_names
from siffra.report.text.search_front import changes

CONV = {
    "model": "conv", "filters": [8, 16, 32], "kernel_size": 3, "padding": "same",
    "optimizer": "muon", "momentum": 0.6, "augment": "shifts", "augment_move": 4.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({}, {}),
        ({"epochs": 0.3}, {}),
        ({"learning_rate": 0.2}, {"learning_rate": 0.2}),
        ({"filters": [8, 16, 64]}, {"filters_3": 64}),
        ({"filters": [8, 24, 64]}, {"filters": (8, 24, 64)}),
        ({"kernel_size": [3, 3, 5]}, {"kernel_size_3": 5}),
        ({"kernel_size": 5}, {"kernel_size": 5}),
        ({"filters": [8, 16]},
         {"conv_layers": 2, "filters": (8, 16), "pool_size": (1, 2)}),
        ({"layers": 1, "neurons": 64}, {"layers": 1, "neurons": 64}),
        ({"padding": "valid"}, {"padding": "valid"}),
        ({"batch_norm": True, "ema": 0.9}, {"batch_norm": True, "ema": 0.9}),
    ],
)  # fmt: skip
def test_what_differs_is_told_and_nothing_else(other, told):
    assert changes({**CONV, **other}, CONV) == told


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"optimizer": "sgd", "learning_rate": 0.05}, {"optimizer": "sgd"}),
        ({"augment": "none"}, {"augment": "none"}),
        ({"augment": "move", "augment_move": 4.0}, {"augment": "move"}),
    ],
)
def test_what_goes_with_another_knob_is_no_change(changed, told):
    knobs = {
        name: value
        for name, value in {**CONV, **changed}.items()
        if not (name == "momentum" and "optimizer" in changed)
        and not (name == "augment_move" and changed.get("augment") == "none")
    }

    assert changes(knobs, CONV) == told


def test_another_model_is_told_first():
    dense = {"model": "dense", "neurons": [64, 32], "optimizer": "muon", "momentum": 0.6}

    told = changes(dense, CONV)

    assert list(told)[:2] == ["model", "layers"]
    assert told["neurons"] == (64, 32)
    assert "filters" not in told
    assert changes(CONV, dense)["conv_layers"] == 3


@pytest.mark.parametrize("name", shipped_names())
def test_it_makes_no_difference_how_knobs_are_spelled(name):
    knobs = find_recipe(name).knobs

    assert changes(knobs, Setting.from_knobs(knobs).knobs()) == {}
