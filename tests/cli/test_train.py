"""`siffra train` and `siffra predict`: train, save, and ask the saved model."""

import json

import numpy as np
import pytest
from PIL import Image

from siffra.store import open_store

SETS = ["train", "val", "test", "moved", "rotated"]


def test_json_is_exactly_the_agreed_object(siffra, small):
    ended = siffra("train", *small, "--neurons", "8,4", "--seed", 3, "--json")

    told = json.loads(ended.out)
    assert list(told) == ["config", "seed", "seconds", "epochs", "parameters", "accuracy"]
    assert told["config"] == {
        "model": "dense",
        "layers": 2,
        "neurons": [8, 4],
        "learning_rate": 0.1,
        "batch_size": 9,
        "epochs": 2,
        "optimizer": "sgd",
    }
    assert (told["seed"], told["epochs"]) == (3, 2)
    # 12 x 12 pixels to 8, 4 and 3 units, each with a bias.
    assert told["parameters"] == 144 * 8 + 8 + 8 * 4 + 4 + 4 * 3 + 3
    assert list(told["accuracy"]) == SETS
    assert all(0 <= accuracy <= 1 for accuracy in told["accuracy"].values())
    assert told["seconds"] > 0
    assert ended.code == 0


def test_the_same_seed_gives_the_same_accuracy(siffra, small):
    first, second = (json.loads(siffra("train", *small, "--json").out) for _ in range(2))

    assert first["accuracy"] == second["accuracy"]


def test_without_json_it_prints_a_line_for_every_set(siffra, small):
    ended = siffra("train", *small)

    assert ended.out.startswith("dense model, ")
    assert [line.split()[0] for line in ended.out.splitlines()[-5:]] == SETS


def test_the_run_is_stored_where_it_is_asked_to_be(siffra, small, tmp_path):
    path = tmp_path / "elsewhere" / "runs.sqlite"

    siffra("train", *small, "--store", path)

    with open_store(path, read_only=True) as store:
        (record,) = store.records()
    assert record.training.batch_size == 9


@pytest.mark.parametrize("grey", [lambda x: x, lambda x: 255 - x], ids=["light", "dark-on-light"])
def test_a_saved_model_sees_in_pictures_what_it_was_taught(siffra, small, own_data, tmp_path, grey):
    model = tmp_path / "model.safetensors"
    siffra("train", *small, "--epochs", 20, "--save", model)
    with np.load(own_data) as archive:
        images, labels = archive["x_test"][:6], archive["y_test"][:6]
    pictures = [tmp_path / f"{number}.png" for number in range(6)]
    for picture, image in zip(pictures, images, strict=True):
        # Its border is not plain, so that only an image as it stands is told right.
        framed = image.copy()
        framed[[0, -1]], framed[:, [0, -1]] = 0, 0
        Image.fromarray(grey(framed).astype(np.uint8)).save(picture)

    told = json.loads(siffra("predict", model, *pictures, "--json").out)

    assert [each["label"] for each in told] == labels.tolist()
    for each in told:
        assert sum(each["probabilities"]) == pytest.approx(1, abs=1e-6)
        assert max(each["probabilities"]) == each["probabilities"][each["label"]]


def test_predict_prints_the_likeliest_classes_with_their_probabilities(siffra, small, tmp_path):
    model, picture = tmp_path / "model.safetensors", tmp_path / "digit.png"
    siffra("train", *small, "--save", model)
    Image.fromarray(np.eye(40, dtype=np.uint8) * 255).save(picture)

    lines = siffra("predict", model, picture).out.splitlines()

    assert lines[0].startswith(f"{picture}: ")
    assert len(lines) == 4
    assert all("%" in line for line in lines[1:])


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_an_unreadable_picture_is_one_line(siffra, small, tmp_path, content):
    model, picture = tmp_path / "model.safetensors", tmp_path / "digit.png"
    siffra("train", *small, "--save", model)
    picture.write_bytes(content)

    ended = siffra("predict", model, picture)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"error: {picture}: is no picture that can be read; use PNG, JPEG or npy.\n"
