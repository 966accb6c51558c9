"""The torch engine against the float64 twin, number by number."""

import numpy as np
import pytest
import torch
from reference import ReferenceEngine
from small import LAYERS, NETWORKS, TRAININGS, small_dataset

from siffra.config import Setting
from siffra.engine.torch.engine import TorchEngine
from siffra.errors import ConfigError, ModelFileError

EPS = float(np.finfo(np.float32).eps)
# A weight takes part in sums of at most a few thousand products of numbers below 1, whose
# rounding errors add up as a random walk: some tens of eps.
ONE_STEP = 64 * EPS


def train(engine, knobs, seed=0):
    setting = Setting.from_knobs(knobs)
    ends = []
    fitted = engine.fit(
        setting.model, setting.training, small_dataset(), seed, lambda end, _: ends.append(end)
    )
    return fitted, ends


def assert_same_training(knobs, steps):
    found, ends = train(TorchEngine(threads=1), knobs)
    expected, expected_ends = train(ReferenceEngine(), knobs)

    losses, accuracies = zip(*[(end.loss, end.accuracy) for end in ends], strict=True)
    assert losses == pytest.approx([end.loss for end in expected_ends], rel=steps * ONE_STEP)
    assert accuracies == pytest.approx([end.accuracy for end in expected_ends])
    weights = found.weights()
    assert list(weights) == list(expected.weights())
    for name, w in expected.weights().items():
        np.testing.assert_allclose(weights[name], w, atol=steps * ONE_STEP, rtol=0, err_msg=name)
    x = small_dataset().test.x
    np.testing.assert_allclose(found.predict(x), expected.predict(x), atol=steps * ONE_STEP)


@pytest.mark.parametrize("knobs", [*NETWORKS, *LAYERS], ids=str)
def test_one_step_of_every_network_is_the_twin_s(knobs):
    assert_same_training({"learning_rate": 0.5, "batch_size": 53, "epochs": 1, **knobs}, steps=1)


@pytest.mark.parametrize("knobs", TRAININGS, ids=str)
def test_ten_steps_of_every_training_are_the_twin_s(knobs):
    network = {
        "model": "conv",
        "filters": [5, 6],
        "kernel_size": 3,
        "batch_norm": True,
        "layers": 1,
    }
    smooth = {"activation": "gelu", "pooling": "average"}  # nothing that a rounding could turn
    assert_same_training({**network, **smooth, "batch_size": 11, "epochs": 2, **knobs}, steps=10)


def test_the_global_state_of_pytorch_is_left_as_it_was():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    threads = torch.get_num_threads()

    train(TorchEngine(threads=1), {"epochs": 1})

    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_weights_of_another_model_are_refused():
    weights = train(TorchEngine(threads=1), {"neurons": 6, "epochs": 1})[0].weights()
    model = Setting.from_knobs({"neurons": 7}).model

    with pytest.raises(ModelFileError, match="dense_1"):
        TorchEngine().load(model, small_dataset().image_shape, 3, weights)


@pytest.mark.parametrize("device", ["abacus", "cuda:77", "meta:x"])
def test_a_device_that_is_not_there_is_refused(device):
    with pytest.raises(ConfigError, match=f"device: PyTorch has no `{device}` here"):
        TorchEngine(device=device)


def test_threads_that_are_not_there_are_refused():
    with pytest.raises(ConfigError, match="threads: found 10000"):
        TorchEngine(threads=10_000)
