"""One candidate tried out: trained for a number of steps, timed, scored on held-out images."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from siffra.config import Setting
from siffra.data.dataset import Dataset, Images
from siffra.engine.base import Engine, EpochEnd, Fitted
from siffra.engine.schedule import steps_per_epoch
from siffra.training.scores import accuracy, confusion_matrix

_FIRST_STEPS = 8
"""Trained before the clock is looked at: the first steps are slower than the others."""
_FIRST_SLOWER = 4
"""By no more than this factor, or so."""
_AGAIN = 2
"""Times that a step of few images is made again before it is taken for too long."""
_MORE = 8
"""Times as many images has the next step of few."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of it: accuracies (fractions) by set, and the training's seconds.

    Those of a network that diverged are 0: it loses to any other.

    All sets are scored in `scoring` seconds, at the rate of that where it was quickest: the machine
    may have been busy in another.
    """

    accuracy: Mapping[str, float]
    seconds: float
    scoring: float


def with_steps(setting: Setting, steps: int, images: int) -> Setting:
    """`setting` trained for so many steps on that many images, its schedule ending there."""
    epochs = steps / steps_per_epoch(setting.training, images)
    training = setting.training.model_copy(
        update={"epochs": int(epochs) if epochs.is_integer() else epochs}
    )
    return replace(setting, training=training)


def try_out(
    setting: Setting,
    dataset: Dataset,
    seed: int,
    engine: Engine,
    judged_by: Mapping[str, Images],
    clock: Callable[[], float] = time.monotonic,
) -> Tried:
    """Train `setting` on the training images and score it on each of the sets `judged_by`."""
    seconds, fitted = _train(setting, dataset, seed, engine)
    scores, took = {}, {}
    for name, images in judged_by.items():
        before = clock()
        shares = fitted.predict(images.x)
        scores[name] = accuracy(confusion_matrix(images.y, shares, dataset.classes)) or 0.0
        took[name] = clock() - before
    an_image = min(took[name] / len(images) for name, images in judged_by.items())
    return Tried(scores, seconds, an_image * sum(map(len, judged_by.values())))


def seconds_per_step(
    setting: Setting,
    dataset: Dataset,
    engine: Engine,
    worth: float,
    most: float = math.inf,
    *,
    carefully: bool = False,
) -> float:
    """How long a step of this training takes here, measured for about `worth` seconds.

    Where it takes longer than `most`, nobody needs to know by how much: it is timed no further.
    To do it `carefully`, steps of few images come first, and one of a whole batch only if they
    leave it a chance.
    """
    images = len(dataset.train)
    if carefully:
        expected = _expected(setting, dataset, engine, _FIRST_SLOWER * most)
        if expected > _FIRST_SLOWER * most:
            return expected
    engine.prepare(setting.model, setting.training, dataset)

    def timed(steps: int) -> float:
        seconds, _ = _train(with_steps(setting, steps, images), dataset, 0, engine)
        return seconds / steps

    first = timed(1)
    if first > _FIRST_SLOWER * most:
        return first
    first = timed(_FIRST_STEPS)
    if first > most:
        return first
    return timed(max(_FIRST_STEPS, int(worth / max(first, 1e-9))))


def _expected(setting: Setting, dataset: Dataset, engine: Engine, most: float) -> float:
    """Seconds that a step is expected to take, by steps of few images: one, then more and more.

    Part of a step's time is the same for any batch; what two of them differ by goes on. No more
    are tried where the next may be longer than `most` and a whole batch is expected to be, if to
    time them again does not mend it.
    """
    whole = min(setting.training.batch_size, len(dataset.train))

    def timed(few: int) -> float:
        training = setting.training.model_copy(update={"batch_size": few})
        one = with_steps(replace(setting, training=training), 1, len(dataset.train))
        return _train(one, dataset, 0, engine)[0]

    def expected(few: int, took: float) -> float:
        each = max(took - seconds, 0.0) / (few - images) if images else 0.0
        return took + each * (whole - few)

    def is_too_long(few: int, took: float) -> bool:
        return _MORE * took > most and expected(few, took) > most

    few, images, seconds = 1, 0, 0.0
    while few < whole:
        took = timed(few)
        for _ in range(_AGAIN):
            took = min(took, timed(few)) if is_too_long(few, took) else took
        if is_too_long(few, took):
            return expected(few, took)
        few, images, seconds = _MORE * few, few, took
    return seconds


def _train(setting: Setting, dataset: Dataset, seed: int, engine: Engine) -> tuple[float, Fitted]:
    seconds: list[float] = []

    def end_epoch(end: EpochEnd, fitted: Fitted) -> None:
        seconds.append(end.seconds)

    engine.prepare(setting.model, setting.training, dataset)
    fitted = engine.fit(setting.model, setting.training, dataset, seed, end_epoch)
    return sum(seconds), fitted
