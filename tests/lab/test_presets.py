"""Presets: recipes that stand in for others, wherever a question names them."""

import pytest

from siffra.config import Setting
from siffra.config.override import override
from siffra.errors import LabFileError
from siffra.recipes import find_recipe

LAB = """
title = "t"
[presets.quick]
recipes = { "digits-5s" = "digits-1s" }
[[questions]]
id = "a"
ask = "?"
levels = [{ recipe = "digits-5s" }, { recipe = "digits-5s", augment = "none" }]
reported = [{ at = { recipe = "digits-5s", augment = "none" }, test = 0.9 }]
[[questions.claims]]
id = "c"
say = "!"
level = { recipe = "digits-5s" }
against = { augment = "none" }
direction = "better"
[[questions]]
id = "b"
ask = "?"
fixed = { recipe = "digits-5s" }
vary = { batch_size = [64, 128] }
[[questions]]
id = "c"
ask = "?"
vary = { recipe = ["digits-5s", "digits-60s"] }
[[experiments]]
id = "e"
name = "e"
knobs = { recipe = "digits-5s" }
"""


def recipe(name, **knobs):
    return Setting.from_knobs(override(find_recipe(name).knobs, knobs))


@pytest.mark.parametrize(
    ("preset", "name"), [("quick", "digits-1s"), ("standard", "digits-5s"), ("full", "digits-5s")]
)
def test_a_recipe_stands_in_for_another_wherever_a_question_names_it(planned, preset, name):
    plan = planned(LAB, preset=preset)
    first, second, third = plan.questions

    assert [level.settings[0] for level in first.levels] == [
        recipe(name),
        recipe(name, augment="none"),
    ]
    assert first.levels[0].knobs == {"recipe": name}
    assert first.levels[1].reported == {"test": 0.9}
    assert (first.claims[0].level, first.claims[0].against) == ((0,), (1,))
    assert second.levels[0].settings[0] == recipe(name, batch_size=64)
    assert [level.settings[0] for level in third.levels] == [recipe(name), recipe("digits-60s")]


def test_experiments_stay_what_they_are(planned):
    (experiment,) = planned(LAB, preset="quick").experiments
    assert experiment.setting == recipe("digits-5s")


@pytest.mark.parametrize(
    ("stand_ins", "told"),
    [
        (
            '{ "digits-5" = "digits-1s" }',
            "my.toml: presets.quick.recipes.digits-5: no question names that recipe; "
            "did you mean `digits-5s`?",
        ),
        ('{ "digits-5s" = "digits-2s" }', "digits-2s: no such recipe"),
        ("{ digits-5s = 3 }", "my.toml: presets.quick.recipes.digits-5s: found 3; "),
    ],
)
def test_a_stand_in_that_cannot_be_is_told(planned, stand_ins, told):
    with pytest.raises(LabFileError) as error:
        planned(LAB.replace('{ "digits-5s" = "digits-1s" }', stand_ins), preset="quick")
    assert told in str(error.value)
