"""A folder of pictures, with a folder for each class in it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from siffra.data.dataset import Images
from siffra.data.limits import LIMIT
from siffra.data.parts import Parts, numbered
from siffra.data.pictures import opened, upright
from siffra.errors import DataError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".pgm", ".ppm")
_SETS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}

_GREY = ("1", "L", "I", "F")  # with what follows in Pillow's modes, as LA and I;16

Classes = dict[str, list[Path]]
"""The pictures of each class."""


def picture_folders(path: Path) -> dict[str, Classes] | None:
    """The pictures in a folder, by set and class; all are of `train` if it has no sets apart.

    None if it is no folder with folders of pictures.

    Raises:
        DataError: There is a part for training and none for testing.
    """
    if not path.is_dir():
        return None
    parts = {
        name: path / folder
        for name, folders in _SETS.items()
        for folder in folders
        if (path / folder).is_dir()
    }
    if "train" in parts:
        found = {name: _classes(folder) for name, folder in parts.items()}
        if not found["train"]:
            return None
        if not found.get("test"):
            raise DataError(
                f"{path}: train/ has pictures and test/ has none; put some there, or all into "
                f"one folder for each class, of which siffra then takes a part for testing."
            )
        return {name: classes for name, classes in found.items() if classes}
    classes = _classes(path)
    return {"train": classes} if classes else None


def _classes(folder: Path) -> Classes:
    found = {
        inner.name: sorted(
            p for p in inner.iterdir() if p.suffix.lower() in ENDINGS and p.is_file()
        )
        for inner in sorted(folder.iterdir())
        if inner.is_dir() and not inner.name.startswith(".")
    }
    return {name: pictures for name, pictures in found.items() if pictures}


def read_pictures(sets: dict[str, Classes], where: str) -> Parts:
    """The data set of these pictures: grey if all are, else in colour.

    Raises:
        DataError: A picture cannot be read, or is not as large as the others, or all are too
            much.
    """
    files = {name: [p for c in classes.values() for p in c] for name, classes in sets.items()}
    labels, class_names = numbered(
        {
            name: np.array([label for label, pictures in classes.items() for _ in pictures])
            for name, classes in sets.items()
        },
        where,
    )
    everything = [path for paths in files.values() for path in paths]
    size, channels = _look(everything, where)
    return Parts(
        where,
        {name: Images(_read(files[name], size, channels), labels[name]) for name in files},
        class_names,
    )


def _look(paths: Sequence[Path], where: str) -> tuple[tuple[int, int], int]:
    """Width, height and channels of all the pictures, from the headers alone."""
    size, colour = (0, 0), False
    for path in paths:
        with opened(path) as image:
            size = size if any(size) else image.size
            if image.size != size:
                raise DataError(
                    f"{path}: {_told(image.size)}, where {paths[0]} is {_told(size)}; all "
                    f"pictures must be alike."
                )
            colour = colour or not image.mode.startswith(_GREY)
    channels = 3 if colour else 1
    claimed = len(paths) * size[0] * size[1] * channels
    if claimed > LIMIT:
        raise DataError(
            f"{where}: {len(paths):,} pictures of {_told(size)} are {claimed / 2**30:,.0f} GiB; "
            f"siffra reads at most {LIMIT // 2**30} GiB."
        )
    return size, channels


def _read(paths: Sequence[Path], size: tuple[int, int], channels: int) -> np.ndarray:
    x = np.empty((len(paths), size[1], size[0], channels), np.uint8)
    for i, path in enumerate(paths):
        with opened(path) as image:
            pixels = upright(image)
        if pixels.shape[:2] != x.shape[1:3]:  # turned, as a camera says that it was held
            raise DataError(f"{path}: it is to be turned, as cameras do; save it as it is seen.")
        x[i] = pixels[:, :, :channels] if pixels.ndim == 3 else pixels[:, :, np.newaxis]
    return x


def _told(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]} pixels"
