"""The lab of a program planned: its settings, claims, metrics and experiments."""

import pytest

from siffra.errors import ConfigError, LabFileError
from siffra.lab.plan.labfile import read_lab
from siffra.lab.plan.planning import plan_lab
from siffra.lab.plan.presets import LabOptions

HEAD = """
title = "t"
[base]
command = "python train.py --lr {lr} --warmup {warmup} --seed {seed}"
lr = 0.1
warmup = 0
[metrics.val_loss]
better = "lower"
margin = 0.003
[metrics.accuracy]
better = "higher"
"""
LEVELS = """
[[questions]]
id = "lr"
ask = "?"
vary = { lr = [0.1, 0.3] }
"""
WARMUP = """
[[questions]]
id = "warmup"
ask = "?"
fixed = { lr = 0.1 }
levels = [{ warmup = 0 }, { warmup = 0.1 }]
"""
CLAIM = """
[[questions.claims]]
id = "c"
say = "!"
level = { lr = 0.3 }
against = { lr = 0.1 }
direction = "better"
"""


@pytest.fixture
def planned(tmp_path):
    """Writes the lab file of a program, and plans it."""

    def plan(content: str, **options):
        (tmp_path / "my.toml").write_text(content)
        return plan_lab(read_lab(tmp_path / "my.toml"), None, LabOptions(**options))

    return plan


def told(planned, content: str, **options) -> str:
    with pytest.raises((ConfigError, LabFileError)) as error:
        planned(content, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


class TestSettings:
    def test_a_level_has_all_knobs_of_the_command(self, planned):
        (question,) = planned(HEAD + LEVELS).questions

        assert [level.settings[0].knobs() for level in question.levels] == [
            {"lr": 0.1, "warmup": 0},
            {"lr": 0.3, "warmup": 0},
        ]
        assert question.fixed == {"warmup": 0}

    def test_questions_share_the_runs_of_equal_settings(self, planned):
        plan = planned(HEAD + LEVELS + WARMUP, seeds=5)

        assert len(plan.runs) == 3 * 5

    def test_preset_budgets_hold_and_no_cap_on_epochs(self, planned):
        plan = planned(HEAD + LEVELS, preset="quick")

        assert (plan.epochs, plan.time, plan.examines) == (None, 300.0, False)
        assert plan.looks[0] == 5

    def test_only_one_question(self, planned):
        plan = planned(HEAD + LEVELS + WARMUP, only=("warmup",), seeds=5)

        assert [question.id for question in plan.questions] == ["warmup"]

    def test_an_experiment_is_one_setting_with_what_was_reported(self, planned):
        experiment = """
[[experiments]]
id = "mine"
name = "Mine"
knobs = { lr = 0.2 }
reported = { val_loss = 1.5, accuracy = 97 }
"""
        (found,) = planned(HEAD + experiment).experiments

        assert found.setting.knobs() == {"lr": 0.2, "warmup": 0}
        assert found.reported == {"val_loss": 1.5, "accuracy": 97}
        assert [metric.name for metric in found.metrics] == ["val_loss", "accuracy"]


class TestClaims:
    def test_its_metric_and_margin_are_the_lab_s(self, planned):
        (claim,) = planned(HEAD + LEVELS + CLAIM).questions[0].claims

        assert (claim.metric, claim.named.better, claim.margin) == ("val_loss", "lower", 0.003)
        assert (claim.on, claim.epochs, claim.is_timed) == ("", 1, False)

    def test_its_own_margin_goes_before(self, planned):
        (claim,) = planned(HEAD + LEVELS + CLAIM + "margin = 0.5").questions[0].claims

        assert claim.margin == 0.5

    def test_of_a_question_without_any_siffra_claims_that_each_level_is_better_than_the_first(
        self, planned
    ):
        own, others = planned(HEAD + LEVELS + CLAIM + WARMUP).questions

        assert [(claim.id, claim.by) for claim in own.claims] == [("c", {})]
        assert [(c.id, c.metric, c.level, c.against, c.margin) for c in others.claims] == [
            ("warmup-val_loss-2", "val_loss", (1,), (0,), 0.003),
            ("warmup-accuracy-2", "accuracy", (1,), (0,), 0.0),
        ]
        assert {others.author_of(claim)["en"] for claim in others.claims} == {"siffra"}
        assert {claim.direction for claim in others.claims} == {"better"}

    def test_without_any_margin_it_has_none(self, planned):
        (claim,) = planned(HEAD + LEVELS + CLAIM + "metric = 'accuracy'").questions[0].claims

        assert claim.margin == 0

    def test_the_metric_of_the_first_claim_is_the_main_one_of_its_question(self, planned):
        plan = planned(HEAD + LEVELS + CLAIM + "metric = 'accuracy'" + WARMUP)

        assert [[m.name for m in q.metrics] for q in plan.questions] == [
            ["accuracy", "val_loss"],
            ["val_loss", "accuracy"],
        ]


class TestMistakes:
    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (
                HEAD.replace("warmup = 0\n", "") + LEVELS,
                "my.toml: questions[1].vary: the command's `{warmup}` has no value; give `warmup` "
                "one here or in `[base]` (question lr, level lr = 0.1).",
            ),
            (
                HEAD + LEVELS.replace("0.3]", "[0.3]]"),
                "my.toml: questions[1].vary.lr: found [0.3]; a knob of a command takes a finite "
                "number, a text, or true or false (question lr, level lr = [0.3]).",
            ),
            (
                HEAD.replace("warmup = 0", "warmup = nan") + LEVELS,
                "my.toml: base.warmup: found nan; a knob of a command takes a finite number, a "
                "text, or true or false (question lr, level lr = 0.1).",
            ),
            (
                HEAD + LEVELS.replace("0.3]", "0.1]"),
                "my.toml: questions[1]: level lr = 0.1 is given twice.",
            ),
            (
                HEAD + LEVELS + "retune = { warmup = [0, 0.1] }",
                "my.toml: questions[1].retune: what is retuned is chosen by accuracy on "
                "validation, which a command has none of; vary it instead.",
            ),
            (
                HEAD + LEVELS + "figures = ['levels', 'confusion']",
                "my.toml: questions[1].figures: `confusion` shows networks; of a command there are "
                "curves, heatmap, levels.",
            ),
            (
                HEAD + LEVELS + CLAIM.replace("lr = 0.3", "lr = 0.2"),
                "my.toml: questions[1].claims[1].level: no level has lr = 0.2; levels: lr = 0.1; "
                "lr = 0.3.",
            ),
        ],
    )
    def test_it_names_the_key_and_what_would_be_right(self, planned, content, expected):
        assert told(planned, content) == expected

    def test_a_number_of_epochs_is_none_of_siffra_s(self, planned):
        assert told(planned, HEAD + LEVELS, epochs=3) == (
            "epochs: siffra does not know those of a command; leave it out, and give the command a "
            "knob for its length."
        )

    def test_one_value_is_spelled_in_one_way(self, planned):
        flag = LEVELS.replace("lr = [0.1, 0.3]", "warmup = [true, 0.5]")
        other = flag.replace('id = "lr"', 'id = "again"').replace("true", "1")

        assert told(planned, HEAD + flag + other) == (
            "my.toml: questions[2].vary.warmup: found 1, but true elsewhere, which is the same "
            "run; write it alike (question again, level warmup = 1)."
        )
