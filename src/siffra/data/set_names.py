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
    found: dict[str, Path] = {}
    for path in paths:
        which = _SET.get((path.name if path.is_dir() else path.stem).lower())
        if which and which in found:
            raise DataError(
                f"{where}: both {found[which].name} and {path.name} are there, and one of them is "
                f"{which}; take the other away."
            )
        if which:
            found[which] = path
    return found


def val_as_test(
    found: Mapping[str, Set], called: str = "validation"
) -> tuple[dict[str, Set], tuple[Note, ...]]:
    """`found`, in which `val` is the test set if there is no other; a note says so."""
    if "test" in found or "val" not in found:
        return dict(found), ()
    sets = {name: value for name, value in found.items() if name != "val"}
    return {**sets, "test": found["val"]}, (note("val_as_test", name=called),)
