"""How good predictions are: accuracy, confusion matrix, epochs to a target."""

from collections.abc import Sequence

import numpy as np


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts, (classes, classes) int64: rows are true classes, columns predicted ones."""
    cells = truth.astype(np.int64) * classes + predicted
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def accuracy(confusion: np.ndarray) -> float:
    """The fraction of images on the confusion matrix's diagonal."""
    return float(np.trace(confusion) / confusion.sum())


def epochs_to(target: float, accuracies: Sequence[float]) -> int | None:
    """The first epoch, from 1, whose accuracy is at least `target`; None if none is."""
    for epoch, reached in enumerate(accuracies, start=1):
        if reached >= target:
            return epoch
    return None
