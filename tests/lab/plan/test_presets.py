"""Presets: what they shorten, what claims are then about, recipes that stand in for others."""

import pytest
from made_runs import make_record

from siffra.config import Setting
from siffra.config.recipes import find_recipe
from siffra.config.setting import override
from siffra.errors import LabFileError
from siffra.lab.answers import answer
from siffra.report.text.messages import words_in
from siffra.report.text.provenance import shortened

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


OWN = """
title = "t"
[base]
epochs = 20
[[questions]]
id = "a"
ask = "?"
vary = { neurons = [4, 8] }
[[questions.claims]]
id = "c"
say = "!"
level = { neurons = 8 }
against = { neurons = 4 }
direction = "better"
"""
ANY_LENGTH = OWN + "epochs = 1"


def verdicts(plan):
    """The verdicts where more neurons are better by far."""
    records = {
        (run.setting, run.seed): make_record(
            run.setting, run.seed, accuracy=0.8 + run.setting.model.neurons[0] / 100
        )
        for run in plan.runs
    }
    (question,) = answer(plan, records).questions
    return [(claim.verdict, claim.reason) for claim in question.claims]


def test_a_lab_of_ones_own_is_run_as_it_says(planned):
    plan = planned(OWN)

    assert {run.setting.training.epochs for run in plan.runs} == {20}
    assert (plan.preset, plan.cut_from) == ("full", ())
    assert verdicts(plan) == [("supported", "")]


def test_a_claim_that_says_nothing_of_epochs_is_about_all_that_the_lab_has(planned):
    too_short = [("not tested", "too short")]

    for options in ({"preset": "quick"}, {"epochs": 19}):
        assert verdicts(planned(OWN, **options)) == too_short
    for options in ({"preset": "standard"}, {"epochs": 20}, {"epochs": 21}):
        assert verdicts(planned(OWN, **options)) == [("supported", "")]


def test_a_claim_about_any_length_is_tested_at_any(planned):
    assert verdicts(planned(ANY_LENGTH, preset="quick")) == [("supported", "")]


@pytest.mark.parametrize("epochs", ["", "epochs = 20"])
def test_a_recipe_that_is_longer_does_not_excuse_what_was_cut_beside_it(planned, epochs):
    lab = f"""
        title = "t"
        base = {{ epochs = 30 }}
        [[questions]]
        id = "a"
        ask = "?"
        levels = [{{ recipe = "digits-60s" }}, {{ model = "dense", neurons = 8 }}]
        [[questions.claims]]
        id = "c"
        say = "!"
        level = {{ recipe = "digits-60s" }}
        against = {{ neurons = 8 }}
        direction = "better"
        {epochs}
        """
    plan = planned(lab, preset="quick")
    levels = plan.questions[0].levels

    assert levels[0].cut == ()
    assert levels[1].cut == ((3, 30),)
    records = {
        (run.setting, run.seed): make_record(run.setting, run.seed, accuracy=0.9)
        for run in plan.runs
    }
    (claim,) = answer(plan, records).questions[0].claims
    assert (claim.verdict, claim.reason) == ("not tested", "too short")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, ""),
        (
            {"preset": "quick"},
            "Training is shortened from 20 epochs to 3 by preset quick; --preset full runs all.",
        ),
        ({"preset": "standard"}, ""),
        ({"epochs": 7}, "Training is shortened from 20 epochs to 7 by --epochs 7."),
        ({"epochs": 21}, ""),
    ],
)
def test_what_is_shortened_is_told(planned, options, told):
    assert shortened(words_in("en"), planned(OWN, **options)) == told


def test_stand_ins_and_what_is_left_out_are_told_too(planned):
    lab = LAB.replace('id = "c"\nask = "?"', 'id = "c"\nask = "?"\nfrom_preset = "full"')

    assert shortened(words_in("sv"), planned(lab, preset="quick")) == (
        "digits-5s skulle ta för lång tid: digits-1s står i dess ställe. "
        "Utelämnat i förinställningen quick, med sina påståenden: c."
    )
    assert shortened(words_in("en"), planned(lab, preset="quick", only=["experiments"])) == ""
    assert shortened(words_in("en"), planned(lab)) == ""
