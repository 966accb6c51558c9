"""What a data set holds, set by set: what `siffra data` prints."""

from dataclasses import dataclass

import numpy as np

from siffra.data.dataset import AsRead, Dataset, Images
from siffra.data.notes import short, texts
from siffra.data.pictures import Ground, ground_of


@dataclass(frozen=True, slots=True)
class SetDescription:
    """One set. `shape` is (height, width, channels); `per_class` counts images by class.

    `as_read` is what its numbers were before siffra scaled them, None for sets that are shifted,
    and `ground` what its images are on: light, dark or mixed; None for rows.
    `ink_kept` is the mean, over the images, of what is left of a test image's summed
    brightness after its shift, as a fraction; None for sets that are not shifted, or of rows.
    """

    name: str
    images: int
    shape: tuple[int, int, int]
    dtype: str
    as_read: AsRead | None
    ground: Ground | None
    per_class: tuple[int, ...]
    ink_kept: float | None
    fingerprint: str


def describe(dataset: Dataset) -> tuple[SetDescription, ...]:
    """Every set of `dataset`, in the order in which sets are reported."""
    inked = () if dataset.features else dataset.shifted
    return tuple(
        SetDescription(
            name=name,
            images=len(images),
            shape=dataset.image_shape,
            dtype=str(images.x.dtype),
            as_read=dataset.as_read.get(name),
            ground=None if dataset.features else ground_of(images),
            per_class=tuple(np.bincount(images.y, minlength=dataset.classes).tolist()),
            ink_kept=_ink_kept(images, dataset.test) if name in inked else None,
            fingerprint=images.fingerprint,
        )
        for name, images in dataset.sets.items()
    )


def summary(dataset: Dataset, language: str = "en") -> str:
    """A data set in a line: how many examples of what it trains on, validates and tests with."""
    counts = " + ".join(f"{len(dataset.sets[name]):,}" for name in ("train", "val", "test"))
    form = texts("summary")[language]["rows" if dataset.features else "images"]
    read = dataset.as_read.get("train") or AsRead(str(dataset.train.x.dtype), 0, 1)
    return form.format(
        name=short(dataset.name),
        counts=counts,
        columns=f"{len(dataset.features):,}",
        shape="x".join(map(str, dataset.image_shape)),
        numbers=f"{read.dtype}, {read.low:g}–{read.high:g}",
        classes=dataset.classes,
    )


def _ink_kept(shifted: Images, original: Images) -> float | None:
    before, after = _ink(original.x), _ink(shifted.x)
    inked = before > 0
    return float((after[inked] / before[inked]).mean()) if inked.any() else None


def _ink(x: np.ndarray) -> np.ndarray:
    white = 255.0 if x.dtype == np.uint8 else 1.0
    return x.sum(axis=(1, 2, 3), dtype=np.float64) / white
