"""`siffra train` and `siffra predict`: train, save, and ask the saved model."""

import json

import numpy as np
import pytest
from PIL import Image

from siffra.store.store import open_store

SETS = ["train", "val", "test", "moved", "rotated"]


def test_json_is_exactly_the_agreed_object(siffra, small):
    ended = siffra("train", *small, "--neurons", 8, "--neurons", 4, "--seed", 3, "--json")

    told = json.loads(ended.out)
    assert list(told) == [
        "config", "seed", "seconds", "epochs", "parameters", "diverged", "accuracy",
    ]  # fmt: skip
    assert told["diverged"] is False
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


@pytest.mark.parametrize("model", [["--neurons", "8"], ["--model", "conv", "--kernel-size", "3"]])
def test_a_run_that_diverges_has_no_accuracy(siffra, small, model, tmp_path):
    saved = tmp_path / "wild.safetensors"
    wild = "train", *small, *model, "--learning-rate", "1e30"

    ended = siffra(*wild, "--json", "--save", saved)
    told = json.loads(ended.out, parse_constant=pytest.fail)
    shown = siffra(*wild).out

    assert told["diverged"] is True
    assert told["accuracy"] == dict.fromkeys(SETS)
    assert "it diverged" in shown
    assert [line.split() for line in shown.splitlines()[-5:]] == [[name, "–"] for name in SETS]
    assert "Warning" not in ended.err
    one = np.zeros((12, 12), np.uint8)
    one[2:10, 5:7] = 255
    np.save(tmp_path / "one.npy", one)
    refused = siffra("predict", saved, tmp_path / "one.npy")
    assert refused.code == 2
    assert "the model diverged in training" in refused.err


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


def folder_of_pictures(path, names, ground=0):
    """A folder of pictures for each name: a bright bar, each class elsewhere; or a dark one."""
    rng = np.random.default_rng(1)
    for number, name in enumerate(names):
        (path / name).mkdir(parents=True)
        for i in range(30):
            image = rng.integers(0, 60, (14, 14)).astype(np.uint8)
            image[2:12, 4 * number + 1 : 4 * number + 4] += 190
            pixels = 255 - image if ground else image
            Image.fromarray(pixels).save(path / name / f"{i:02}.png")
    return path


TO_LEARN = ("--epochs", 30, "--learning-rate", 0.1, "--batch-size", 9, "--moved", 1, "--threads", 1)


@pytest.mark.parametrize("names", [("1", "2", "3"), ("ant", "bee, wild", "cat|dog")])
def test_classes_are_called_what_the_data_calls_them(siffra, tmp_path, names):
    data, model = folder_of_pictures(tmp_path / "named", names), tmp_path / "m.safetensors"
    siffra("train", "--data", data, *TO_LEARN, "--save", model)
    pictures = [data / name / "00.png" for name in names]

    told = json.loads(siffra("predict", model, *pictures, "--json").out)
    lines = siffra("predict", model, *pictures).out.splitlines()
    siffra("runs", "export", tmp_path / "c.json", "--table", "confusion")
    cells = json.loads((tmp_path / "c.json").read_text("utf-8"))
    asked = siffra("runs", "sql", "SELECT DISTINCT truth FROM confusion", "--json").out

    assert [each["label"] for each in told] == list(names)
    assert all(each["classes"] == list(names) for each in told)
    assert [lines[4 * i] for i in range(3)] == [
        f"{picture}: {name}" for picture, name in zip(pictures, names, strict=True)
    ]
    assert lines[1].strip().startswith(names[0])
    assert {cell["truth"] for cell in cells} == {cell["predicted"] for cell in cells} == set(names)
    assert {row["truth"] for row in json.loads(asked)} == set(names)


@pytest.mark.parametrize("ground", [0, 255], ids=["light-on-dark", "dark-on-light"])
def test_pictures_that_a_model_was_trained_on_are_told_as_in_training(siffra, tmp_path, ground):
    data = folder_of_pictures(tmp_path / "d", "abc", ground)
    model = tmp_path / "m.safetensors"
    siffra("train", "--data", data, *TO_LEARN, "--save", model)
    pictures = sorted(data.rglob("*.png"))
    turned_over = tmp_path / "other.png"
    Image.fromarray(255 - np.asarray(Image.open(pictures[0]))).save(turned_over)

    told = json.loads(siffra("predict", model, *pictures, turned_over, "--json").out)

    labels = [each["label"] for each in told]
    assert labels[:-1] == [picture.parent.name for picture in pictures]
    assert labels[-1] == "a"


@pytest.mark.parametrize("command", [("train",), ("vary", "neurons=3,4", "--seeds", 2)])
def test_batches_larger_than_the_data_are_told(siffra, small, command):
    told = "the 72 training images: each epoch is a single step over all of them.\n"

    whole = siffra(*command, *small, "--batch-size", 100_000, "--json")
    most = siffra(*command, *small, "--batch-size", 72, "--json")

    assert f"batch_size 100000 is larger than {told}" in whole.err
    assert "batch_size" not in most.err
    assert json.loads(whole.out)


def test_a_model_is_saved_under_no_name_of_another_format(siffra, small, tmp_path):
    ended = siffra("train", *small, "--save", tmp_path / "digits.h5")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        f"error: {tmp_path}/digits.h5: siffra saves no .h5 files; name it digits.safetensors, for "
        "`siffra predict`, or digits.onnx, for other programs.\n"
    )


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
