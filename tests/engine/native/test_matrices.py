"""A dense layer's products against NumPy, on whole numbers: no sum is rounded, so all is equal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siffra.engine.native import matrices
from siffra.engine.native.conv import LANES
from siffra.system.jit import compiled

BEFORE = 3
"""Floats in front of each matrix, which are nobody's."""


@compiled
def forward(x, rows, inputs, params, kernel, bias, units, floor, panel, out, to):
    matrices.forward(x, 0, rows, inputs, params, kernel, params, bias, units, floor, panel, out, to)


@compiled
def backward(slopes, rows, units, params, kernel, inputs, floor, panel, x, to):
    matrices.backward(slopes, 0, rows, units, params, kernel, inputs, floor, panel, x, to)


@compiled
def weight_gradient(x, at, rows, inputs, slopes, slope, units, out, to):
    matrices.weight_gradient(x, at, rows, inputs, slopes, slope, units, out, to)


@compiled
def bias_gradient(slopes, slope, rows, units, out, to):
    matrices.bias_gradient(slopes, slope, rows, units, out, to)


class Case:
    """A layer of whole numbers: `vectors` of inputs and of units, over some rows."""

    def __init__(self, rows: int, vectors: tuple[int, int]) -> None:
        rng = np.random.default_rng(rows)
        self.rows, self.inputs, self.units = rows, vectors[0] * LANES, vectors[1] * LANES
        self.x = self.matrix(rng, self.inputs)
        self.slopes = self.matrix(rng, self.units)
        self.kernel = rng.integers(-3, 4, (self.inputs, self.units)).astype(np.float32)
        self.bias = rng.integers(-30, 30, self.units).astype(np.float32)
        nobodys = np.full(BEFORE, np.nan, np.float32)
        self.params = np.concatenate([nobodys, self.kernel.reshape(-1), self.bias])
        self.panel = np.zeros(matrices.PANEL * max(self.inputs, self.units), np.float32)

    def matrix(self, rng: np.random.Generator, columns: int) -> np.ndarray:
        return rng.integers(-5, 6, (self.rows, columns)).astype(np.float32)

    def in_tiles(self, matrix: np.ndarray) -> np.ndarray:
        """A flat array with `matrix` behind what is nobody's, filled up to whole tiles."""
        more = np.full((matrices.tiled(self.rows) - self.rows) * matrix.shape[1], 7, np.float32)
        return np.concatenate([np.zeros(BEFORE, np.float32), matrix.reshape(-1), more])

    def told(self, flat: np.ndarray, columns: int) -> np.ndarray:
        """The matrix in such an array."""
        return flat[BEFORE : BEFORE + self.rows * columns].reshape(self.rows, columns)


cases = st.builds(Case, st.integers(1, 20), st.tuples(st.integers(1, 5), st.integers(1, 5)))


@settings(deadline=None)
@given(cases, st.sampled_from([0, -np.inf]))
def test_outputs_are_products_and_bias_and_at_least_the_floor(case, floor):
    out = case.in_tiles(np.zeros_like(case.slopes))

    forward(
        case.in_tiles(case.x)[BEFORE:], case.rows, case.inputs, case.params, BEFORE,
        BEFORE + case.kernel.size, case.units, np.float32(floor), case.panel, out, BEFORE,
    )  # fmt: skip

    expected = np.maximum(case.x @ case.kernel + case.bias, floor)
    np.testing.assert_array_equal(case.told(out, case.units), expected)
    assert not out[:BEFORE].any()


@settings(deadline=None)
@given(cases, st.sampled_from([0, -np.inf]))
def test_inputs_get_their_gradient_where_they_are_above_the_floor(case, floor):
    x = case.in_tiles(case.x)

    backward(
        case.in_tiles(case.slopes)[BEFORE:], case.rows, case.units, case.params, BEFORE,
        case.inputs, np.float32(floor), case.panel, x, BEFORE,
    )  # fmt: skip

    expected = np.where(case.x > floor, case.slopes @ case.kernel.T, 0)
    np.testing.assert_array_equal(case.told(x, case.inputs), expected)
    assert not x[:BEFORE].any()


@settings(deadline=None)
@given(cases)
def test_weights_get_sums_of_outer_products(case):
    out = np.full(BEFORE + case.kernel.size + 1, 9, np.float32)
    x, slopes = case.in_tiles(case.x), case.in_tiles(case.slopes)

    weight_gradient(x, BEFORE, case.rows, case.inputs, slopes, BEFORE, case.units, out, BEFORE)

    np.testing.assert_array_equal(out[BEFORE:-1].reshape(case.kernel.shape), case.x.T @ case.slopes)
    assert (out[[0, 1, 2, -1]] == 9).all()


@settings(deadline=None)
@given(cases)
def test_biases_get_sums_over_the_rows(case):
    out = np.full(BEFORE + case.units + 1, 9, np.float32)

    bias_gradient(case.in_tiles(case.slopes), BEFORE, case.rows, case.units, out, BEFORE)

    np.testing.assert_array_equal(out[BEFORE:-1], case.slopes.sum(0))
    assert (out[[0, 1, 2, -1]] == 9).all()


@pytest.mark.parametrize("floor", [0, -np.inf])
def test_what_is_not_a_number_stays_none(floor):
    case = Case(2, (1, 1))
    case.x[0, 3] = np.nan
    out = case.in_tiles(np.zeros_like(case.slopes))

    forward(
        case.in_tiles(case.x)[BEFORE:], case.rows, case.inputs, case.params, BEFORE,
        BEFORE + case.kernel.size, case.units, np.float32(floor), case.panel, out, BEFORE,
    )  # fmt: skip

    assert np.isnan(case.told(out, case.units)).all(axis=1).tolist() == [True, False]


@settings(deadline=None)
@given(st.integers(1, 300))
def test_no_image_depends_on_how_many_there_are(rows):
    """Each sum is one chain in the same order; in bits, on numbers that do get rounded."""
    rng = np.random.default_rng(0)
    case = Case(1, (2, 3))
    params = rng.standard_normal(case.params.size).astype(np.float32)
    x = np.zeros((matrices.tiled(rows), case.inputs), np.float32)
    x[:rows] = rng.standard_normal(case.inputs)
    out = np.zeros((len(x), case.units), np.float32)

    forward(
        x.reshape(-1), rows, case.inputs, params, BEFORE, BEFORE + case.kernel.size, case.units,
        np.float32(0), case.panel, out.reshape(-1), 0,
    )  # fmt: skip

    assert (out[:rows] == out[0]).all()
