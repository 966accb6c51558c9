"""Examines trained networks: see `siffra.training.examination` for what is found."""

import base64
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from siffra.data.dataset import Dataset, Images
from siffra.data.shifts import rotations, slid, translations, warp
from siffra.engine.base import Fitted, Weights
from siffra.training.examination import (
    BINS,
    CURVE_IMAGES,
    DEGREES,
    DIRECTIONS,
    MAP_IMAGES,
    MAP_PIXELS,
    PIXELS,
    Confidence,
    Examination,
    Features,
    Mistake,
)

AT_ONCE = 8_000_000
"""Pixels that are predicted together: ten thousand images of digits, 32 MB."""
MOST_KEPT = 2**27
"""Pixels of all versions of a test set that are kept for the next network: some 300 MB."""
MOST_MISTAKES = 16
"""Of each set, those that the network is surest of."""
MOST_FEATURES = 16
"""Of the first layer, those with the largest weights."""


def examine(fitted: Fitted, dataset: Dataset) -> Examination:
    """Examine a trained network: about 115,000 predictions, half a second to one second in all.

    Of one that diverged, whose probabilities are no numbers, there is nothing to be found.
    """
    looks: dict[str, tuple[tuple[Mistake, ...], Confidence]] = {}
    for name in ("test", *dataset.shifted):
        probabilities = fitted.keep(dataset.sets[name])()
        if np.isnan(probabilities).any():
            return Examination(**_NO_SHIFTS, mistakes={}, confidence={}, features=None)
        looks[name] = _look(probabilities, dataset.sets[name])
    shifts = _shifts(fitted, dataset.test) if not dataset.features else _NO_SHIFTS
    return Examination(
        **shifts,
        mistakes={name: mistakes for name, (mistakes, _) in looks.items()},
        confidence={name: confidence for name, (_, confidence) in looks.items()},
        features=None if dataset.features else _features(fitted.weights(), dataset.image_shape),
    )


_NO_SHIFTS: Mapping[str, Any] = {"moved": {}, "turned": (), "map": ()}


Versions = Mapping[str, Iterable[Images]]
"""Images that are moved or turned by more and more, by how; several versions at a time."""

_VERSIONS: WeakKeyDictionary[Images, Versions] = WeakKeyDictionary()
"""By the test set that they are of: making them takes longer than predicting them."""


def _shifts(fitted: Fitted, test: Images) -> Mapping[str, Any]:
    """What becomes of accuracy as test images are moved and turned."""
    versions = _VERSIONS.get(test)
    if versions is None:
        versions = _versions_of(test)
        if _pixels_of_versions(test) <= MOST_KEPT:
            versions = {how: tuple(chunks) for how, chunks in versions.items()}
            _VERSIONS[test] = versions
    few, fewer = (min(len(test), most) for most in (CURVE_IMAGES, MAP_IMAGES))
    reached = {
        how: _accuracies(fitted, chunks, fewer if how == "map" else few)
        for how, chunks in versions.items()
    }
    rows = range(0, len(reached["map"]), len(MAP_PIXELS))
    return {
        "moved": {way: reached[way] for way in DIRECTIONS},
        "turned": reached["turned"],
        "map": tuple(reached["map"][row : row + len(MAP_PIXELS)] for row in rows),
    }


def _versions_of(test: Images) -> Versions:
    few, fewer = (test.some(most, seed=1) for most in (CURVE_IMAGES, MAP_IMAGES))
    turns = (warp(few.x, rotations(np.full(len(few), angle, float))) for angle in DEGREES)
    cells = (slid(fewer.x, dx, dy) for dy in MAP_PIXELS for dx in MAP_PIXELS)
    return {
        "x": _together(few, _moved_either_way(few, 1, 0)),
        "y": _together(few, _moved_either_way(few, 0, 1)),
        "any": _together(few, _moved_anywhere(few)),
        "turned": _together(few, turns),
        "map": _together(fewer, cells),
    }


def _pixels_of_versions(test: Images) -> int:
    few, fewer = (min(len(test), most) for most in (CURVE_IMAGES, MAP_IMAGES))
    versions = few * (len(DIRECTIONS) * len(PIXELS) + len(DEGREES)) + fewer * len(MAP_PIXELS) ** 2
    return versions * test.x[0].size


def _together(images: Images, versions: Iterable[np.ndarray]) -> Iterator[Images]:
    """The `versions` of images, as many at a time as are predicted at once."""
    left = iter(versions)
    while chunk := list(islice(left, max(1, AT_ONCE // images.x.size))):
        yield Images(np.concatenate(chunk), np.tile(images.y, len(chunk)))


def _accuracies(fitted: Fitted, chunks: Iterable[Images], images: int) -> tuple[float, ...]:
    """The fraction that is right of each version of this many `images`."""
    accuracies: list[float] = []
    for versions in chunks:
        right = fitted.keep(versions)().argmax(axis=1) == versions.y
        accuracies += np.mean(right.reshape(-1, images), axis=1).tolist()
    return tuple(accuracies)


def _moved_either_way(images: Images, right: int, down: int) -> Iterator[np.ndarray]:
    """Images moved by each of `PIXELS`, each image this way or the opposite one."""
    ahead = np.random.default_rng(right).random((len(images), 1, 1, 1)) < 0.5
    for size in PIXELS:
        dx, dy = size * right, size * down
        yield np.where(ahead, slid(images.x, dx, dy), slid(images.x, -dx, -dy))


def _moved_anywhere(images: Images) -> Iterator[np.ndarray]:
    """Images moved by each of `PIXELS`, each image in a direction of its own."""
    angles = np.random.default_rng(2).uniform(0, 2 * np.pi, len(images))
    for size in PIXELS:
        yield warp(images.x, translations(size * np.cos(angles), size * np.sin(angles)))


def _look(probabilities: np.ndarray, images: Images) -> tuple[tuple[Mistake, ...], Confidence]:
    """A set's surest mistakes, the surest first, and how sure the network was of all."""
    predicted, sure = probabilities.argmax(axis=1), probabilities.max(axis=1).astype(float)
    right = predicted == images.y
    wrong = np.flatnonzero(~right)
    # A stable sort: of equally sure mistakes, the first.
    surest = wrong[np.argsort(-sure[wrong], kind="stable")[:MOST_MISTAKES]]
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    return (
        tuple(
            Mistake(
                image=int(i),
                true=int(images.y[i]),
                predicted=int(predicted[i]),
                confidence=round(float(sure[i]), 6),
            )
            for i in surest
        ),
        Confidence(
            images=tuple(np.bincount(bins, minlength=BINS).tolist()),
            right=tuple(np.bincount(bins[right], minlength=BINS).tolist()),
            confidence=tuple(np.bincount(bins, sure, minlength=BINS).round(6).tolist()),
        ),
    )


def _features(weights: Weights, image_shape: tuple[int, int, int]) -> Features | None:
    """The first layer's weights as pictures, the means over an image's channels.

    None for a module of the user's, of whose weights only PyTorch knows what they mean.
    """
    kernels = [array for name, array in weights.items() if name.endswith(".kernel")]
    if not kernels:
        return None
    # In float64, where the square of the largest float32 is still a number.
    first = np.nan_to_num(kernels[0].astype(float), posinf=0.0, neginf=0.0)
    if first.ndim == 2 and len(first) == np.prod(image_shape):
        first = first.reshape(*image_shape, -1)
    if first.ndim != 4:
        return None
    pictures = np.moveaxis(first.mean(axis=2), -1, 0)
    largest = np.argsort(-np.square(pictures).sum(axis=(1, 2)), kind="stable")[:MOST_FEATURES]
    chosen = pictures[largest]
    scale = np.abs(chosen).max() or 1.0
    data = np.rint(chosen * (127 / scale)).astype(np.int8)
    count, rows, columns = data.shape
    encoded = base64.b64encode(data.tobytes()).decode("ascii")
    return Features(count=count, rows=rows, columns=columns, data=encoded)
