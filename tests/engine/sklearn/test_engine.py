"""Estimators of scikit-learn's as siffra fits them: as they fit themselves, and told in a line."""

from dataclasses import replace

import numpy as np
import pytest
from estimators import Nearest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import log_loss
from small import small_dataset

from siffra.config import Setting, as_model
from siffra.data.dataset import Images
from siffra.engine.choice import engine_for
from siffra.engine.native.engine import NativeEngine
from siffra.engine.sklearn.engine import SklearnEngine
from siffra.errors import ConfigError, ModelFileError
from siffra.training.model_file import save_model
from siffra.training.run import run, run_key

DATASET = small_dataset()
ROWS = DATASET.train.x.reshape(53, -1) / np.float32(255)


def fitted(kind, seed=1, **knobs):
    setting = Setting.from_knobs({"model": as_model(kind), **knobs})
    return run(setting, DATASET, seed, NativeEngine(1))


def test_it_is_scikit_learn_s_own_fit():
    record, found = fitted(RandomForestClassifier, seed=7, n_estimators=9, max_depth=3)
    forest = RandomForestClassifier(n_estimators=9, max_depth=3, random_state=7)
    forest.fit(ROWS, DATASET.train.y)

    test = DATASET.test.x.reshape(31, -1) / np.float32(255)
    np.testing.assert_allclose(found.predict(DATASET.test.x), forest.predict_proba(test), rtol=1e-6)
    assert record.accuracy["test"] == forest.score(test, DATASET.test.y)
    (epoch,) = record.epochs
    # Shares of 0 count as 1e-7 here and as float64's epsilon there; this forest has none.
    assert epoch.loss == pytest.approx(log_loss(DATASET.train.y, forest.predict_proba(ROWS)))
    assert epoch.accuracy["train"] == forest.score(ROWS, DATASET.train.y)
    assert epoch.seconds == record.seconds > 0


def test_the_record_says_what_it_is():
    record, _ = fitted(Nearest, directions=3)

    assert (record.engine, record.engine_version, record.parameters) == ("sklearn", 1, 0)
    assert "scikit-learn" in record.machine.versions
    assert not record.diverged
    assert record.setting.knobs() == {"model": "estimators:Nearest", "directions": 3}


def test_whatever_engine_trains_networks_an_estimator_has_its_own():
    model = Setting.from_knobs({"model": as_model(Nearest)}).model
    dense = Setting.from_knobs({}).model
    native = NativeEngine(1)

    assert isinstance(engine_for(model, native), SklearnEngine)
    assert engine_for(model, native).threads == 1
    assert engine_for(dense, native) is native


def test_the_key_depends_on_the_version_of_the_library():
    setting = Setting.from_knobs({"model": as_model(RandomForestClassifier)})
    model = setting.model.model_copy(update={"source": "scikit-learn 99"})
    newer = Setting(model, setting.training)
    engine = NativeEngine(1)

    assert run_key(setting, DATASET, 0, engine) != run_key(newer, DATASET, 0, engine)


def test_the_result_does_not_depend_on_the_number_of_threads():
    setting = Setting.from_knobs({"model": as_model(RandomForestClassifier), "n_estimators": 20})
    one, two = (
        SklearnEngine(threads).fit(setting.model, setting.training, DATASET, 3, lambda *told: None)
        for threads in (1, 2)
    )

    assert (one.predict(DATASET.train.x) == two.predict(DATASET.train.x)).all()


def test_numpy_s_global_generator_is_left_as_it_was():
    np.random.seed(5)  # noqa: NPY002
    undisturbed = np.random.random(3)  # noqa: NPY002

    np.random.seed(5)  # noqa: NPY002
    fitted(Nearest)

    assert (np.random.random(3) == undisturbed).all()  # noqa: NPY002


def test_classes_that_training_images_lack_have_no_share():
    some = DATASET.train.y != 1
    train = Images(DATASET.train.x[some], DATASET.train.y[some])
    setting = Setting.from_knobs({"model": as_model(DummyClassifier)})

    found = SklearnEngine().fit(
        setting.model, setting.training, replace(DATASET, train=train), 0, lambda *told: None
    )

    shares = found.predict(DATASET.test.x)
    assert (shares[:, 1] == 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1)


def test_it_is_not_saved_as_a_network_is(tmp_path):
    record, found = fitted(Nearest)

    with pytest.raises(ModelFileError, match="siffra saves networks alone"):
        save_model(tmp_path / "m.safetensors", found, record, DATASET)
    with pytest.raises(ModelFileError, match="has none that siffra knows"):
        SklearnEngine().load(record.model, DATASET.image_shape, 3, {})


class Fails(ClassifierMixin, BaseEstimator):
    def fit(self, x, y):
        raise RuntimeError("no luck\ntoday")

    def predict(self, x): ...


class Invents(ClassifierMixin, BaseEstimator):
    def fit(self, x, y):
        return self

    def predict(self, x):
        return np.full(len(x), 2.5)


@pytest.mark.parametrize(
    ("kind", "knobs", "told"),
    [
        (Fails, {}, "test_engine:Fails fails: RuntimeError: no luck today."),
        (Invents, {}, "it gives [2.5 2.5 2.5], which are no classes 0 to 2."),
        (RandomForestClassifier, {"n_estimators": "many"}, "The 'n_estimators' parameter of"),
    ],
)
def test_what_fails_is_told_in_a_line(kind, knobs, told):
    with pytest.raises(ConfigError) as error:
        fitted(kind, **knobs)

    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_name_alone_runs_nothing():
    model = Setting.from_knobs({"model": as_model(Nearest)}).model
    named = type(model).model_validate_json(model.model_dump_json())

    with pytest.raises(ConfigError, match="is only a name here; its class was not loaded"):
        SklearnEngine().prepare(named, Setting.from_knobs({}).training, DATASET)
