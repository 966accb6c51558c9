"""Knobs become settings, settings become knobs, and every mistake is named."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from siffra.config import (
    KNOBS,
    ConvModel,
    DenseModel,
    Model,
    Setting,
    Training,
    choices,
    override,
)
from siffra.config.recipes import find_recipe
from siffra.errors import ConfigError

widths = st.one_of(st.integers(1, 99), st.lists(st.integers(1, 99), min_size=1, max_size=4))
shares = st.floats(0, 0.99)
training_knobs = {
    "learning_rate": st.floats(1e-9, 1e9) | st.integers(1, 10),
    "batch_size": st.integers(1, 10**6),
    "epochs": st.integers(1, 10**6) | st.floats(0.01, 100),
    "optimizer": st.sampled_from(choices("optimizer") or ()),
    "schedule": st.sampled_from(choices("schedule") or ()),
    "warmup": shares,
    "label_smoothing": shares,
    "ema": shares,
    "augment": st.sampled_from(["none", "move", "rotate", "shifts"]),
    "normalization": st.booleans(),
    "activation": st.sampled_from(choices("activation") or ()),
    "batch_norm": st.booleans(),
    "dropout": shares,
}
dense_knobs = st.fixed_dictionaries({}, optional={**training_knobs, "neurons": widths})
conv_knobs = st.fixed_dictionaries(
    {"model": st.just("conv")},
    optional={
        **training_knobs,
        "neurons": st.lists(st.integers(1, 99), min_size=1, max_size=4),
        "kernel_size": widths,
        "padding": st.sampled_from(["valid", "same"]),
        "pooling": st.sampled_from(["max", "average"]),
        "global_pooling": st.sampled_from(["none", "max", "average"]),
        "space_to_depth": st.integers(1, 4),
    },
)


@settings(deadline=None)
@given(dense_knobs | conv_knobs)
def test_knobs_of_a_setting_make_the_same_setting(knobs):
    setting = Setting.from_knobs(knobs)

    assert Setting.from_knobs(setting.knobs()) == setting


@settings(deadline=None)
@given(st.one_of(dense_knobs, conv_knobs))
def test_a_model_comes_back_from_json_as_it_was(knobs):
    model, json = Setting.from_knobs(knobs).model, TypeAdapter(Model)

    assert json.validate_json(json.dump_json(model)) == model


def test_what_is_not_said_is_the_study_s_base():
    setting = Setting.from_knobs({})

    assert setting.model == DenseModel(neurons=(32,))
    assert setting.training == Training(
        learning_rate=0.7, batch_size=140, epochs=20, optimizer="sgd"
    )


def test_a_conv_model_has_no_hidden_layer_unless_asked():
    assert Setting.from_knobs({"model": "conv"}).model == ConvModel(
        filters=(16,), kernel_size=(8,), strides=(1,), neurons=()
    )
    assert Setting.from_knobs({"model": "conv", "layers": 2}).model == ConvModel(neurons=(32, 32))


@pytest.mark.parametrize(
    ("knobs", "neurons"),
    [
        ({"layers": 3, "neurons": 8}, (8, 8, 8)),
        ({"layers": 2, "neurons": [32, 64]}, (32, 64)),
        ({"neurons": [32, 64]}, (32, 64)),
        ({"layers": 2, "neurons": [9]}, (9, 9)),
    ],
)
def test_one_width_repeats_and_several_go_layer_by_layer(knobs, neurons):
    assert Setting.from_knobs(knobs).model == DenseModel(neurons=neurons)


def test_the_longest_list_says_how_many_convolutions_there_are():
    model = Setting.from_knobs({"model": "conv", "kernel_size": [5, 3], "filters": 8}).model

    assert model == ConvModel(filters=(8, 8), kernel_size=(5, 3), strides=(1, 1))


def test_momentum_is_09_with_its_optimizer_and_0_without():
    assert Setting.from_knobs({"optimizer": "momentum"}).training.momentum == 0.9
    assert Setting.from_knobs({"optimizer": "sgd"}).training.momentum == 0.0
    assert Setting.from_knobs({"optimizer": "momentum", "momentum": 0.5}).training.momentum == 0.5


def test_every_optimizer_has_a_learning_rate_of_its_own():
    assert Setting.from_knobs({"optimizer": "adam"}).training.learning_rate == 0.001
    assert Setting.from_knobs({"optimizer": "adamw"}).training.weight_decay == 0.004


def test_one_cycle_warms_up_unless_told_not_to():
    assert Setting.from_knobs({"schedule": "one_cycle"}).training.warmup == 0.15
    assert Setting.from_knobs({"schedule": "one_cycle", "warmup": 0}).training.warmup == 0
    assert Setting.from_knobs({"warmup": 0.1}).training.warmup == 0.1


def test_epochs_may_be_a_fraction_and_a_whole_one_is_a_whole_number():
    assert Setting.from_knobs({"epochs": 0.65}).training.epochs == 0.65
    assert type(Setting.from_knobs({"epochs": 3.0}).training.epochs) is int


def test_the_last_convolution_is_pooled_unless_the_whole_map_is():
    def pool_size(**knobs):
        model = Setting.from_knobs({"model": "conv", "conv_layers": 3, **knobs}).model
        assert isinstance(model, ConvModel)
        return model.pool_size

    assert pool_size() == (1, 1, 2)
    assert pool_size(global_pooling="max") == (1, 1, 1)
    assert pool_size(pool_size=[2, 2, 1]) == (2, 2, 1)


def test_rare_knobs_are_told_only_where_they_are_turned():
    usual = Setting.from_knobs({"model": "conv"}).knobs()
    turned = Setting.from_knobs({"model": "conv", "batch_norm": True, "ema": 0.9}).knobs()

    assert turned == usual | {"batch_norm": True, "ema": 0.9}


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("optimizer", "muon"),
        ("momentum", 0.95),  # Muon's own
        ("label_smoothing", 0.0),  # as usual, so not told
        ("augment_move", None),  # of no use without augmentation
        ("batch_norm", False),
        ("pool_size", [1, 2]),
        ("kernel_size", 3),
        ("filters", [8, 16]),
        ("neurons", None),
        ("layers", 0),
        ("recipe", None),
    ],
)
def test_the_value_of_a_knob_can_be_asked_whether_it_is_told_or_not(knob, value):
    told = {"model": "conv", "filters": [8, 16], "kernel_size": 3, "optimizer": "muon"}

    assert Setting.from_knobs(told).value_of(knob) == value


def test_a_training_is_described_without_what_is_newer_and_as_usual():
    """So the text that keys of runs are made of is what it was before there were these knobs."""
    usual, turned = Setting.from_knobs({}), Setting.from_knobs({"schedule": "step"})
    newer = {"loss", "step_every", "step_factor"}

    assert not usual.training.model_dump().keys() & newer
    assert '"normalization"' not in usual.model.model_dump_json()
    assert turned.training.model_dump().keys() & newer == {"step_every", "step_factor"}
    assert Training.model_validate_json(turned.training.model_dump_json()) == turned.training


@pytest.mark.parametrize("momentum", [0, 0.9])
def test_rmsprop_has_momentum_or_none(momentum):
    setting = Setting.from_knobs({"optimizer": "rmsprop", "momentum": momentum})

    assert Setting.from_knobs({"optimizer": "rmsprop"}).training.momentum == 0
    assert setting.training.momentum == momentum
    assert setting.training.learning_rate == 0.001


def test_label_smoothing_of_a_base_is_left_out_where_the_loss_has_none():
    squared = {"loss": "mean_squared_error"}

    assert override({"label_smoothing": 0.1}, squared) == squared


def test_a_whole_number_and_the_same_float_are_one_setting():
    assert Setting.from_knobs({"learning_rate": 1}) == Setting.from_knobs({"learning_rate": 1.0})


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"bacth_size": 1}, "bacth_size: no such knob; did you mean `batch_size`?"),
        ({"zzz": 1}, "zzz: no such knob; known: activation, augment"),
        ({"model": "rnn"}, "model: found 'rnn'; it must be dense, conv, or a model of your own"),
        ({"kernel_size": 3}, "kernel_size: a dense model has no such knob"),
        ({"batch_size": 0}, "batch_size: found 0; it must be above 0."),
        ({"batch_size": 10**6 + 1}, "batch_size: found 1000001; it must be at most 1,000,000."),
        ({"batch_size": True}, "batch_size: found true; it must be a whole number."),
        ({"epochs": 0.0}, "epochs: found 0; it must be above 0."),
        ({"epochs": "2"}, "epochs: found '2'; it must be a number, without quotes."),
        ({"learning_rate": "0.1"}, "learning_rate: found '0.1'; it must be a number, without"),
        ({"learning_rate": float("nan")}, "learning_rate: found nan"),
        ({"learning_rate": float("inf")}, "learning_rate: found inf"),
        (
            {"learning_rate": -0.1},
            "learning_rate: found -0.1; it must be above 0.",
        ),
        ({"learning_rate": 0}, "learning_rate: found 0.0; it must be above 0."),
        # float32 holds neither.
        ({"learning_rate": 1e39}, "learning_rate: found 1e+39; it must be at most 1e+30."),
        ({"learning_rate": 1e-50}, "learning_rate: found 1e-50; it must be at least 1e-30."),
        ({"optimizer": "adan"}, "optimizer: found 'adan'; did you mean `adam`?"),
        (
            {"momentum": 0.9},
            "momentum: it needs the optimizer momentum, nesterov, rmsprop or muon; found sgd.",
        ),
        (
            {"weight_decay": 0.1, "optimizer": "adam"},
            "weight_decay: Adam with weight decay is the optimizer adamw.",
        ),
        (
            {"weight_decay": 0, "optimizer": "adamw"},
            "weight_decay: found 0; it must be above 0 (without",
        ),
        ({"step_every": 3}, "step_every: it needs the schedule step; found constant."),
        ({"schedule": "step", "step_every": 0}, "step_every: found 0; it must be above 0."),
        ({"schedule": "step", "step_factor": 0.0}, "step_factor: found 0; it must be above 0."),
        ({"schedule": "step", "step_factor": 1}, "step_factor: found 1.0; it must be below 1."),
        (
            {"loss": "mean_squared_error", "label_smoothing": 0.1},
            "label_smoothing: it needs the loss cross_entropy; found mean_squared_error.",
        ),
        ({"loss": "mse"}, "loss: found 'mse'; known: cross_entropy, mean_squared_error."),
        ({"augment_move": 3}, "augment_move: it needs the augment move or shifts; found none."),
        (
            {"augment": "move", "augment_rotate": 9},
            "augment_rotate: it needs the augment rotate or shifts; found",
        ),
        ({"dropout": 1}, "dropout: found 1.0; it must be below 1."),
        ({"batch_norm": 1}, "batch_norm: found 1; it must be true or false."),
        ({"padding": "same"}, "padding: a dense model has no such knob"),
        (
            {"model": "conv", "global_pooling": "max", "pool_size": 2},
            "pool_size: found 2 for the last convolution; with `global_pooling` it must be 1",
        ),
        (
            {"optimizer": "momentum", "momentum": 0},
            "momentum: found 0; it must be above 0 (without",
        ),
        (
            {"optimizer": "momentum", "momentum": 0.0},
            "momentum: found 0; it must be above 0 (without",
        ),
        ({"model": "conv", "neurons": 64}, "neurons: a conv model has no hidden dense layer"),
        ({"layers": 0}, "layers: found 0; a dense model has at least 1"),
        ({"layers": 2.0}, "layers: found 2.0; it must be a whole number"),
        ({"layers": 10**9}, "layers: found 1000000000; it must be a whole number, 0 to 1000"),
        ({"neurons": 10**9}, "neurons: found 1000000000; it must be at most 1,000,000."),
        ({"layers": 2, "neurons": [1, 2, 3]}, "neurons: found 3 values for layers = 2"),
        ({"neurons": [4, -1]}, "neurons: found -1"),
        ({"model": "conv", "conv_layers": 0}, "conv_layers: found 0"),
        ({"model": "conv", "strides": [1, 2], "filters": [1, 2, 3]}, "strides: found 2 values"),
    ],
)
def test_a_mistake_is_one_line_that_says_where_and_what(knobs, message):
    with pytest.raises(ConfigError) as caught:
        Setting.from_knobs(knobs, where="mine.toml: questions[2]")

    text = str(caught.value)
    assert text.startswith("mine.toml: questions[2]: ")
    assert message in text
    assert "\n" not in text


def test_every_knob_of_a_setting_is_described():
    for knobs in ({"optimizer": "momentum"}, {"model": "conv", "layers": 1}, {"augment": "shifts"}):
        assert set(Setting.from_knobs(knobs).knobs()) <= set(KNOBS)


RECIPE = find_recipe("digits-5s").knobs


@pytest.mark.parametrize(
    ("knobs", "left_out"),
    [
        ({"optimizer": "sgd"}, {"momentum"}),
        ({"optimizer": "adam"}, {"momentum", "weight_decay"}),
        ({"augment": "none"},
         {"augment_move", "augment_rotate", "augment_clean", "augment_jitter"}),
        ({"augment": "move"}, {"augment_rotate"}),
        ({"model": "dense"},
         {"space_to_depth", "conv_layers", "filters", "kernel_size", "strides", "padding",
          "pool_size", "global_pooling"}),
        ({"learning_rate": 0.1}, set()),
    ],
)  # fmt: skip
def test_what_is_of_no_use_beside_the_knobs_is_left_out(knobs, left_out):
    both = override(RECIPE, knobs)

    # A recipe that is found anew may do without some of them.
    assert RECIPE.keys() - both.keys() == left_out & RECIPE.keys()
    assert knobs.items() <= both.items()
    Setting.from_knobs(both)


def test_a_mistake_in_the_knobs_themselves_is_kept_to_be_told():
    assert override({}, {"momentum": 0.9}) == {"momentum": 0.9}
    assert override({"neurons": 4}, {"model": "conv", "layers": 1}) == {
        "model": "conv",
        "layers": 1,
        "neurons": 4,
    }
