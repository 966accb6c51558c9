"""How good predictions are: accuracy, confusion matrix, epochs to a target."""

from collections.abc import Iterable, Sequence

import numpy as np


def confusion_matrix(
    truth: np.ndarray, probabilities: np.ndarray, classes: int
) -> np.ndarray | None:
    """Counts, (classes, classes) int64: rows are true classes, columns predicted ones.

    `probabilities` is (n, classes). None if one of them is not a number: the network has diverged,
    and the class that `argmax` would name is none that it predicts.
    """
    if np.isnan(probabilities).any():
        return None
    cells = truth.astype(np.int64) * classes + probabilities.argmax(axis=1)
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def accuracy(confusion: np.ndarray | None) -> float | None:
    """The fraction of images on the confusion matrix's diagonal; None where there is none."""
    return None if confusion is None else float(np.trace(confusion) / confusion.sum())


def known(accuracies: Iterable[float | None]) -> list[float]:
    """Those that there are: a run that diverged has none."""
    return [each for each in accuracies if each is not None]


def epochs_to(target: float, accuracies: Sequence[float | None]) -> int | None:
    """The first epoch, from 1, whose accuracy is at least `target`; None if none is."""
    for epoch, reached in enumerate(accuracies, start=1):
        if reached is not None and reached >= target:
            return epoch
    return None
