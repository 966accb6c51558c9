"""scikit-learn's `MLPClassifier`: an epoch is one `partial_fit` of all images, in float32."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from benchmarks.peers.base import Peer, Problem, pixels
from siffra.errors import BenchError


class ScikitLearn(Peer):
    """Plain SGD without weight decay. It has dense layers alone, and NumPy's BLAS does the work."""

    def __init__(self, problem: Problem) -> None:
        """See `Peer`.

        Raises:
            BenchError: The network has layers that it has not.
        """
        denses = problem.network.denses
        if problem.network.convs or any(dense.batch_norm for dense in denses):
            raise BenchError("MLPClassifier has dense layers alone")
        self._threads, weights = problem.threads, problem.weights
        train, test = (pixels(i) for i in (problem.dataset.train, problem.dataset.test))
        self._x, self._test = (images.reshape(len(images), -1) for images in (train, test))
        self._y = problem.dataset.train.y
        size = min(problem.batch_size, len(self._y))
        self._model = MLPClassifier(
            [dense.units for dense in denses[:-1]],
            solver="sgd",
            alpha=0.0,
            batch_size=size,  # pyright: ignore[reportArgumentType]  its default is a word
            learning_rate_init=problem.learning_rate,
            momentum=0.0,
            nesterovs_momentum=False,
            shuffle=False,
        )
        # The first call makes the arrays, which its optimizer keeps: they are filled in place.
        classes = np.arange(problem.dataset.classes)
        self._model.partial_fit(self._x[:size], self._y[:size], classes=classes)
        for dense, kernel, bias in zip(
            denses, self._model.coefs_, self._model.intercepts_, strict=True
        ):
            kernel[...] = weights[f"{dense.name}.kernel"]
            bias[...] = weights[f"{dense.name}.bias"]

    def train(self, ready: np.ndarray) -> float:
        """See `Peer`."""
        with threadpool_limits(self._threads, "blas"), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._model.partial_fit(self._x[ready], self._y[ready])
        return float(self._model.loss_)

    def score(self) -> np.ndarray:
        """See `Peer`."""
        with threadpool_limits(self._threads, "blas"):
            return np.asarray(self._model.predict_proba(self._test))


PEER = ScikitLearn
