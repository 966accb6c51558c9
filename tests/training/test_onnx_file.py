"""An exported model says what siffra says: held against onnxruntime, over every kind of layer."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from small import LAYERS, NETWORKS, small_dataset

from siffra.config import ModuleModel, Setting, Training
from siffra.engine.native.engine import NativeEngine
from siffra.engine.network import build_network
from siffra.engine.rng import initial_weights
from siffra.errors import ConfigError, ModelFileError
from siffra.training.model_file import SavedModel, load_model
from siffra.training.onnx_file import onnx_model, save_onnx

# Both compute in float32, in another order; probabilities are at most 1.
ATOL = 1e-5

SHAPE = (12, 10, 2)
IMAGES = small_dataset(SHAPE).test.x
MORE = (
    {"model": "conv", "filters": [4, 3], "kernel_size": 3, "strides": [2, 1], "padding": "same"},
    {"model": "conv", "filters": 5, "kernel_size": 6, "strides": 4, "padding": "same"},
    {"model": "conv", "filters": 4, "kernel_size": 4, "pool_size": 3, "layers": 2},
    {"model": "conv", "filters": [3, 4], "kernel_size": 2, "pool_size": 2, "pooling": "average"},
    {"model": "conv", "filters": 4, "kernel_size": 5, "batch_norm": True, "activation": "gelu"},
    {"model": "conv", "filters": 4, "kernel_size": 3, "space_to_depth": 2, "activation": "tanh"},
    {"neurons": [8, 8], "activation": "gelu", "batch_norm": True, "dropout": 0.5},
)


def saved_model(setting, accuracy, weights) -> SavedModel:
    return SavedModel(
        model=setting.model,
        training=setting.training,
        seed=0,
        dataset="blobs",
        fingerprint="",
        image_shape=SHAPE,
        classes=3,
        accuracy=accuracy,
        weights=weights,
    )


def drawn(knobs) -> SavedModel:
    """A model with weights that no layer leaves out of sight: biases and norms are drawn too."""
    setting = Setting.from_knobs(knobs)
    weights = initial_weights(build_network(setting.model, SHAPE, 3), 0)
    rng = np.random.default_rng(1)
    for name, array in weights.items():
        if not name.endswith("kernel"):
            array += rng.uniform(-0.4, 0.4, array.shape).astype(np.float32)
    return saved_model(setting, {"test": 0.5}, weights)


def siffra_says(saved, images):
    engine = NativeEngine(threads=1)
    return engine.load(saved.setting.model, SHAPE, 3, saved.weights).predict(images)


def onnxruntime_says(model, images):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return np.asarray(session.run(["probabilities"], {"images": images})[0])


@pytest.mark.parametrize("knobs", NETWORKS + LAYERS + MORE, ids=str)
def test_onnxruntime_says_what_siffra_says(knobs):
    saved = drawn(knobs)
    model = onnx_model(saved)

    for count in (1, len(IMAGES)):
        images = IMAGES[:count].astype(np.float32) / np.float32(255)
        expected = siffra_says(saved, images)
        assert expected.std(axis=0).max() > 1e-3 or count == 1  # images are told apart
        np.testing.assert_allclose(onnxruntime_says(model, images), expected, rtol=0, atol=ATOL)


@pytest.mark.parametrize("knobs", [NETWORKS[0], LAYERS[-1]], ids=str)
def test_bytes_can_be_its_input(knobs):
    saved = drawn(knobs)

    found = onnxruntime_says(onnx_model(saved, pixels="uint8"), IMAGES)

    np.testing.assert_allclose(found, siffra_says(saved, IMAGES), rtol=0, atol=ATOL)


def test_no_images_give_no_probabilities():
    empty = np.zeros((0, *SHAPE), np.float32)

    assert onnxruntime_says(onnx_model(drawn(NETWORKS[0])), empty).shape == (0, 3)


def test_the_file_tells_what_is_in_it(tmp_path):
    path = tmp_path / "m.onnx"
    saved = drawn(LAYERS[-1])

    save_onnx(path, saved)

    told = {prop.key: prop.value for prop in onnx.load(path).metadata_props}
    assert json.loads(told["siffra.model"])["filters"] == [5, 6]
    assert Training.model_validate_json(told["siffra.training"]) == saved.setting.training
    assert json.loads(told["siffra.classes"]) == ["0", "1", "2"]
    assert json.loads(told["siffra.accuracy"]) == {"test": 0.5}
    assert list(tmp_path.iterdir()) == [path]


def test_classes_with_names_are_told_by_them():
    named = drawn(NETWORKS[0]).model_copy(update={"class_names": ("cat", "dog", "eel")})

    told = {prop.key: prop.value for prop in onnx_model(named).metadata_props}

    assert json.loads(told["siffra.classes"]) == ["cat", "dog", "eel"]


def test_other_pixels_are_refused():
    with pytest.raises(ConfigError, match="pixels: found 'uint9'; did you mean `uint8`"):
        onnx_model(drawn(NETWORKS[0]), pixels="uint9")


def test_a_module_of_one_s_own_is_refused():
    model = ModuleModel(factory="mine:make", source="0")
    saved = saved_model(Setting(model, Training()), {}, {})

    with pytest.raises(ModelFileError, match="mine:make is a module of your own"):
        onnx_model(saved)


def test_siffra_does_not_take_it_for_its_own(tmp_path):
    path = tmp_path / "m.onnx"
    save_onnx(path, drawn(NETWORKS[0]))

    with pytest.raises(ModelFileError, match=r"name the \.safetensors"):
        load_model(path)
