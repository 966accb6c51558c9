"""The native engine against its float64 twin, against PyTorch, and against itself on 1 thread."""

import math
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  its usual name
from conftest import make_digits
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import ReferenceEngine
from small import NETWORKS, small_dataset
from torch_reference import keras_weights, torch_network, torch_training

from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.engine.native.engine import NativeEngine
from siffra.engine.network import build_network
from siffra.engine.rng import dropout_scales, epoch_orders
from siffra.errors import ConfigError

EPS = float(np.finfo(np.float32).eps)
# A weight takes part in sums of at most a few thousand products of numbers below 1, whose
# rounding errors add up as a random walk: some tens of eps. What 50 steps carry on is as much
# again for each, as long as no ReLU or arg-max falls the other way.
ONE_STEP = 64 * EPS
FIFTY_STEPS = 50 * ONE_STEP


def train(engine, knobs, dataset, seed=0):
    setting = Setting.from_knobs(knobs)
    losses = []
    fitted = engine.fit(
        setting.model, setting.training, dataset, seed, lambda end, _: losses.append(end.loss)
    )
    return fitted.weights(), losses


def assert_close(found, expected, atol):
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=atol, err_msg=name)


@st.composite
def conv_cases(draw):
    height, width = draw(st.integers(6, 17)), draw(st.integers(6, 17))
    kernel_size = draw(st.integers(1, min(height, width) - 1))
    strides = draw(st.integers(1, 3))
    # Two positions at least in each direction, for a pooling window.
    strides = min(strides, min(height, width) - kernel_size)
    knobs = {
        "model": "conv",
        "kernel_size": kernel_size,
        "strides": strides,
        "filters": draw(st.sampled_from([1, 3, 16, 17])),
        "layers": draw(st.integers(0, 1)),
        "neurons": 5,
    }
    return (height, width, draw(st.integers(1, 3))), knobs


class TestOneStepAgainstTheTwin:
    @pytest.mark.parametrize("knobs", NETWORKS, ids=str)
    def test_gradients(self, knobs):
        dataset = small_dataset()
        knobs = {**knobs, "batch_size": 53, "epochs": 1, "learning_rate": 1.0}

        found, losses = train(NativeEngine(), knobs, dataset)
        expected, expected_losses = train(ReferenceEngine(), knobs, dataset)

        assert losses == pytest.approx(expected_losses, rel=64 * EPS)
        assert_close(found, expected, ONE_STEP)

    @settings(max_examples=25, deadline=None)
    @given(conv_cases())
    def test_gradients_of_any_convolution(self, case):
        shape, knobs = case
        dataset = small_dataset(shape, train=9)
        knobs = {**knobs, "batch_size": 9, "epochs": 1, "learning_rate": 0.1}

        found, _ = train(NativeEngine(), knobs, dataset)
        expected, _ = train(ReferenceEngine(), knobs, dataset)

        assert_close(found, expected, ONE_STEP)


class TestFiftyStepsAgainstPyTorch:
    """Five epochs of ten batches, the last of each a partial one.

    Deeper networks learn slowly here: the more arg-maxes and ReLUs, the sooner one of them is so
    close that rounding decides it, and from there on two right answers differ.
    """

    @pytest.mark.parametrize(
        "knobs",
        [
            {"neurons": 32},
            {"neurons": 240},  # 15 vectors: blocks of 8, 4, 2 and 1
            {"neurons": 64, "layers": 3, "optimizer": "momentum", "learning_rate": 0.02},
            {"neurons": 128, "batch_size": 1000},
            {"model": "conv", "filters": 16, "kernel_size": 8},
            {"model": "conv", "filters": 28, "kernel_size": 12, "strides": 2, "neurons": [20]},
            {"model": "conv", "kernel_size": [5, 3], "filters": [6, 8], "optimizer": "momentum",
             "learning_rate": 0.002},
            {"optimizer": "nesterov", "learning_rate": 0.01},
            {"optimizer": "adam", "learning_rate": 0.001},
            {"optimizer": "adamw", "learning_rate": 0.001, "weight_decay": 0.1,
             "schedule": "one_cycle"},
            {"optimizer": "muon", "learning_rate": 0.01, "weight_decay": 0.1, "neurons": [32, 16]},
            {"schedule": "cosine", "warmup": 0.2},
            {"schedule": "one_cycle", "warmup": 0.3, "weight_decay": 0.1},
            {"ema": 0.9, "label_smoothing": 0.1},
            {"schedule": "step", "step_every": 2, "step_factor": 0.5},
            {"loss": "mean_squared_error"},
            {"normalization": True, "activation": "sigmoid"},
            {"model": "conv", "normalization": True, "augment": "shifts", "learning_rate": 0.002},
            {"augment": "shifts", "augment_jitter": 1.0},
            {"neurons": [32, 16], "dropout": 0.3},
            {"model": "conv", "filters": 16, "kernel_size": 8, "neurons": [20], "dropout": 0.5,
             "optimizer": "momentum", "learning_rate": 0.02},
        ],
        ids=str,
    )  # fmt: skip
    def test_same_weights_and_losses(self, knobs, digits, monkeypatch):
        # PyTorch's Muon rounds to bfloat16, which siffra's does not.
        monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.float)
        size = knobs.get("batch_size", 64)
        dataset = digits(train=10 * size - size // 3)
        knobs = {"learning_rate": 0.1, "batch_size": size, "epochs": 5, **knobs}
        assert math.ceil(len(dataset.train.y) / size) == 10

        found, losses = train(NativeEngine(), knobs, dataset, seed=4)
        expected, expected_losses = torch_training(knobs, dataset, seed=4)

        assert losses == pytest.approx(expected_losses, rel=FIFTY_STEPS)
        assert_close(found, expected, FIFTY_STEPS)


class TestDropoutAgainstPyTorch:
    """One step on all images, whose gradients are by how much it moves the weights at rate 1."""

    @pytest.mark.parametrize(
        "knobs",
        [{"neurons": [9, 5], "dropout": 0.3}, {**NETWORKS[3], "dropout": 0.5}],
        ids=["dense", "conv"],
    )
    def test_same_loss_gradients_and_predictions(self, knobs):
        dataset, seed = small_dataset(), 4
        images = len(dataset.train)
        knobs = {**knobs, "batch_size": images, "epochs": 1, "learning_rate": 1.0}
        setting = Setting.from_knobs(knobs)
        network = build_network(setting.model, dataset.image_shape, dataset.classes)
        model = torch_network(network, seed, images)
        before = {name: array.copy() for name, array in keras_weights(network, model)}
        losses = []

        fitted = NativeEngine().fit(
            setting.model, setting.training, dataset, seed, lambda end, _: losses.append(end.loss)
        )
        order = torch.tensor(next(epoch_orders(images, seed)))
        x, test = (
            torch.tensor(some.x / np.float32(255)).permute(0, 3, 1, 2)
            for some in (dataset.train, dataset.test)
        )
        loss = F.cross_entropy(model(x[order]), torch.tensor(dataset.train.y)[order])
        loss.backward()
        torch.optim.SGD(model.parameters(), 1.0).step()

        assert losses == pytest.approx([loss.item()], rel=64 * EPS)
        after = dict(keras_weights(network, model))
        found = fitted.weights()
        moved = {name: found[name] - before[name] for name in before}
        assert_close(moved, {name: after[name] - before[name] for name in before}, ONE_STEP)
        # Nothing is left out of what is predicted from.
        expected = model.eval()(test).softmax(1).detach().numpy()
        np.testing.assert_allclose(fitted.predict(dataset.test.x), expected, atol=ONE_STEP)

    @pytest.mark.parametrize("share", [0.3, 0.5])
    def test_as_much_is_left_out_and_the_rest_scaled_alike(self, share):
        model = Setting.from_knobs({"neurons": [100, 50], "dropout": share}).model
        scales = next(dropout_scales(build_network(model, (4, 4, 1), 3), 200, seed=0))

        assert {name: array.shape for name, array in scales.items()} == {
            "dense_2": (200, 100), "dense_3": (200, 50),
        }  # fmt: skip
        theirs = F.dropout(torch.ones(1000), share).unique().numpy()
        for array in scales.values():
            np.testing.assert_allclose(np.unique(array), theirs, rtol=EPS)
            # Within five standard deviations of a share of so many.
            off = abs((array == 0).mean() - share)
            assert off < 5 * math.sqrt(share * (1 - share) / array.size)


NARROW = {
    # Both convolutions, and forth and back, are the same kernels: they need not be compiled twice.
    "conv": {"model": "conv", "filters": [5, 18], "kernel_size": 3},
    "dense": {"neurons": 240},  # 30 vectors of 8: blocks of 8, 4 and 2
}


def narrow_case(name: str) -> tuple[dict, Dataset]:
    dataset = small_dataset() if name == "conv" else make_digits(200)
    return {**NARROW[name], "batch_size": 20, "epochs": 1, "learning_rate": 0.1}, dataset


@pytest.mark.skipif(platform.machine() != "x86_64", reason="about a kind of x86 CPU")
def test_machines_with_narrower_registers_train_the_same_network(tmp_path):
    """AVX-512 and AVX2 take different ways through the kernels; here one goes the other's."""
    narrow = {
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+sse4.2,+popcnt,+bmi,+bmi2",
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import numpy as np\n"
        "from engine.native.test_engine import NativeEngine, narrow_case, train\n"
        "from siffra.engine.native.simd import WIDE\n"
        "assert not WIDE\n"
        "weights, _ = train(NativeEngine(), *narrow_case(sys.argv[3]))\n"
        "np.savez(f'{sys.argv[2]}/{sys.argv[3]}', **weights)"
    )
    command = [sys.executable, "-c", script, str(Path(__file__).parents[2]), str(tmp_path)]
    # At once: nearly all that they do is compile, which takes one core.
    others = [subprocess.Popen([*command, name], env=os.environ | narrow) for name in NARROW]
    assert [other.wait() for other in others] == [0, 0]

    for name in NARROW:
        with np.load(tmp_path / f"{name}.npz") as weights:
            expected, _ = train(ReferenceEngine(), *narrow_case(name))
            assert_close(weights, expected, 10 * ONE_STEP)


def test_more_threads_than_there_are_is_refused():
    with pytest.raises(ConfigError, match="threads: found 1000; this machine has 1 to"):
        NativeEngine(threads=1000)
