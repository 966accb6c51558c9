"""What data brings with it, whatever it is kept in: its sets, before siffra parts and scales them.

Labels become class numbers here, sets that are missing are made, and numbers get their scale.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from siffra.data.dataset import Images
from siffra.errors import DataError
from siffra.terminal import odd_character, one_line

MOST_CLASSES = 1000
"""More different labels than this are hardly classes."""

# A stream of the data set's seed: see siffra.data.shifted for the others.
_PARTED = 20


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """A data set as it was found: `where`, and the sets that it has apart, `train` at least.

    Images are as in `Images`, but may be of any numbers yet. `class_names` are the data's own
    names of its classes, `features` those of a table's columns. `in_order` says that training
    images stand in an order of no meaning, so that their last ones will do for validation.
    """

    where: str
    sets: Mapping[str, Images]
    class_names: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    in_order: bool = False

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


def numbered(
    labels: Mapping[str, np.ndarray], where: str
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Class numbers from 0 for labels of any kind, by set, and the classes' names.

    Whole numbers from 0 on are their own names, and need none. Texts that are whole numbers
    count as such; classes are in the order of the numbers, or of the alphabet.

    Raises:
        DataError: Labels are fractions, or missing, or there are too many different ones.
    """
    told = {name: _whole(values, where) for name, values in labels.items()}
    if len({values.dtype.kind for values in told.values()}) > 1:
        told = {name: values.astype(str) for name, values in told.items()}
    known = np.unique(np.concatenate(list(told.values())))
    if len(known) > MOST_CLASSES:
        raise DataError(
            f"{where}: labels have {len(known):,} different values, as {known[0]} and {known[1]}; "
            f"there can be {MOST_CLASSES:,} classes at most."
        )
    numbers = {name: np.searchsorted(known, values) for name, values in told.items()}
    names = () if np.array_equal(known, np.arange(len(known))) else tuple(map(str, known))
    return numbers, names


def _whole(values: np.ndarray, where: str) -> np.ndarray:
    """Labels as whole numbers where they are such, else as texts."""
    if values.dtype.kind == "f":
        odd = ~(np.isfinite(values) & (values == np.rint(values)))
        if odd.any():
            raise DataError(
                f"{where}: the label of row {int(odd.argmax()) + 1} is {values[odd.argmax()]}; "
                f"labels must be names or whole numbers."
            )
        return values.astype(np.int64)
    if values.dtype.kind in "iu":
        return values.astype(np.int64)
    texts = values.astype(str)
    try:
        return texts.astype(np.int64)
    except (ValueError, OverflowError):
        return texts


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
        last = parts.in_order and name == "val"
        taken = _last(len(train), share) if last else _drawn(train.y, share, rng)
        if taken.all() or not taken.any():
            raise DataError(
                f"{parts.where}: {len(train)} training {parts.noun}s are too few to hold out "
                f"{share:.0%} for {what}; add {parts.noun}s or change `{what}`."
            )
        sets["train"] = Images(train.x[~taken], train.y[~taken])
        sets[name] = Images(train.x[taken], train.y[taken])
    return replace(parts, sets={name: sets[name] for name in ("train", "val", "test")})


def _last(count: int, share: float) -> np.ndarray:
    return np.arange(count) >= count - round(count * share)


def _drawn(y: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Which examples are taken: of each class, its share."""
    taken = np.zeros(len(y), bool)
    order = rng.permutation(len(y))
    for number in np.unique(y):
        own = order[y[order] == number]
        taken[own[: round(len(own) * share)]] = True
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
    axes = (0, 1) if parts.features else None
    known = [parts.sets[name].x for name in ranged_by]
    low = np.min([x.min(axis=axes, keepdims=True) for x in known], axis=0).astype(np.float64)
    high = np.max([x.max(axis=axes, keepdims=True) for x in known], axis=0).astype(np.float64)
    is_fit = min(images.x.min() for images in parts.sets.values()) >= 0 and (
        max(images.x.max() for images in parts.sets.values()) <= 1
    )
    if not parts.features and is_fit:
        low, high = np.zeros_like(low), np.ones_like(high)
    span = np.where(high > low, high - low, np.inf)
    return replace(
        parts,
        sets={
            name: Images(((images.x - low) / span).clip(0, 1).astype(np.float32), images.y)
            for name, images in parts.sets.items()
        },
    )


def constant_features(parts: Parts, ranged_by: Sequence[str]) -> tuple[str, ...]:
    """The columns of a table that have one value in the sets `ranged_by`, and teach nothing."""
    x = np.concatenate([parts.sets[name].x[:, 0, :, 0] for name in ranged_by])
    same = x.min(axis=0) == x.max(axis=0)
    return tuple(name for name, is_same in zip(parts.features, same, strict=True) if is_same)


def name_of(path: Path) -> str:
    """What a data set in `path` is called."""
    return path.resolve().name if path.is_dir() else path.stem
