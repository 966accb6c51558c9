"""Test-time averages: what a network says of an image, averaged over views of it.

A *view* is the image itself, moved by a pixel, or turned a little. Which views there are is fixed
here once for all: they are chosen by no data and fitted to no network, so that an average needs
no images to be set up with. It costs as many predictions as there are views, and a warp.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from siffra.data.dataset import Dataset
from siffra.data.shifts import rotations, translations, warp
from siffra.engine.base import Fitted
from siffra.training.diagnostics import AT_ONCE
from siffra.training.scores import accuracy, confusion_matrix


@dataclass(frozen=True, slots=True)
class View:
    """An image moved by `dx` pixels to the right and `dy` down, or turned by `degrees`.

    Positive angles turn it counter-clockwise about its centre.
    """

    dx: int = 0
    dy: int = 0
    degrees: int = 0


VIEWS = (
    View(),
    View(dx=1),
    View(dx=-1),
    View(dy=1),
    View(dy=-1),
    View(degrees=5),
    View(degrees=-5),
)
"""The image, its four moves by a pixel, and a turn either way.

Turned by 5 degrees, what is 11 pixels from the centre moves by a pixel too: MNIST's digits reach
about so far.
"""


@dataclass(frozen=True, slots=True)
class Averaged:
    """What one run's network does with predictions averaged over `VIEWS`.

    `accuracy` holds fractions, of the test set and those that are shifted; 0 of a network that
    diverged. To predict the test
    images takes `seconds` so, and `plain_seconds` without averaging.
    """

    accuracy: Mapping[str, float]
    seconds: float
    plain_seconds: float


def predict_averaged(
    fitted: Fitted, images: np.ndarray, views: Sequence[View] = VIEWS
) -> np.ndarray:
    """Class probabilities, (n, classes) float32: the means over `views` of each image.

    Images are as for `Fitted.predict`. All views of many images are made by one warp and
    predicted together.
    """
    moves = translations(*np.array([(view.dx, view.dy) for view in views], float).T)
    maps = moves @ rotations(np.array([view.degrees for view in views], float))
    at_once = max(1, AT_ONCE // (len(views) * images[0].size))
    parts = range(0, len(images), at_once)
    return np.concatenate([_averaged(fitted, images[n : n + at_once], maps) for n in parts])


def try_averaging(fitted: Fitted, dataset: Dataset) -> Averaged:
    """Score a network on averages over `VIEWS`, and time it.

    Raises:
        ValueError: The data set is of a table's rows, of which there are no views.
    """
    if dataset.features:
        raise ValueError("rows of a table have no views.")
    _warm_up(fitted, dataset)
    started = time.perf_counter()
    fitted.predict(dataset.test.x)
    plain_seconds = time.perf_counter() - started
    reached: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for name in ("test", *dataset.shifted):
        images = dataset.sets[name]
        started = time.perf_counter()
        probabilities = predict_averaged(fitted, images.x)
        seconds[name] = time.perf_counter() - started
        reached[name] = accuracy(confusion_matrix(images.y, probabilities, dataset.classes)) or 0.0
    return Averaged(reached, seconds["test"], plain_seconds)


def _averaged(fitted: Fitted, images: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """`predict_averaged` of as many images as are warped at once."""
    seen = warp(np.repeat(images, len(maps), axis=0), np.tile(maps, (len(images), 1, 1)))
    return fitted.predict(seen).reshape(len(images), len(maps), -1).mean(axis=1)


def _warm_up(fitted: Fitted, dataset: Dataset) -> None:
    """Have kernels compiled, or read from the disk, before the clock is looked at."""
    fitted.predict(dataset.test.x[:1])
    predict_averaged(fitted, dataset.test.x[:1])
