"""Every layer, optimizer, schedule and augmentation of the native engine, against its twin."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference import ReferenceEngine
from small import LAYERS, TRAININGS, small_dataset

from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine, Fitted
from siffra.engine.native.engine import NativeEngine
from siffra.engine.network import build_network
from siffra.engine.torch.engine import TorchEngine
from siffra.errors import ConfigError

EPS = float(np.finfo(np.float32).eps)
# Weights take part in sums of at most a few thousand products of numbers below 1, whose rounding
# errors add up as a random walk: some tens of eps. A batch norm divides by a deviation of about
# a tenth, in each of at most three layers and for a few steps; three times ten is room for that.
FEW_STEPS = 30 * 64 * EPS

CONV = {"model": "conv", "kernel_size": 3}
MORE_LAYERS = (
    {"neurons": [9, 17], "activation": "gelu", "dropout": 0.3},
    {
        **CONV, "filters": [5, 18, 20], "strides": [1, 2, 1], "batch_norm": True,
        "padding": "same", "global_pooling": "max",
    },
    {**CONV, "filters": 4, "kernel_size": 5, "strides": 4, "padding": "same", "pool_size": 1,
     "layers": 2, "neurons": 40, "dropout": 0.5},
    {**CONV, "filters": [17, 3], "strides": [1, 2], "pool_size": [2, 1]},
    {**CONV, "filters": [5, 3], "padding": "same", "activation": "sigmoid", "pooling": "average",
     "batch_norm": True, "normalization": True, "layers": 1, "neurons": 5},
    {**CONV, "filters": [15, 3], "kernel_size": [1, 2], "padding": "same", "pool_size": 1},
)  # fmt: skip
NORMED = {**CONV, "filters": [5, 18], "kernel_size": [4, 2], "strides": [1, 2], "batch_norm": True}


def train(engine: Engine, knobs: dict, dataset: Dataset) -> tuple[Fitted, list[float], list[float]]:
    setting = Setting.from_knobs(knobs)
    losses, hits = [], []

    def note(end, _):
        losses.append(end.loss)
        hits.append(end.accuracy)

    return engine.fit(setting.model, setting.training, dataset, 0, note), losses, hits


def assert_same_training(knobs: dict, dataset: Dataset, atol: float = FEW_STEPS) -> None:
    found, losses, hits = train(NativeEngine(), knobs, dataset)
    expected, expected_losses, expected_hits = train(ReferenceEngine(), knobs, dataset)

    assert losses == pytest.approx(expected_losses, abs=atol)
    assert hits == pytest.approx(expected_hits)
    weights, twin = found.weights(), expected.weights()
    assert weights.keys() == twin.keys()
    for name in twin:
        np.testing.assert_allclose(weights[name], twin[name], rtol=0, atol=atol, err_msg=name)
    images = dataset.test.x
    np.testing.assert_allclose(found.predict(images), expected.predict(images), atol=atol)


@pytest.mark.parametrize("knobs", [*LAYERS, *MORE_LAYERS, NORMED], ids=str)
def test_layers(knobs):
    """Two partial passes: whole batches, a partial one, and an end in the middle of a pass."""
    training = {"batch_size": 20, "epochs": 1.4, "learning_rate": 0.1}

    assert_same_training({**knobs, **training}, small_dataset())


@st.composite
def networks(draw):
    convolutions = draw(st.integers(1, 2))
    knobs = {
        "model": "conv",
        "padding": draw(st.sampled_from(["valid", "same"])),
        "kernel_size": [draw(st.integers(1, 4)) for _ in range(convolutions)],
        "strides": [draw(st.integers(1, 3)) for _ in range(convolutions)],
        "filters": [draw(st.sampled_from([1, 15, 17])) for _ in range(convolutions)],
        "pool_size": [draw(st.integers(1, 3)) for _ in range(convolutions - 1)] + [1],
        "pooling": draw(st.sampled_from(["max", "average"])),
        "global_pooling": draw(st.sampled_from(["none", "max", "average"])),
        "batch_norm": draw(st.booleans()),
        "space_to_depth": draw(st.sampled_from([1, 2])),
    }
    sides = st.sampled_from([12, 18, 20])
    return (draw(sides), draw(sides), draw(st.integers(1, 3))), knobs


@settings(max_examples=20, deadline=None)
@given(networks())
def test_any_convolutions_forward_and_back(case):
    shape, knobs = case
    try:
        build_network(Setting.from_knobs(knobs).model, shape, 3)
    except ConfigError:
        assume(False)
    training = {"batch_size": 9, "epochs": 1, "learning_rate": 0.01}

    assert_same_training({**knobs, **training}, small_dataset(shape, train=9))


@pytest.mark.parametrize(
    "optimizer", ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "muon"]
)
def test_optimizers(optimizer):
    """Nine steps each, at a rate at which no step undoes another."""
    training = {"batch_size": 20, "epochs": 3, "optimizer": optimizer, "learning_rate": 0.01}

    assert_same_training({**NORMED, **training}, small_dataset())


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "muon"])
def test_optimizers_on_dense_layers(optimizer):
    training = {"batch_size": 20, "epochs": 3, "optimizer": optimizer, "learning_rate": 0.01}

    assert_same_training({"neurons": [20, 9], "ema": 0.5, **training}, small_dataset())


@pytest.mark.parametrize(
    "knobs",
    [
        {"schedule": "cosine", "warmup": 0.3},
        {"schedule": "one_cycle"},
        {"weight_decay": 0.5},
        {"label_smoothing": 0.2},
        {"loss": "mean_squared_error"},
        {"schedule": "step", "step_every": 1.3, "step_factor": 0.5},
        {"ema": 0.9},
        {"optimizer": "nesterov", "momentum": 0.7, "weight_decay": 0.1, "ema": 0.5},
    ],
    ids=str,
)
def test_what_a_training_may_have_beside(knobs):
    training = {"batch_size": 20, "epochs": 3, "learning_rate": 0.01, **knobs}

    assert_same_training({**NORMED, **training}, small_dataset())


@pytest.mark.parametrize("augment", ["move", "rotate", "shifts"])
def test_augmented_images(augment):
    """Not square, two channels: what is across and what is down cannot be mistaken."""
    training = {"batch_size": 20, "epochs": 2, "learning_rate": 0.01, "augment": augment}

    assert_same_training({**NORMED, **training}, small_dataset())


def test_average_weights_are_not_the_last_ones():
    training = {"batch_size": 20, "epochs": 3, "learning_rate": 0.1}
    last, *_ = train(NativeEngine(), {**NORMED, **training}, small_dataset())
    mean, *_ = train(NativeEngine(), {**NORMED, **training, "ema": 0.9}, small_dataset())

    assert not np.allclose(last.weights()["conv_1.kernel"], mean.weights()["conv_1.kernel"])


@pytest.mark.parametrize("knobs", [LAYERS[0], LAYERS[2], LAYERS[-1]], ids=str)
def test_a_saved_network_predicts_the_same_bits(knobs):
    dataset = small_dataset()
    setting = Setting.from_knobs({**knobs, "epochs": 1, "batch_size": 20, "learning_rate": 0.1})
    engine = NativeEngine()
    fitted = engine.fit(setting.model, setting.training, dataset, 0, lambda *_: None)

    loaded = engine.load(setting.model, dataset.image_shape, dataset.classes, fitted.weights())

    np.testing.assert_array_equal(loaded.predict(dataset.test.x), fitted.predict(dataset.test.x))


@pytest.mark.parametrize("knobs", [*LAYERS, *MORE_LAYERS, NORMED], ids=str)
def test_fifty_steps_against_pytorch(knobs):
    """At a rate at which no ReLU or arg-max falls the other way by rounding, for these networks."""
    knobs = {**knobs, "batch_size": 20, "epochs": 50 / 3, "learning_rate": 0.01}
    dataset = small_dataset()

    found, losses, _ = train(NativeEngine(), knobs, dataset)
    expected, expected_losses, _ = train(TorchEngine(device="cpu"), knobs, dataset)

    assert losses == pytest.approx(expected_losses, abs=10 * FEW_STEPS)
    weights, others = found.weights(), expected.weights()
    for name in others:
        np.testing.assert_allclose(weights[name], others[name], atol=10 * FEW_STEPS, err_msg=name)


# Nothing that rounding could turn: no ReLU, no largest pixel.
SMOOTH = {
    **CONV, "filters": [5, 6], "strides": [1, 2], "pool_size": 1, "batch_norm": True,
    "activation": "gelu", "layers": 1, "neurons": 9,
}  # fmt: skip
# Each step moves a weight by at most a tenth, the rate, of what is off by some tens of eps.
FIFTY_SMOOTH_STEPS = 50 * 0.1 * 64 * EPS


@pytest.mark.parametrize("knobs", TRAININGS, ids=str)
def test_fifty_steps_of_every_training_against_pytorch(knobs):
    """Every optimizer, schedule and kind of augmentation is among them."""
    knobs = {"learning_rate": 0.01, **SMOOTH, **knobs, "batch_size": 20, "epochs": 50 / 3}
    dataset, near = small_dataset(), FIFTY_SMOOTH_STEPS

    found, losses, hits = train(NativeEngine(), knobs, dataset)
    expected, expected_losses, expected_hits = train(TorchEngine(device="cpu"), knobs, dataset)

    assert losses == pytest.approx(expected_losses, abs=near)
    assert hits == pytest.approx(expected_hits)
    weights, others = found.weights(), expected.weights()
    for name in others:
        np.testing.assert_allclose(weights[name], others[name], near, near, err_msg=name)
