"""The examples hold: the data set is made, and the lab on it can be planned."""

import json
import re
import runpy
import shutil
from pathlib import Path

import numpy as np
import torch

from siffra.api import run_lab
from siffra.config import KNOBS, ModuleModel
from siffra.data.load import load_dataset
from siffra.engine.torch.own import make_module
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


def test_the_lab_on_a_model_of_one_s_own(tmp_path):
    for name in ("residual.py", "residual.toml"):
        shutil.copy(EXAMPLES / name, tmp_path)
    rng = np.random.default_rng(0)
    x, y = rng.integers(256, size=(60, 20, 20), dtype=np.uint8), np.arange(60) % 4
    np.savez(tmp_path / "shapes.npz", x_train=x, y_train=y, x_test=x, y_test=y)

    result = run_lab(
        tmp_path / "residual.toml",
        epochs=1,
        seeds=2,
        engine="torch",
        threads=1,
        store=tmp_path / "runs.sqlite",
    )

    skip, kind = result.answers.questions
    assert [level.level.knobs for level in skip.levels] == [{"skip": True}, {"skip": False}]
    assert [level.records[0].model.kind for level in kind.levels] == ["module", "conv"]
    assert {r.parameters for level in skip.levels for r in level.records} == {
        (8 * 9 + 8) + 16 * (8 * 8 * 9 + 8) + (8 * 4 + 4)
    }


def test_what_the_page_on_models_shows(tmp_path):
    page = (EXAMPLES.parent / "docs" / "models.md").read_text("utf-8")
    source, lab = (
        re.findall(f"```{kind}\n(.*?)```", page, re.DOTALL)[0] for kind in ("python", "toml")
    )
    (tmp_path / "my_models.py").write_text(source)
    (tmp_path / "my-lab.toml").write_text(lab)

    plan = plan_lab(read_lab(tmp_path / "my-lab.toml"), load_dataset())

    models = [run.setting.model for run in plan.runs]
    assert {dict(m.arguments)["dropout"] for m in models if isinstance(m, ModuleModel)} == {
        0.0, 0.2, 0.5,
    }  # fmt: skip
    for model in models[:1]:
        assert isinstance(model, ModuleModel)
        assert make_module(model, (28, 28, 1), 10)(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_the_page_on_labs_has_every_knob():
    page = (EXAMPLES.parent / "docs" / "labs.md").read_text("utf-8")

    assert re.findall(
        r"^\| `([a-z_]+)` \|", page.partition("## The file")[0], re.MULTILINE
    ) == list(KNOBS)


def test_the_lab_on_a_table(tmp_path):
    for name in ("make_wine.py", "wine.toml"):
        shutil.copy(EXAMPLES / name, tmp_path)
    runpy.run_path(str(tmp_path / "make_wine.py"), run_name="__main__")

    result = run_lab(
        tmp_path / "wine.toml",
        epochs=2,
        seeds=2,
        threads=1,
        store=tmp_path / "runs.sqlite",
        out=tmp_path / "report",
    )

    (question,) = result.answers.questions
    assert list(question.levels[0].accuracy) == ["train", "val", "test", "noisy"]
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert "barolo" in page
    assert "standard deviation 0.1" in page
    assert "moved" not in page
    figures = {path.stem for path in (tmp_path / "report" / "figures").iterdir()}
    assert figures == {
        f"neurons-{kind}" for kind in ("curves", "levels", "confusion", "classes", "calibration")
    }


def test_the_lab_on_images_in_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = {"epochs": 1, "seeds": 2, "threads": 1, "store": tmp_path / "runs.sqlite"}
    monkeypatch.setattr("siffra.run_lab", lambda lab, **told: run_lab(lab, **(told | given)))

    runpy.run_path(str(EXAMPLES / "small_digits.py"), run_name="__main__")

    results = json.loads(Path("small-digits/results.json").read_text("utf-8"))
    level = results["questions"][0]["levels"][0]
    shifted = ["moved", "rotated", "noisy", "blurred", "faded", "occluded"]
    assert list(level["accuracy"]) == ["train", "val", "test", *shifted]
    assert level["shifts"]["turned"]["at"][0] == -180
