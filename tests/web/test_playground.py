"""What the playground shows is what the networks see, compute and answer."""

import base64
import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from reference import ReferenceEngine
from safetensors import safe_open
from safetensors.numpy import save_file
from scipy.ndimage import affine_transform
from torch.nn import functional

from siffra.config import Setting
from siffra.engine.network import build_network
from siffra.engine.rng import initial_weights
from siffra.errors import ModelFileError
from siffra.report.text.messages import words_in
from siffra.training.examination import PIXELS
from siffra.web import models as models_module
from siffra.web.activations import first_response
from siffra.web.errors import ApiError
from siffra.web.models import SHIPPED, Models, shipped, shipped_examination
from siffra.web.paths import Paths
from siffra.web.playground import Picture, digit, predicted
from siffra.web.uploads import PictureFile, digit_in

# float32 with some 600 terms a sum, each rounded: well below this.
RTOL = 1e-4


@pytest.fixture(scope="module")
def dataset(digits):
    return digits(20)


@pytest.fixture
def models(tmp_path) -> Models:
    return Models(Paths(tmp_path / "runs.sqlite"), ReferenceEngine())


def pixels_of(answer) -> np.ndarray:
    return np.frombuffer(base64.b64decode(answer["pixels"]), np.uint8).reshape(28, 28)


def test_a_digit_that_is_not_moved_is_seen_as_it_is(models, dataset):
    answer = predicted(Picture(models=["dense"], digit=3), models, dataset)

    np.testing.assert_array_equal(pixels_of(answer), dataset.test.x[3, :, :, 0])
    assert answer["label"] == dataset.test.y[3]


def test_it_is_moved_right_and_down(models, dataset):
    answer = predicted(Picture(models=["dense"], digit=3, dx=4, dy=-2), models, dataset)

    expected = np.zeros((28, 28), np.uint8)
    expected[:-2, 4:] = dataset.test.x[3, 2:, :-4, 0]
    np.testing.assert_array_equal(pixels_of(answer), expected)


def test_it_is_turned_counter_clockwise(models, dataset):
    answer = predicted(Picture(models=["dense"], digit=3, angle=90), models, dataset)

    # A quarter turn's cosine is not quite zero: a pixel may be off by the rounding to bytes.
    expected = np.rot90(dataset.test.x[3, :, :, 0]).astype(int)
    assert abs(pixels_of(answer) - expected).max() <= 1


def test_it_is_scaled_and_turned_about_the_centre_and_then_moved(models, dataset):
    picture = Picture(models=["dense"], digit=5, dx=2.5, dy=1, angle=30, scale=0.8)
    answer = predicted(picture, models, dataset)

    cos, sin = 0.8 * np.cos(np.deg2rad(30)), 0.8 * np.sin(np.deg2rad(30))
    forth = np.array([[cos, -sin], [sin, cos]])  # (row, column), rows going down
    back = np.linalg.inv(forth)
    offset: Any = 13.5 - back @ (13.5 + np.array([1, 2.5]))
    image = dataset.test.x[5, :, :, 0].astype(float)
    expected = affine_transform(image, back, offset, order=1, mode="grid-constant")
    assert abs(pixels_of(answer) - expected).max() <= 1


def test_the_probabilities_are_the_network_s(models, dataset):
    picture = Picture(models=["dense", "conv"], digit=0)
    answer = predicted(picture, models, dataset)

    for told in answer["models"]:
        assert sum(told["probabilities"]) == pytest.approx(1, abs=1e-5)
        assert np.argmax(told["probabilities"]) == dataset.test.y[0]


def test_pixels_of_the_page_s_own_are_taken(models, dataset):
    image = dataset.test.x[1, :, :, 0]
    own = Picture(models=["dense"], pixels=base64.b64encode(image.tobytes()).decode())

    drawn = predicted(own, models, dataset)
    taken = predicted(Picture(models=["dense"], digit=1), models, dataset)

    assert drawn["label"] is None
    assert drawn["models"] == taken["models"]


def saved_as_run(models, **changed):
    """A shipped network as a run's, whose file says something else of its data."""
    with safe_open(SHIPPED / "dense.safetensors", framework="numpy") as file:
        header = json.loads(file.metadata()["siffra"]) | changed
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    path = models._paths.model("0" * 64)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, path, metadata={"siffra": json.dumps(header)})
    return f"run-{'0' * 64}"


def test_classes_have_the_names_of_the_network_s_data(models):
    names = [f"letter {letter}" for letter in "abcdefghij"]
    run = saved_as_run(models, class_names=names)

    labels = {each["id"]: each["labels"] for each in models.described(words_in("en"))}
    assert labels[run] == names
    assert labels["dense"] == list("0123456789")


def test_a_network_of_dark_digits_is_shown_the_digit_turned_over(models, dataset):
    run = saved_as_run(models, ground="light")
    other = base64.b64encode((255 - dataset.test.x[3]).tobytes()).decode()

    turned = predicted(Picture(models=[run], digit=3), models, dataset)["models"][0]
    plain = predicted(Picture(models=["dense"], pixels=other), models, dataset)["models"][0]

    assert turned["probabilities"] == pytest.approx(plain["probabilities"], abs=1e-6)


def test_a_model_file_that_claims_too_much_takes_no_other_down(models):
    run = saved_as_run(models, model={"kind": "dense", "neurons": [10**6, 10**6]})

    assert [each["id"] for each in models.described(words_in("en"))] == list(shipped())
    with pytest.raises(ModelFileError, match="its header describes no network"):
        models.load(models.find(run))


@pytest.mark.parametrize("shade", [0, 255])
def test_an_empty_picture_is_refused(shade):
    content = io.BytesIO()
    Image.new("L", (28, 28), shade).save(content, "PNG")

    with pytest.raises(ApiError):
        digit_in(PictureFile(picture=base64.b64encode(content.getvalue()).decode()))


@pytest.mark.parametrize("pixels", ["", "AAAA", "?" * 1048, base64.b64encode(bytes(785)).decode()])
def test_pixels_that_are_no_digit_are_refused(models, dataset, pixels):
    with pytest.raises(ApiError):
        predicted(Picture(models=["dense"], pixels=pixels), models, dataset)


@pytest.mark.parametrize(
    "fields",
    [{}, {"digit": 0, "pixels": "AAAA"}, {"digit": -1}, {"digit": 0, "scale": 0},
     {"digit": 0, "dx": float("nan")}, {"digit": 0, "models": []}, {"digit": 0, "path": "x"},
     {"digit": 0, "models": ["../dense"]}, {"digit": 0, "models": ["dense"] * 7}],
)  # fmt: skip
def test_what_cannot_be_shown_is_not_asked(fields):
    with pytest.raises(ValueError, match=r"."):
        Picture(**{"models": ["dense"], **fields})


def test_what_is_not_there_is_told(models, dataset):
    for picture in (Picture(models=["none"], digit=0), Picture(models=["dense"], digit=10**6)):
        with pytest.raises(ApiError):
            predicted(picture, models, dataset)
    with pytest.raises(ApiError):
        digit(dataset, "none", 0)


def test_a_shifted_image_is_shown_in_bytes_too(dataset):
    shown = digit(dataset, "moved", 0)

    expected = np.rint(dataset.shifted["moved"].x[0, :, :, 0] * 255)
    np.testing.assert_array_equal(pixels_of(shown), expected)


class TestFirstLayer:
    @pytest.mark.parametrize("activation", ["relu", "gelu", "tanh", "sigmoid"])
    @pytest.mark.parametrize("batch_norm", [False, True])
    @pytest.mark.parametrize(
        "knobs",
        [
            {"neurons": [7, 5]},
            {"neurons": [7, 5], "normalization": True},
            {"model": "conv", "filters": 3, "kernel_size": 5, "strides": 2},
            {"model": "conv", "filters": 3, "kernel_size": 4, "strides": 3, "padding": "same"},
            {"model": "conv", "filters": 4, "kernel_size": 3, "space_to_depth": 2},
        ],
    )
    def test_its_response_is_pytorch_s(self, knobs, batch_norm, activation):
        setting = Setting.from_knobs({**knobs, "batch_norm": batch_norm, "activation": activation})
        network = build_network(setting.model, (28, 28, 1), 10)
        weights = initial_weights(network, 0)
        rng = np.random.default_rng(1)
        for name in weights:
            if not name.endswith("kernel"):
                weights[name] = rng.uniform(0.5, 1.5, weights[name].shape).astype(np.float32)
        image = rng.random((28, 28, 1), np.float32)

        found = first_response(network, weights, image)

        expected = self.by_torch(network, weights, image, activation)
        np.testing.assert_allclose(found, expected, rtol=RTOL, atol=RTOL)

    def by_torch(self, network, weights, image, activation) -> np.ndarray:
        layer = network.layers[0]
        given = {n.partition(".")[2]: torch.tensor(w) for n, w in weights.items()
                 if n.startswith(f"{layer.name}.")}  # fmt: skip
        x = torch.tensor(image).permute(2, 0, 1)[None]
        if network.normalizes:
            mean, variance = (weights[f"normalization.{name}"] for name in ("mean", "variance"))
            x = (x - float(mean[0])) / float(variance[0]) ** 0.5
        if not network.convs:
            z = x.reshape(1, -1) @ given["kernel"]
        else:
            x = functional.pixel_unshuffle(x, network.space_to_depth)
            (top, bottom), (left, right) = layer.padding
            x = functional.pad(x, (left, right, top, bottom))
            z = functional.conv2d(x, given["kernel"].permute(3, 2, 0, 1), stride=layer.strides)
        shape = (1, -1) + (1,) * (z.ndim - 2)
        if layer.batch_norm:
            z = functional.batch_norm(z, given["moving_mean"], given["moving_variance"],
                                      given["gamma"], given["beta"], eps=1e-5)  # fmt: skip
        else:
            z = z + given["bias"].reshape(shape)
        return getattr(functional, activation)(z)[0].numpy()


class TestShipped:
    def test_all_are_there_and_small(self):
        files = [
            SHIPPED / f"{name}.{kind}" for name in shipped() for kind in ("safetensors", "json")
        ]
        assert {"dense", "conv"} <= set(shipped())
        assert {f for f in SHIPPED.iterdir() if f.suffix in (".safetensors", ".json")} == set(files)
        assert sum(path.stat().st_size for path in files) <= 2_000_000

    @pytest.mark.parametrize("name", list(shipped()))
    def test_each_does_what_its_file_says(self, name, models, dataset):
        ready = models.load(shipped()[name])

        right = ready.fitted.predict(dataset.test.x).argmax(axis=1) == dataset.test.y

        # 60 images, each right with at least this probability: fewer than 50 in one of 10,000.
        assert ready.saved.accuracy["test"] > 0.95
        assert right.sum() >= 50

    @pytest.mark.parametrize("name", list(shipped()))
    def test_each_has_been_examined(self, name):
        found = shipped_examination(shipped()[name])

        assert found.moved["x"][0] > 0.95

    def test_the_dense_one_loses_moved_digits_and_the_recipe_does_not(self):
        found = [shipped_examination(shipped()[name]) for name in ("dense", "recipe")]
        lost, kept = (each.moved["x"][PIXELS.index(5)] for each in found)

        assert lost < 0.5
        assert kept > 0.9

    def test_they_are_described_in_both_languages(self, models):
        english, swedish = (models.described(words_in(lang)) for lang in ("en", "sv"))

        assert [model["id"] for model in english] == list(shipped())
        assert english[0]["name"] != swedish[0]["name"]
        assert all(model["playable"] for model in english)

    def test_one_that_cannot_be_read_is_left_out(self, models, tmp_path, monkeypatch):
        broken = replace(shipped()["dense"], file=tmp_path / "none.safetensors")
        monkeypatch.setattr(models_module, "shipped", lambda: {"dense": broken})

        assert models.described(words_in("en")) == []
