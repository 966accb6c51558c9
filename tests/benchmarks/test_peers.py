"""Every library trains the same network: that is what makes their times comparable."""

import threading
from importlib.util import find_spec
from shutil import which

import numpy as np
import pytest

from benchmarks.peers import PEERS
from benchmarks.peers.base import Peer, Problem
from benchmarks.peers.products import Products
from benchmarks.peers.siffra_native import Siffra
from benchmarks.race import TOLERANCE
from siffra.bench.workloads import WORKLOADS
from siffra.engine.rng import epoch_orders
from siffra.errors import BenchError

FEW = 300
# Rounding of float32, summed over a few steps; PyTorch's and Keras' batch norms are coarser: see
# TOLERANCE.
PRECISION = {"dense": 1e-5, "conv-strides": 1e-5, "3x3": TOLERANCE}


def losses(peer: Peer, problem: Problem) -> list[float | None]:
    orders = epoch_orders(len(problem.dataset.train), problem.seed)
    return [peer.train(peer.ready(next(orders))) for _ in range(2)]


def scores(peer: Peer) -> np.ndarray:
    p = peer.score()
    assert p is not None
    return p


@pytest.fixture
def problem(request, digits) -> Problem:
    return Problem(WORKLOADS[request.param].setting, digits(FEW), seed=3, threads=1)


@pytest.mark.parametrize("name", ["pytorch", "keras", "keras-tuned", "jax"])
@pytest.mark.parametrize("problem", PRECISION, indirect=True)
def test_has_siffras_losses_and_scores(name, problem, request):
    precision = PRECISION[request.node.callspec.params["problem"]]
    if lacking := [package for package in PEERS[name].packages if not find_spec(package)]:
        pytest.skip(f"no {lacking[0]} here")
    assert_same_training(name, problem, precision)


@pytest.mark.parametrize("problem", ["dense"], indirect=True)
def test_scikit_learn_has_siffras_losses_and_scores(problem):
    assert_same_training("scikit-learn", problem, PRECISION["dense"])


@pytest.mark.parametrize("problem", ["conv-strides", "3x3"], indirect=True)
def test_scikit_learn_says_which_networks_it_has_not(problem):
    with pytest.raises(BenchError, match="dense layers alone"):
        PEERS["scikit-learn"].load()(problem)


@pytest.mark.skipif(not which("g++"), reason="no C++ compiler here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # of what PyTorch itself uses
@pytest.mark.parametrize("problem", ["dense"], indirect=True)
def test_compiled_pytorch_has_siffras_losses_and_scores(problem, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))

    assert_same_training("torch-compile", problem, PRECISION["dense"])


def assert_same_training(name: str, problem: Problem, precision: float) -> None:
    siffra, peer = Siffra(problem), PEERS[name].load()(problem)
    untrained = scores(siffra)
    np.testing.assert_allclose(untrained, scores(peer), atol=1e-5)

    expected = losses(peer, problem)

    assert losses(siffra, problem) == pytest.approx(expected, rel=precision)
    np.testing.assert_allclose(scores(siffra), scores(peer), atol=precision)
    assert np.abs(scores(siffra) - untrained).max() > 0.01


@pytest.mark.parametrize("problem", ["dense"], indirect=True)
def test_the_bare_products_end_with_a_partial_batch_and_have_no_loss(problem):
    assert losses(Products(problem), problem) == [None, None]


@pytest.mark.parametrize("problem", ["dense"], indirect=True)
def test_siffras_training_ends_with_its_last_turn(problem):
    before = set(threading.enumerate())
    siffra = Siffra(problem)
    siffra.train(None)
    (fitting,) = set(threading.enumerate()) - before

    siffra.close()

    assert not fitting.is_alive()


@pytest.mark.parametrize("problem", ["dense"], indirect=True)
def test_one_that_was_never_asked_has_nothing_to_end(problem):
    Siffra(problem).close()
