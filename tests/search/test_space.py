"""What can be proposed: every recipe is in the space, and the page says how far it reaches."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from siffra.config import Setting
from siffra.config.recipes import find_recipe, shipped_names
from siffra.config.setting import override
from siffra.search.space import Parameters, Space, parameters_of

SPACE = Space(10.0, 36.0)


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_recipe_is_in_the_space(name):
    recipe = Setting.from_knobs(find_recipe(name).knobs)
    answers = Parameters(parameters_of(recipe))

    back = Setting.from_knobs({**SPACE.knobs(answers), "epochs": recipe.training.epochs})

    assert back == recipe


class _Ranges:
    """Answers with the widest of everything, and keeps how far each parameter reaches."""

    def __init__(self, chosen: Mapping[str, Any]) -> None:
        self._chosen = chosen
        self.reach: dict[str, tuple[Any, Any]] = {}
        self.listed: dict[str, str] = {}

    def __call__(self, name: str, distribution: BaseDistribution) -> Any:
        if isinstance(distribution, CategoricalDistribution):
            choices = distribution.choices
            self.listed[name] = ", ".join(str(choice).removesuffix(".0") for choice in choices)
            self.reach[name] = (choices[0], choices[-1])
            return self._chosen.get(name, choices[-1])
        assert isinstance(distribution, IntDistribution | FloatDistribution)
        self.reach[name] = (distribution.low, distribution.high)
        return distribution.high


def ranges(**chosen: Any) -> _Ranges:
    asked = _Ranges(chosen)
    SPACE.knobs(asked)
    return asked


def reach(**chosen: Any) -> dict[str, tuple[Any, Any]]:
    return ranges(**chosen).reach


def test_the_page_says_how_far_the_space_reaches():
    conv, dense = reach(model="conv"), reach(model="dense")
    listed = ranges(model="conv").listed
    page = Path(__file__).parents[2].joinpath("docs", "search.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| (\w[^|]*) \| (.*) \|$", page, re.MULTILINE))

    def told(name: str, found: Mapping[str, tuple[Any, Any]] = conv) -> str:
        return "{:.15g} to {:.15g}".format(*found[name])

    for row, text in (
        ("convolutions", f"{told('conv_layers')}, with {told('filters_6')} filters"),
        ("convolutions", f"kernels of {listed['kernel_size_1']} pixels"),
        ("convolutions", f"strides of {listed['strides_1']} in the first"),
        ("convolutions", f"in the first, {listed['strides_2']} after it"),
        ("dense layers", f"{told('layers_after')} after convolutions"),
        ("dense layers", f"{told('layers', dense)} in a dense network"),
        ("dense layers", f"{told('neurons_1')} neurons"),
        ("after a layer", f"dropout {listed['dropout']}"),
        ("batch", f"{told('batch_size')} images"),
        ("schedule", f"warm-up over {told('warmup')} of"),
        ("targets, weights", f"label smoothing {told('label_smoothing')}"),
        ("targets, weights", f"(`ema`) {told('ema')}"),
        ("weight decay", told("weight_decay")),
        ("weight decay", told("weight_decay_adamw", reach(optimizer="adamw"))),
        ("optimizer", f"momentum {told('momentum_muon')}"),
    ):
        assert text in rows[row]
    for optimizer in ("sgd", "nesterov", "adamw", "muon"):
        rate = told(f"learning_rate_{optimizer}", reach(optimizer=optimizer))
        assert re.search(rf"{optimizer}[a-z ]* {rate}", rows["optimizer"], re.IGNORECASE)


@pytest.mark.parametrize(
    "knobs",
    [
        {"model": "conv", "filters": [256, 248, 8], "kernel_size": 3, "padding": "same",
         "batch_size": 8, "learning_rate": 0.1},
        {"model": "conv", "filters": 16, "kernel_size": 3, "learning_rate": 0.1, "batch_size": 16,
         "layers": 6, "neurons": [1024, 512, 256, 128, 64, 16]},
        {"neurons": [64] * 8, "batch_size": 8, "learning_rate": 0.1},
    ],
)  # fmt: skip
def test_wide_and_deep_networks_and_small_batches_are_in_the_space(knobs):
    setting = Setting.from_knobs(knobs)

    assert Setting.from_knobs(SPACE.knobs(Parameters(parameters_of(setting)))) == setting


@pytest.mark.parametrize("strides", [1, 3, 8])
@pytest.mark.parametrize("kernel_size", [4, 8, 12, 16])
def test_the_studys_kernels_and_strides_are_in_the_space(kernel_size, strides):
    setting = Setting.from_knobs(
        {"model": "conv", "kernel_size": kernel_size, "strides": strides,
         "learning_rate": 0.5, "batch_size": 128}
    )  # fmt: skip

    assert Setting.from_knobs(SPACE.knobs(Parameters(parameters_of(setting)))) == setting


def test_some_of_what_is_proposed_has_no_dropout_and_some_has(propose):
    drawn = [propose(SPACE, [], number)[0]["dropout"] for number in range(40)]

    assert 0 in drawn
    assert len(set(drawn)) > 3


@pytest.mark.parametrize("number", range(40))
def test_what_is_proposed_is_a_setting_and_leads_back_to_itself(propose, number):
    parameters, knobs = propose(SPACE, [], number)
    setting = Setting.from_knobs(knobs)
    answers = Parameters(parameters_of(setting))

    assert Setting.from_knobs(SPACE.knobs(answers)) == setting
    assert answers.values == pytest.approx(parameters)


@pytest.mark.parametrize(
    ("fixed", "unasked"),
    [
        ({"optimizer": "adamw"}, {"optimizer"}),
        ({"optimizer": "adam"}, {"optimizer"}),
        ({"optimizer": "momentum", "momentum": 0.8}, {"optimizer", "momentum_momentum"}),
        ({"model": "dense"}, {"model"}),
        ({"model": "dense", "layers": 5}, {"model", "layers"}),
        ({"model": "dense", "neurons": [8, 16]}, {"layers", "neurons_1", "neurons_2"}),
        ({"model": "conv", "conv_layers": 7, "strides": 1}, {"conv_layers", "strides_7"}),
        ({"model": "conv", "filters": [8, 8]}, {"conv_layers", "filters_1", "filters_2"}),
        ({"model": "conv", "layers": 2}, {"layers_after"}),
        ({"augment": "move", "augment_move": 3.0}, {"augment", "augment_move", "augment_rotate"}),
        ({"learning_rate": 0.1, "batch_size": 100}, {"batch_size", "learning_rate_muon"}),
    ],
)
def test_what_is_proposed_beside_fixed_knobs_is_fit_for_them(propose, fixed, unasked):
    space = Space(10.0, 36.0, fixed=fixed)
    for number in range(30):
        parameters, knobs = propose(space, [], number)
        training = Setting.from_knobs(override(knobs, fixed)).training

        assert unasked.isdisjoint(parameters)
        if fixed.get("optimizer", "").startswith("adam"):
            assert training.learning_rate <= 0.03
