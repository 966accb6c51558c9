"""Kernels as Python, on NumPy's vectors, against the engines' float64 twin.

What LLVM would not report is an error here: an index past an array's end, or before its start.
`make test` runs this file with `NUMBA_DISABLE_JIT=1`, and asks that it reaches 95 % of the engine.
"""

from dataclasses import replace

import numpy as np
import pytest
from reference import ReferenceEngine
from small import small_dataset, unlabelled

from siffra.config import Setting
from siffra.data.dataset import Dataset, Images
from siffra.engine.base import Engine, Fitted
from siffra.engine.native import dense
from siffra.engine.native.engine import NativeEngine
from siffra.engine.native.precompile import prepare_all
from siffra.errors import ConfigError, ModelFileError

EPS = float(np.finfo(np.float32).eps)
# Sums of some hundred products below 1, rounded as a random walk: tens of eps. A batch norm divides
# by a deviation of about a tenth, and there are up to two of them and three steps.
FEW_STEPS = 30 * 64 * EPS

CONV = {"model": "conv", "kernel_size": 3}
FUSED = (
    {**CONV, "filters": 3},
    {**CONV, "filters": [3, 33], "pool_size": [2, 1], "kernel_size": [3, 2]},
    {**CONV, "filters": 2, "kernel_size": 5, "strides": 2, "pool_size": 1, "layers": 1,
     "neurons": 5},
    {**CONV, "filters": 1, "kernel_size": [8, 1], "pool_size": 1},
)  # fmt: skip
UNFUSED = (
    {**CONV, "filters": [3, 2], "padding": "same", "strides": [1, 2], "pool_size": [2, 1],
     "batch_norm": True, "activation": "gelu", "optimizer": "muon", "weight_decay": 0.1,
     "normalization": True},
    {**CONV, "filters": [3, 32], "kernel_size": 2, "pool_size": 1, "activation": "tanh",
     "space_to_depth": 2, "global_pooling": "average", "optimizer": "adam", "augment": "shifts"},
    {**CONV, "filters": [3, 17], "padding": "same", "pool_size": [2, 1], "batch_norm": True},
    {**CONV, "filters": 2, "kernel_size": 2, "strides": 3, "padding": "same", "pool_size": 1,
     "layers": 1, "neurons": 40, "dropout": 0.3, "optimizer": "nesterov", "ema": 0.9,
     "label_smoothing": 0.1, "schedule": "one_cycle"},
    {"neurons": [9, 5], "activation": "sigmoid", "normalization": True, "optimizer": "rmsprop",
     "momentum": 0.5, "loss": "mean_squared_error", "schedule": "step", "step_every": 0.5},
)  # fmt: skip
DENSE = (
    {"neurons": 7},
    {"neurons": [40, 20, 5], "optimizer": "momentum"},
    {"neurons": 130, "batch_size": 3},
    {"neurons": 250, "batch_size": 3, "optimizer": "momentum"},
    {"neurons": [20, 9], "optimizer": "adamw", "weight_decay": 0.1, "dropout": 0.3, "ema": 0.9},
    {"neurons": [9, 5], "optimizer": "nesterov", "batch_norm": True, "label_smoothing": 0.1},
    {"neurons": [9, 5], "optimizer": "muon", "activation": "gelu", "schedule": "cosine",
     "ema": 0.9},
    {"neurons": [9, 5], "activation": "tanh", "augment": "rotate", "dropout": 0.3},
    {"neurons": [9, 5], "activation": "sigmoid", "optimizer": "rmsprop", "momentum": 0.5},
)  # fmt: skip


def dataset(*, sparse: bool, shape: tuple[int, int, int] = (10, 8, 1)) -> Dataset:
    full = small_dataset(shape, train=9)
    if not sparse:
        return full

    def bright(images: Images) -> Images:
        return Images(np.where(images.x > 119, images.x, np.uint8(0)), images.y)

    return replace(full, train=bright(full.train), test=bright(full.test))


def train(engine: Engine, knobs: dict, data: Dataset) -> tuple[Fitted, list[float]]:
    setting = Setting.from_knobs({"batch_size": 4, "epochs": 1, "learning_rate": 0.05, **knobs})
    losses = []
    fitted = engine.fit(
        setting.model, setting.training, data, 0, lambda end, _: losses.append(end.loss)
    )
    return fitted, losses


def assert_same_training(knobs: dict, data: Dataset) -> None:
    """Three steps, the last on a partial batch; losses, weights and predictions."""
    found, losses = train(NativeEngine(), knobs, data)
    expected, expected_losses = train(ReferenceEngine(), knobs, data)

    assert losses == pytest.approx(expected_losses, abs=FEW_STEPS)
    weights, twin = found.weights(), expected.weights()
    for name in twin:
        np.testing.assert_allclose(weights[name], twin[name], rtol=0, atol=FEW_STEPS, err_msg=name)
    for images in (data.test.x[:5], data.shifted["moved"].x[:3]):
        probabilities = expected.predict(images)
        np.testing.assert_allclose(found.predict(images), probabilities, atol=FEW_STEPS)
        np.testing.assert_allclose(found.keep(unlabelled(images))(), probabilities, atol=FEW_STEPS)


@pytest.mark.parametrize("knobs", [*FUSED, *UNFUSED], ids=str)
def test_networks_of_convolutions_and_other_layers(knobs):
    assert_same_training(knobs, dataset(sparse=False))


def test_channels_are_told_apart():
    knobs = {**CONV, "filters": 2, "augment": "shifts", "padding": "same"}

    assert_same_training(knobs, dataset(sparse=False, shape=(10, 8, 3)))


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("knobs", DENSE, ids=str)
def test_stacks_of_dense_layers(knobs, sparse):
    assert_same_training(knobs, dataset(sparse=sparse))


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(
    "knobs", [{}, {"optimizer": "momentum"}, {"batch_norm": True, "optimizer": "muon"}], ids=str
)
def test_two_shards(sparse, knobs, monkeypatch):
    monkeypatch.setattr(dense, "_PARALLEL_FROM", 0)

    assert_same_training({"neurons": [20, 5], **knobs}, dataset(sparse=sparse))


def test_a_training_goes_on_where_another_ended():
    data, engine = dataset(sparse=True), NativeEngine()
    setting = Setting.from_knobs({"neurons": 5, "batch_size": 4, "epochs": 1, "learning_rate": 0.1})
    fitted, memory = engine.go_on(setting.model, setting.training, data, 0, None)
    before = fitted.weights()

    after, _ = engine.go_on(setting.model, setting.training, data, 1, memory)

    assert not np.array_equal(after.weights()["dense_1.kernel"], before["dense_1.kernel"])
    other = Setting.from_knobs({"neurons": 20, "batch_size": 4, "epochs": 1, "learning_rate": 0.1})
    with pytest.raises(ConfigError, match="goes on with the network and the optimizer"):
        engine.go_on(other.model, other.training, data, 1, memory)


def test_a_training_goes_on_from_a_memory_without_an_average():
    """As it is of dense networks in older pickles of classifiers."""
    data, engine = dataset(sparse=True), NativeEngine()
    setting = Setting.from_knobs({"neurons": 5, "batch_size": 4, "epochs": 1, "learning_rate": 0.1})
    about = setting.model, setting.training, data
    _, memory = engine.go_on(*about, 0, None)
    older = {name: array.copy() for name, array in memory.items() if name in ("params", "velocity")}

    now, _ = engine.go_on(*about, 1, memory)
    then, _ = engine.go_on(*about, 1, older)

    for name, weights in now.weights().items():
        np.testing.assert_array_equal(then.weights()[name], weights, err_msg=name)


def test_weights_are_loaded_into_their_network_alone():
    data, engine = dataset(sparse=False), NativeEngine(threads=1)
    knobs = {"neurons": 5, "optimizer": "adam"}
    setting = Setting.from_knobs({"batch_size": 4, "epochs": 1, "learning_rate": 0.1, **knobs})
    engine.prepare(setting.model, setting.training, data)
    fitted, _ = train(engine, knobs, data)

    loaded = engine.load(setting.model, data.image_shape, data.classes, fitted.weights())

    np.testing.assert_array_equal(loaded.predict(data.test.x), fitted.predict(data.test.x))
    with pytest.raises(ModelFileError, match="weights: found"):
        engine.load(setting.model, data.image_shape, data.classes, {})


def test_threads_that_the_machine_does_not_have_are_refused():
    with pytest.raises(ConfigError, match="threads: found 1000"):
        NativeEngine(threads=1000)


def test_several_trainings_are_prepared_one_after_the_other():
    prepared = []
    setting = Setting.from_knobs({"neurons": 5})

    prepare_all(
        [(setting.model, setting.training)] * 2, dataset(sparse=True), lambda *t: prepared.append(t)
    )

    assert len(prepared) == 2
