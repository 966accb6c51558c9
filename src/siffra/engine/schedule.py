"""How many steps a training takes, and the learning rate of each: the same for every engine."""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from siffra.config import Training
from siffra.engine.rng import epoch_orders


def steps_per_epoch(training: Training, images: int) -> int:
    """Batches of a whole pass, the last of which may be a partial one."""
    return -(-images // training.batch_size)


def total_steps(training: Training, images: int) -> int:
    """Steps of the whole training: that of the nearest whole number, at least one."""
    return max(1, round(training.epochs * steps_per_epoch(training, images)))


def training_orders(training: Training, images: int, seed: int) -> Iterator[np.ndarray]:
    """For each epoch, the order in which images are used, int64; the last may be a part of one."""
    whole, rest = divmod(total_steps(training, images), steps_per_epoch(training, images))
    orders = epoch_orders(images, seed)
    yield from islice(orders, whole)
    if rest:
        yield next(orders)[: rest * training.batch_size]


def learning_rates(training: Training, images: int) -> np.ndarray:
    """The learning rate of every step, (steps,) float32.

    Over the first `warmup` of the steps it rises along a line to `learning_rate`; then it stays,
    or falls to zero: along a line (`one_cycle`, the triangle of Smith 2017) or half a cosine
    (`cosine`, Loshchilov & Hutter 2017, eq. 5 without restarts). In `step`, PyTorch's `StepLR`,
    it is multiplied by `step_factor` at every `step_every` epochs from the start of the training.
    """
    steps = total_steps(training, images)
    rising = round(training.warmup * steps)
    after = np.arange(rising, steps)
    left = (steps - after) / (steps - rising)
    shapes: dict[str, np.ndarray] = {
        "constant": np.ones_like(left),
        "one_cycle": left,
        "cosine": (1 - np.cos(np.pi * left)) / 2,
    }
    if training.schedule == "step":
        every = training.step_every * steps_per_epoch(training, images)
        shapes["step"] = training.step_factor ** (after // every)
    shares = np.concatenate([np.arange(1, rising + 1) / max(rising, 1), shapes[training.schedule]])
    return (training.learning_rate * shares).astype(np.float32)


def ema_decay(training: Training, step: int) -> float:
    """How much of the average of the weights stays at `step`, which counts from 1.

    Less than `ema` at first, or the average would remember the initial weights for long: it is
    (1 + step) / (10 + step) until that is more (as TensorFlow's `num_updates` does).
    """
    return min(training.ema, (1 + step) / (10 + step))
