"""The native engine against its float64 twin, against PyTorch, and against itself on 1 thread."""

import math
import os
import platform
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import ReferenceEngine
from small import NETWORKS, small_dataset

from siffra.config import Setting
from siffra.engine.draws import epoch_orders, initial_weights
from siffra.engine.native.engine import NativeEngine
from siffra.errors import ConfigError
from siffra.network import Network, build_network

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


def torch_network(network: Network, seed: int) -> torch.nn.Sequential:
    """The same network from the same draws, in PyTorch's shapes."""
    weights = initial_weights(network, seed)
    layers: list[torch.nn.Module] = []
    for conv in network.convs:
        layer = torch.nn.Conv2d(conv.input[2], conv.filters, conv.kernel_size, conv.strides)
        kernel = weights[f"{conv.name}.kernel"].transpose(3, 2, 0, 1)
        layer.weight = torch.nn.Parameter(torch.tensor(kernel))
        layer.bias = torch.nn.Parameter(torch.tensor(weights[f"{conv.name}.bias"]))
        layers += [layer, torch.nn.ReLU()]
        if conv.pool > 1:
            layers.append(torch.nn.MaxPool2d(conv.pool))
    layers.append(_FlattenChannelsLast())
    for dense in network.denses:
        layer = torch.nn.Linear(dense.inputs, dense.units)
        layer.weight = torch.nn.Parameter(torch.tensor(weights[f"{dense.name}.kernel"].T))
        layer.bias = torch.nn.Parameter(torch.tensor(weights[f"{dense.name}.bias"]))
        layers.append(layer)
        if dense.activation:
            layers.append(torch.nn.ReLU())
    return torch.nn.Sequential(*layers)


class _FlattenChannelsLast(torch.nn.Module):
    """Keras' order, (row, column, channel), where PyTorch has (channel, row, column)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, 2, 3, 1).flatten(1)


def torch_training(knobs, dataset, seed):
    setting = Setting.from_knobs(knobs)
    network = build_network(setting.model, dataset.image_shape, dataset.classes)
    model = torch_network(network, seed)
    training = setting.training
    optimizer = torch.optim.SGD(
        model.parameters(), lr=training.learning_rate, momentum=training.momentum
    )
    x = torch.tensor(dataset.train.x / np.float32(255)).permute(0, 3, 1, 2)
    y = torch.tensor(dataset.train.y)
    losses = []
    for order in islice(epoch_orders(len(y), seed), int(training.epochs)):
        total = 0.0
        for batch in torch.tensor(order).split(training.batch_size):
            loss = torch.nn.functional.cross_entropy(model(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        losses.append(total / len(y))
    return dict(_keras_weights(network, model)), losses


def _keras_weights(network, model):
    with_weights = [m for m in model if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    for layer, module in zip(network.layers, with_weights, strict=True):
        kernel, bias = (tensor.detach().numpy() for tensor in module.parameters())
        yield f"{layer.name}.kernel", kernel.T if kernel.ndim == 2 else kernel.transpose(2, 3, 1, 0)
        yield f"{layer.name}.bias", bias


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
        ],
        ids=str,
    )  # fmt: skip
    def test_same_weights_and_losses(self, knobs, digits):
        size = knobs.get("batch_size", 64)
        dataset = digits(train=10 * size - size // 3)
        knobs = {"learning_rate": 0.1, "batch_size": size, "epochs": 5, **knobs}
        assert math.ceil(len(dataset.train.y) / size) == 10

        found, losses = train(NativeEngine(), knobs, dataset, seed=4)
        expected, expected_losses = torch_training(knobs, dataset, seed=4)

        assert losses == pytest.approx(expected_losses, rel=FIFTY_STEPS)
        assert_close(found, expected, FIFTY_STEPS)


NARROW = {
    "conv": {**NETWORKS[4], "batch_size": 20, "epochs": 1, "learning_rate": 0.1},
    "dense": {"neurons": 240, "batch_size": 20, "epochs": 1, "learning_rate": 0.1},
}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="about a kind of x86 CPU")
def test_machines_with_narrower_registers_train_the_same_network(tmp_path, digits):
    """AVX-512 and AVX2 take different ways through the kernels; here one goes the other's."""
    narrow = {
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+sse4.2,+popcnt,+bmi,+bmi2",
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import numpy as np\n"
        "from conftest import make_digits\n"
        "from engine.native.test_engine import NARROW, NativeEngine, small_dataset, train\n"
        "from siffra.engine.native.vector import WIDE\n"
        "assert not WIDE\n"
        "for name, dataset in (('conv', small_dataset()), ('dense', make_digits(200))):\n"
        "    weights, _ = train(NativeEngine(), NARROW[name], dataset)\n"
        f"    np.savez({str(tmp_path)!r} + '/' + name, **weights)"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(Path(__file__).parents[2])],
        env=os.environ | narrow,
        check=True,
    )

    for name, dataset in (("conv", small_dataset()), ("dense", digits(train=200))):
        with np.load(tmp_path / f"{name}.npz") as weights:
            expected, _ = train(ReferenceEngine(), NARROW[name], dataset)
            assert_close(weights, expected, 10 * ONE_STEP)


def test_more_threads_than_there_are_is_refused():
    with pytest.raises(ConfigError, match="threads: found 1000; this machine has 1 to"):
        NativeEngine(threads=1000)
