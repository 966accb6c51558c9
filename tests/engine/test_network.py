"""The sizes of networks, against Keras' rules worked out by hand."""

import pytest

from siffra.config import Setting
from siffra.engine.network import build_network
from siffra.errors import ConfigError


def network(**knobs):
    return build_network(Setting.from_knobs(knobs).model, (28, 28, 1), 10)


def test_the_study_s_dense_model():
    dense = network(neurons=32)

    assert [layer.weights for layer in dense.layers] == [(784, 32), (32, 10)]
    assert [layer.activation for layer in dense.denses] == ["relu", None]
    assert dense.parameters == 784 * 32 + 32 + 32 * 10 + 10


def test_the_study_s_convolutional_model():
    conv = network(model="conv")

    assert conv.convs[0].positions == (21, 21)
    assert conv.convs[0].output == (10, 10, 16)
    assert conv.parameters == 8 * 8 * 16 + 16 + 1600 * 10 + 10
    assert conv.multiplications == 400 * 64 * 16 + 16000


@pytest.mark.parametrize(
    ("kernel_size", "strides", "output"),
    [(8, 3, (3, 3)), (8, 8, (1, 1)), (16, 1, (6, 6)), (12, 1, (8, 8)), (1, 1, (14, 14))],
)
def test_strides_and_pooling_drop_what_fills_no_whole_window(kernel_size, strides, output):
    conv = network(model="conv", kernel_size=kernel_size, strides=strides).convs[0]

    assert conv.output == (*output, 16)


def test_convolutions_are_stacked_and_pooled_once_at_the_end():
    convs = network(model="conv", conv_layers=3).convs

    assert [conv.output for conv in convs] == [(21, 21, 16), (14, 14, 16), (3, 3, 16)]
    assert [conv.weights for conv in convs[1:]] == [(8, 8, 16, 16)] * 2


@pytest.mark.parametrize(
    ("kernel_size", "strides", "positions", "above_and_below"),
    # What TensorFlow's "SAME" gives for 28 pixels: ceil(28 / strides), the odd zero at the end.
    [
        (3, 1, 28, (1, 1)),
        (3, 2, 14, (0, 1)),
        (8, 1, 28, (3, 4)),
        (5, 3, 10, (2, 2)),
        (1, 2, 14, (0, 0)),
    ],
)
def test_same_padding_is_tensorflow_s(kernel_size, strides, positions, above_and_below):
    conv = network(model="conv", kernel_size=kernel_size, strides=strides, padding="same").convs[0]

    assert conv.positions == (positions, positions)
    assert conv.padding == (above_and_below, above_and_below)


def test_the_five_second_network():
    found = network(
        model="conv", space_to_depth=2, filters=[16, 32, 64, 64], kernel_size=3,
        strides=[1, 2, 1, 1], padding="same", batch_norm=True, global_pooling="max",
    )  # fmt: skip

    assert found.convs[0].input == (14, 14, 4)
    assert [conv.output for conv in found.convs] == [
        (14, 14, 16),
        (7, 7, 32),
        (7, 7, 64),
        (1, 1, 64),
    ]
    assert found.denses[0].weights == (64, 10)
    kernels = 9 * (4 * 16 + 16 * 32 + 32 * 64 + 64 * 64)
    norms = 2 * (16 + 32 + 64 + 64)
    assert found.parameters == kernels + norms + 64 * 10 + 10
    assert found.weights["conv_1.moving_variance"] == (16,)
    assert "conv_1.bias" not in found.weights


def test_dropout_spares_the_image():
    assert [layer.dropout for layer in network(layers=2, dropout=0.5).denses] == [0.0, 0.5, 0.5]
    assert network(model="conv", dropout=0.5).denses[0].dropout == 0.5


def test_glorot_s_fans_count_the_kernel_s_area():
    assert network(model="conv").convs[0].fans == (64, 64 * 16)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"kernel_size": 29}, "29 is larger than what convolution 1 is given, 28x28"),
        ({"conv_layers": 4}, "8 is larger than what convolution 4 is given, 7x7"),
        ({"kernel_size": 28}, "leaves 1x1, too little for the 2x2 max-pool"),
        ({"space_to_depth": 3}, "space_to_depth: 3 does not divide the images' 28x28 pixels"),
        ({"kernel_size": 60, "padding": "same"}, "60 is more than twice what convolution 1"),
        ({"strides": 21}, "kernel_size 8 with strides 21 on 28x28 leaves 1x1"),
    ],
)
def test_what_leaves_nothing_is_refused_with_the_numbers(knobs, message):
    with pytest.raises(ConfigError, match=message):
        network(model="conv", **knobs)


def test_the_shorter_side_decides():
    with pytest.raises(ConfigError, match="at most 5"):
        build_network(Setting.from_knobs({"model": "conv"}).model, (28, 5, 3), 10)


def test_a_network_that_fills_the_memory_is_refused():
    with pytest.raises(ConfigError, match=r"795,000,010 parameters; it can have at most 100,000"):
        network(neurons=1_000_000)
