"""Muon's orthogonal matrices, against the plain iteration in float64."""

import numpy as np
import pytest
from reference_optimizers import NEWTON_SCHULZ, orthogonalised

from siffra.engine.native.optimizers import orthogonal

EPS = float(np.finfo(np.float32).eps)
A, B, _ = NEWTON_SCHULZ
# A step multiplies small singular values by A. Errors of the matrix that the iteration begins with
# are multiplied five times; those of a Gram matrix, of which the values are squares, twice a step
# for two steps (three are taken on it), before B brings them into the result.
WORST = (A**5 + abs(B) * A**4) * EPS


def spectrum(kind: str, values: int) -> np.ndarray:
    if kind == "one large":
        return np.array([1.0] + [1e-3] * (values - 1))
    return np.logspace(0, -int(kind), values)


@pytest.mark.parametrize("shape", [(256, 64), (64, 256), (96, 96), (20, 300), (1024, 16), (8, 8)])
@pytest.mark.parametrize("kind", ["0", "1", "3", "6", "one large"])
def test_singular_values_may_span_six_decades(shape, kind):
    rng = np.random.default_rng(shape[0])
    left, _, right = np.linalg.svd(rng.normal(size=shape), full_matrices=False)
    matrix = ((left * spectrum(kind, min(shape))) @ right).astype(np.float32)

    error = orthogonal(matrix) - orthogonalised(matrix.astype(np.float64))

    assert np.linalg.norm(error, 2) < WORST


@pytest.mark.parametrize("value", [0.0, 1e-30])
def test_a_matrix_of_next_to_nothing_stays_so(value):
    found = orthogonal(np.full((6, 3), value, np.float32))

    assert np.abs(found).max() <= A**5 * value / 1e-7
