"""A classifier of scikit-learn's becomes a model with knobs, and every mistake in it is named."""

import pickle
import sys

import pytest
from pydantic import TypeAdapter
from sklearn import __version__ as version
from sklearn.ensemble import RandomForestClassifier
from sklearn.neural_network import MLPClassifier

from siffra.config import (
    Estimator,
    EstimatorModel,
    Model,
    Setting,
    Training,
    as_model,
    knobs_of,
    load_factory,
)
from siffra.config.setting import override
from siffra.errors import ConfigError

FOREST = "sklearn.ensemble:RandomForestClassifier"
OWN = """
class Mine:
    def __init__(self, power: float = 1.0, classes=2): ...
    def fit(self, x, y): ...
    def predict(self, x): ...

class Needs(Mine):
    def __init__(self, power): ...

class Seeded(Mine):
    def __init__(self, seed=1): ...
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def setting(**knobs):
    return Setting.from_knobs(knobs)


def test_parameters_are_knobs_but_for_those_that_are_filled_in():
    forest = as_model(FOREST)

    assert isinstance(forest, Estimator)
    assert forest.given == ("n_jobs", "random_state")
    assert {"n_estimators", "max_depth", "bootstrap"} < set(forest.knobs)
    assert not {"n_jobs", "random_state"} & set(forest.knobs)
    assert forest.defaults["n_estimators"] == 100
    assert set(knobs_of(forest)) == {"model", *forest.knobs}


def test_a_class_is_its_name():
    by_class, by_name = as_model(RandomForestClassifier), as_model(FOREST)

    assert (
        (by_class, by_class.source)
        == (by_name, by_name.source)
        == (
            FOREST,
            f"scikit-learn {version}",
        )
    )


def test_an_own_class_is_known_by_its_file(folder):
    before = load_factory("mine:Mine", folder)
    (folder / "mine.py").write_text(OWN + "\n# edited")
    after = load_factory("mine:Mine", folder)

    assert before.source != after.source
    assert before.source.endswith(f", scikit-learn {version}")
    assert before.given == ("classes",)


def test_a_setting_has_the_arguments_that_are_not_as_usual():
    model = as_model(MLPClassifier)
    some = setting(model=model, hidden_layer_sizes=[50, 20], alpha=1, max_iter=200, tol=1e-4)

    assert some.model == EstimatorModel(
        factory="sklearn.neural_network:MLPClassifier",
        source=f"scikit-learn {version}",
        arguments=(("hidden_layer_sizes", (50, 20)), ("alpha", 1.0)),
    )
    assert some.training == Training(epochs=1)
    assert some.knobs() == {"model": model, "hidden_layer_sizes": (50, 20), "alpha": 1.0}
    assert Setting.from_knobs(some.knobs()) == some
    assert hash(some) == hash(Setting.from_knobs(some.knobs()))


def test_none_can_be_written():
    forest = as_model(FOREST)

    assert setting(model=forest, max_depth="None") == setting(model=forest)
    none = setting(model=forest, max_features="None").model
    assert isinstance(none, EstimatorModel)
    assert none.arguments == (("max_features", None),)


def test_of_a_base_only_its_own_knobs_are_of_use():
    base = {"learning_rate": 0.1, "epochs": 5, "neurons": 4, "n_estimators": 7}

    knobs = override(base, {"model": as_model(FOREST)})

    assert set(knobs) == {"model", "n_estimators"}


def test_a_base_for_networks_does_not_speak_to_parameters_that_are_called_alike():
    boosting = as_model("sklearn.ensemble:GradientBoostingClassifier")

    of_networks = override({"learning_rate": 0.7}, {"model": boosting})
    of_its_own = override({"learning_rate": 0.7, "model": boosting}, {"max_depth": 2})

    assert "learning_rate" not in of_networks
    assert of_its_own["learning_rate"] == 0.7


def test_it_comes_back_from_json_as_a_name_that_runs_nothing():
    model = setting(model=as_model(FOREST), max_depth=3, max_features=0.5).model

    back = TypeAdapter(Model).validate_json(model.model_dump_json())

    assert back == model
    assert isinstance(back, EstimatorModel)
    assert not isinstance(back.factory, Estimator)


@pytest.mark.parametrize("name", [FOREST, "mine:Mine"])
def test_it_goes_to_other_processes_whole(folder, name):
    model = setting(model=load_factory(name, folder)).model

    again = pickle.loads(pickle.dumps(model))

    assert again == model
    assert isinstance(again.factory, Estimator)
    assert again.factory.make.__name__ == name.partition(":")[2]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("os:system", "there is no os.py in "),
        ("subprocess:Popen", "there is no subprocess.py in "),
        ("nowhere.at:All", "there is no nowhere/at.py in "),
        ("sklearn.forest:Forest", "there is no sklearn/forest.py in "),
        ("sklearn.svm:SVCC", "sklearn.svm has no classifier `SVCC`, a class with fit and predict;"),
        ("sklearn.svm:SVR", "sklearn.svm has no classifier `SVR`"),
        ("sklearn.cluster:KMeans", "sklearn.cluster has no classifier `KMeans`"),
        ("sklearn.metrics:accuracy_score", "sklearn.metrics has no classifier `accuracy_score`"),
        ("numpy:load", "numpy has no classifier `load`"),
        ("mine:Needs", "mine:Needs: its parameter `power` needs a default"),
        ("mine:Seeded", "mine:Seeded: its parameter `seed` is called as siffra's own is"),
    ],
)
def test_what_is_no_classifier_is_refused_in_a_line(folder, name, told):
    with pytest.raises(ConfigError) as error:
        as_model(name)

    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("knobs", "told"),
    [
        ({"n_estimator": 5}, "n_estimator: no such knob; did you mean `n_estimators`?"),
        ({"epochs": 3}, f"epochs: a {FOREST} model has no such knob, since it is not trained in"),
        ({"neurons": 3}, f"neurons: a {FOREST} model has no such knob; it belongs to"),
        ({"max_depth": {"a": 1}}, "max_depth: found {'a': 1}; it must be a number, a text, true"),
        ({"max_features": float("nan")}, "max_features: found nan; it must be a number, a text"),
    ],
)
def test_knobs_are_checked(knobs, told):
    with pytest.raises(ConfigError) as error:
        setting(model=as_model(FOREST), **knobs)

    assert str(error.value).startswith(told)


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, name)

    class Nowhere:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "sklearn":
                raise ModuleNotFoundError("No module named 'sklearn'", name=name)

    monkeypatch.setattr(sys, "meta_path", [Nowhere, *sys.meta_path])

    with pytest.raises(
        ConfigError, match=r"needs scikit-learn; run `pip install 'siffra\[sklearn\]'"
    ):
        as_model(FOREST)
