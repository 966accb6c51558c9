"""The classifier for scikit-learn: what that asks of one, and that it is siffra's own training."""

import inspect
import io
import pickle
import re
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from small import small_dataset

from siffra import SiffraClassifier
from siffra.api.arguments import make_engine
from siffra.config import KNOBS, Setting
from siffra.data.dataset import Images
from siffra.engine.native.engine import NativeEngine
from siffra.errors import ConfigError

PAGE = Path(__file__).parents[2] / "docs" / "sklearn.md"
DATASET = small_dataset()
ROWS = DATASET.train.x.reshape(len(DATASET.train), -1)
SHAPE = DATASET.image_shape


@parametrize_with_checks(
    [
        SiffraClassifier(),
        SiffraClassifier(optimizer="adam", learning_rate=0.01, neurons=[16, 16], batch_norm=True),
    ]
)
def test_scikit_learn_s_own_checks(estimator, check):
    check(estimator)


def test_every_knob_is_a_parameter_with_siffra_s_default():
    parameters = inspect.signature(SiffraClassifier).parameters
    own = {"image_shape", "scale", "engine", "threads", "random_state"}
    said = {n: p.default for n, p in parameters.items() if n not in own and p.default is not None}

    assert list(parameters)[: len(KNOBS)] == list(KNOBS)
    assert set(parameters) - set(KNOBS) == own
    assert Setting.from_knobs(said) == Setting.from_knobs({})


def test_what_is_no_parameter_is_refused_with_the_one_that_is_meant():
    with pytest.raises(TypeError, match="lr: no such knob; did you mean `learning_rate`"):
        SiffraClassifier(lr=0.1)  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("seed", [2**32 - 1, 2**32, 2**63 - 1, np.uint64(2**40)])
@pytest.mark.parametrize("engine", ["native", "torch"])
def test_a_seed_of_any_size_is_siffra_s(engine, seed):
    knobs: Any = {"neurons": 4, "epochs": 1, "batch_size": 30}
    fitted = SiffraClassifier(**knobs, engine=engine, threads=1, random_state=seed)
    fitted.fit(ROWS, DATASET.train.y)

    setting = Setting.from_knobs(knobs)
    rows = replace(DATASET, train=Images(ROWS.reshape(-1, *fitted._shape), DATASET.train.y))
    other = make_engine(1, engine).fit(
        setting.model, setting.training, rows, int(seed), lambda end, fitted: None
    )
    for name, weights in other.weights().items():
        np.testing.assert_array_equal(fitted.weights_[name], weights)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_siffra_has_not_is_refused(seed):
    with pytest.raises(ConfigError, match=r"random_state: found .*; it must be from 0 to"):
        SiffraClassifier(random_state=seed).fit(ROWS, DATASET.train.y)


@pytest.mark.parametrize(
    "knobs",
    [{"neurons": 5}, {"model": "conv", "kernel_size": 3, "filters": 4, "optimizer": "adam"}],
    ids=str,
)
def test_bytes_are_trained_on_as_siffra_does(knobs):
    knobs = {"batch_size": 8, "epochs": 2, "learning_rate": 0.1, **knobs}
    setting = Setting.from_knobs(knobs)
    fitted = NativeEngine().fit(
        setting.model, setting.training, DATASET, 4, lambda end, fitted: None
    )

    found = SiffraClassifier(**knobs, image_shape=SHAPE, random_state=4).fit(ROWS, DATASET.train.y)

    assert found.scale_ == 1 / 255
    assert found.n_iter_ == len(found.loss_curve_) == 2
    for name, array in fitted.weights().items():
        np.testing.assert_array_equal(found.weights_[name], array)
    test = DATASET.test.x.reshape(len(DATASET.test), -1)
    # Rows are grouped otherwise: some roundings of sums of at most 240 products.
    np.testing.assert_allclose(found.predict_proba(test), fitted.predict(DATASET.test.x), atol=1e-5)


def test_features_of_any_range_count_at_most_1_unless_a_scale_is_given():
    x, y = load_digits(return_X_y=True)  # 0 to 16
    x, y = x[:200], y[:200]

    auto = SiffraClassifier(epochs=2, random_state=0).fit(x, y)
    by_hand = SiffraClassifier(epochs=2, random_state=0, scale=1.0).fit(x / 16, y)

    assert auto.scale_ == 1 / 16
    np.testing.assert_array_equal(auto.predict_proba(x), by_hand.predict_proba(x / 16))


def test_a_row_s_probabilities_do_not_depend_on_the_others():
    x, y = load_digits(return_X_y=True)
    fitted = SiffraClassifier(epochs=1, random_state=0).fit(x, y)

    whole = fitted.predict_proba(x[:700])

    for size in (1, 3, 255, 300):
        np.testing.assert_array_equal(fitted.predict_proba(x[:size]), whole[:size])


def test_square_images_are_found_and_convolved():
    x, y = load_digits(return_X_y=True)
    model = SiffraClassifier("conv", kernel_size=3, learning_rate=0.3, batch_size=20, epochs=6)

    scores = cross_val_score(model.set_params(random_state=0), x, y, cv=3)

    assert scores.mean() > 0.9


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"learning_rate": -1}, "learning_rate: found -1"),
        ({"kernel_size": 3}, "kernel_size: a dense model has no such knob"),
        (
            {"model": "cov"},
            "model: found 'cov'; it must be dense, conv, or a model of your own as my_models:make.",
        ),
        ({"image_shape": (3, 3)}, r"image_shape: found \(3, 3\), but a row has 240 features"),
        ({"model": "conv"}, "image_shape: 240 features are no square image"),
        ({"augment": "move"}, "image_shape: 240 features are no square image"),
        ({"scale": 0}, "scale: found 0; it must be"),
        ({"scale": "max"}, "scale: found 'max'; it must be"),
        ({"engine": "jax"}, "engine: found 'jax'"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_told_in_a_line(parameters, told):
    model = SiffraClassifier(**parameters)

    with pytest.raises(ConfigError, match=told) as error:
        model.fit(ROWS, DATASET.train.y)

    assert "\n" not in str(error.value)
    assert not hasattr(model, "weights_")


def test_a_grid_of_knobs_is_searched():
    x, y = load_digits(return_X_y=True)
    model = SiffraClassifier(epochs=2, random_state=0)
    grid = {"neurons": np.array([2, 32]), "learning_rate": np.array([0.3])}

    search = GridSearchCV(model, grid, cv=2).fit(x[:400], y[:400])

    assert search.best_params_["neurons"] == 32
    assert search.best_estimator_.weights_["dense_1.kernel"].shape == (64, 32)


def test_it_works_behind_a_scaler_and_calibrated():
    x, y = load_breast_cancer(return_X_y=True)  # features of units far apart
    model = make_pipeline(StandardScaler(), SiffraClassifier(epochs=10, random_state=0))

    calibrated = CalibratedClassifierCV(model, cv=2).fit(x[:400], y[:400])

    assert calibrated.score(x[400:], y[400:]) > 0.93


def test_it_works_in_several_threads_at_once():
    x, y = load_digits(return_X_y=True)
    model = SiffraClassifier(epochs=2, random_state=0)

    alone = cross_val_score(model, x, y, cv=4)
    with joblib.parallel_backend("threading", n_jobs=4):
        together = cross_val_score(model, x, y, cv=4)

    np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize("engine", ["native", "torch"])
def test_what_was_fitted_can_be_kept(engine):
    fitted = SiffraClassifier(epochs=1, random_state=0, engine=engine, threads=1)
    fitted.fit(ROWS, DATASET.train.y)
    file = io.BytesIO()
    joblib.dump(fitted, file)
    file.seek(0)

    for again in (joblib.load(file), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(again.predict_proba(ROWS), fitted.predict_proba(ROWS))
    assert not hasattr(clone(fitted), "weights_")


def test_equal_seeds_give_equal_bits_and_others_do_not():
    def weights(random_state):
        model = SiffraClassifier(epochs=1, random_state=random_state)
        return model.fit(ROWS, DATASET.train.y).weights_["dense_1.kernel"]

    assert (weights(1) == weights(1)).all()
    assert (weights(1) != weights(2)).any()
    assert (weights(np.random.RandomState(1)) == weights(np.random.RandomState(1))).all()
    assert (weights(None) != weights(None)).any()


def test_divergence_is_warned_of_and_there_is_nothing_to_be_predicted():
    with pytest.warns(ConvergenceWarning, match="the training diverged: its loss is no longer"):
        model = SiffraClassifier(learning_rate=1e30, random_state=0).fit(ROWS, DATASET.train.y)

    for predict in (model.predict, model.predict_proba):
        with pytest.raises(ConfigError, match=r"^the training diverged: .* lower learning_rate"):
            predict(ROWS)


class TestPartialFit:
    def test_the_first_call_is_an_epoch_of_a_whole_training(self):
        knobs = {"optimizer": "adam", "batch_size": 8, "dropout": 0.2, "random_state": 3}

        whole = SiffraClassifier(**knobs, epochs=1).fit(ROWS, DATASET.train.y)
        part = SiffraClassifier(**knobs).partial_fit(ROWS, DATASET.train.y, classes=[0, 1, 2])

        np.testing.assert_array_equal(part.predict_proba(ROWS), whole.predict_proba(ROWS))

    @pytest.mark.parametrize(
        "knobs",
        [
            {"optimizer": "momentum", "momentum": 0.9},
            {"optimizer": "momentum", "momentum": 0.9, "batch_norm": True},
            {"optimizer": "nesterov", "ema": 0.5},
            {"optimizer": "adam"},
            {"optimizer": "muon", "neurons": [12, 8]},
        ],
        ids=str,
    )
    def test_the_optimizer_remembers(self, knobs):
        # A single row has a single order: three calls are three epochs, bit for bit.
        knobs = {"learning_rate": 0.01, "batch_size": 1, "random_state": 0, **knobs}
        x, y = ROWS[:1], np.array(["a"])

        three = SiffraClassifier(**knobs).partial_fit(x, y, classes=["a", "b"])
        three.partial_fit(x, y)
        three = pickle.loads(pickle.dumps(three))  # nor is it forgotten in a file
        three.partial_fit(x, y)
        expected = engine_weights(knobs, x, epochs=3)

        for name, array in expected.items():
            np.testing.assert_array_equal(three.weights_[name], array)

    def test_it_goes_on_where_fit_ended(self):
        model = SiffraClassifier(epochs=2, random_state=0).fit(ROWS, DATASET.train.y)
        before = model.weights_["dense_1.kernel"].copy()

        model.set_params(learning_rate=1e-6).partial_fit(ROWS[:9], DATASET.train.y[:9])

        assert model.n_iter_ == 3
        np.testing.assert_allclose(model.weights_["dense_1.kernel"], before, atol=1e-4)

    def test_what_cannot_go_on_is_refused(self):
        y = DATASET.train.y
        model = SiffraClassifier(random_state=0)

        with pytest.raises(ValueError, match="the first call of partial_fit needs all classes"):
            model.partial_fit(ROWS, y)
        model.partial_fit(ROWS, y, classes=[0, 1, 2])
        with pytest.raises(ValueError, match=r"found \[7\], which are none of the classes"):
            model.partial_fit(ROWS[:2], [0, 7])
        with pytest.raises(ValueError, match="those of the first call"):
            model.partial_fit(ROWS, y, classes=[0, 1])
        with pytest.raises(ConfigError, match="they were changed"):
            model.set_params(optimizer="adam").partial_fit(ROWS, y)
        with pytest.raises(ConfigError, match="does not know how many steps"):
            model.set_params(schedule="cosine").partial_fit(ROWS, y)
        with pytest.raises(ConfigError, match='partial_fit needs "native"'):
            SiffraClassifier(engine="torch").partial_fit(ROWS, y, classes=[0, 1, 2])


def test_the_page_s_example(capsys):
    source, shown = (
        re.findall(f"```{kind}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[0]
        for kind in ("python", "text")
    )

    exec(compile(source, str(PAGE), "exec"), {})

    found = re.findall(r"(?:accuracy|log loss) ([0-9.]+)", capsys.readouterr().out)
    told = re.findall(r"(?:accuracy|log loss) ([0-9.]+)", shown)
    # Another kind of CPU rounds otherwise; 1 % are 4 or 5 of its 450 images.
    assert [float(number) for number in found] == pytest.approx([*map(float, told)], abs=0.02)


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    class Nowhere:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "sklearn":
                raise ModuleNotFoundError("No module named 'sklearn'", name=name)

    for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "siffra.api.sklearn")
    monkeypatch.setattr(sys, "meta_path", [Nowhere, *sys.meta_path])

    with pytest.raises(ModuleNotFoundError, match=r"run `pip install 'siffra\[sklearn\]'`"):
        import_module("siffra.api.sklearn")


def engine_weights(knobs, x, epochs):
    """Weights of a training of siffra's own on the one row `x`, of the first of two classes."""
    knobs = {name: value for name, value in knobs.items() if name != "random_state"}
    setting = Setting.from_knobs({**knobs, "epochs": epochs})
    row = Images(x.reshape(1, *SHAPE), np.zeros(1, np.int64))
    dataset = replace(DATASET, classes=2, train=row)
    engine = NativeEngine()
    return engine.fit(
        setting.model, setting.training, dataset, 0, lambda end, fitted: None
    ).weights()
