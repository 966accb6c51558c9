"""A class in scikit-learn's manner, for tests."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Nearest(ClassifierMixin, BaseEstimator):
    """Decides by the nearest class mean in a few directions.

    They are drawn from NumPy's global generator, as if it knew of no better.
    """

    def __init__(self, directions: int = 2, power: float = 2.0, classes: int = 1) -> None:
        self.directions, self.power, self.classes = directions, power, classes

    def fit(self, x, y):
        self.directions_ = np.random.standard_normal((x.shape[1], self.directions))  # noqa: NPY002
        projected = x @ self.directions_
        self.means_ = np.stack(
            [projected[y == label].mean(axis=0) for label in range(self.classes)]
        )
        return self

    def predict(self, x):
        apart = np.abs((x @ self.directions_)[:, None] - self.means_) ** self.power
        return apart.sum(axis=2).argmin(axis=1)
