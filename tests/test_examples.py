"""The examples hold: the data set is made, and the lab on it can be planned."""

import csv
import json
import re
import runpy
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from siffra.api import run_lab
from siffra.config import KNOBS, EstimatorModel, ModuleModel, Setting, as_model
from siffra.data.load import load_dataset
from siffra.engine.torch.own import make_module
from siffra.lab.plan.labfile import read_lab
from siffra.lab.plan.planning import plan_lab
from siffra.lab.plan.presets import LabOptions
from siffra.lab.plan.program_tables import MetricTable, RunningTable

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.usefixtures("unpainted")
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


@pytest.mark.usefixtures("unpainted")
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


def arguments_of(model):
    assert isinstance(model, EstimatorModel)
    return dict(model.arguments)


@pytest.mark.usefixtures("unpainted")
def test_the_lab_with_a_forest(tmp_path):
    lab = (EXAMPLES / "forest.toml").read_text("utf-8").replace("[10, 30, 100]", "[2, 4]")
    (tmp_path / "forest.toml").write_text(lab, "utf-8")
    rng = np.random.default_rng(0)
    y = np.arange(80) % 4
    x = (rng.integers(100, size=(80, 20, 20)) + 30 * y[:, None, None]).astype(np.uint8)
    np.savez(tmp_path / "shapes.npz", x_train=x, y_train=y, x_test=x, y_test=y)

    result = run_lab(
        tmp_path / "forest.toml",
        epochs=1,
        seeds=2,
        threads=1,
        store=tmp_path / "runs.sqlite",
        out=tmp_path / "report",
    )

    kind, trees = result.answers.questions
    dense, forest = (level.records[0] for level in kind.levels)
    assert (dense.engine, forest.engine) == ("native", "sklearn")
    assert forest.accuracy["train"] == 1 > (dense.accuracy["train"] or 0)
    assert [arguments_of(level.records[0].model) for level in trees.levels] == [
        {"n_estimators": n, "max_depth": depth} for n in (2, 4) for depth in (4, 16)
    ]
    told = (tmp_path / "report" / "report.md").read_text("utf-8")
    assert "RandomForestClassifier" in told
    assert "sklearn 1" in told  # the engine
    assert {claim.verdict for claim in kind.claims} == {"not tested"}  # the network's 20 epochs


def test_the_lab_file_and_the_class_on_the_page_on_models(tmp_path):
    page = (EXAMPLES.parent / "docs" / "models.md").read_text("utf-8")
    section = page.partition("## scikit-learn classifiers")[2].partition("\n## ")[0]
    (lab,) = re.findall("```toml\n(.*?)```", section, re.DOTALL)
    (python,) = re.findall("```python\n(.*?)```", section, re.DOTALL)
    (tmp_path / "trees.toml").write_text(f'title = "t"\n{lab}')

    plan = plan_lab(read_lab(tmp_path / "trees.toml"), load_dataset(), LabOptions(seeds=1))
    names: dict[str, Any] = {}
    exec(python.partition("\nresult")[0], names)
    setting = Setting.from_knobs({"model": as_model(names["KNeighborsClassifier"])})

    models = [level.settings[0].model for level in plan.questions[0].levels]
    assert [arguments_of(model) for model in models] == [
        {"n_estimators": 10}, {"n_estimators": 30}, {},  # a hundred is as usual
    ]  # fmt: skip
    assert setting.knobs()["model"] == "sklearn.neighbors:KNeighborsClassifier"


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


COURSE_LABS = sorted((EXAMPLES / "course-labs").iterdir())


@pytest.mark.parametrize("path", COURSE_LABS, ids=lambda path: path.stem)
def test_the_labs_of_courses(path):
    """Each has its source and figures that were reported; the page has all their claims."""
    lab = read_lab(path)
    says = [claim.say["en"] for question in lab.questions for claim in question.claims]
    text = path.read_text("utf-8")
    page = (EXAMPLES.parent / "docs" / "courses.md").read_text("utf-8")

    plan = plan_lab(lab, load_dataset(lab.data), LabOptions(seeds=5))

    assert "# Settings and figure" in text or "# Figures: " in text
    assert plan.runs
    assert any(question.reported for question in lab.questions)
    assert f"../examples/course-labs/{path.name}" in page
    for say in says:
        assert f"| {say} |" in page


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


@pytest.mark.usefixtures("unpainted")
def test_the_lab_on_a_program(tmp_path):
    lab = (EXAMPLES / "moons.toml").read_text("utf-8").replace('"python"', f'"{sys.executable}"')
    (tmp_path / "moons.toml").write_text(lab.replace("epochs = 20\n", "epochs = 2\n"), "utf-8")
    shutil.copy(EXAMPLES / "moons.py", tmp_path)

    result = run_lab(
        tmp_path / "moons.toml",
        seeds=2,
        jobs=2,
        store=tmp_path / "runs.sqlite",
        out=tmp_path / "report",
    )

    rate, width = result.answers.questions
    assert all(record.metrics["val_loss"] for level in rate.levels for record in level.records)
    assert [len(level.records) for level in width.levels] == [2] * 6
    page = (tmp_path / "report" / "report.md").read_text("utf-8")
    assert "| Tuned by hand | " in page
    figures = {path.stem for path in (tmp_path / "report" / "figures").iterdir()}
    kinds = {"rate-curves", "rate-levels", "width-curves", "width-heatmap"}
    assert figures == kinds | {"experiments"}


def test_the_lab_of_a_program_on_the_page_on_labs(tmp_path):
    page = (EXAMPLES.parent / "docs" / "labs.md").read_text("utf-8")
    section = page.partition("## Programs of your own")[2].partition("\n## ")[0]
    (lab,) = re.findall("```toml\n(.*?)```", section, re.DOTALL)
    (tmp_path / "my.toml").write_text(lab, "utf-8")

    file = read_lab(tmp_path / "my.toml")
    plan = plan_lab(file, None, LabOptions(seeds=5))

    assert len(plan.runs) == 10
    for table in (MetricTable, RunningTable):
        for key in table.model_fields:
            assert f"| `{key}` | " in section, key


@pytest.mark.usefixtures("unpainted")
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


def test_the_published_table_has_the_means_that_its_authors_give():
    with (EXAMPLES / "walker2d.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    # From the tutorial of AdaStop, which has standard deviations of the population.
    published = {
        "PPO": (10, 2901.53, 1257.93),
        "DDPG": (25, 884.119, 535.74),
        "SAC": (10, 4543.4, 432.13),
        "TRPO": (25, 1215.42, 529.672),
    }
    for algorithm, (runs, mean, deviation) in published.items():
        values = [float(row["mean_return"]) for row in rows if row["algorithm"] == algorithm]
        assert len(values) == runs
        assert np.mean(values) == pytest.approx(mean, abs=0.01)
        assert np.std(values) == pytest.approx(deviation, abs=0.01)
