"""From a lab file to settings: what is run, how long, and what is refused before it is."""

import pytest
from blank import blank_dataset

from siffra.config import Setting
from siffra.config.metrics import Metric
from siffra.errors import ConfigError, LabFileError
from siffra.lab.plan.ad_hoc import plan_external, plan_vary
from siffra.lab.plan.presets import PRESETS, LabOptions

HEAD = """
title = "t"
[base]
learning_rate = 0.5
epochs = 50
neurons = 16
kernel_size = 4
[[questions]]
id = "a"
ask = "?"
"""
CLAIM = """
[[questions.claims]]
id = "c"
say = "!"
direction = "better"
"""
BOTH = "level = { layers = 2 }\nagainst = { layers = 1 }\n"


def told(planned, content: str, **options) -> str:
    with pytest.raises(LabFileError) as error:
        planned(content, **options)
    return str(error.value)


def knobs_of(plan) -> list[dict]:
    return [level.settings[0].knobs() for level in plan.questions[0].levels]


class TestLevels:
    def test_vary_gives_all_combinations_the_last_knob_fastest(self, planned):
        plan = planned(HEAD + "vary = { layers = [1, 2], batch_size = [10, 20] }")

        assert [tuple(level.knobs.items()) for level in plan.questions[0].levels] == [
            (("layers", 1), ("batch_size", 10)),
            (("layers", 1), ("batch_size", 20)),
            (("layers", 2), ("batch_size", 10)),
            (("layers", 2), ("batch_size", 20)),
        ]

    def test_fixed_beats_base_and_vary_leaves_the_rest(self, planned):
        plan = planned(HEAD + "fixed = { epochs = 2 }\nvary = { neurons = [8, [32, 16]] }")

        narrow, deep = knobs_of(plan)
        assert (
            narrow == Setting.from_knobs({"neurons": 8, "epochs": 2, "learning_rate": 0.5}).knobs()
        )
        assert (deep["layers"], deep["neurons"]) == (2, [32, 16])

    def test_base_knobs_of_the_other_model_are_left_out(self, planned):
        dense, conv = knobs_of(planned(HEAD + 'vary = { model = ["dense", "conv"] }'))

        assert "kernel_size" not in dense
        assert conv["kernel_size"] == 4
        assert conv["layers"] == 0

    def test_base_neurons_are_left_out_where_there_is_no_dense_layer(self, planned):
        content = HEAD + 'fixed = { model = "conv" }\nvary = { %s }'

        assert not any("neurons" in k for k in knobs_of(planned(content % "kernel_size = [3, 4]")))
        none, one = knobs_of(planned(content % "layers = [0, 1]"))
        assert "neurons" not in none
        assert one["neurons"] == 16

    def test_base_momentum_is_for_the_levels_that_use_it(self, planned):
        content = HEAD.replace("[base]", "[base]\nmomentum = 0.8")
        sgd, momentum = knobs_of(planned(content + 'vary = { optimizer = ["sgd", "momentum"] }'))

        assert "momentum" not in sgd
        assert momentum["momentum"] == 0.8

    def test_levels_of_two_models_need_not_name_the_same_knobs(self, planned):
        plan = planned(
            HEAD + 'levels = [{ model = "dense", neurons = 8 }, { model = "conv", filters = 2 }]'
        )

        assert plan.questions[0].vary == ("model", "neurons", "filters")
        assert plan.questions[0].levels[1].knobs == {"model": "conv", "filters": 2}

    def test_a_level_has_a_setting_for_each_retuned_combination(self, planned):
        plan = planned(
            HEAD + "vary = { batch_size = [8, 16] }\n"
            "retune = { learning_rate = [0.1, 0.2, 0.4], neurons = [4, 8] }"
        )

        question = plan.questions[0]
        assert [len(level.settings) for level in question.levels] == [6, 6]
        assert len(plan.runs) == 12 * 5

    def test_fixed_is_what_all_levels_share(self, planned):
        plan = planned(
            HEAD + "vary = { batch_size = [8, 16] }\nretune = { learning_rate = [0.1, 0.2] }",
            preset="full",
        )

        assert plan.questions[0].fixed == {
            "model": "dense",
            "layers": 1,
            "neurons": 16,
            "epochs": 50,
            "optimizer": "sgd",
        }

    def test_what_a_level_holds_fixed_alone_is_told_apart(self, planned):
        plan = planned(
            HEAD + 'vary = { model = ["dense", "conv"] }\nretune = { learning_rate = [0.1, 0.2] }'
        )

        (question,) = plan.questions
        assert question.fixed == {"batch_size": 140, "epochs": 50, "optimizer": "sgd"}
        assert [question.fixed_at(level) for level in question.levels] == [
            {"layers": 1, "neurons": 16},
            {"conv_layers": 1, "filters": 16, "kernel_size": 4, "strides": 1, "layers": 0},
        ]

    def test_a_level_that_does_not_name_a_varied_knob_holds_it_fixed(self, planned):
        plan = planned(HEAD + 'levels = [{ model = "dense", batch_size = 8 }, { model = "conv" }]')

        (question,) = plan.questions
        assert "batch_size" not in question.fixed
        assert question.fixed_at(question.levels[1])["batch_size"] == 140

    def test_reported_figures_go_to_their_level(self, planned):
        plan = planned(
            HEAD + "vary = { layers = [1, 2] }\n"
            "reported = [{ at = { layers = 2 }, test = 0.9, seconds = 3 }]"
        )

        levels = plan.questions[0].levels
        assert [level.reported for level in levels] == [{}, {"test": 0.9, "seconds": 3.0}]

    @pytest.mark.parametrize(
        ("vary", "figures"),
        [
            ("layers = [1, 2]", ("curves", "levels")),
            ('model = ["dense", "conv"]', ("curves", "levels")),
            ("layers = [1, 2], batch_size = [1, 2]", ("heatmap",)),
            ('model = ["dense", "conv"], batch_size = [1, 2]', ("heatmap",)),
            ('neurons = [4, [4, 4]], optimizer = ["sgd", "adam"]', ("heatmap",)),
            ("layers = [1, 2], batch_size = [1, 2], epochs = [1, 2]", ("curves", "levels")),
        ],
    )
    def test_figures_follow_from_what_is_varied(self, planned, vary, figures):
        plan = planned(HEAD + f"vary = {{ {vary} }}", preset="quick")
        assert plan.questions[0].figures == figures

    def test_a_grid_of_words_and_none_is_a_heat_map(self, planned):
        plan = planned(
            HEAD + 'fixed = { model = "sklearn.tree:DecisionTreeClassifier" }\n'
            'vary = { max_depth = [2, "None"], criterion = ["gini", "entropy"] }'
        )

        assert plan.questions[0].figures == ("heatmap",)

    @pytest.mark.parametrize(
        ("knob", "values", "figures"),
        [
            ("learning_rate", ("0.1", "0.2"), ("heatmap",)),
            ("optimizer", ('"sgd"', '"momentum"'), ("curves", "levels")),
        ],
    )
    def test_levels_that_are_no_grid_need_numbers_for_one(self, planned, knob, values, figures):
        first, second = values
        cells = [(first, 8), (first, 16), (second, 8)]
        levels = ", ".join(f"{{ {knob} = {value}, batch_size = {b} }}" for value, b in cells)

        plan = planned(HEAD + f"levels = [{levels}]", preset="quick")
        assert plan.questions[0].figures == figures


class TestLength:
    @pytest.mark.parametrize(
        ("options", "own", "expected"),
        [
            ({}, 50, 50),
            ({"preset": "quick"}, 50, 3),
            ({"preset": "quick"}, 2, 2),
            ({"preset": "standard"}, 50, 20),
            ({"preset": "full"}, 50, 50),
            ({"epochs": 7}, 50, 7),
            ({"epochs": 7}, 2, 7),
        ],
    )
    def test_presets_cap_and_epochs_sets(self, planned, options, own, expected):
        content = HEAD.replace("epochs = 50", f"epochs = {own}") + "vary = { layers = [1, 2] }"

        plan = planned(content, **options)

        assert {run.setting.training.epochs for run in plan.runs} == {expected}
        assert plan.epochs == options.get("epochs", PRESETS[plan.preset].epochs)

    def test_the_full_preset_alone_averages_over_late_epochs(self, planned):
        averages = {
            p: planned(HEAD + "vary = { layers = [1, 2] }", preset=p).averages for p in PRESETS
        }

        assert averages == {"quick": False, "standard": False, "full": True}

    def test_a_lab_may_change_a_preset(self, planned):
        lab = HEAD + "vary = { layers = [1, 2] }\n[presets.quick]\nepochs = 5\nseeds = 2"

        quick, plain = planned(lab, preset="quick"), planned(lab)

        assert (quick.epochs, quick.seeds) == (5, (0, 1))
        assert (plain.preset, plain.epochs, len(plain.seeds)) == ("full", None, 5)

    def test_a_preset_may_have_a_time_of_its_own_which_an_option_beats(self, planned):
        lab = HEAD + 'vary = { layers = [1, 2] }\n[presets.quick]\ntime = "90s"'

        usual, given = planned(lab, preset="quick"), planned(lab, preset="quick", time=30.0)

        assert (usual.time, given.time, planned(lab).time) == (90.0, 30.0, PRESETS["full"].time)
        assert len(usual.seeds) == usual.looks[0]

    def test_a_lab_may_name_the_preset_that_holds_unless_another_is_asked_for(self, planned):
        lab = 'preset = "quick"' + HEAD + "vary = { layers = [1, 2] }"

        assert [planned(lab).preset, planned(lab, preset="full").preset] == ["quick", "full"]

    def test_a_question_about_epochs_is_not_capped(self, planned):
        plan = planned(HEAD + "vary = { epochs = [5, 10] }", epochs=2)

        assert [k["epochs"] for k in knobs_of(plan)] == [5, 10]


class TestNames:
    LEVELS = HEAD + (
        "levels = [{ name = 'small', neurons = 8 }, "
        "{ name = { en = 'large', sv = 'stor' }, neurons = 64 }, { neurons = 32 }]\n"
    )

    def test_a_level_has_the_name_that_is_no_knob_of_it(self, planned):
        (question,) = planned(self.LEVELS).questions

        assert [level.name for level in question.levels] == [
            {"en": "small"},
            {"en": "large", "sv": "stor"},
            {},
        ]
        assert question.vary == ("neurons",)

    @pytest.mark.parametrize("large", ["'large'", "'stor'", "['large']", "{ neurons = 64 }"])
    def test_claims_and_reported_figures_refer_to_it_by_name(self, planned, large):
        reported = "reported = [{ at = 'small', test = 0.9 }]\n"
        (question,) = planned(
            self.LEVELS + reported + CLAIM + f"level = {large}\nagainst = 'small'"
        ).questions

        assert (question.claims[0].level, question.claims[0].against) == ((1,), (0,))
        assert question.levels[0].reported == {"test": 0.9}

    def test_an_unknown_name_is_refused_with_the_nearest(self, planned):
        claim = CLAIM + "level = 'larg'\nagainst = 'small'"

        assert told(planned, self.LEVELS + claim) == (
            "my.toml: questions[1].claims[1].level: no level is called `larg`; "
            "did you mean `large`?"
        )

    def test_where_levels_have_no_names_it_is_said(self, planned):
        content = HEAD + "vary = { layers = [1, 2] }" + CLAIM + "level = 'deep'\nagainst = 0.5"

        assert told(planned, content).endswith(
            "no level is called `deep`; its levels have no names: say it by knobs, as "
            "{ neurons = 16 }."
        )


class TestClaims:
    def test_levels_are_found_by_some_of_their_knobs(self, planned):
        plan = planned(
            HEAD + "vary = { layers = [1, 2], batch_size = [10, 20] }" + CLAIM + "level = [{ "
            "layers = 1 }, { layers = 2, batch_size = 20 }]\nagainst = { batch_size = 10, "
            "layers = 2 }"
        )

        claim = plan.questions[0].claims[0]
        assert claim.level == (0, 1, 3)
        assert claim.against == (2,)

    @pytest.mark.parametrize(
        ("extra", "margin"),
        [
            ("", 0.002),
            ('on = "train"', 0.002),
            ('on = "moved"', 0.01),
            ('metric = "drop"\non = "rotated"', 0.01),
            ('metric = "seconds"', 0.05),
            ('metric = "epochs_to"\ntarget = 0.9\non = "moved"', 0.05),
            ("margin = 0.3", 0.3),
        ],
    )
    def test_the_margin_follows_from_the_metric(self, planned, extra, margin):
        plan = planned(
            HEAD + "vary = { layers = [1, 2] }" + CLAIM + "level = { layers = 2 }\n"
            f"against = 0.5\n{extra}"
        )

        assert plan.questions[0].claims[0].margin == margin
        assert plan.questions[0].claims[0].against == 0.5

    @pytest.mark.parametrize("direction", ["better", "worse", "same", "not better", "not worse"])
    def test_a_direction_goes_to_the_plan(self, planned, direction):
        plan = planned(
            HEAD + "vary = { layers = [1, 2] }" + CLAIM.replace('"better"', f'"{direction}"') + BOTH
        )

        assert plan.questions[0].claims[0].direction == direction

    @pytest.mark.parametrize(
        ("extra", "times", "plus"),
        [
            ("", 1.0, 0.0),
            ('metric = "seconds"\ntimes = 0.4', 0.4, 0.0),
            ('metric = "epochs_to"\ntarget = 0.9\ntimes = 2', 2.0, 0.0),
            ("plus = -0.01", 1.0, -0.01),
            ('metric = "drop"\non = "moved"\nplus = 0.02', 1.0, 0.02),
        ],
    )
    def test_what_a_level_is_compared_with_may_be_moved(self, planned, extra, times, plus):
        plan = planned(HEAD + "vary = { layers = [1, 2] }" + CLAIM + BOTH + extra)

        claim = plan.questions[0].claims[0]
        assert (claim.times, claim.plus) == (times, plus)

    def test_a_claim_about_collapse_names_two_levels_and_a_direction(self, planned):
        plan = planned(HEAD + "vary = { layers = [1, 2] }" + CLAIM + BOTH + 'metric = "collapse"')

        claim = plan.questions[0].claims[0]
        assert (claim.metric, claim.level, claim.against) == ("collapse", (1,), (0,))

    def test_a_claim_may_be_another_s_than_the_question_s(self, planned):
        claims = CLAIM + BOTH + 'by = "us"' + CLAIM.replace('"c"', '"d"') + BOTH
        plan = planned(HEAD + 'by = "siffra"\nvary = { layers = [1, 2] }' + claims)

        (question,) = plan.questions
        assert [question.author_of(claim)["en"] for claim in question.claims] == ["us", "siffra"]

    def test_a_level_that_is_not_there(self, planned):
        text = told(
            planned,
            HEAD + "vary = { layers = [1, 2] }" + CLAIM + "level = { layers = 3 }\n"
            "against = { layers = 1 }",
        )

        assert text == (
            "my.toml: questions[1].claims[1].level: no level has layers = 3; "
            "levels: layers = 1; layers = 2."
        )

    def test_a_level_against_itself(self, planned):
        text = told(
            planned,
            HEAD + "vary = { layers = [1, 2] }" + CLAIM + "level = { layers = 1 }\n"
            "against = [{ layers = 2 }, { layers = 1 }]",
        )

        assert text == "my.toml: questions[1].claims[1]: level layers = 1 is compared with itself."


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (
            "vary = { batch_size = [0, 1] }",
            (
                "my.toml: questions[1].vary.batch_size: found 0; it must be above 0 "
                "(question a, level batch_size = 0)."
            ),
        ),
        (
            "vary = { layers = [1, 2] }\nfixed = { filters = 3 }",
            (
                "my.toml: questions[1].fixed.filters: a dense model has no such knob; "
                "it belongs to the model conv (question a, level layers = 1)."
            ),
        ),
        (
            'fixed = { model = "conv" }\nvary = { kernel_size = [8, 29] }',
            (
                "my.toml: questions[1].vary.kernel_size: 29 is larger than what convolution 1 is "
                "given, 28x28; it can be at most 28 (question a, level kernel_size = 29)."
            ),
        ),
        (
            'fixed = { model = "conv" }\nvary = { neurons = [1, 2] }',
            (
                "my.toml: questions[1].vary.neurons: a conv model has no hidden dense layer unless "
                "`layers` says so; set `layers` to 1 (question a, level neurons = 1)."
            ),
        ),
        (
            'fixed = { model = "conv", layers = 0 }\nvary = { neurons = [1, 2] }',
            (
                "my.toml: questions[1]: levels neurons = 1 and neurons = 2 come out as the same "
                "run: neurons has no effect with layers = 0."
            ),
        ),
        (
            "vary = { layers = [1, 2] }\nfixed = { momentum = 0.5 }",
            (
                "my.toml: questions[1].fixed.momentum: it needs the optimizer momentum, nesterov, "
                "rmsprop or muon; found sgd (question a, level layers = 1)."
            ),
        ),
        ("vary = { layers = [1, 1] }", "my.toml: questions[1]: level layers = 1 is given twice."),
        (
            "levels = [{ layers = 2, neurons = 8 }, { layers = 2, neurons = [8, 8] }]",
            (
                "my.toml: questions[1]: levels layers = 2, neurons = 8 and layers = 2, "
                "neurons = [8, 8] come out as the same run: neurons makes no difference here."
            ),
        ),
        (
            "vary = { layers = [1, 2] }\nreported = [{ at = { layers = 3 }, test = 0.5 }]",
            (
                "my.toml: questions[1].reported[1].at: no level has layers = 3; "
                "levels: layers = 1; layers = 2."
            ),
        ),
    ],
)
def test_what_cannot_be_run_or_compared_is_refused(planned, question, expected):
    assert told(planned, HEAD + question) == expected


def test_a_mistake_in_base_is_told_there(planned):
    content = HEAD.replace("epochs = 50", "epochs = 0") + "vary = { layers = [1, 2] }"

    assert told(planned, content).startswith("my.toml: base.epochs: found 0; ")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"preset": "quik"}, "preset: found 'quik'; did you mean `quick`?"),
        ({"epochs": 0}, "epochs: found 0; it must be 1 or more."),
        ({"seeds": 0}, "seeds: found 0; it must be from 1 to 1,000."),
        ({"seeds": 10**9}, "seeds: found 1000000000; it must be from 1 to 1,000."),
        ({"only": ["z"]}, "only: my.toml has no question `z`; known: a, experiments."),
    ],
)
def test_options_that_cannot_be(planned, options, expected):
    content = HEAD + (
        'vary = { layers = [1, 2] }\n[[experiments]]\nid = "1"\nname = "n"\nknobs = {}'
    )

    with pytest.raises(ConfigError) as error:
        planned(content, **options)
    assert str(error.value) == expected


def test_only_picks_questions_and_experiments(planned):
    content = HEAD + (
        'vary = { layers = [1, 2] }\n[[experiments]]\nid = "1"\nname = "n"\n'
        "knobs = { layers = 3 }\nreported = { test = 0.9 }"
    )

    both = planned(content)
    question, experiment = planned(content, only=["a"]), planned(content, only=["experiments"])

    assert both.questions == question.questions
    assert both.experiments == experiment.experiments
    assert question.experiments == experiment.questions == ()
    assert experiment.experiments[0].reported == {"test": 0.9}
    assert experiment.experiments[0].setting.knobs()["layers"] == 3


class TestVary:
    def test_each_level_is_claimed_to_be_better_than_the_first(self):
        plan = plan_vary({"learning_rate": [0.02, 0.7, 1]}, {"epochs": 4}, blank_dataset())

        question = plan.questions[0]
        assert [c.level for c in question.claims] == [(1,), (2,)]
        assert {(c.against, c.direction, c.metric, c.on) for c in question.claims} == {
            ((0,), "better", "accuracy", "test")
        }
        assert question.fixed["epochs"] == 4
        assert len(plan.runs) == 3 * 5

    @pytest.mark.parametrize(
        ("vary", "fixed", "expected"),
        [
            ({"bacth_size": [1, 2]}, {}, "bacth_size: no such knob; did you mean `batch_size`?"),
            (
                {"layers": [1]},
                {},
                "layers: found 1 to compare; give at least two values, at most 1,000.",
            ),
            ({"layers": [1, 2]}, {"layers": 1}, "layers: a knob cannot be both varied and fixed."),
            ({"layers": [2, 2]}, {}, "layers: 2 is given twice."),
            ({"neurons": [[8, 4], 8, [8, 4]]}, {}, "neurons: [8, 4] is given twice."),
            ({"layers": [1, 2]}, {"strides": 2}, "strides: a dense model has no such knob; "),
            ({"batch_size": [1, -2]}, {}, "batch_size: found -2; "),
        ],
    )
    def test_a_mistake_is_told_without_a_file(self, vary, fixed, expected):
        with pytest.raises(ConfigError) as error:
            plan_vary(vary, fixed, blank_dataset())
        assert str(error.value).startswith(expected)


@pytest.mark.parametrize("values", [[True, 1], [0, 2, False]])
def test_a_program_is_not_given_a_truth_value_beside_the_number_that_equals_it(values):
    with pytest.raises(ConfigError, match=r"x: found .* and .*, which are equal; leave one out"):
        plan_external({"x": values}, {}, (Metric("loss", "lower"),))


def test_that_values_are_too_many_is_seen_at_once():
    with pytest.raises(ConfigError, match=r"lr: found more than 1,000 to compare"):
        plan_external({"lr": range(10**7)}, {}, (Metric("loss", "lower"),))


@pytest.mark.parametrize("values", [32, "32,64"])
def test_what_is_varied_is_a_list(values):
    with pytest.raises(ConfigError, match=r"neurons: found .*; give a list of values to compare"):
        plan_vary({"neurons": values}, {}, blank_dataset())


class TestSeeds:
    LAB = HEAD + "vary = { layers = [1, 2] }"

    def test_a_lab_is_judged_at_looks_within_the_budget_of_its_preset(self, planned):
        for preset, minutes in (("quick", 5), ("standard", 20), ("full", 60)):
            plan = planned(self.LAB, preset=preset)
            assert (plan.seeds, plan.time) == (tuple(range(5)), 60 * minutes)
            assert plan.looks == (5, 7, 10, 14, 20, 28, 40)

    def test_its_budget_and_its_last_look_can_be_others(self, planned):
        plan = planned(self.LAB, time=90.0, max_seeds=80)
        assert (plan.time, plan.looks[-2:]) == (90.0, (40, 80))

    def test_a_fixed_number_is_judged_once(self, planned):
        plan = planned(self.LAB, seeds=3)
        assert (plan.seeds, plan.looks, plan.time) == (tuple(range(3)), (), None)

    def test_a_lab_file_can_fix_the_number_for_a_preset(self, planned):
        lab = self.LAB + "\n[presets.quick]\nseeds = 3"
        assert planned(lab, preset="quick").looks == ()
        assert len(planned(lab, preset="quick").seeds) == 3
        assert planned(lab, preset="quick", time=60.0).time == 60
        assert planned(lab, preset="full").looks

    def test_a_question_of_its_own_has_five_unless_it_has_a_budget(self):
        def asked(**options):
            return plan_vary({"layers": [1, 2]}, {}, blank_dataset(), LabOptions(**options))

        assert (len(asked().seeds), asked().looks) == (5, ())
        assert (asked(time=60.0).time, asked(time=60.0).looks[-1]) == (60, 40)
        assert (asked(max_seeds=10).time, asked(max_seeds=10).looks) == (None, (5, 7, 10))

    def test_retuned_knobs_are_chosen_on_seeds_of_their_own(self, planned):
        lab = self.LAB + "\nretune = { learning_rate = [0.1, 0.2] }"
        assert planned(self.LAB).tuning_seeds == ()
        assert planned(lab).tuning_seeds == tuple(range(10_000, 10_005))

    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            ({"seeds": 0}, "seeds: found 0; it must be from 1 to 1,000"),
            ({"seeds": 5, "time": 60.0}, "seeds: it fixes their number; leave out time, or seeds"),
            ({"seeds": 5, "max_seeds": 40}, "leave out max_seeds, or seeds"),
            ({"max_seeds": 9}, "max_seeds: found 9; it must be from 10 to 1,000"),
            ({"max_seeds": 1001}, "max_seeds: found 1001"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, planned, options, complaint):
        with pytest.raises(ConfigError, match=complaint):
            planned(self.LAB, **options)


class TestFiguresOfQuestionsThatNameNone:
    ALONE = ("curves", "levels")
    CLOSELY = ("curves", "levels", "shifts", "mistakes")

    def test_levels_with_names_span_no_plane(self, planned):
        levels = "levels = [{ name = 'a', neurons = 8, layers = 1 }, { neurons = 9, layers = 2 }]"

        assert planned(HEAD + levels).questions[0].figures[:2] == ("curves", "levels")

    def figures(self, planned, vary, **options):
        (question,) = planned(f"{HEAD}vary = {vary}\n", **options).questions
        return question.figures

    def test_networks_are_looked_into_from_preset_standard_on(self, planned):
        found = {p: self.figures(planned, "{ neurons = [4, 8] }", preset=p) for p in PRESETS}
        assert found == {"quick": self.ALONE, "standard": self.CLOSELY, "full": self.CLOSELY}

    def test_but_not_into_those_of_many_settings(self, planned):
        many = f"{{ neurons = {list(range(1, 8))} }}"
        assert self.figures(planned, many, preset="standard") == self.ALONE
        two = "{ neurons = [4, 8], batch_size = [4, 8] }"
        assert self.figures(planned, two, preset="standard") == ("heatmap",)

    def test_an_ad_hoc_question_looks_if_it_is_to(self):
        vary = {"neurons": [4, 8]}
        for examines, figures in ((False, self.ALONE), (True, self.CLOSELY)):
            plan = plan_vary(vary, {}, blank_dataset(), LabOptions(examines=examines))
            assert plan.questions[0].figures == figures
            assert all(run.examine == examines for run in plan.runs)
