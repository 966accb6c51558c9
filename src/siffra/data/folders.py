"""A folder of pictures, with a folder for each class in it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from siffra.data.dataset import LIMIT, Images
from siffra.data.labels import numbered
from siffra.data.notes import Note, named, note, printable
from siffra.data.pictures import opened, read_array, upright
from siffra.data.set_names import set_named, val_as_test
from siffra.data.splits import Parts
from siffra.errors import DataError

ARRAY = ".npy"
ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".webp", ".tif", ".tiff", ".gif"),
    *(".pgm", ".ppm", ".pbm", ".pnm", ARRAY),
)
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF", "PPM")
"""What Pillow calls them; among its others are some that start programs."""
_OTHER_PICTURES = (
    *(".heic", ".heif", ".avif", ".svg", ".ico", ".tga", ".jp2", ".j2k", ".jxl", ".psd", ".raw"),
    *(".dng", ".cr2", ".nef", ".arw", ".exr", ".hdr", ".dcm", ".nii", ".mat", ".npz", ".pt"),
    *(".pdf", ".eps", ".pcx", ".xbm", ".xpm", ".dds", ".fits", ".mp4", ".avi", ".mov", ".zip"),
)
"""Files of these endings hold pictures, which would be missed."""
_OF_NO_MATTER = ("thumbs.db", "desktop.ini")
_GREY = ("1", "L", "I", "F")  # with what follows in Pillow's modes, as LA and I;16

Classes = dict[str, list[Path]]
"""The pictures of each class."""


@dataclass(frozen=True, slots=True)
class PictureFiles:
    """The pictures in a folder, by set and class; all are of `train` if it has no sets apart."""

    sets: Mapping[str, Classes]
    notes: tuple[Note, ...] = ()


def picture_folders(path: Path) -> PictureFiles | None:
    """The pictures in the folder `path`; None if it is not a folder with folders of pictures.

    Raises:
        DataError: There is a part for training and none for testing, or there are pictures that
            would be missed: of a kind that siffra does not read, or a folder further down.
    """
    if not path.is_dir():
        return None
    folders = _folders(path)
    parts = set_named(folders, path)
    if "train" not in parts:
        classes, notes = _classes(path)
        return PictureFiles({"train": classes}, notes) if classes else None
    by_set = {name: _classes(folder) for name, folder in parts.items()}
    sets = {name: classes for name, (classes, _) in by_set.items() if classes}
    if "train" not in sets:
        return None
    if not sets.keys() - {"train"}:
        train = parts["train"]
        raise DataError(
            f"{path}: {train.name}/ has pictures and test/ has none; put some there, a folder for "
            f"each class, or name {train} itself, of which siffra takes a part for testing."
        )
    notes = tuple(remark for _, of_set in by_set.values() for remark in of_set)
    if others := [f.name for f in folders if f not in parts.values()]:
        notes += (note("folders_left_out", folders=named(others)),)
    sets, of_sets = val_as_test(sets, f"{parts['val'].name}/" if "val" in parts else "")
    return PictureFiles(sets, notes + of_sets)


def _folders(path: Path) -> list[Path]:
    return [
        inner
        for inner in sorted(path.iterdir())
        if inner.is_dir() and not inner.name.startswith((".", "__MACOSX"))
    ]


def _classes(folder: Path) -> tuple[Classes, tuple[Note, ...]]:
    """The pictures of each folder in `folder`, and what was left out of it."""
    classes: Classes = {}
    empty, others = [], [p for p in sorted(folder.iterdir()) if _is_seen(p)]
    for inner in _folders(folder):
        files = [p for p in sorted(inner.iterdir()) if _is_seen(p)]
        pictures = [p for p in files if p.suffix.lower() in ENDINGS]
        missed = [p for p in files if p.suffix.lower() in _OTHER_PICTURES]
        if missed:
            raise DataError(
                f"{inner}: {len(missed):,} of {len(files):,} files are no pictures that siffra "
                f"reads ({_kinds(missed)}); save as PNG, or move away."
            )
        for deeper in _folders(inner):
            if any(p.suffix.lower() in (*ENDINGS, *_OTHER_PICTURES) for p in deeper.iterdir()):
                raise DataError(
                    f"{deeper}: it has pictures, a folder too deep; those of class "
                    f"{printable(inner.name)} must stand in {inner} itself."
                )
        others += [p for p in files if p.suffix.lower() not in ENDINGS]
        if pictures:
            classes[inner.name] = pictures
        else:
            empty.append(inner.name)
    if not classes:
        return {}, ()
    remarks = ()
    if others:
        remarks += (note("files_left_out", count=f"{len(others):,}", kinds=_kinds(others)),)
    if empty:
        remarks += (note("folders_left_out", folders=named(empty)),)
    return classes, remarks


def _is_seen(path: Path) -> bool:
    # What starts with a dot is macOS's, or hidden from the user: `._000.png` is no picture.
    is_hidden = path.name.startswith(".") or path.name.lower() in _OF_NO_MATTER
    return path.is_file() and not is_hidden


def _kinds(files: Sequence[Path]) -> str:
    counted = Counter(p.suffix.lower() or "no ending" for p in files)
    return ", ".join(f"{printable(kind)}: {count:,}" for kind, count in counted.most_common(4))


def read_pictures(pictures: PictureFiles, where: str) -> Parts:
    """The data set of these pictures: grey if all are, else in colour.

    Raises:
        DataError: A picture cannot be read, or is not as large as the others, or all are too
            much.
    """
    sets = pictures.sets
    files = {name: [p for c in classes.values() for p in c] for name, classes in sets.items()}
    labels, class_names = numbered(
        {
            name: np.array([label for label, paths in classes.items() for _ in paths])
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
        notes=pictures.notes,
    )


def _look(paths: Sequence[Path], where: str) -> tuple[tuple[int, int], int]:
    """Width, height and channels of all the pictures, from the headers alone."""
    size, colour = (0, 0), False
    for path in paths:
        if path.suffix.lower() == ARRAY:
            shape = read_array(path).shape
            its_size, is_colour = (shape[1], shape[0]), len(shape) == 3
        else:
            with _opened(path) as image:
                its_size, is_colour = image.size, not image.mode.startswith(_GREY)
        size = size if any(size) else its_size
        if its_size != size:
            raise DataError(
                f"{path}: {_spelled(its_size)}, where {paths[0]} is {_spelled(size)}; all pictures "
                f"must be alike."
            )
        colour = colour or is_colour
    channels = 3 if colour else 1
    claimed = len(paths) * size[0] * size[1] * channels
    if claimed > LIMIT:
        raise DataError(
            f"{where}: {len(paths):,} pictures of {_spelled(size)} are {claimed / 2**30:,.0f} GiB; "
            f"siffra reads at most {LIMIT // 2**30} GiB."
        )
    return size, channels


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The one picture in a file.

    Raises:
        DataError: There are several, as in a film, or its numbers are of no known range.
    """
    with opened(path, _FORMATS) as image:
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and image.format != "MPO":  # a phone's JPEG, with a preview beside it
            raise DataError(f"{path}: it has {frames:,} pictures in it; save each as a file.")
        if image.mode in ("I", "F"):
            raise DataError(
                f"{path}: its numbers are of 32 bits, of which nothing says what is white; save it "
                f"with 8 or 16 bits."
            )
        yield image


def _read(paths: Sequence[Path], size: tuple[int, int], channels: int) -> np.ndarray:
    x = np.empty((len(paths), size[1], size[0], channels), np.uint8)
    for i, path in enumerate(paths):
        if path.suffix.lower() == ARRAY:
            pixels = read_array(path)
        else:
            with _opened(path) as image:
                pixels = upright(image)
        if pixels.shape[:2] != x.shape[1:3]:  # turned, as a camera says that it was held
            raise DataError(f"{path}: it is to be turned, as cameras do; save it as it is seen.")
        x[i] = pixels[:, :, :channels] if pixels.ndim == 3 else pixels[:, :, np.newaxis]
    return x


def _spelled(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]} pixels"
