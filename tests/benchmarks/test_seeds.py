"""An epoch of many seeds at once: the same training as one by one, timed side by side."""

from functools import partial

import numpy as np
import pytest

from benchmarks.peers.base import Problem
from benchmarks.seeds import Throughput, jax_epoch, lines
from benchmarks.workers import read_images
from siffra.bench.workloads import WORKLOADS


def test_seeds_that_are_stacked_train_as_they_would_alone():
    pytest.importorskip("jax", reason="pip install jax")
    from benchmarks.peers import jax_scan

    dataset = read_images(600, 1)
    epoch = jax_epoch("dense", dataset, 2)
    losses = epoch()

    setting = WORKLOADS["dense"].setting
    asarray = jax_scan.jnp.asarray
    images, labels = asarray(jax_scan.pixels(dataset.train)), asarray(dataset.train.y)
    rng = np.random.default_rng(0)
    for seed in range(2):
        weights = Problem(setting, dataset, seed, 1).weights
        network = Problem(setting, dataset, seed, 1).network
        train = setting.training
        alone = partial(jax_scan.epoch, network, train.batch_size, train.learning_rate)
        *_, loss = alone(weights, {}, images, labels, rng.permutation(600))
        assert losses[seed] == pytest.approx(float(loss), rel=1e-5)


def test_the_ratio_is_of_rounds_side_by_side():
    """A busy second round slows both: 2 and 3 times, and not the 2.2 of the sums."""
    times = Throughput("net", 100, 32, 2, siffra=(1.0, 10.0, 1.0), jax=(3.0, 20.0, 3.0))

    (line,) = lines(times)

    assert times.ratio == 3.0
    assert line.endswith("siffra 1.00 s, JAX vmap 3.00 s (3.0 times)")
