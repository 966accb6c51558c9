"""Powers of e, and the cross-entropy of stacks of dense layers, against float64 and PyTorch."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  its usual name

from siffra.engine.native import loss
from siffra.engine.native.conv import LANES, padded
from siffra.engine.native.simd import load
from siffra.engine.native.simd_math import exponential, store
from siffra.system.jit import compiled

EPS = float(np.finfo(np.float32).eps)


@compiled
def powers(x, out):
    for i in range(0, x.size, LANES):
        store(out, i, exponential(load(x, i, LANES)))


@compiled
def cross_entropy(flat, start, rows, units, classes, labels, order, first, share, smoothing):
    return loss.cross_entropy(
        flat, start, rows, units, classes, labels, order, first, share, smoothing
    )


def exp(x: np.ndarray) -> np.ndarray:
    out = np.zeros_like(x)
    powers(x, out)
    return out


def test_powers_of_e_are_within_two_units_in_the_last_place():
    x = np.concatenate([np.linspace(-87, 0, 2**20), -np.logspace(-30, 0, 2**16)]).astype(np.float32)

    expected = np.exp(x.astype(np.float64))

    assert (np.abs(exp(x) - expected) / expected).max() < 2 * EPS


def test_powers_at_the_ends():
    x = np.array([0, -0.0, -87.5, -200, -1e30, -np.inf, np.nan, -87] * 2, np.float32)

    found = exp(x)[:8]

    assert found[:6].tolist() == [1, 1, 0, 0, 0, 0]
    assert np.isnan(found[6])
    assert found[7] == pytest.approx(np.exp(-87.0), rel=2 * EPS)


def learn(logits: np.ndarray, labels: np.ndarray, smoothing: float):
    """Loss, correct answers and gradient; labels lie the other way round."""
    rows, classes = logits.shape
    flat = np.zeros(LANES + rows * padded(classes), np.float32)
    matrix = flat[LANES:].reshape(rows, -1)
    matrix[:, :classes] = logits
    order = np.append(0, np.arange(rows)[::-1])
    summed, correct = cross_entropy(
        flat, LANES, rows, matrix.shape[1], classes, labels[::-1].copy(), order, 1, 1 / rows,
        smoothing,
    )  # fmt: skip
    assert not flat[:LANES].any()
    assert not matrix[:, classes:].any()
    return summed / rows, correct, matrix[:, :classes]


@pytest.mark.parametrize("classes", [2, 10, 16, 17, 32, 100])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_loss_and_gradient_are_pytorch_s(classes, smoothing):
    rng = np.random.default_rng(classes)
    logits = (5 * rng.standard_normal((2000, classes))).astype(np.float32)
    labels = rng.integers(classes, size=len(logits))

    found, correct, gradient = learn(logits, labels, smoothing)

    u = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    expected = F.cross_entropy(u, torch.tensor(labels), label_smoothing=smoothing)
    expected.backward()
    # Logits up to 25, of which a power's exponent is rounded once; powers within two units.
    assert found == pytest.approx(expected.item(), abs=32 * EPS)
    assert u.grad is not None
    np.testing.assert_allclose(gradient, u.grad.numpy(), rtol=0, atol=32 * EPS / len(logits))
    assert correct == (logits.argmax(1) == labels).sum()


def test_the_first_of_equal_answers_counts_as_in_numpy():
    logits = np.array([[1, 3, 3, 0], [3, 1, 3, 3]], np.float32)

    corrects = [learn(logits, np.array(labels), 0.0)[1] for labels in ([1, 0], [2, 2], [1, 3])]

    assert corrects == [2, 0, 1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number_is_no_loss_and_never_right(bad):
    logits = np.zeros((2, 10), np.float32)
    logits[0] = bad

    found, correct, gradient = learn(logits, np.array([0, 0]), 0.0)

    assert not np.isfinite(found)
    assert correct == 1
    assert np.isnan(gradient[0]).all()
    assert np.isfinite(gradient[1]).all()
