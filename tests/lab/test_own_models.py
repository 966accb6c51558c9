"""Lab files name functions beside them as models, and vary their parameters."""

import pytest
from blank import blank_dataset

from siffra.config import Factory, ModuleModel
from siffra.errors import LabFileError
from siffra.lab.plan.labfile import read_lab
from siffra.lab.plan.planning import plan_lab
from siffra.lab.plan.presets import LabOptions

LAB = """
title = "t"
[base]
model = "my_models:make"
neurons = 4        # for the dense level alone
depth = 3
learning_rate = 0.1

[[questions]]
id = "dropout"
ask = "?"
vary = { dropout = [0, 0.2, 0.5] }
[[questions.claims]]
id = "c"
say = "!"
level = { dropout = 0.5 }
against = { dropout = 0 }
direction = "better"

[[questions]]
id = "kind"
ask = "?"
vary = { model = ["dense", "my_models:make"] }
"""


@pytest.fixture
def lab(tmp_path):
    (tmp_path / "my_models.py").write_text("def make(depth=1, dropout: float = 0): ...")

    def write(content=LAB):
        (tmp_path / "my.toml").write_text(content)
        return read_lab(tmp_path / "my.toml")

    return write


def test_a_function_beside_the_file_is_found_and_its_parameters_are_knobs(lab):
    plan = plan_lab(lab(), blank_dataset(), LabOptions(seeds=1))

    dropout, kind = plan.questions
    arguments = []
    for level in dropout.levels:
        model = level.settings[0].model
        assert isinstance(model, ModuleModel)
        assert isinstance(model.factory, Factory)
        arguments.append(dict(model.arguments))
    assert arguments == [{"depth": 3, "dropout": rate} for rate in (0.0, 0.2, 0.5)]
    assert dropout.fixed["depth"] == 3
    assert [level.settings[0].model.kind for level in kind.levels] == ["dense", "module"]
    assert len(plan.runs) == 4  # `kind` and `dropout` share one


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("dropout = [0", "droput = [0", "questions[1].vary.droput: no such knob; did you mean"),
        ("[0, 0.2", "['a', 0.2", "questions[1].vary.dropout: found 'a'; it must be a number"),
        ('"my_models:make"\n', '"my_models:mak"\n', "my.toml: model: my_models:mak: my_models.py"),
        ("level = { dropout = 0.5", "level = { dropout = 0.4", "no level has dropout = 0.4"),
    ],
)
def test_mistakes_name_the_file_and_the_key(lab, old, new, told):
    with pytest.raises(LabFileError) as error:
        plan_lab(lab(LAB.replace(old, new, 1)), blank_dataset())

    assert told in str(error.value)
    assert str(error.value).startswith("my.toml: ")
