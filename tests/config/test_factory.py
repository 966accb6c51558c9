"""A function of the user's becomes a model with knobs, and every mistake in it is named."""

import pickle
import subprocess
import sys

import pytest
from pydantic import TypeAdapter

from siffra.config import Factory, Model, ModuleModel, Setting, as_model, knobs_of, load_factory
from siffra.errors import ConfigError

SOURCE = """
from helpers_of_mine import ANSWER

def make(
    image_shape, classes, width: int = 8, rate: float = 1, skip=True, kind: "str" = "a", **more
):
    return image_shape, classes, width, rate, skip, kind, ANSWER

class Net:
    def __init__(self, classes, depth=2): ...
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "my_models.py").write_text(SOURCE)
    (tmp_path / "helpers_of_mine.py").write_text("ANSWER = 42")
    return tmp_path


def broken(folder, source, name="my_models:make"):
    (folder / "my_models.py").write_text(source)
    with pytest.raises(ConfigError) as error:
        load_factory(name, folder)
    return str(error.value)


def test_parameters_are_knobs_with_their_types_and_defaults(folder):
    factory = load_factory("my_models:make", folder)

    assert factory == "my_models:make"
    assert factory.given == ("image_shape", "classes")
    assert {name: knob.type for name, knob in factory.knobs.items()} == {
        "width": int,
        "rate": float,
        "skip": bool,
        "kind": str,
    }
    assert factory.defaults == {"width": 8, "rate": 1.0, "skip": True, "kind": "a"}
    assert factory.make((2, 2, 1), 3) == ((2, 2, 1), 3, 8, 1, True, "a", 42)


def test_pickled_it_is_its_code_wherever_it_is_read(folder):
    factory = load_factory("my_models:make", folder)
    sent = pickle.dumps(factory)
    (folder / "my_models.py").write_text("def make(): ...")

    program = (
        "import pickle, sys\n"
        "factory = pickle.loads(sys.stdin.buffer.read())\n"
        "print(factory, factory.source, factory.make((2, 2, 1), 3), sep='\\n')\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], input=sent, capture_output=True, check=True
    ).stdout.decode()

    assert told.splitlines() == [
        "my_models:make", factory.source, "((2, 2, 1), 3, 8, 1, True, 'a', 42)"
    ]  # fmt: skip


def test_one_that_is_in_no_module_of_its_own_cannot_be_pickled():
    def make(classes): ...

    with pytest.raises(ConfigError, match=r"make is not in a module; put it into a file"):
        pickle.dumps(as_model(make))


def test_a_class_is_as_good_as_a_function(folder):
    factory = load_factory("my_models:Net", folder)

    assert (factory.given, factory.defaults) == (("classes",), {"depth": 2})


def test_the_first_folder_that_has_the_file_wins_and_packages_are_folders(folder, tmp_path):
    (tmp_path / "other" / "deep").mkdir(parents=True)
    (tmp_path / "other" / "my_models.py").write_text("def make(size=1): ...")
    (tmp_path / "other" / "deep" / "nets.py").write_text("def make(size=2): ...")

    assert load_factory("my_models:make", tmp_path / "other", folder).defaults == {"size": 1}
    assert load_factory("my_models:make", tmp_path / "nowhere", folder).defaults["width"] == 8
    assert load_factory("deep.nets:make", tmp_path / "other").defaults == {"size": 2}


def test_an_edited_file_is_another_source_and_is_read_anew(folder):
    before = load_factory("my_models:make", folder)
    (folder / "my_models.py").write_text(SOURCE.replace("width: int = 8", "width: int = 9"))
    after = load_factory("my_models:make", folder)

    assert before.source != after.source
    assert (before.defaults["width"], after.defaults["width"]) == (8, 9)


def test_a_setting_has_all_its_arguments(folder):
    factory = load_factory("my_models:make", folder)
    setting = Setting.from_knobs({"model": factory, "rate": 2, "epochs": 3})

    assert setting.model == ModuleModel(
        factory="my_models:make",
        source=factory.source,
        arguments=(("width", 8), ("rate", 2.0), ("skip", True), ("kind", "a")),
    )
    assert setting.knobs() | {"learning_rate": 0.7} == {
        "model": "my_models:make",
        "width": 8,
        "rate": 2.0,
        "skip": True,
        "kind": "a",
        "learning_rate": 0.7,
        "batch_size": 140,
        "epochs": 3,
        "optimizer": "sgd",
    }
    assert Setting.from_knobs(setting.knobs()) == setting
    assert hash(setting) == hash(Setting.from_knobs(setting.knobs()))


def test_it_comes_back_from_json_as_a_name_that_runs_nothing(folder):
    model = Setting.from_knobs({"model": load_factory("my_models:make", folder)}).model

    back = TypeAdapter(Model).validate_json(model.model_dump_json())

    assert back == model
    assert isinstance(back, ModuleModel)
    assert not isinstance(back.factory, Factory)


def test_a_function_of_a_notebook_will_do():
    def make(classes: int, width: int = 3): ...

    factory = as_model(make)

    assert factory.endswith(":test_a_function_of_a_notebook_will_do.<locals>.make")
    assert factory.defaults == {"width": 3}
    assert as_model(factory) is factory
    assert as_model("dense") == "dense"


def test_an_imported_function_is_the_same_as_its_name(folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    import my_models  # pyright: ignore[reportMissingImports]

    imported, named = as_model(my_models.make), load_factory("my_models:make", folder)

    assert (imported, imported.source) == (named, named.source)


def test_without_a_file_there_is_no_function_whoever_asks(folder, monkeypatch):
    monkeypatch.chdir(folder)

    with pytest.raises(ConfigError, match="it must be dense, conv, or a model"):
        Setting.from_knobs({"model": "my_models:make"})
    with pytest.raises(ConfigError, match=f"there is no os.py in {folder}"):
        as_model("os:system")


@pytest.mark.parametrize(
    ("knobs", "told"),
    [
        ({"width": 2.5}, "width: found 2.5; it must be a whole number."),
        ({"width": True}, "width: found True; it must be a whole number."),
        ({"rate": "x"}, "rate: found 'x'; it must be a number."),
        ({"skip": 1}, "skip: found 1; it must be true or false."),
        ({"kind": 1}, "kind: found 1; it must be a text."),
        ({"widht": 1}, "widht: no such knob; did you mean `width`?"),
        (
            {"neurons": 1},
            "neurons: a my_models:make model has no such knob; it belongs to the model conv.",
        ),
    ],
)
def test_knobs_are_checked(folder, knobs, told):
    with pytest.raises(ConfigError) as error:
        Setting.from_knobs({"model": load_factory("my_models:make", folder), **knobs})

    assert str(error.value) == told


def test_the_knobs_of_a_model_are_those_of_training_and_its_own(folder):
    known = knobs_of(load_factory("my_models:make", folder))

    assert {"model", "learning_rate", "augment", "width", "skip"} < set(known)
    assert "neurons" not in known


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("my_models", "model: found 'my_models'; name a function as `my_models:make`."),
        ("../my_models:make", "model: found '../my_models:make'; name a function as"),
        ("my_models:a.b", "model: found 'my_models:a.b'; name a function as"),
        ("mine:make", "model: mine:make: there is no mine.py in "),
        ("my_models:mak", "my_models.py has no function `mak`; did you mean `make`?"),
    ],
)
def test_what_is_not_there_is_named(folder, name, told):
    with pytest.raises(ConfigError) as error:
        load_factory(name, folder)

    assert told in str(error.value)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def make(:", "model: my_models.py, line 1: SyntaxError: invalid syntax."),
        ("x = 1\ny = 1 / 0", "model: my_models.py, line 2: ZeroDivisionError: division by zero."),
        ("x = 1", "model: my_models:make: my_models.py has no function `make`; it has none."),
        (
            "def make(width): ...",
            "model: my_models:make: its parameter `width` needs a default that is a number, "
            "a text, True or False (only `image_shape` and `classes` need none).",
        ),
        ("def make(a=None): ...", "model: my_models:make: its parameter `a` needs a default"),
        (
            "def make(momentum=0.1): ...",
            "model: my_models:make: its parameter `momentum` is called as a knob of training is; "
            "give it another name.",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_told_in_a_line(folder, source, told):
    assert broken(folder, source).startswith(told)


def test_a_file_that_needs_pytorch_says_how_to_get_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)

    assert broken(folder, "import torch") == (
        "model: my_models.py needs PyTorch; run `pip install 'siffra[torch]'`."
    )


def test_the_path_of_python_is_left_as_it_was(folder):
    before = list(sys.path)

    load_factory("my_models:make", folder)

    assert sys.path == before
