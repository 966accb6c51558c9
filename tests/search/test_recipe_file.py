"""A recipe's text: what it says is the setting, and gives way to other knobs."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siffra.config import Setting
from siffra.config.recipes import find_recipe, shipped_file, shipped_names
from siffra.config.setting import override
from siffra.search.recipe_file import recipe_text

IMAGES = 48_000


def written(**knobs):
    """The knobs of a recipe that is written of the setting that `knobs` make."""
    text = recipe_text("mine", None, Setting.from_knobs(knobs), IMAGES, None)
    return tomllib.loads(text)["knobs"]


SETTINGS = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "layers": st.integers(1, 3),
            "neurons": st.integers(1, 40),
            "schedule": st.sampled_from(["constant", "one_cycle", "cosine"]),
            "warmup": st.sampled_from([0.0, 0.1, 0.15]),
            "augment": st.sampled_from(["none", "move", "rotate", "shifts"]),
            "optimizer": st.sampled_from(["sgd", "momentum", "adam", "muon"]),
        },
    ),
    st.builds(
        lambda filters, dense, others: {"model": "conv", "filters": filters, **dense, **others},
        st.lists(st.integers(1, 9), min_size=1, max_size=3),
        st.sampled_from([{}, {"layers": 0}, {"layers": 2}, {"layers": 1, "neurons": 5}]),
        st.fixed_dictionaries(
            {}, optional={"kernel_size": st.integers(1, 5), "global_pooling": st.just("max")}
        ),
    ),
)


@given(SETTINGS)
def test_it_says_the_setting(knobs):
    assert Setting.from_knobs(written(**knobs)) == Setting.from_knobs(knobs)


def test_another_model_can_be_put_in_its_place():
    said = written(model="conv", filters=[4, 8], kernel_size=3, batch_size=64)
    dense = Setting.from_knobs(override(said, {"model": "dense", "neurons": 7}))
    assert dense == Setting.from_knobs({"neurons": 7, "batch_size": 64})


def test_other_widths_leave_as_many_layers():
    conv = override(written(model="conv", filters=[4, 8], kernel_size=3), {"filters": 16})
    dense = override(written(neurons=[3, 5]), {"neurons": 8})
    assert Setting.from_knobs(conv).knobs()["conv_layers"] == 2
    assert Setting.from_knobs(dense).knobs()["layers"] == 2


def test_another_schedule_or_augmentation_changes_nothing_else():
    said = written(schedule="one_cycle", augment="shifts")
    cosine = Setting.from_knobs(override(said, {"schedule": "cosine"})).training
    turned = Setting.from_knobs(override(said, {"augment": "rotate"})).training
    plain = Setting.from_knobs(override(written(optimizer="adamw"), {"optimizer": "sgd"})).training
    assert cosine.warmup == 0.15
    assert plain.weight_decay == 0
    assert (turned.augment_rotate, turned.augment_jitter, turned.augment_move) == (36.0, 1.0, 0.0)


@pytest.mark.parametrize("name", shipped_names())
def test_the_shipped_recipes_are_written_by_it(name):
    recipe = find_recipe(name)
    assert recipe.measured
    text = recipe_text(
        name, recipe.budget, Setting.from_knobs(recipe.knobs), IMAGES, recipe.measured
    )
    assert shipped_file(name).read_text("utf-8") == text
