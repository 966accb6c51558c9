"""What candidates are judged by: validation images, as they are, moved and turned.

Test images have no part in it. The shifts are drawn as those of the test sets are, but from
streams of their own.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from siffra.data.dataset import Dataset, Images
from siffra.data.load import DataSource
from siffra.data.shifts import moved, rotated
from siffra.errors import SearchError, did_you_mean

SETS = ("test", "moved", "rotated")
"""The sets that a search can look at; each has its likeness among the validation images."""

FEWEST = 30
"""Validation images; with fewer, one image is worth more than three percentage points."""

_PICK, _MOVED, _ROTATED = 10, 11, 12  # streams of the data set's seed, as in siffra.data.load


def check_sets(sets: Sequence[str]) -> None:
    """See that a search can be for these sets.

    Raises:
        SearchError: There is none, an unknown one, or one twice.
    """
    for name in sets:
        if name not in SETS:
            raise SearchError(f"sets: found `{name}`; {did_you_mean(name, SETS)}")
    if not sets or len(set(sets)) < len(sets):
        raise SearchError(f"sets: found {', '.join(sets) or 'none'}; name each of them once.")


def held_out(
    dataset: Dataset, source: DataSource, sets: Sequence[str], most: int
) -> dict[str, Images]:
    """At most `most` of the validation images for each of `sets`, shifted as that one is.

    Raises:
        SearchError: There are too few images to judge by.
    """
    val = dataset.val
    if len(val) < FEWEST:
        raise SearchError(
            f"{dataset.name}: {len(val)} validation images are too few to choose a model by; "
            f"it takes {FEWEST}. Add images to the data set."
        )
    chosen = np.sort(_stream(source, _PICK).permutation(len(val))[:most])
    plain = Images(val.x[chosen], val.y[chosen])
    made: Mapping[str, Images] = {
        "test": plain,
        "moved": Images(moved(plain.x, source.moved, _stream(source, _MOVED))[0], plain.y),
        "rotated": Images(rotated(plain.x, source.rotated, _stream(source, _ROTATED))[0], plain.y),
    }
    return {name: made[name] for name in sets}


def _stream(source: DataSource, use: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(source.seed, spawn_key=(use,)))
