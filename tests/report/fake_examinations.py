"""Made-up examinations of made-up runs, on images of made-up digits."""

import base64

import numpy as np

from siffra.data.dataset import Dataset, Images
from siffra.lab.answers import Answers
from siffra.report.text.provenance import all_records
from siffra.training.examination import (
    BINS,
    DEGREES,
    DIRECTIONS,
    MAP_PIXELS,
    PIXELS,
    Confidence,
    Examination,
    Examined,
    Features,
    Mistake,
)
from siffra.training.run import Record

IMAGES = 40
_SETS = ("test", "moved", "rotated")


def make_dataset(channels: int = 1) -> Dataset:
    """Blots of 28 x 28 pixels in ten classes."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (IMAGES, 28, 28, channels), dtype=np.uint8)
    images = Images(x, np.arange(IMAGES) % 10)
    shifted = {"moved": images, "rotated": images}
    return Dataset("made up", 10, images, images, images, shifted, "0" * 64)


def make_examination(record: Record) -> Examination:
    """Accuracy that falls off with the shift, more slowly for convolutional models."""
    reach = 4.0 if record.model.kind == "conv" else 3.0
    luck = 0.01 * np.sin(7 * record.seed)
    base = record.accuracy["test"] or 0.0

    def left(size: float) -> float:
        return float(0.1 + (base - 0.1) * np.exp(-((size / reach) ** 2)) + luck / (1 + size))

    mistakes = tuple(
        Mistake(image=(i + record.seed) % IMAGES, true=i % 10, predicted=(i + 1) % 10, confidence=c)
        for i, c in enumerate(np.linspace(0.99, 0.5, 12).tolist())
    )
    count = np.full(BINS, 100)
    sure = (np.arange(BINS) + 0.5) / BINS
    weights = np.random.default_rng(record.seed).integers(-127, 128, (4, 28, 28)).astype(np.int8)
    return Examination(
        moved={way: tuple(left(size) for size in PIXELS) for way in DIRECTIONS},
        turned=tuple(left(abs(a) / 15) for a in DEGREES),
        map=tuple(tuple(left(float(np.hypot(x, y))) for x in MAP_PIXELS) for y in MAP_PIXELS),
        mistakes=dict.fromkeys(_SETS, mistakes),
        confidence=dict.fromkeys(
            _SETS,
            Confidence(
                images=tuple(count.tolist()),
                right=tuple((count * sure * 0.9).astype(int).tolist()),
                confidence=tuple((count * sure).tolist()),
            ),
        ),
        features=Features(
            count=4, rows=28, columns=28, data=base64.b64encode(weights.tobytes()).decode()
        ),
    )


def make_examined(answers: Answers, channels: int = 1) -> Examined:
    """Every run of the lab, examined."""
    found = {record.key: make_examination(record) for record in all_records(answers)}
    return Examined(make_dataset(channels), found)
