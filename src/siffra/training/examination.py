"""What a trained network does, looked at closely: where it fails, how sure it is, what it sees.

A run's record says how often its network is right. An examination says how that changes as the
images are moved and turned, which mistakes the network is surest of, how far its confidence can
be trusted, and what its first layer has learned. All of it takes the network itself, which is
not kept. So a run that a plan wants examined is examined as it ends, while its network is there,
and what was found is stored beside the record: numbers, some ten thousand bytes a run, where the
weights would be millions. Equal runs have equal examinations, so that a run whose examination is
missing (it was stored by an older siffra, or for a plan that did not want one) can be made again.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from siffra.data.dataset import Dataset

EXAMINING = 1
"""Raised whenever an examination comes to hold something else; older ones are then made anew."""

DIRECTIONS = ("x", "y", "any")
"""Sideways, up or down, and each image in a direction of its own."""
PIXELS = tuple(range(11))
DEGREES = tuple(range(-180, 181, 15))
MAP_PIXELS = tuple(range(-10, 11, 2))
CURVE_IMAGES = 1000
"""How many test images a point of a shift curve rests on, at most."""
MAP_IMAGES = 250
"""How many a cell of the map."""
BINS = 10
"""Of confidence, equally wide."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mistake(_Frozen):
    """An image, by its place in its set, that was given the wrong class with this probability."""

    image: int
    true: int
    predicted: int
    confidence: float


class Confidence(_Frozen):
    """A set's images by the probability of the class they were given, in `BINS` equal bins.

    `images` counts them, `right` those that were given the right class, and `confidence` is the
    sum of their probabilities; so the runs of several seeds can be added up.
    """

    images: tuple[int, ...]
    right: tuple[int, ...]
    confidence: tuple[float, ...]


class Features(_Frozen):
    """Pictures of weights: `count` of `rows` x `columns`, signed bytes in base64.

    127 stands for the largest weight among them.
    """

    count: int
    rows: int
    columns: int
    data: str

    def pictures(self) -> np.ndarray:
        """The weights, (count, rows, columns) float32 in [-1, 1]."""
        bytes_ = np.frombuffer(base64.b64decode(self.data), np.int8)
        return bytes_.reshape(self.count, self.rows, self.columns) / np.float32(127)


class Examination(_Frozen):
    """What one run's network was found to do. Accuracies are fractions.

    - `moved`: by direction, accuracy on test images moved by each of `PIXELS`. Sideways each
      image goes left or right, up or down likewise, as was drawn for it once.
    - `turned`: accuracy on test images turned by each of `DEGREES`, counter-clockwise.
    - `map`: accuracy on test images moved by each of `MAP_PIXELS`: rows are dy, downwards, and
      columns dx, to the right.
    - `mistakes` and `confidence`, by set: the test set and those that are shifted; `features`,
      of the first layer (None if its weights do not lie on the image).

    Rows of a table are neither moved nor turned: then the first three are empty. Of a network that
    diverged all are.
    """

    moved: dict[str, tuple[float, ...]]
    turned: tuple[float, ...]
    map: tuple[tuple[float, ...], ...]
    mistakes: dict[str, tuple[Mistake, ...]]
    confidence: dict[str, Confidence]
    features: Features | None


@dataclass(frozen=True, slots=True)
class Examined:
    """The examinations that there are of a lab's runs, by run key, and the images they are of."""

    dataset: Dataset
    by_key: Mapping[str, Examination]
