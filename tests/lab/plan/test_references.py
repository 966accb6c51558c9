"""What a lab file names lies beside it, wherever it is read from."""

from pathlib import Path

import pytest
from blank import blank_dataset

from siffra.config import Setting
from siffra.errors import LabFileError
from siffra.lab.plan.labfile import read_lab
from siffra.lab.plan.planning import plan_lab

LAB = """
title = "t"
[[questions]]
id = "a"
ask = "?"
levels = [{ recipe = "mine.toml" }, { recipe = "mine.toml", batch_size = 8 }]
[[questions.claims]]
id = "c"
say = "!"
level = { recipe = "mine.toml", batch_size = 8 }
against = { recipe = "mine.toml" }
direction = "better"
"""


@pytest.mark.parametrize("there", [True, False])
def test_a_lab_is_the_same_from_whatever_folder_it_is_read(tmp_path, monkeypatch, there):
    (tmp_path / "my.toml").write_text(LAB)
    (tmp_path / "mine.toml").write_text("[knobs]\nneurons = 5\nepochs = 2")
    monkeypatch.chdir(tmp_path if there else tmp_path.parent)
    path = Path("my.toml") if there else tmp_path / "my.toml"

    (question,) = plan_lab(read_lab(path), blank_dataset()).questions

    found = [level.settings[0] for level in question.levels]
    assert found == [
        Setting.from_knobs({"neurons": 5, "epochs": 2, **more}) for more in ({}, {"batch_size": 8})
    ]
    assert (question.claims[0].level, question.claims[0].against) == ((1,), (0,))


def test_a_file_that_is_not_there_is_told_with_its_path(tmp_path):
    (tmp_path / "my.toml").write_text(LAB)
    with pytest.raises(LabFileError, match=r"mine\.toml: cannot be read: No such file"):
        plan_lab(read_lab(tmp_path / "my.toml"), blank_dataset())


def test_names_stay_names_and_files_anywhere_are_found(tmp_path):
    (tmp_path / "my.toml").write_text(
        """
        title = "recipe.toml"
        [presets.quick]
        recipes = { "a.toml" = "digits-1s" }
        [[questions]]
        id = "a"
        ask = "?"
        vary = { recipe = ["a.toml", "digits-5s", "/far/b.toml"] }
        """
    )

    lab = read_lab(tmp_path / "my.toml")

    beside = str(tmp_path / "a.toml")
    assert lab.title == {"en": "recipe.toml"}
    assert lab.presets.quick.recipes == {beside: "digits-1s"}
    assert lab.questions[0].vary == {"recipe": (beside, "digits-5s", "/far/b.toml")}
