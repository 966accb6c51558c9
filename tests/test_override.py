"""Knobs put over a base's: what stays of the base."""

import pytest

from siffra.config import Setting
from siffra.config.override import override
from siffra.config.recipes import find_recipe

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
