"""What candidates are judged by: validation images, plain and shifted like the test sets.

Test images play no part. The shifts have the test sets' distributions, but random streams of
their own.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from siffra.config import Setting
from siffra.data.dataset import Dataset, Images
from siffra.data.shifted import SHIFTED, shift
from siffra.engine.base import Engine
from siffra.errors import SearchError, did_you_mean
from siffra.search.race import Run
from siffra.search.throughput import timed_fit, with_steps
from siffra.training.scores import accuracy, confusion_matrix

FEWEST = 30
"""The fewest validation images; with fewer, one is worth more than three percentage points."""

# Streams of the data set's seed, as in siffra.data.shifted.
_PICK = 10
_STREAMS: Mapping[str, int] = {name: number for number, name in enumerate(SHIFTED, start=_PICK + 1)}


def chosen_sets(sets: Sequence[str] | None, dataset: Dataset) -> tuple[str, ...]:
    """The sets that a search is for, in the order of reports: test and shifted ones, or `sets`.

    Raises:
        SearchError: `sets` is empty, names a set that the data lacks, or names one twice.
    """
    known = ("test", *dataset.shifted)
    for name in sets or ():
        if name not in known:
            raise SearchError(f"sets: found `{name}`; {did_you_mean(name, known)}")
    if sets is not None and (not sets or len(set(sets)) < len(sets)):
        raise SearchError(f"sets: found {', '.join(sets) or 'none'}; name each set once.")
    return tuple(name for name in known if sets is None or name in sets)


def held_out(dataset: Dataset, seed: int, sets: Sequence[str], most: int) -> dict[str, Images]:
    """At most `most` validation images for each of `sets`, shifted like that set.

    `seed` decides which they are, and how each is shifted.

    Raises:
        SearchError: There are too few validation images.
    """
    val = dataset.val
    if len(val) < FEWEST:
        noun = "row" if dataset.features else "image"
        are = " is" if len(val) == 1 else "s are"
        raise SearchError(
            f"{dataset.name}: {len(val)} validation {noun}{are} too few for model selection; "
            f"at least {FEWEST} are needed. Add {noun}s to the data set."
        )
    chosen = np.sort(_stream(seed, _PICK).permutation(len(val))[:most])
    plain = Images(val.x[chosen], val.y[chosen])

    def made(name: str) -> Images:
        if name == "test":
            return plain
        rng = _stream(seed, _STREAMS[name])
        return Images(shift(name, plain.x, dataset.strengths[name], rng)[0], plain.y)

    return {name: made(name) for name in sets}


def try_out(
    setting: Setting,
    steps: int,
    seed: int,
    dataset: Dataset,
    engine: Engine,
    judged_by: Mapping[str, Images],
    clock: Callable[[], float],
) -> Run:
    """Train `setting` for this many steps and score it on each set of `judged_by`.

    A network that diverged has accuracy 0. `Run.scoring` goes by the set that was scored at the
    highest rate: the machine may have been busy during another.
    """
    begun = clock()
    setting = with_steps(setting, steps, len(dataset.train))
    seconds, fitted = timed_fit(setting, dataset, seed, engine)
    scores, took = {}, {}
    for name, images in judged_by.items():
        before = clock()
        probabilities = fitted.predict(images.x)
        scores[name] = accuracy(confusion_matrix(images.y, probabilities, dataset.classes)) or 0.0
        took[name] = clock() - before
    per_image = min(took[name] / len(images) for name, images in judged_by.items())
    scoring = per_image * sum(map(len, judged_by.values()))
    return Run(steps, seed, scores, seconds, clock() - begun - seconds, scoring)


def _stream(seed: int, use: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(use,)))
