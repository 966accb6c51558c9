"""What gives away that data is not what it is taken for: its sets compared with each other.

Numbers of another scale, images on another ground, examples that are trained and tested on.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from siffra.data.dataset import AsRead, Images
from siffra.data.notes import Note, named, note
from siffra.data.pictures import ground_of
from siffra.data.splits import Parts, ranges
from siffra.errors import DataError

MOST_LOOKED_AT = 1000
"""Images of a set that are looked at for how bright and how widely spread they are."""

_HUNDRED = 100
_BEYOND = 0.02
"""A share of pixels beyond the training images' range that no accident explains."""
_SPREAD = 1.6
"""So many times as widely spread: images from -1 to 1 are twice as widely as from 0 to 1."""
_FEWEST = 10
"""Fewer rows can lie anywhere."""
_GREATEST_SMALL = 31
"""Bytes up to this are an eighth of what a byte can be."""


def as_read(parts: Parts) -> dict[str, AsRead]:
    """Type, least and greatest number of every set, as they are before scaling."""
    return {
        name: AsRead(str(images.x.dtype), float(images.x.min()), float(images.x.max()))
        for name, images in parts.sets.items()
    }


def compare_scales(parts: Parts, apart: Sequence[str], trained: Sequence[str]) -> list[Note]:
    """What is odd about the numbers of the sets `apart`, which came with the data, in `parts`.

    They are compared with the sets `trained` on, before all are scaled by these.

    Raises:
        DataError: A set of images has a range a hundred times as wide as the others'.
    """
    others = [name for name in apart if name not in trained]
    low, high = ranges(parts, trained)
    if parts.features:
        return [remark for name in others for remark in _columns(parts, name, low, high)]
    low, high = float(low.min()), float(high.max())
    remarks = [remark for name in others for remark in _images(parts, name, low, high)]
    kinds = {images.x.dtype for images in parts.sets.values()}
    greatest = max(int(images.x.max()) for images in parts.sets.values())
    if kinds == {np.dtype(np.uint8)} and 0 < greatest <= _GREATEST_SMALL:
        remarks.append(note("narrow_range", low=int(low), high=greatest))
    return remarks


def compare_grounds(sets: Mapping[str, Images], apart: Sequence[str]) -> list[Note]:
    """Which of the scaled sets `apart` are on a light ground where training images are on dark."""
    trained = ground_of(sets["train"])
    grounds = {name: ground_of(sets[name]) for name in apart if name != "train"}
    return [
        note("ground_differs", set=name, ground=other, train=trained)
        for name, other in grounds.items()
        if {trained, other} == {"dark", "light"}
    ]


def find_duplicates(sets: Mapping[str, Images], trained: Sequence[str], noun: str) -> list[Note]:
    """How many test examples are trained on as well, exactly as they are.

    Of images, one is told; rows of a table can be alike by chance, and only a twentieth is told.
    """
    # First by a few of their numbers; those that are alike in these are compared as a whole.
    few = {name: _rows(_few_numbers(sets[name].x)) for name in ("test", *trained)}
    suspects = set(few["test"]) & {key for name in trained for key in few[name]}
    if not suspects:
        return []
    trained_on = {
        row
        for name in trained
        for row in _rows(sets[name].x[[key in suspects for key in few[name]]])
    }
    test = sets["test"].x[[key in suspects for key in few["test"]]]
    count = sum(row in trained_on for row in _rows(test))
    if count == 0 or (noun == "row" and 20 * count < len(sets["test"])):
        return []
    return [note("duplicates", count=f"{count:,}", of=f"{len(sets['test']):,}", noun=f"{noun}s")]


def _few_numbers(x: np.ndarray) -> np.ndarray:
    flat = x.reshape(len(x), -1)
    return flat[:, :: 1 + flat.shape[1] // 64]


def _rows(x: np.ndarray) -> list[bytes]:
    return [example.tobytes() for example in x]


def _sample(x: np.ndarray) -> np.ndarray:
    return x[:: 1 + (len(x) - 1) // MOST_LOOKED_AT]


def _images(parts: Parts, name: str, low: float, high: float) -> Iterator[Note]:
    x, trained = parts.sets[name].x, parts.sets["train"].x
    own_low, own_high = float(x.min()), float(x.max())
    # In units of the largest number, so that no difference or square overflows.
    unit = max(map(abs, (low, high, own_low, own_high))) or 1.0
    wide, own_wide = high / unit - low / unit, own_high / unit - own_low / unit
    if wide > 0 and own_wide > 0 and not wide / _HUNDRED < own_wide < wide * _HUNDRED:
        raise DataError(
            f"{parts.where}: {name} images go from {own_low:g} to {own_high:g} and training images "
            f"from {low:g} to {high:g}; scale all of them alike (divide each by 255, or none)."
        )
    x, trained = _sample(x), _sample(trained)
    beyond = float(((x < low) | (x > high)).mean())
    spread, own_spread = float((trained / unit).std()), float((x / unit).std())
    uneven = spread > 0 and not spread / _SPREAD < own_spread < spread * _SPREAD
    if beyond > _BEYOND or (uneven and own_spread > 0):
        yield note(
            "scale_differs",
            set=name,
            low=f"{own_low:g}",
            high=f"{own_high:g}",
            train_low=f"{low:g}",
            train_high=f"{high:g}",
        )


def _columns(parts: Parts, name: str, low: np.ndarray, high: np.ndarray) -> Iterator[Note]:
    """Columns of which most rows are cut off, or that are squeezed into a hundredth of the way."""
    rows, low, high = parts.sets[name].x[:, 0, :, 0], low[0, 0, :, 0], high[0, 0, :, 0]
    if len(rows) < _FEWEST:
        return
    varied = high > low
    beyond = varied & (((rows < low) | (rows > high)).mean(axis=0) > 0.5)
    if beyond.any():
        columns = named(np.array(parts.features, object)[beyond])
        yield note("columns_beyond", set=name, columns=columns)
    least, most = rows.min(axis=0), rows.max(axis=0)
    # Halves: of huge numbers the difference is none that a float64 can hold.
    narrow = varied & ~beyond & (most > least)
    narrow &= most / 2 - least / 2 < (high / 2 - low / 2) / _HUNDRED
    if narrow.any():
        columns = named(np.array(parts.features, object)[narrow])
        yield note("columns_narrow", set=name, columns=columns)
