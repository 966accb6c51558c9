"""A saved model predicts as it did, and no other file passes for one."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file
from small import NETWORKS, small_dataset

import siffra
from siffra.api import export_model
from siffra.config import Setting
from siffra.data.dataset import Images
from siffra.engine.native.engine import NativeEngine
from siffra.errors import ModelFileError
from siffra.training.model_file import load_model, save_model
from siffra.training.run import run

DATASET = small_dataset()


@pytest.fixture
def saved(tmp_path):
    setting = Setting.from_knobs({**NETWORKS[4], "epochs": 1, "batch_size": 8})
    record, fitted = run(setting, DATASET, 3, NativeEngine())
    path = tmp_path / "model.safetensors"
    save_model(path, fitted, record, DATASET)
    return path, record, fitted


def test_a_saved_model_predicts_as_it_did(saved):
    path, record, fitted = saved

    model = load_model(path)
    loaded = NativeEngine().load(
        model.setting.model, model.image_shape, model.classes, model.weights
    )

    assert (model.setting, model.seed) == (record.setting, 3)
    assert model.accuracy == record.accuracy
    np.testing.assert_array_equal(loaded.predict(DATASET.test.x), fitted.predict(DATASET.test.x))


def test_names_of_classes_are_saved(saved, tmp_path):
    path, record, fitted = saved
    named = replace(DATASET, class_names=("cat", "dog", "eel"))

    save_model(tmp_path / "named.safetensors", fitted, record, named)

    assert load_model(tmp_path / "named.safetensors").class_names == ("cat", "dog", "eel")
    assert load_model(path).class_names == ()


@pytest.mark.parametrize("shape", [(1, 10_050), (2, 3, 1_100)], ids=["side", "channels"])
def test_whatever_is_trained_can_be_saved(tmp_path, shape):
    rng = np.random.default_rng(0)
    x, y = rng.random((60, *shape), np.float32), np.arange(60) % 3
    result = siffra.train(data=(x, y), neurons=2, epochs=1)

    result.save(tmp_path / "model.safetensors")

    assert load_model(tmp_path / "model.safetensors").image_shape[: len(shape)] == shape


def test_saving_leaves_nothing_but_the_file(saved):
    path, _, _ = saved

    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_is_told_in_one_line(saved, tmp_path):
    _, record, fitted = saved

    with pytest.raises(ModelFileError, match="cannot be written: No such file"):
        save_model(tmp_path / "nowhere" / "m.safetensors", fitted, record, DATASET)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"#!/bin/sh\necho a script, longer than a header's length\n", "not a safetensors file"),
        (b"", "not a safetensors file"),
        (b"\x80\x04pickle", "not a safetensors file"),
        (b"\xff" * 64, "not a safetensors file"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    path = tmp_path / "x.safetensors"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ModelFileError, match=message):
        load_model(path)


def test_weights_saved_by_other_programs_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"w": np.zeros(3)}, path)

    with pytest.raises(ModelFileError, match="not saved by `siffra train --save`"):
        load_model(path)


def test_a_header_that_does_not_hold_together_is_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"w": np.zeros(3)}, path, metadata={"siffra": '{"model": {"kind": "dense"}}'})

    with pytest.raises(ModelFileError, match="another version of siffra"):
        load_model(path)


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"image_shape": [-12, 10, 2]}, "image_shape.0"),
        ({"image_shape": [12, 10**9, 2]}, "image_shape.1"),
        ({"image_shape": [12, 10, 0]}, "image_shape.2"),
        ({"classes": -3}, "classes"),
        ({"classes": 10**12}, "classes"),
    ],
)
def test_sizes_that_cannot_be_are_refused(saved, wrong, where):
    path, _, _ = saved
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["siffra"]) | wrong
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(weights, path, metadata={"siffra": json.dumps(header)})

    with pytest.raises(ModelFileError, match=f"{where}"):
        load_model(path)


def rewritten(saved, change=lambda name, array: array, **header):
    """The saved file with other weights, or another header."""
    path, _, _ = saved
    with safe_open(path, framework="numpy") as file:
        told = json.loads(file.metadata()["siffra"]) | header
        weights = {name: change(name, file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    save_file(weights, path, metadata={"siffra": json.dumps(told)})
    return path


@pytest.mark.parametrize("kind", [np.uint32, np.int32, np.float64, np.float16, np.uint8])
def test_weights_of_another_type_are_refused(saved, kind):
    path = rewritten(saved, lambda name, array: (100 * array).astype(np.int32).astype(kind))

    with pytest.raises(ModelFileError, match=r"weights: `conv_1.kernel` is 4x4x2x5 \w\d+; the mod"):
        load_model(path)


def test_weights_of_another_shape_are_refused(saved):
    path = rewritten(saved, lambda name, array: array[..., :1].copy())

    with pytest.raises(ModelFileError, match=r"model.safetensors: weights: `conv_1.kernel` is "):
        load_model(path)


def test_names_of_more_classes_than_there_are_are_refused(saved):
    path = rewritten(saved, class_names=["a", "b"])

    with pytest.raises(ModelFileError, match=r"names 2 classes and has 3"):
        load_model(path)


@pytest.mark.parametrize(
    "header", [{"class_names": ["a", "b\u202ec", "d"]}, {"dataset": "\x1b[2J"}]
)
def test_names_that_show_as_something_else_are_refused(saved, header):
    path = rewritten(saved, **header)

    with pytest.raises(ModelFileError, match=r"a name in its header has the character U\+"):
        load_model(path)


@pytest.mark.parametrize("neurons", [[10**6, 10**6], [10**6] * 50])
def test_a_network_too_large_to_be_one_is_refused_without_room_for_it(saved, neurons):
    model = {"kind": "dense", "neurons": neurons}
    path = rewritten(saved, model=model)

    with pytest.raises(ModelFileError, match=r"its header describes no network: .* parameters"):
        load_model(path)


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ("", "its header cannot be read"),
        ("[]", "its header cannot be read"),
        ('{"model": 1', "its header cannot be read"),
        ("{}", "`model` in its header cannot be read"),
    ],
)
def test_a_damaged_header_is_told_with_what_is_wrong(tmp_path, described, message):
    path = tmp_path / "x.safetensors"
    save_file({"w": np.zeros(3, np.float32)}, path, metadata={"siffra": described})

    with pytest.raises(ModelFileError, match=message):
        load_model(path)


@pytest.mark.parametrize("accuracy", [float("nan"), float("inf"), 7.0, -1])
def test_an_accuracy_that_is_no_share_is_refused(saved, accuracy):
    path = rewritten(saved, accuracy={"test": accuracy})

    with pytest.raises(ModelFileError, match=r"`accuracy.test`"):
        load_model(path)


@pytest.mark.parametrize("name", ["model.h5", "model.keras", "model.PT", "model.pkl", "model.json"])
def test_a_model_is_saved_under_no_name_of_another_format(saved, tmp_path, name):
    _, record, fitted = saved

    with pytest.raises(ModelFileError, match=r"name it model.safetensors, .* or model.onnx"):
        save_model(tmp_path / name, fitted, record, DATASET)

    assert not (tmp_path / name).exists()


def test_the_ground_of_the_training_images_is_saved(saved, tmp_path):
    path, record, fitted = saved
    x = np.zeros((20, 12, 10, 1), np.uint8)
    grounds = {}
    for shade in (0, 255):
        train = Images(x + np.uint8(shade), np.zeros(20, int))
        save_model(tmp_path / "m", fitted, record, replace(DATASET, train=train))
        with safe_open(tmp_path / "m", framework="numpy") as file:
            grounds[shade] = json.loads(file.metadata()["siffra"]).get("ground")

    # A dark ground is not mentioned: files are as they always were.
    assert grounds == {0: None, 255: "light"}
    assert load_model(path).ground == "mixed"  # of two channels


def test_every_truncation_is_refused(saved, tmp_path):
    path, _, _ = saved
    content = path.read_bytes()
    cut = tmp_path / "cut.safetensors"

    for length in (7, 8, 200, len(content) // 2, len(content) - 1):
        cut.write_bytes(content[:length])
        with pytest.raises(ModelFileError):
            load_model(cut)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_model_that_diverged_is_exported_for_no_other_program(saved, tmp_path, number):
    path = rewritten(saved, lambda name, array: np.full_like(array, number))

    with pytest.raises(ModelFileError, match="the model diverged in training"):
        export_model(path, tmp_path / "out.onnx")

    assert not (tmp_path / "out.onnx").exists()
