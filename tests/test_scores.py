"""Scores, by hand."""

import numpy as np
import pytest

from siffra.scores import accuracy, confusion_matrix, epochs_to


def test_confusion_has_a_row_for_each_true_class():
    truth, predicted = np.array([0, 0, 2, 2, 2]), np.array([0, 1, 2, 2, 0])

    matrix = confusion_matrix(truth, predicted, 3)

    np.testing.assert_array_equal(matrix, [[1, 1, 0], [0, 0, 0], [1, 0, 2]])
    assert accuracy(matrix) == 3 / 5


@pytest.mark.parametrize(("target", "epoch"), [(0.5, 1), (0.8, 2), (0.9, 4), (0.95, None)])
def test_epochs_to_is_the_first_that_reaches_the_target(target, epoch):
    assert epochs_to(target, [0.5, 0.8, 0.7, 0.9]) == epoch
