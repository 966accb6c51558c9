"""A model of one's own from the command line: its parameters are turned like any knob."""

import json
import warnings

import numpy as np
import pytest
from PIL import Image

from siffra.store.store import open_store

SOURCE = """
from torch import nn

def make(image_shape, classes, width: int = 4, dropout: float = 0.0):
    height, length, channels = image_shape
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(height * length * channels, width),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(width, classes),
    )
"""
OWN = ("--model", "my_models:make", "--engine", "torch")


@pytest.fixture(autouse=True)
def my_models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my_models.py"
    path.write_text(SOURCE)
    return path


def test_it_is_trained_saved_and_asked(siffra, small, tmp_path):
    trained = siffra("train", *small, *OWN, "--with", "width=5", "--save", "own.safetensors")
    Image.fromarray(np.eye(12, dtype=np.uint8) * 255).save(tmp_path / "line.png")
    asked = siffra("predict", "own.safetensors", "line.png", "--made-by", "my_models:make")
    not_said = siffra("predict", "own.safetensors", "line.png")

    weights = 144 * 5 + 5 + 5 * 3 + 3
    assert trained.out.startswith(f"my_models:make model, {weights} parameters, epochs: 2")
    assert asked.out.startswith("line.png: ")
    assert not_said.err == (
        "error: made_by: this model needs the function that made it, my_models:make.\n"
    )


def test_probabilities_in_the_place_of_logits_are_told_in_a_line(siffra, small, my_models):
    my_models.write_text(SOURCE.replace("classes),", "classes), nn.Softmax(1),"))

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        ended = siffra("train", *small, *OWN)

    assert ended.code == 0
    (line,) = (line for line in ended.err.splitlines() if line.startswith("warning:"))
    assert line == (
        "warning: model: my_models:make gives what a softmax gives, where siffra expects logits "
        "and takes their softmax itself; leave out a softmax at its end."
    )


def test_its_parameters_can_be_varied(siffra, small):
    ended = siffra(
        "vary", *small, *OWN, "dropout=0,0.5", "--with", "width=6", "--seeds", 2, "--json"
    )

    told = json.loads(ended.out)
    (question,) = told["questions"]
    assert [level["knobs"] for level in question["levels"]] == [{"dropout": 0.0}, {"dropout": 0.5}]
    assert "--model my_models:make --with width=6" in told["command"]
    assert "--seeds 2 " in told["command"]
    assert told["command"].endswith(" --engine torch")


def test_it_can_be_compared_with_siffra_s_own(siffra, small):
    ended = siffra("vary", *small, "model=dense,my_models:make", "--engine", "torch", "--seeds", 2)

    assert ended.code == 0
    assert "my_models:make" in ended.out


def test_an_edited_model_is_another_run(siffra, small, tmp_path, my_models):
    siffra("train", *small, *OWN)
    my_models.write_text(SOURCE.replace("ReLU", "Tanh"))
    siffra("train", *small, *OWN)

    with open_store(tmp_path / "runs.sqlite", read_only=True) as store:
        first, second = store.records()
    assert first.model != second.model
    assert first.key != second.key


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("train", "--model", "my_models:make"), "my_models:make is PyTorch's; it needs"),
        (("train", *OWN, "--with", "widht=5"), "with: widht: no such parameter; did you mean"),
        (("train", *OWN, "--with", "width=x"), "width: found 'x'; it must be a whole number."),
        (("train", "--with", "width=5"), "with: width is for a model of your own; name it as"),
        (("train", "--model", "mine:make"), "model: mine:make: there is no mine.py in "),
        (("vary", *OWN, "depth=1,2"), "depth: no such knob; "),
    ],
)
def test_mistakes_are_told_in_a_line(siffra, small, arguments, told):
    ended = siffra(*arguments, *small)

    assert ended.code == 2
    (line,) = (line for line in ended.err.splitlines() if not line.startswith("data: "))
    assert told in line
