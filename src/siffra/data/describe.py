"""What a data set holds, set by set: what `siffra data` prints."""

from dataclasses import dataclass

import numpy as np

from siffra.data.dataset import Dataset, Images


@dataclass(frozen=True, slots=True)
class SetDescription:
    """One set. `shape` is (height, width, channels); `per_class` counts images by class.

    `ink_kept` is the mean, over the images, of what is left of a test image's summed
    brightness after its shift, as a fraction; None for sets that are not shifted, or of rows.
    """

    name: str
    images: int
    shape: tuple[int, int, int]
    dtype: str
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
            per_class=tuple(np.bincount(images.y, minlength=dataset.classes).tolist()),
            ink_kept=_ink_kept(images, dataset.test) if name in inked else None,
            fingerprint=images.fingerprint,
        )
        for name, images in dataset.sets.items()
    )


def _ink_kept(shifted: Images, original: Images) -> float | None:
    before, after = _ink(original.x), _ink(shifted.x)
    inked = before > 0
    return float((after[inked] / before[inked]).mean()) if inked.any() else None


def _ink(x: np.ndarray) -> np.ndarray:
    white = 255.0 if x.dtype == np.uint8 else 1.0
    return x.sum(axis=(1, 2, 3), dtype=np.float64) / white
