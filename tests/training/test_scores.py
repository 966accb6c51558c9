"""Scores, by hand."""

import numpy as np
import pytest

from siffra.training.scores import accuracy, confusion_matrix, epochs_to, known


def test_confusion_has_a_row_for_each_true_class():
    truth, predicted = np.array([0, 0, 2, 2, 2]), np.array([0, 1, 2, 2, 0])

    matrix = confusion_matrix(truth, np.eye(3)[predicted], 3)

    np.testing.assert_array_equal(matrix, [[1, 1, 0], [0, 0, 0], [1, 0, 2]])
    assert accuracy(matrix) == 3 / 5


@pytest.mark.parametrize("place", [(0, 0), (4, 2)])
def test_what_is_not_a_number_predicts_no_class(place):
    truth, shares = np.array([0, 0, 2, 2, 2]), np.eye(3)[[0, 1, 2, 2, 0]]
    shares[place] = np.nan

    assert confusion_matrix(truth, shares, 3) is None
    assert accuracy(None) is None


def test_a_run_has_arrived_before_it_diverged_or_never():
    curve = [0.5, 0.9, None, None]

    assert (epochs_to(0.9, curve), epochs_to(0.95, curve)) == (2, None)
    assert known(curve) == [0.5, 0.9]


@pytest.mark.parametrize(("target", "epoch"), [(0.5, 1), (0.8, 2), (0.9, 4), (0.95, None)])
def test_epochs_to_is_the_first_that_reaches_the_target(target, epoch):
    assert epochs_to(target, [0.5, 0.8, 0.7, 0.9]) == epoch
