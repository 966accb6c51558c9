"""A lab file to start from asks what was asked, and can be run as it is."""

import pytest
from small import small_dataset

from siffra.errors import ConfigError
from siffra.lab.plan.labfile import read_lab
from siffra.lab.plan.planning import plan_lab, plan_vary
from siffra.lab.plan.starter import starter_lab

DATASET = small_dataset()


@pytest.mark.parametrize(
    ("vary", "fixed"),
    [
        ({"dropout": [0.0, 0.2, 0.5]}, {"neurons": [8, 8]}),
        ({"neurons": [4, [8, 8]]}, {"epochs": 2, "activation": "tanh"}),
        ({"neurons": [4, 8], "batch_size": [2, 5]}, {}),
    ],
    ids=str,
)
def test_the_lab_makes_the_runs_of_the_question(tmp_path, vary, fixed):
    path = tmp_path / "lab.toml"
    path.write_text(starter_lab('Does "it" help?\n', vary, fixed, DATASET), "utf-8")
    plan, asked = plan_lab(read_lab(path), DATASET), plan_vary(vary, fixed, DATASET)

    (question,), (expected,) = plan.questions, asked.questions
    assert [level.settings for level in question.levels] == [e.settings for e in expected.levels]
    assert [(c.level, c.against, c.direction, c.margin) for c in question.claims] == [
        (c.level, c.against, c.direction, c.margin) for c in expected.claims
    ]
    assert question.ask["en"] == 'Does "it" help?\n'


def test_a_lab_without_a_question_or_levels_is_refused():
    with pytest.raises(ConfigError, match="found an empty question"):
        starter_lab(" ", {"neurons": [4, 8]}, {}, DATASET)
    with pytest.raises(ConfigError, match="found 1 to compare"):
        starter_lab("Why?", {"neurons": [4]}, {}, DATASET)
