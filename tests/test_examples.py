"""The examples hold: the data set is made, and the lab on it can be planned."""

import runpy
import shutil
from pathlib import Path

from siffra.data.load import load_dataset
from siffra.lab.labfile import read_lab
from siffra.lab.planning import plan_lab

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_lab_on_shapes(tmp_path):
    for name in ("make_shapes.py", "shapes.toml"):
        shutil.copy(EXAMPLES / name, tmp_path)
    runpy.run_path(str(tmp_path / "make_shapes.py"), run_name="__main__")

    lab = read_lab(tmp_path / "shapes.toml")
    dataset = load_dataset(lab.data)
    plan = plan_lab(lab, dataset)

    assert (dataset.image_shape, dataset.classes) == ((20, 20, 1), 4)
    assert {question.id for question in plan.questions} == {"model", "batch"}
    assert plan.runs
