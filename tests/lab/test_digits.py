"""The study that siffra brings: what it asks, claims and reports, against what the study says.

The numbers here were taken from the study's text, not from the lab file.
"""

import re

import pytest
from blank import blank_dataset

from siffra.config import Setting
from siffra.config.recipes import find_recipe
from siffra.lab.plan.labfile import read_lab
from siffra.lab.plan.planning import plan_lab
from siffra.lab.plan.presets import LabOptions


@pytest.fixture(scope="module")
def plan():
    return plan_lab(read_lab(), blank_dataset(), LabOptions(preset="full"))


@pytest.fixture(scope="module")
def questions(plan):
    return {question.id: question for question in plan.questions}


def values(question, knob: str) -> list:
    return [level.knobs[knob] for level in question.levels]


def test_all_its_questions_are_asked(questions):
    assert set("abcdefg") <= set(questions)


def test_its_levels_are_compared(questions):
    assert {0.02, 0.7, 1.0} <= set(values(questions["a"], "learning_rate"))
    assert {6, 45, 70, 140} <= set(values(questions["b"], "batch_size"))
    assert values(questions["c"], "model") == values(questions["d"], "model") == ["dense", "conv"]
    assert values(questions["e"], "neurons") == [4, 8, 16, 32, 64, 512, 1024]
    grid = {(lv.knobs["kernel_size"], lv.knobs["strides"]) for lv in questions["f"].levels}
    assert {(8, 1), (16, 1), (8, 3), (8, 8)} <= grid
    assert values(questions["g"], "layers") == [1, 4, 16, 23]
    assert values(questions["g-conv"], "layers") == [1, 4, 8, 12]


@pytest.mark.parametrize("classes", [9, 10])
def test_multiples_of_the_classes_are_compared_with_the_sizes_next_to_them(questions, classes):
    question = questions["b-classes"]
    sizes = values(question, "batch_size")
    claim = question.claims[classes - 9]

    multiples = [sizes[i] for i in claim.level]
    neighbours = [sizes[i] for i in claim.against]

    assert all(size % classes == 0 for size in multiples)
    assert sorted(neighbours) == sorted(s + d for s in multiples for d in (-1, 1))


def test_there_are_claims_and_all_are_said_in_both_languages(plan):
    claims = [claim for question in plan.questions for claim in question.claims]

    assert len(claims) >= 20
    assert all(set(claim.say) == {"en", "sv"} for claim in claims)
    assert all(set(claim.reported) in ({"en", "sv"}, set()) for claim in claims)
    assert all(set(claim.by) in ({"en"}, set()) for claim in claims)  # a name is one in any
    for question in plan.questions:
        assert set(question.ask) == set(question.note) == {"en", "sv"}
        assert question.claims


# layers: (minutes, seconds, rotated, moved), in percent, from its tables in (g).
DENSE = {
    1: (2, 10, 79.27, 16.39),
    4: (2, 37, 72.8, 14.58),
    16: (3, 23, 11.35, 11.35),
    23: (6, 18, 9.79, 11.35),
}
CONV = {
    1: (2, 20, 46.7, 17.96),
    4: (2, 20, 56.49, 20.23),
    8: (2, 20, 54.55, 18.63),
    12: (2, 20, 51.51, 18.34),
}


@pytest.mark.parametrize(("name", "table"), [("g", DENSE), ("g-conv", CONV)])
def test_table_g(questions, name, table):
    for level in questions[name].levels:
        minutes, seconds, rotated, moved = table[level.knobs["layers"]]
        assert level.reported == pytest.approx(
            {"seconds": 60 * minutes + seconds, "rotated": rotated / 100, "moved": moved / 100}
        )


def test_table_e_has_its_times_and_no_average_above_100_percent(questions):
    reported = {level.knobs["neurons"]: level.reported for level in questions["e"].levels}

    assert reported == {
        n: {"seconds": seconds}
        for n, seconds in {4: 23, 8: 20, 16: 23, 32: 24, 64: 25, 512: 60, 1024: 140}.items()
    }
    assert all("110" in text for text in questions["e"].note.values())


# (minutes, seconds, moved, rotated, test) and what is known of the setting.
EXPERIMENTS = [
    ((10, 38, 15.73, 80.2, 95.87), {"neurons": 128, "batch_size": 9 * 3, "epochs": 50}),
    ((2, 47, 17.73, 85.93, 97.84), {"neurons": 128, "batch_size": 9 * 15, "learning_rate": 0.5}),
    ((2, 17, 16.95, 88.11, 98.26), {"neurons": 640, "batch_size": 9 * 15, "learning_rate": 0.5}),
    ((4, 31, 19.14, 78.18, 97.81), {"filters": 28, "kernel_size": 8, "strides": 1}),
    ((3, 58, 20.86, 88.59, 98.52), {"filters": 16, "kernel_size": 12, "learning_rate": 0.5}),
]


def test_its_five_experiments(plan, questions):
    compared = [level.settings[0] for level in questions["own"].levels]
    theirs = plan.experiments[: len(EXPERIMENTS)]
    assert compared == [experiment.setting for experiment in theirs]
    for experiment, (figures, knobs) in zip(theirs, EXPERIMENTS, strict=True):
        minutes, seconds, *accuracies = figures
        assert experiment.reported == pytest.approx(
            {"seconds": 60 * minutes + seconds}
            | {k: v / 100 for k, v in zip(("moved", "rotated", "test"), accuracies, strict=True)}
        )
        assert knobs.items() <= experiment.setting.knobs().items()


def test_its_comparison_has_the_experiments_own_figures(plan, questions):
    assert [level.reported for level in questions["own"].levels] == [
        experiment.reported for experiment in plan.experiments[: len(EXPERIMENTS)]
    ]


def test_its_best_experiment_is_set_against_our_recipe(plan, questions):
    theirs, ours = (level.settings[0] for level in questions["best"].levels)

    assert theirs == plan.experiments[4].setting
    assert ours == Setting.from_knobs(find_recipe("digits-5s").knobs)


def test_each_ingredient_is_the_recipe_but_for_one_thing(questions):
    whole, *others = (
        (level.knobs, level.settings[0].model.model_dump(), level.settings[0].training.model_dump())
        for level in questions["ingredients"].levels
    )
    usual = {**whole[1], **whole[2]}

    for named, model, training in others:
        differing = {name for name, value in {**model, **training}.items() if value != usual[name]}
        # With its kind goes what depends on it: an augmentation's extent, an optimizer's
        # momentum, the window that takes the place of a global one.
        along = {name for name in differing if name.startswith("augment_")}
        assert differing - along - {"momentum", "pool_size"} <= named.keys()
        assert differing


def test_the_rates_of_the_optimizers_in_muons_place_are_said_not_to_be_tuned(questions):
    question = questions["ingredients"]
    others = [level.knobs for level in question.levels if "optimizer" in level.knobs]

    assert len(others) == 2
    assert all("learning_rate" in knobs for knobs in others)
    assert "on a smaller network; it was not tuned for this one" in question.note["en"]
    assert "i ett mindre nätverk; för det här är den inte anpassad" in question.note["sv"]


def test_what_ingredients_cost_is_claimed_in_seconds_too(questions):
    question, recipe = questions["ingredients"], "digits-5s"
    costs = [claim for claim in question.claims if claim.metric == "seconds"]
    lacking = [
        question.levels[i].knobs for c in costs if isinstance(c.against, tuple) for i in c.against
    ]

    assert [knobs["recipe"] for knobs in lacking] == [recipe] * len(costs)
    changed = [next(knob for knob in knobs if knob != "recipe") for knobs in lacking]
    assert changed == ["augment", "global_pooling", "optimizer", "optimizer", "batch_norm"]
    assert all(question.levels[i].knobs == {"recipe": recipe} for c in costs for i in c.level)
    # Most claims are about accuracy, so that the question is not answered as one about time.
    assert 2 * len(costs) < len(question.claims)


def test_the_quick_preset_spends_no_time_on_them():
    plan = plan_lab(read_lab(), blank_dataset(), LabOptions(preset="quick"))

    assert "ingredients" in plan.left_out
    assert {question.id for question in plan.questions} >= {"a", "g", "best"}


@pytest.mark.parametrize(("preset", "recipes"), [("quick", 1), ("standard", 3), ("full", 4)])
def test_longer_presets_run_longer_recipes(preset, recipes):
    plan = plan_lab(read_lab(), blank_dataset(), LabOptions(preset=preset))

    assert len(plan.experiments) == len(EXPERIMENTS) + recipes


def test_questions_that_ask_the_same_of_a_network_share_its_runs(plan):
    asked = [s for q in plan.questions for level in q.levels for s in level.settings]
    asked += [experiment.setting for experiment in plan.experiments]

    runs = {(run.setting, run.seed) for run in plan.runs}
    assert len(plan.runs) == len(runs) < 5 * len(asked)


def test_what_is_about_a_long_training_is_not_for_the_quick_preset(plan):
    long = {c.id for q in plan.questions for c in q.claims if c.epochs > 3}

    # "never as accurate in 100 epochs"; accuracies that some rates take five epochs to; 50 epochs.
    assert long == {"a5", "a6", "b4", "b5", "best4"}


def test_directions_fit_the_words():
    claims = {c.id: c for q in read_lab().questions for c in q.claims}

    assert claims["a8"].direction == "not worse"  # "gjorde inte den förflyttade datan det"
    assert claims["g7"].direction == "same"  # "ändrades inte tiden"
    assert claims["c2"].direction == "worse"  # "långsammare"
    assert claims["d4"].margin == 0.03  # "väldigt likt"
    assert claims["x8"].direction == "worse"  # "sänkte väldigt mycket"
    assert (claims["cost1"].direction, claims["cost1"].margin) == ("same", 0.1)  # "en tiondel"
    assert claims["cost3"].direction == "worse"  # "längre tid"


def test_amounts_are_what_the_words_say():
    claims = {c.id: c for q in read_lab().questions for c in q.claims}

    only_one = claims["f3"]  # "med bara 1%"
    assert (only_one.direction, only_one.plus, only_one.margin) == ("same", -0.01, 0.01)
    assert (claims["f4"].direction, claims["f4"].times) == ("better", None)  # "tiden sänktes"
    sixty = claims["f6"]  # "med 60%"
    assert (sixty.direction, sixty.times) == ("same", pytest.approx(1 - 0.6))
    # "väldigt lång tid", "kraftigt": a fifth more; "betydligt snabbare": a fifth less.
    assert [claims[id_].times for id_ in ("b6", "g2", "c4")] == [1.2, 1.2, 0.8]
    assert [claims[id_].direction for id_ in ("b6", "g2", "c4")] == ["worse", "worse", "better"]


def test_the_deep_convolutional_networks_have_a_rate_at_which_they_train(questions):
    rates = {s.training.learning_rate for lv in questions["g-conv"].levels for s in lv.settings}

    assert rates == {0.1}


def test_siffras_own_claims_are_not_taken_for_the_studys(questions):
    own = {name for name, question in questions.items() if question.by}
    readings = {c.id for q in questions.values() if not q.by for c in q.claims if c.by}

    assert own == {"best", "ingredients", "b-tuned", "g-stack"}
    assert readings == {"a3", "b2", "b5", "b8", "d2"}
    authors = {q.author_of(c).get("en") for q in questions.values() for c in q.claims}
    assert authors == {None, "siffra"}


@pytest.mark.parametrize("language", ["en", "sv"])
def test_no_two_claims_of_the_studys_are_one_sentence(questions, language):
    theirs = [c for q in questions.values() for c in q.claims if not q.author_of(c)]
    # Behind the words, in parentheses, stands how they are read.
    sentences = [re.sub(r"\s*\([^()]*\)\.?$", "", claim.say[language]) for claim in theirs]

    assert len(set(sentences)) == len(sentences)
