"""Settings put together from a lab's base, a recipe and a level; and what is for which preset."""

import pytest
from blank import blank_dataset

from siffra.config import Setting
from siffra.config.recipes import find_recipe
from siffra.errors import LabFileError
from siffra.lab.plan.labfile import read_lab
from siffra.lab.plan.planning import plan_lab
from siffra.lab.plan.presets import LabOptions


@pytest.fixture
def lab(tmp_path):
    """`lab(TOML)`: the lab file that says so."""

    def lab(content: str):
        path = tmp_path / "lab.toml"
        path.write_text('title = "t"\n' + content)
        return read_lab(path)

    return lab


def test_a_level_may_be_a_recipe_which_no_preset_cuts(lab):
    plan = plan_lab(
        lab("""
        [[questions]]
        id = "recipe"
        ask = "?"
        levels = [
            { recipe = "digits-60s" },
            { recipe = "digits-60s", optimizer = "nesterov", learning_rate = 0.1 },
            { model = "dense", neurons = 8 },
        ]
        """),
        blank_dataset(),
        LabOptions(preset="quick"),
    )

    ours, without, plain = (level.settings[0] for level in plan.questions[0].levels)
    assert ours == Setting.from_knobs(find_recipe("digits-60s").knobs)
    assert ours.training.epochs > 3
    assert (without.training.optimizer, without.training.momentum) == ("nesterov", 0.6)
    assert without.model == ours.model
    assert plain.training.epochs == 3
    assert [level.knobs["recipe"] for level in plan.questions[0].levels[:2]] == ["digits-60s"] * 2


def test_a_level_may_choose_knobs_of_its_recipe_anew(lab):
    plan = plan_lab(
        lab("""
        [[questions]]
        id = "recipe"
        ask = "?"
        vary = { recipe = ["digits-1s", "digits-5s"] }
        retune = { learning_rate = [0.01, 0.02], batch_size = [64] }
        """),
        blank_dataset(),
    )

    (question,) = plan.questions
    assert [level.settings for level in question.levels] == [
        tuple(
            Setting.from_knobs({**find_recipe(name).knobs, "learning_rate": rate, "batch_size": 64})
            for rate in (0.01, 0.02)
        )
        for name in ("digits-1s", "digits-5s")
    ]
    assert {"learning_rate", "batch_size", "recipe"}.isdisjoint(question.fixed)


def test_what_is_for_longer_presets_waits_for_them_unless_it_is_picked(lab):
    file = lab("""
        [[questions]]
        id = "short"
        ask = "?"
        vary = { neurons = [1, 2] }
        [[questions]]
        id = "long"
        ask = "?"
        from_preset = "standard"
        vary = { neurons = [3, 4] }
        """)

    def asked(**options):
        return [q.id for q in plan_lab(file, blank_dataset(), LabOptions(**options)).questions]

    assert asked(preset="quick") == ["short"]
    assert asked(preset="standard") == asked(preset="full") == ["short", "long"]
    assert asked(preset="quick", only=["long"]) == ["long"]


def test_a_recipe_that_is_none_is_told_with_its_place(lab):
    file = lab("""
        [[questions]]
        id = "recipe"
        ask = "?"
        levels = [{ recipe = "digits-6s" }, { model = "dense" }]
        """)

    with pytest.raises(LabFileError) as caught:
        plan_lab(file, blank_dataset())

    assert str(caught.value).startswith(
        "lab.toml: questions[1].levels[1].recipe: digits-6s: no such recipe, and no such file; "
        "did you mean `digits-"
    )
