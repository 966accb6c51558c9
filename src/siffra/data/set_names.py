"""Which files and folders are for training, validation and testing, by what they are called."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from siffra.data.notes import Note, note
from siffra.errors import DataError

_NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
_SET = {name: which for which, names in _NAMES.items() for name in names}

Set = TypeVar("Set")


def set_named(paths: Iterable[Path], where: Path) -> dict[str, Path]:
    """Those of `paths` that are called as a set is, upper or lower case, by `train`, `val`, `test`.

    Raises:
        DataError: Two are for the same set.
    """
    by_set: dict[str, Path] = {}
    for path in paths:
        which = _SET.get((path.name if path.is_dir() else path.stem).lower())
        if which and which in by_set:
            raise DataError(
                f"{where}: both {by_set[which].name} and {path.name} are there, and one of them is "
                f"{which}; take the other away."
            )
        if which:
            by_set[which] = path
    return by_set


def val_as_test(
    by_set: Mapping[str, Set], called: str = "validation"
) -> tuple[dict[str, Set], tuple[Note, ...]]:
    """`found`, in which `val` is the test set if there is no other; a note says so."""
    if "test" in by_set or "val" not in by_set:
        return dict(by_set), ()
    sets = {name: value for name, value in by_set.items() if name != "val"}
    return {**sets, "test": by_set["val"]}, (note("val_as_test", name=called),)
