"""The NumPy twin that other tests lean on is itself checked: against finite differences."""

import numpy as np
import pytest
from reference import loss_and_gradients

from siffra.config import Setting
from siffra.engine.draws import initial_weights
from siffra.network import build_network

NETWORKS = [
    {"neurons": [5, 4]},
    {"model": "conv", "filters": 3, "kernel_size": 3},
    {"model": "conv", "filters": [2, 3], "kernel_size": [3, 2], "strides": [2, 1], "neurons": [4]},
]
STEP = np.finfo(np.float64).eps ** (1 / 3)  # balances rounding against the third derivative


@pytest.mark.parametrize("knobs", NETWORKS, ids=str)
def test_gradients_are_the_slopes_of_the_loss(knobs):
    network = build_network(Setting.from_knobs(knobs).model, (9, 9, 2), 3)
    rng = np.random.default_rng(0)
    weights = {k: v.astype(np.float64) for k, v in initial_weights(network, 1).items()}
    x, y = rng.random((4, 9, 9, 2)), np.array([0, 1, 2, 1])

    _, _, grads = loss_and_gradients(network, weights, x, y)

    for name, weight in weights.items():
        for index in rng.integers(weight.size, size=5):
            ends = []
            for sign in (1, -1):
                bumped = {k: v.copy() for k, v in weights.items()}
                bumped[name].flat[index] += sign * STEP
                ends.append(loss_and_gradients(network, bumped, x, y)[0])
            slope = (ends[0] - ends[1]) / (2 * STEP)
            assert slope == pytest.approx(grads[name].flat[index], rel=1e-6, abs=STEP**2 * 10)
