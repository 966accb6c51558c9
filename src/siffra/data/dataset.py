"""A data set for classification: train / val / test examples and the shifted test sets."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, Self

import numpy as np

from siffra.data.notes import Note
from siffra.data.shifted import SHIFTED

LIMIT = 8 * 2**30
"""The most bytes that the arrays of a data set may have."""
MOST_FEATURES = 10_000
"""The most columns of a table."""

SETS = ("train", "val", "test", *SHIFTED)
"""All sets that there can be."""

# Streams 0 and 1 of a run's seed are the engine's (weights and order); this one is the split's.
_SPLIT = 4


def class_labels(names: Sequence[str], classes: int) -> tuple[str | int, ...]:
    """What the data calls each class: its name, or its number where classes are just numbered."""
    return tuple(names) or tuple(range(classes))


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Images:
    """Labelled images: `x` (n, height, width, channels), `y` (n,) class numbers from 0.

    `x` is uint8 in 0..255 or float32 in [0, 1]. The arrays must not change: what is worked out
    from them is kept for as long as the object is.
    """

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        """Number of images."""
        return len(self.y)

    def some(self, most: int, *, seed: int = 0) -> "Images":
        """At most `most` of them, at random but always the same by `seed`: files have an order."""
        if len(self) <= most:
            return self
        chosen = np.sort(np.random.default_rng(seed).permutation(len(self))[:most])
        return Images(self.x[chosen], self.y[chosen])

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the images and labels with their shapes and dtypes."""
        digest = hashlib.sha256()
        for array in (self.x, self.y):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class AsRead:
    """What the numbers of a set were before siffra scaled them: their type, least and greatest."""

    dtype: str
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Dataset:
    """Sets of examples with the same classes; those in `shifted` are test images, shifted.

    Examples are images, or rows of a table: those have a name for each of their `features`, and
    are held as images of one row, (n, 1, features, 1).

    `fingerprint` is a SHA-256 (hex) of all that the sets hold. `split` says whether every run
    uses the same training and validation images, or those that `split_for` gives for its seed.
    `strengths` has, by shifted set, how strong its shift is, and `drawn` what was drawn for each
    image, where something was: see `siffra.data.shifted`. `class_names` are those that the data
    has for its classes; none where they are just numbered. `constant` are the features that
    have one value in training, and so are 0 throughout, and `ranges` the least and the greatest
    training value of each feature, which became 0 and 1. `as_read` has the numbers of each of the
    three plain sets as they were, `left_out` the columns that are not learned from, and `notes`
    what should be known of the data.
    """

    name: str
    classes: int
    train: Images
    val: Images
    test: Images
    shifted: Mapping[str, Images]
    fingerprint: str
    split: Literal["fixed", "seed"] = "fixed"
    drawn: Mapping[str, np.ndarray] = field(default_factory=dict)
    strengths: Mapping[str, float] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    constant: tuple[str, ...] = ()
    ranges: tuple[tuple[float, float], ...] = ()
    as_read: Mapping[str, AsRead] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def sets(self) -> Mapping[str, Images]:
        """The sets by name, in the order in which they are reported."""
        sets = {"train": self.train, "val": self.val, "test": self.test}
        return MappingProxyType({**sets, **self.shifted})

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        height, width, channels = self.train.x.shape[1:]
        return height, width, channels

    def split_for(self, seed: int) -> Self:
        """The data set that a run with `seed` is given.

        With a fixed split that is this one. Else training and validation images are put
        together, shuffled by `seed` and parted again, as many in each as before; the result
        has a fixed split and a fingerprint of its own, worked out from this one's and `seed`.
        """
        if self.split == "fixed":
            return self
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_SPLIT,)))
        x = np.concatenate([self.train.x, self.val.x])
        y = np.concatenate([self.train.y, self.val.y])
        order = rng.permutation(len(y))
        train, val = order[: len(self.train)], order[len(self.train) :]
        return replace(
            self,
            train=Images(x[train], y[train]),
            val=Images(x[val], y[val]),
            fingerprint=hashlib.sha256(f"{self.fingerprint} split {seed}".encode()).hexdigest(),
            split="fixed",
        )


def fingerprint(classes: int, sets: Mapping[str, Images]) -> str:
    """SHA-256 (hex) over the number of classes and the name and content of every set."""
    parts = [f"{classes} classes"] + [f"{name} {sets[name].fingerprint}" for name in sets]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
