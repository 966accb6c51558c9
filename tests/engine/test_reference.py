"""The NumPy twin that other tests lean on is itself checked: against finite differences,
PyTorch's layers and optimizers in float64, and worked examples."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  its usual name
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import ReferenceEngine, gradients_of, logits_of, warped
from reference_layers import Activated, BatchNorm, Convolution, Pooling, SpaceToDepth
from reference_optimizers import NEWTON_SCHULZ, Optimizer, orthogonalised
from small import small_dataset
from torch_reference import loss_of, optimizers_of, scheduler_of, torch_warped

from siffra.config import Setting, Training
from siffra.data import shifts
from siffra.engine.network import NORM_MOMENTUM, Conv, build_network
from siffra.engine.rng import dropout_scales, epoch_maps, epoch_orders, initial_weights
from siffra.engine.schedule import ema_decay, learning_rates

CONV = {"model": "conv", "filters": [2, 3], "kernel_size": [3, 2], "strides": [2, 1]}
NETWORKS = [
    {"neurons": [5, 4]},
    {"neurons": [5, 4], "batch_norm": True, "activation": "tanh", "dropout": 0.3},
    {"model": "conv", "filters": 3, "kernel_size": 3},
    {**CONV, "neurons": [4]},
    {**CONV, "padding": "same", "pool_size": 2, "pooling": "average", "activation": "gelu"},
    {**CONV, "padding": "same", "pool_size": [2, 1], "batch_norm": True, "neurons": [4]},
    {**CONV, "global_pooling": "max", "dropout": 0.3, "activation": "tanh"},
    {"neurons": [5, 4], "normalization": True, "activation": "sigmoid"},
    {**CONV, "global_pooling": "average", "space_to_depth": 2, "batch_norm": True, "strides": 1},
]
STEP = np.finfo(np.float64).eps ** (1 / 3)  # balances rounding against the third derivative
RNG = np.random.default_rng(0)
# The twin and PyTorch add the same float64 numbers in different orders.
EXACT = 1e-10


def network_of(knobs, shape=(10, 8, 2)):
    return build_network(Setting.from_knobs(knobs).model, shape, 3)


LOSSES = [Training(label_smoothing=0.1), Training(loss="mean_squared_error")]


@pytest.mark.parametrize("training", LOSSES, ids=lambda training: training.loss)
@pytest.mark.parametrize("knobs", NETWORKS, ids=str)
def test_gradients_are_the_slopes_of_the_loss(knobs, training):
    network = network_of(knobs)
    weights = {k: v.astype(np.float64) for k, v in initial_weights(network, 1).items()}
    x, y = RNG.random((4, 10, 8, 2)), np.array([0, 1, 2, 1])
    scales = next(dropout_scales(network, 4, 0))

    gradients = gradients_of(network, weights, x, y, training, scales).gradients

    assert sum(g.size for g in gradients.values()) == network.parameters
    for name, g in gradients.items():
        for index in RNG.integers(g.size, size=5):
            ends = []
            for sign in (1, -1):
                bumped = {k: v.copy() for k, v in weights.items()}
                bumped[name].flat[index] += sign * STEP
                ends.append(gradients_of(network, bumped, x, y, training, scales).loss)
            slope = (ends[0] - ends[1]) / (2 * STEP)
            assert slope == pytest.approx(g.flat[index], rel=1e-6, abs=STEP**2 * 10)


def first(x: torch.Tensor) -> torch.Tensor:
    """Channels first, where siffra has them last."""
    return x.permute(0, 3, 1, 2)


def last(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 2, 3, 1)


def conv(shape=(7, 6, 2), **fields):
    return Conv("c", shape, **{"kernel_size": 3, "strides": 1, "filters": 4, "pool": 1, **fields})


def torch_conv(strides, zeros):
    def convolve(x, kernel):
        return last(F.conv2d(F.pad(first(x), zeros), kernel.permute(3, 2, 0, 1), stride=strides))

    return convolve


def norm(x, gamma, beta):
    return last(F.batch_norm(first(x), None, None, gamma, beta, training=True, eps=1e-5))


def pooling(**fields):
    """A layer that pools 7 x 6 positions of two channels."""
    return lambda weights: Pooling(conv(kernel_size=1, filters=2, **fields))


KERNEL = {"kernel": (3, 3, 2, 4)}
CASES = {
    "valid": (lambda w: Convolution(conv(), w), torch_conv(1, (0, 0, 0, 0)), KERNEL),
    "strides": (lambda w: Convolution(conv(strides=2), w), torch_conv(2, (0, 0, 0, 0)), KERNEL),
    # Keras' rule for an even kernel: one column more to the right and one row more below.
    "same": (
        lambda w: Convolution(conv(kernel_size=4, same=True), w),
        torch_conv(1, (1, 2, 1, 2)),
        {"kernel": (4, 4, 2, 4)},
    ),
    "norm": (lambda w: BatchNorm("c", w), norm, {"gamma": (2,), "beta": (2,)}),
    "max": (pooling(pool=2), lambda x: last(F.max_pool2d(first(x), 2)), {}),
    "average": (
        pooling(pool=3, pooling="average"),
        lambda x: last(F.avg_pool2d(first(x), 3)),
        {},
    ),
    "global max": (pooling(pools_all=True), lambda x: last(F.adaptive_max_pool2d(first(x), 1)), {}),
    "global average": (
        pooling(pools_all=True, pooling="average"),
        lambda x: last(F.adaptive_avg_pool2d(first(x), 1)),
        {},
    ),
    "relu": (lambda w: Activated("relu"), F.relu, {}),
    "gelu": (lambda w: Activated("gelu"), F.gelu, {}),
    "tanh": (lambda w: Activated("tanh"), torch.tanh, {}),
    "sigmoid": (lambda w: Activated("sigmoid"), torch.sigmoid, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_layers_do_what_pytorch_s_do_forth_and_back(case):
    make, function, shapes = CASES[case]
    own = {f"c.{name}": RNG.normal(size=shape) for name, shape in shapes.items()}
    layer = make({**own, "c.moving_mean": np.zeros(2), "c.moving_variance": np.ones(2)})
    x = RNG.normal(size=(5, 7, 6, 2))
    if isinstance(layer, Pooling):
        x = np.round(x)  # equal maxima: which of them the gradient goes to
    y = layer.forward(x, training=True)
    g = RNG.normal(size=y.shape)
    gradients = [layer.backward(g), *(layer.gradients[name] for name in own)]

    tensors = [torch.tensor(array, requires_grad=True) for array in (x, *own.values())]
    expected = function(*tensors)

    np.testing.assert_allclose(y, expected.detach(), atol=EXACT)
    for found, tensor in zip(
        gradients, torch.autograd.grad(expected, tensors, torch.tensor(g)), strict=True
    ):
        np.testing.assert_allclose(found, tensor, atol=EXACT)


def test_a_partial_window_is_dropped_and_gets_no_gradient():
    layer = Pooling(conv((3, 3, 4), kernel_size=1, filters=4, pool=2))

    y = layer.forward(RNG.normal(size=(1, 3, 3, 4)), training=True)
    dx = layer.backward(np.ones_like(y))

    assert y.shape == (1, 1, 1, 4)
    assert not dx[:, 2].any()
    assert not dx[:, :, 2].any()


def test_norm_predicts_with_moving_values():
    weights = {
        "c.gamma": np.array([2.0]),
        "c.beta": np.array([1.0]),
        "c.moving_mean": np.array([3.0]),
        "c.moving_variance": np.array([4.0 - 1e-5]),
    }

    y = BatchNorm("c", weights).forward(np.array([[5.0], [3.0]]), training=False)

    np.testing.assert_allclose(y, [[3.0], [1.0]])  # 2 (5 - 3) / 2 + 1, and 1


def test_pixels_of_a_block_come_row_by_row_and_channels_innermost():
    x = np.arange(16.0).reshape(1, 2, 4, 2)

    y = SpaceToDepth(2).forward(x, training=False)

    np.testing.assert_array_equal(
        y[0, 0], [[0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]]
    )


def test_the_blocks_are_those_of_pytorch_s_pixel_unshuffle():
    x = RNG.normal(size=(3, 6, 9, 2))

    found = SpaceToDepth(3).forward(x, training=False)

    # There a channel's nine pixels stand together, here a pixel's two channels.
    unshuffled = F.pixel_unshuffle(first(torch.tensor(x)), 3).unflatten(1, (2, 9))
    np.testing.assert_array_equal(found, last(unshuffled.transpose(1, 2).flatten(1, 2)))


@pytest.mark.parametrize("knobs", NETWORKS, ids=str)
@pytest.mark.parametrize("training", LOSSES, ids=lambda training: training.loss)
def test_without_dropout_and_batch_statistics_predictions_are_what_is_trained(knobs, training):
    network = network_of({**knobs, "dropout": 0, "batch_norm": False})
    weights = {k: v.astype(np.float64) for k, v in initial_weights(network, 1).items()}
    x, y = RNG.random((4, 10, 8, 2)), np.array([0, 1, 2, 1])

    loss = gradients_of(network, weights, x, y, training).loss

    logits = torch.tensor(logits_of(network, weights, x))
    assert loss == pytest.approx(loss_of(training, logits, torch.tensor(y)).item())


@pytest.mark.parametrize("kind", ["move", "rotate", "shifts"])
def test_warps_as_shifts_does_with_the_map_the_other_way(kind):
    maps = next(epoch_maps(Training(augment=kind), 40, 3))
    x = RNG.integers(256, size=(40, 9, 12, 2)).astype(np.uint8)
    full = np.concatenate([maps, np.tile([[[0, 0, 1.0]]], (40, 1, 1))], axis=1).astype(np.float64)

    found = warped(x / 255, maps)

    # shifts.warp answers in float32, and is itself checked against scipy.
    np.testing.assert_allclose(found, shifts.warp(x, np.linalg.inv(full)), atol=1e-6)


def test_warps_as_pytorch_s_grid_sample_does():
    maps = next(epoch_maps(Training(augment="shifts"), 40, 3))
    x = RNG.random((40, 9, 12, 2))

    found = warped(x, maps)

    expected = last(torch_warped(first(torch.tensor(x)), maps))
    np.testing.assert_allclose(found, expected, atol=EXACT)


MATRICES = {"dense_1.kernel": (4, 6), "dense_1.bias": (6,), "dense_2.kernel": (6, 3)}


OPTIMIZERS = ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "muon"]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_ten_steps_are_pytorch_s(optimizer, monkeypatch):
    # PyTorch orthogonalises in bfloat16, whose rounding would hide all but gross mistakes.
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.double)
    decay = 0.0 if optimizer == "adam" else 0.1
    training = Training(optimizer=optimizer, learning_rate=0.1, weight_decay=decay)
    if optimizer == "rmsprop":
        training = training.model_copy(update={"momentum": 0.5})
    ours = Optimizer(network_of({"neurons": 6}, (2, 2, 1)), training)
    weights = {name: RNG.normal(size=shape) for name, shape in MATRICES.items()}
    # PyTorch has matrices the other way round: (outputs, inputs).
    theirs = {name: torch.nn.Parameter(torch.tensor(w.T)) for name, w in weights.items()}
    steppers = optimizers_of(training, list(theirs.values()))

    for number in range(1, 11):
        gradients = {name: RNG.normal(size=shape) for name, shape in MATRICES.items()}
        if optimizer == "rmsprop":  # at 1 and above, it hardly matters where epsilon is added
            gradients = {name: g + np.sign(g) for name, g in gradients.items()}
        ours.step(weights, gradients, 0.1, number)
        for name, g in gradients.items():
            theirs[name].grad = torch.tensor(g.T)
        for stepper in steppers:
            stepper.step()

    # PyTorch's Muon takes 1e-7 for the least norm, where siffra adds it. Of its RMSprop a step is
    # at most 0.1 / sqrt(0.1), twice that with what momentum 0.5 keeps, and off by 1e-7 / 0.2.
    atol = {"muon": 1e-5, "rmsprop": 10 * 2 * 0.1**0.5 * 5e-7}.get(optimizer, EXACT)
    for name, w in weights.items():
        np.testing.assert_allclose(w.T, theirs[name].detach(), err_msg=name, atol=atol)


def test_rmsprop_adds_epsilon_under_the_root_as_keras_does():
    ours = Optimizer(network_of({"neurons": 6}), Training(optimizer="rmsprop", learning_rate=0.1))
    weights = {"dense_1.bias": np.zeros(1)}

    ours.step(weights, {"dense_1.bias": np.array([1e-4])}, 0.1, 1)

    # 0.1 * 1e-4 / sqrt(0.1 * 1e-8 + 1e-7); outside the root, it would be ten times as much.
    assert weights["dense_1.bias"] == pytest.approx(-1e-5 / 1.01e-7**0.5)


@pytest.mark.parametrize("filters", [4, 30])  # fewer than a filter's 18 inputs, and more
def test_muon_takes_a_convolution_s_kernel_for_a_matrix_as_pytorch_s_does(filters, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.double)
    training = Training(optimizer="muon", learning_rate=0.1, weight_decay=0.1)
    knobs = {"model": "conv", "filters": filters, "kernel_size": 3}
    ours = Optimizer(network_of(knobs), training)
    kernel = RNG.normal(size=(3, 3, 2, filters))
    weights = {"conv_1.kernel": kernel.copy()}
    # PyTorch has a kernel as (filter, channel, row, column), of which its Muon wants a row each.
    theirs = torch.nn.Parameter(torch.tensor(kernel.transpose(3, 2, 0, 1).reshape(filters, 18)))
    muon = torch.optim.Muon([theirs], 0.1, 0.1, training.momentum, ns_steps=5)

    for number in range(1, 11):
        g = RNG.normal(size=kernel.shape)
        ours.step(weights, {"conv_1.kernel": g}, 0.1, number)
        theirs.grad = torch.tensor(g.transpose(3, 2, 0, 1).reshape(filters, 18))
        muon.step()

    found = weights["conv_1.kernel"].transpose(3, 2, 0, 1).reshape(filters, 18)
    np.testing.assert_allclose(found, theirs.detach(), atol=1e-5)  # see above


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (5, 5)])
def test_orthogonalising_works_on_singular_values_alone(shape):
    matrix = RNG.normal(size=shape)
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    values = values / np.sqrt((values**2).sum())
    a, b, c = NEWTON_SCHULZ
    for _ in range(5):
        values = a * values + b * values**3 + c * values**5

    np.testing.assert_allclose(orthogonalised(matrix), (left * values) @ right, atol=1e-5)
    assert (abs(values - 1) < 0.5).all()


def test_muon_holds_the_size_of_a_kernel_under_batch_norm_before_its_step():
    training = Training(optimizer="muon", learning_rate=0.1, weight_decay=0.5)
    network = network_of({"neurons": 6, "batch_norm": True}, (2, 2, 1))
    kernel = RNG.normal(size=(4, 6))
    weights = {"dense_1.kernel": kernel.copy()}

    Optimizer(network, training).step(weights, {"dense_1.kernel": np.zeros((4, 6))}, 0.1, 1)

    expected = kernel / np.linalg.norm(kernel) * np.sqrt(6) * (1 - 0.1 * 0.5)
    np.testing.assert_allclose(weights["dense_1.kernel"], expected, atol=EXACT)


def fit(knobs, on_epoch=lambda end, fitted: None):
    setting = Setting.from_knobs({"neurons": 3, "batch_size": 8, "learning_rate": 0.1, **knobs})
    dataset = small_dataset(train=20)  # 3 batches, the last of 4 images
    engine = ReferenceEngine()
    return engine.fit(setting.model, setting.training, dataset, 1, on_epoch).weights()


def test_a_training_of_a_part_of_an_epoch_ends_within_it():
    ends, weights = [], []

    def on_epoch(end, fitted):
        ends.append(end)
        weights.append(fitted.weights())

    fit({"epochs": 1.67}, on_epoch)  # 5 steps

    assert [end.epoch for end in ends] == [1, 2]
    whole = fit({"epochs": 1})
    assert all((whole[name] == weights[0][name]).all() for name in whole)
    assert all((whole[name] != weights[1][name]).any() for name in whole)


def test_the_average_is_what_the_definition_says():
    steps = [fit({"epochs": number / 3, "batch_norm": True}) for number in range(1, 7)]
    network = network_of({"neurons": 3, "batch_norm": True}, (12, 10, 2))
    expected = {k: v.astype(np.float64) for k, v in initial_weights(network, 1).items()}
    for number, weights in enumerate(steps, start=1):
        decay = ema_decay(Training(ema=0.3), number)
        expected = {k: decay * v + (1 - decay) * weights[k] for k, v in expected.items()}

    found = fit({"epochs": 2, "batch_norm": True, "ema": 0.3})

    for name, average in expected.items():
        np.testing.assert_allclose(found[name], average, atol=1e-6)  # of float32 weights


def test_moving_statistics_remember_nine_tenths():
    found = fit({"epochs": 1 / 3, "batch_norm": True})
    network = network_of({"neurons": 3, "batch_norm": True}, (12, 10, 2))
    kernel = initial_weights(network, 1)["dense_1.kernel"]
    dataset = small_dataset(train=20)
    order = next(epoch_orders(20, 1))[:8]
    z = (dataset.train.x[order] / 255).reshape(8, -1) @ kernel

    np.testing.assert_allclose(found["dense_1.moving_mean"], 0.1 * z.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(
        found["dense_1.moving_variance"], 0.9 + 0.1 * z.var(axis=0), atol=1e-6
    )


def test_moving_statistics_of_many_steps_are_pytorch_s():
    layer = torch.nn.BatchNorm1d(3, momentum=0.1, dtype=torch.float64)
    found = {"c.moving_mean": np.zeros(3), "c.moving_variance": np.ones(3)}
    ours = BatchNorm("c", {**found, "c.gamma": np.ones(3), "c.beta": np.zeros(3)})
    for _ in range(6):
        z = RNG.normal(1, 2, size=(8, 3))
        np.testing.assert_allclose(
            ours.forward(z, training=True), layer(torch.tensor(z)).detach(), atol=EXACT
        )
        for name, moment in ours.moments.items():
            found[name] = NORM_MOMENTUM * found[name] + (1 - NORM_MOMENTUM) * moment

    state = layer.state_dict()
    np.testing.assert_allclose(found["c.moving_mean"], state["running_mean"], atol=EXACT)
    # What is left of the ones, and PyTorch's unbiased variances of eight images made biased.
    ones = NORM_MOMENTUM**6
    biased = (state["running_var"] - ones) * 7 / 8 + ones
    np.testing.assert_allclose(found["c.moving_variance"], biased, atol=EXACT)


SCHEDULES = [
    *({"schedule": name} for name in ("constant", "one_cycle", "cosine")),
    {"schedule": "step", "step_every": 2, "step_factor": 0.5},
    {"schedule": "step", "step_every": 1.6, "step_factor": 0.1},
]


@pytest.mark.parametrize("warmup", [0.0, 0.3])
@pytest.mark.parametrize("knobs", SCHEDULES, ids=str)
def test_rates_are_those_of_pytorch_s_schedulers(knobs, warmup):
    knobs = {**knobs, "warmup": warmup, "batch_size": 10, "epochs": 5}
    training = Training(learning_rate=0.3, **knobs)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.3)
    scheduler = scheduler_of(training, optimizer, 50)
    expected = []
    for _ in range(50):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()

    # float32, and PyTorch goes from rate to rate by factors.
    np.testing.assert_allclose(learning_rates(training, 100), expected, rtol=1e-6, atol=1e-8)


@settings(deadline=None)
@given(
    epochs=st.integers(1, 8),
    images=st.integers(1, 40),
    batch_size=st.integers(1, 12),
    every=st.integers(1, 9),
    factor=st.floats(0.01, 0.99),
)
def test_steps_come_after_whole_epochs(epochs, images, batch_size, every, factor):
    training = Training(
        learning_rate=2, epochs=epochs, batch_size=batch_size, schedule="step",
        step_every=every, step_factor=factor,
    )  # fmt: skip

    rates = learning_rates(training, images).reshape(epochs, -1)

    for epoch, of_epoch in enumerate(rates):
        assert of_epoch == pytest.approx(2 * factor ** (epoch // every))


def test_rates_follow_the_schedule():
    weights = []
    knobs = {"batch_size": 20, "epochs": 4, "schedule": "one_cycle", "warmup": 0.5}

    fit(knobs, lambda end, fitted: weights.append(fitted.weights()))

    assert list(learning_rates(Training(learning_rate=1, **knobs), 20)) == [0.5, 1, 1, 0.5]
    slow = fit({"batch_size": 20, "epochs": 1, "learning_rate": 0.05})
    assert all((slow[name] == weights[0][name]).all() for name in slow)
    assert len(weights) == 4
