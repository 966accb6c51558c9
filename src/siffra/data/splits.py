"""What data brings with it, whatever it is kept in: its sets, before siffra parts and scales them.

Sets that are missing are made here, and numbers get their scale.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from siffra.data.dataset import Images
from siffra.data.notes import Note, short
from siffra.errors import DataError
from siffra.system.terminal import odd_character, one_line

# A stream of the data set's seed: see siffra.data.shifted for the others.
_PARTED = 20


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """A data set as it was found: `where`, and the sets that it has apart, `train` at least.

    Images are as in `Images`, but may be of any numbers yet. `class_names` are the data's own
    names of its classes, `features` those of a table's columns, without those that were
    `left_out`. `in_order` says that training images stand in an order of no meaning, so that
    their last ones will do for validation. `notes` say what was found and taken for what.
    """

    where: str
    sets: Mapping[str, Images]
    class_names: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    in_order: bool = False
    left_out: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()

    def __post_init__(self) -> None:
        """Refuse names that would show as something else, in a terminal, a report or the page.

        Raises:
            DataError: A class or a column has such a name.
        """
        for number, name in enumerate(self.class_names, start=1):
            if name != one_line(name):
                odd = next(character for character in name if character != one_line(character))
                raise DataError(
                    f"{self.where}: the name of class {number} has the character "
                    f"U+{ord(odd):04X}, which no name needs; rename it."
                )
        for number, name in enumerate(self.features, start=1):
            # Spreadsheets break the lines of long headings.
            if odd := odd_character(name.replace("\r", "")):
                raise DataError(
                    f"{self.where}: the name of column {number} has the character "
                    f"U+{ord(odd):04X}, which no name needs; rename it."
                )

    @property
    def noun(self) -> str:
        """What one example is called."""
        return "row" if self.features else "image"


def with_all_sets(parts: Parts, test: float, validation: float, seed: int) -> Parts:
    """`parts` with test and validation sets, taken from the training images where missing.

    `test` and `validation` are shares: that of all that is taken for testing, and then that of
    the rest. Each class gives its share, and which examples it gives is drawn by `seed`; but
    validation images of data that is `in_order` are the last ones.

    Raises:
        DataError: A share is none, or there are too few examples to take it.
    """
    sets = dict(parts.sets)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_PARTED,)))
    for name, share, what in (("test", test, "test"), ("val", validation, "validation")):
        if name in sets:
            continue
        if not 0 < share < 1:
            raise DataError(f"{parts.where}: {what} = {share}; it must be a share between 0 and 1.")
        train = sets["train"]
        if parts.in_order and name == "val":
            taken = np.arange(len(train)) >= len(train) - round(len(train) * share)
        else:
            taken = _drawn(train.y, share, rng)
        if taken.all() or not taken.any():
            raise DataError(
                f"{parts.where}: {len(train)} training {parts.noun}s are too few to hold out "
                f"{share:.0%} for {what}; add {parts.noun}s or change `{what}`."
            )
        sets["train"] = Images(train.x[~taken], train.y[~taken])
        sets[name] = Images(train.x[taken], train.y[taken])
    return replace(parts, sets={name: sets[name] for name in ("train", "val", "test")})


def _drawn(y: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Which examples are taken: of each class, its share."""
    taken = np.zeros(len(y), bool)
    order = rng.permutation(len(y))
    for number in np.unique(y):
        members = order[y[order] == number]
        taken[members[: round(len(members) * share)]] = True
    return taken


def scaled(parts: Parts, ranged_by: Sequence[str]) -> Parts:
    """`parts` with all images uint8, or float32 in [0, 1].

    The columns of a table are scaled so that the least and the greatest value of each, in the
    sets `ranged_by`, become 0 and 1; what lies beyond, in other sets, is cut off. A column that
    has one value there is 0 throughout. Images that are neither uint8 nor floating point from 0
    to 1 are scaled in the same way, all their pixels alike.
    """
    kinds = {images.x.dtype for images in parts.sets.values()}
    if kinds == {np.dtype(np.uint8)} and not parts.features:
        return parts
    low, high = ranges(parts, ranged_by)
    is_fit = min(images.x.min() for images in parts.sets.values()) >= 0 and (
        max(images.x.max() for images in parts.sets.values()) <= 1
    )
    if not parts.features and is_fit:
        low, high = np.zeros_like(low), np.ones_like(high)
    return replace(
        parts,
        sets={
            name: Images(_within(images.x, low, high), images.y)
            for name, images in parts.sets.items()
        },
    )


def ranges(parts: Parts, ranged_by: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest value in the sets `ranged_by`, float64: by column, or of all pixels."""
    axes = (0, 1) if parts.features else None
    known = [parts.sets[name].x for name in ranged_by]
    low = np.min([x.min(axis=axes, keepdims=True) for x in known], axis=0).astype(np.float64)
    high = np.max([x.max(axis=axes, keepdims=True) for x in known], axis=0).astype(np.float64)
    return low, high


def _within(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """`x` on the way from `low` to `high`, 0 to 1; 0 where the two are the same."""
    with np.errstate(over="ignore"):
        huge = ~np.isfinite(high - low)
    if huge.any():  # the halves' difference is a number that a float64 can hold
        half = np.where(huge, 0.5, 1.0)
        x, low, high = x * half, low * half, high * half
    span = np.where(high > low, high - low, np.inf)
    # Cut off first: what lies far beyond could overflow, and infinity is no way along anything.
    return ((np.clip(x, low, high) - low) / span).astype(np.float32)


def name_of(path: Path) -> str:
    """What a data set in `path` is called."""
    return path.resolve().name if path.is_dir() else path.stem


def column_names(count: int) -> tuple[str, ...]:
    """Names for a table's columns that have none."""
    return tuple(f"column {number}" for number in range(1, count + 1))


def class_names_for(names: Iterable[object], classes: int, where: str) -> tuple[str, ...]:
    """What data calls its classes, which are `classes`; none where these are just their numbers.

    Raises:
        DataError: There are more or fewer names than classes, or two are the same.
    """
    texts = tuple(map(str, names))
    if len(texts) == 1:  # OpenML's is the name of the column of labels
        return ()
    if len(texts) != classes:
        raise DataError(f"{where} are {len(texts):,}, and there are {classes:,} classes.")
    if doubled := [name for name in texts if texts.count(name) > 1]:
        raise DataError(f"{where}: two classes are called `{short(doubled[0])}`.")
    return () if texts == tuple(map(str, range(classes))) else texts
