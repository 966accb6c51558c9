"""siffra in Python: the same as on the command line, with results that show themselves."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import siffra
from siffra import api
from siffra.config import KNOBS
from siffra.data.load import DataSource
from siffra.errors import ConfigError, ModelFileError, SiffraError
from siffra.store.store import open_store

pytestmark = pytest.mark.usefixtures("unpainted")

KNOBS_USED: api.Knobs = {"epochs": 2, "batch_size": 9, "neurons": 8}


@pytest.fixture
def own(tmp_path) -> dict[str, Any]:
    """A data set of three kinds of bars, and a store, both of this test's own."""
    rng = np.random.default_rng(5)
    y = np.arange(120) % 3
    x = rng.integers(0, 90, (120, 12, 12))
    for image, label in zip(x, y, strict=True):
        image[2:10, 4 * label : 4 * label + 3] += 150
    x = x.astype(np.uint8)
    path = tmp_path / "own.npz"
    np.savez(path, x_train=x[:90], y_train=y[:90], x_test=x[90:], y_test=y[90:])
    data = DataSource(path=path, moved=2.0)
    return {"data": data, "store": tmp_path / "runs.sqlite", "threads": 1}


def test_the_package_offers_what_it_says():
    names = [
        "Metric", "SiffraClassifier", "__version__", "dataset", "export_model", "export_runs",
        "judge", "noise", "predict", "run_lab", "run_search", "runs", "train", "tune", "vary",
    ]  # fmt: skip
    assert sorted(siffra.__all__) == names
    assert siffra.train is api.train
    assert siffra.SiffraClassifier.__module__ == "siffra.api.sklearn"
    assert set(siffra.__all__) <= set(dir(siffra))
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        siffra.trian  # noqa: B018


def test_python_m_siffra_is_the_command_line():
    ended = subprocess.run(
        [sys.executable, "-m", "siffra", "--version"], capture_output=True, text=True, check=True
    )

    assert ended.stdout == f"siffra {siffra.__version__}\n"


def test_keyword_arguments_are_the_knobs():
    assert set(api.Knobs.__annotations__) == set(KNOBS)


def test_train_gives_a_model_with_its_record(own):
    epochs = []

    result = siffra.train(**own, **KNOBS_USED, seed=4, on_epoch=lambda n, epoch: epochs.append(n))

    assert epochs == [1, 2]
    assert (result.record.seed, result.record.training.batch_size) == (4, 9)
    assert result.accuracy == result.record.accuracy
    predicted = result.fitted.predict(result.dataset.test.x).argmax(axis=1)
    assert np.mean(predicted == result.dataset.test.y) == result.accuracy["test"]


def test_a_saved_model_predicts_as_the_trained_one(own, tmp_path):
    result = siffra.train(**own, **KNOBS_USED)
    result.save(tmp_path / "model.safetensors")
    images = result.dataset.test.x[:5]
    paths = [tmp_path / f"{number}.npy" for number in range(5)]
    for path, image in zip(paths, images, strict=True):
        image[[0, -1]], image[:, [0, -1]] = 0, 0  # a dark border: used as it stands
        np.save(path, image)

    predictions = siffra.predict(tmp_path / "model.safetensors", paths)

    expected = result.fitted.predict(images)
    np.testing.assert_array_equal([p.probabilities for p in predictions], expected)
    assert [p.label for p in predictions] == expected.argmax(axis=1).tolist()
    assert [p.path for p in predictions] == paths
    assert predictions[0].ranked[0] == predictions[0].label


@pytest.mark.parametrize("name", ["report.html", "report.pdf", "report.MD"])
def test_a_report_is_written_under_no_file_s_name(tmp_path, name):
    with pytest.raises(SiffraError, match="a report is a folder of several files"):
        api.expect_report(tmp_path / name)

    assert not list(tmp_path.iterdir())


def test_predict_with_no_model(tmp_path):
    with pytest.raises(ModelFileError, match="no such file"):
        siffra.predict(tmp_path / "model.safetensors", [])


@pytest.mark.parametrize(
    "spoil", [lambda w: np.full_like(w, np.nan), lambda w: np.full_like(w, 3e38)]
)
@pytest.mark.parametrize("model", [{}, {"model": "conv", "filters": 3, "kernel_size": 3}], ids=str)
def test_a_model_that_diverged_predicts_nothing(own, tmp_path, spoil, model):
    path, image = tmp_path / "model.safetensors", tmp_path / "image.npy"
    knobs: Any = {"batch_size": 9, "epochs": 1, **model}
    siffra.train(**own, **knobs).save(path)
    with safe_open(path, framework="numpy") as file:
        weights = {name: spoil(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
        save_file(weights, path, metadata=file.metadata())
    np.save(image, np.eye(12, dtype=np.uint8) * 255)

    with pytest.raises(ModelFileError, match="the model diverged in training: its weights are not"):
        siffra.predict(path, [image])


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_cannot_be_kept_trains_nothing(own, seed):
    epochs = []

    with pytest.raises(ConfigError, match=r"seed: found .*; it must be from 0 to 2\*\*63 - 1"):
        siffra.train(**own, **KNOBS_USED, seed=seed, on_epoch=lambda n, epoch: epochs.append(n))

    assert epochs == []


def test_the_greatest_seed_is_kept(own):
    siffra.train(**own, **KNOBS_USED, seed=2**63 - 1)

    with open_store(own["store"], read_only=True) as store:
        assert len(store.records(seed=2**63 - 1)) == 1


def test_vary_compares_every_level_with_the_first(own):
    result = siffra.vary({"learning_rate": [0.001, 0.1, 0.2]}, **own, **KNOBS_USED, seeds=3)

    (question,) = result.answers.questions
    assert [level.level.knobs["learning_rate"] for level in question.levels] == [0.001, 0.1, 0.2]
    assert [claim.claim.against for claim in question.claims] == [(0,), (0,)]
    assert all(len(level.records) == 3 for level in question.levels)


def test_run_lab_writes_its_report(own, tmp_path):
    lab = tmp_path / "lab.toml"
    lab.write_text(
        'title = "Bars"\ndata = { path = "own.npz", moved = 2.0 }\nbase = { batch_size = 9 }\n'
        '[[questions]]\nid = "a"\nask = "Wide?"\nvary = { neurons = [4, 16] }\n'
    )

    result = siffra.run_lab(
        lab, epochs=1, seeds=2, store=own["store"], threads=1, out=tmp_path / "report"
    )

    assert result.answers.plan.title == {"en": "Bars"}
    assert "Wide?" in (tmp_path / "report" / "report.html").read_text("utf-8")


@pytest.mark.parametrize("wrong", [{"language": "de"}, {"out": __file__}])
def test_a_report_that_cannot_be_written_is_told_before_anything_is_trained(own, tmp_path, wrong):
    lab = tmp_path / "lab.toml"
    lab.write_text(
        'title = "Bars"\ndata = { path = "own.npz", moved = 2.0 }\n'
        '[[questions]]\nid = "a"\nask = "Wide?"\nvary = { neurons = [4, 16] }\n'
    )
    events = []

    with pytest.raises(SiffraError):
        siffra.run_lab(
            lab, epochs=1, seeds=1, store=own["store"], threads=1, on_event=events.append, **wrong
        )

    assert events == []


def test_results_show_themselves(own):
    trained = siffra.train(**own, **KNOBS_USED)
    varied = siffra.vary({"learning_rate": [0.001, 0.1]}, **own, **KNOBS_USED, seeds=2)

    assert "test" in str(trained)
    assert f"{trained.accuracy['test']:.2%}" in trained._repr_html_()
    assert "●" in str(varied)
    html = varied._repr_html_()
    assert html.count("<tr>") == 3  # headings and two levels
    assert html.count("<li ") == 1  # one claim


def test_texts_of_a_lab_are_no_markup_in_a_notebook(own, tmp_path):
    lab = tmp_path / "lab.toml"
    lab.write_text(
        'title = "Bars"\ndata = { path = "own.npz", moved = 2.0 }\n'
        '[[questions]]\nid = "a"\nask = "<script>x</script>"\nvary = { neurons = [4, 16] }\n'
    )

    html = siffra.run_lab(lab, epochs=1, seeds=1, store=own["store"], threads=1)._repr_html_()

    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_an_unknown_knob_is_named(own):
    with pytest.raises(ConfigError, match="did you mean `batch_size`"):
        siffra.train(**own, bacth_size=3)  # pyright: ignore[reportCallIssue]
