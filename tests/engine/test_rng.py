"""Runs with the same seed share every draw that their shapes allow."""

from itertools import islice

import numpy as np
import pytest

from siffra.config import Setting
from siffra.engine.network import build_network
from siffra.engine.rng import dropout_streams, epoch_orders, float32_words, initial_weights


def weights(seed=0, **knobs):
    return initial_weights(build_network(Setting.from_knobs(knobs).model, (28, 28, 1), 10), seed)


def test_kernels_are_uniform_within_glorot_s_limit_and_biases_zero():
    drawn = weights(neurons=256)
    kernel = drawn["dense_1.kernel"]
    limit = np.sqrt(6 / (784 + 256))

    assert kernel.dtype == np.float32
    assert np.abs(kernel).max() <= limit
    # The mean of 200,000 uniform draws, within five standard errors.
    assert abs(kernel.mean()) < 5 * limit / np.sqrt(3 * kernel.size)
    np.testing.assert_allclose(kernel.std(), limit / np.sqrt(3), rtol=0.01)
    assert not drawn["dense_1.bias"].any()


def test_a_layer_s_weights_do_not_depend_on_those_after_it():
    shallow, deep = weights(neurons=[32]), weights(neurons=[32, 32, 32])

    np.testing.assert_array_equal(shallow["dense_1.kernel"], deep["dense_1.kernel"])


def test_layers_and_seeds_do_not_share_draws():
    drawn = weights(neurons=[32, 32, 32])

    assert not np.array_equal(drawn["dense_2.kernel"], drawn["dense_3.kernel"])
    assert not np.array_equal(drawn["dense_2.kernel"], weights(1, layers=3)["dense_2.kernel"])


def test_orders_are_permutations_that_differ_by_epoch_and_repeat_by_seed():
    first, second = islice(epoch_orders(100, 3), 2)
    again = next(epoch_orders(100, 3))

    np.testing.assert_array_equal(np.sort(first), np.arange(100))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("inputs", [32, 33])
def test_dropout_s_words_are_those_of_numpy_s_floats_draw_by_draw(inputs):
    network = build_network(
        Setting.from_knobs({"neurons": inputs, "dropout": 0.5}).model, (4, 4, 1), 3
    )
    (_, stream), (_, other) = (dropout_streams(network, 0)[0] for _ in range(2))

    for times in (1, 4, 3):
        words = float32_words(stream, times, 5 * inputs)

        floats = [other.random(5 * inputs, np.float32) for _ in range(times)]
        np.testing.assert_array_equal((words >> 8) * np.float32(2**-24), np.concatenate(floats))
