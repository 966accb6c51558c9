"""From a picture in a file (PNG, JPEG, npy, any size) to an image that a model can be asked about.

Knows nothing of models: it is told the shape and the ground of the images that they are trained on.
"""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from siffra.data.dataset import Images
from siffra.data.photographs import border, ink_of
from siffra.errors import DataError

Ground = Literal["dark", "light", "mixed"]
"""What the digits of a set of grey images stand on."""

MAX_PIXELS = 50_000_000
"""Larger pictures are refused: a phone's camera makes 12 to 50 million pixels."""

_NEARLY_ALL = 0.99
"""The share of images on one ground from which that is the ground of all."""
# What Pillow raises on damaged files; TIFF has the most ways to be so.
_DAMAGE = (
    *(OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError),
    *(OverflowError, ZeroDivisionError, struct.error),
)


def ground_of(images: Images) -> Ground:
    """What nearly all of these images stand on, told by the middle shade of each one's border.

    `mixed` if some are on a dark ground and some on a light one, as photographs are; and for
    images in colour and rows of tables.
    """
    _, height, _, channels = images.x.shape
    if height == 1 or channels != 1:
        return "mixed"
    middle = 127 if images.x.dtype == np.uint8 else 0.5
    is_light = np.median(border(images.x[..., 0]), axis=1) > middle
    share = float(is_light.mean())
    if share <= 1 - _NEARLY_ALL:
        return "dark"
    return "light" if share >= _NEARLY_ALL else "mixed"


def read_picture(path: Path, shape: tuple[int, int, int], ground: Ground = "dark") -> np.ndarray:
    """The picture in `path` as an image of `shape` (height, width, channels), uint8.

    A picture that has the height and width already is used as it stands. Any other is fitted: in
    grey it is taken for a digit, see `fit_digit`. In grey a picture on the other `ground` than the
    model's is turned over. In colour (3 channels), and where grounds are mixed, it is never
    turned over, and scaled if it has another size.

    Raises:
        DataError: The file is missing, no picture or too large; or there is to be a digit on a
            plain ground, and it is of one even shade, or no single digit can be told from it.
    """
    pixels = read_array(path) if path.suffix.lower() == ".npy" else _read_image(path)
    height, width, channels = shape
    if channels not in (1, 3):
        raise DataError(
            f"{path}: the model takes images of {channels} channels; "
            "pictures can be fitted to 1 (grey) or 3 (colour)."
        )
    if channels == 3:
        colour = np.asarray(Image.fromarray(pixels).convert("RGB"))
        return _resize(colour, height, width)
    grey = pixels if pixels.ndim == 2 else np.asarray(Image.fromarray(pixels).convert("L"))
    if ground == "mixed":
        return _resize(grey, height, width)[:, :, np.newaxis]
    if np.ptp(grey) == 0:
        raise DataError(f"{path}: found one even shade; a digit on a plain ground is needed.")
    if grey.shape == (height, width):
        is_light = np.median(border(grey)) > 127
        return (255 - grey if is_light != (ground == "light") else grey)[:, :, np.newaxis]
    fitted = fit_digit(grey, height, width)
    if fitted is None:
        raise DataError(
            f"{path}: found no single digit on a plain ground; cut out the digit, or lay the page "
            "flat in even light."
        )
    return (255 - fitted if ground == "light" else fitted)[:, :, np.newaxis]


def fit_digit(grey: np.ndarray, height: int, width: int) -> np.ndarray | None:
    """The digit in a picture, (rows, columns) uint8, light on dark as MNIST has its own.

    None if there is no single digit that stands apart from its page: see
    `siffra.data.photographs`.

    The digit's bounding box is scaled, aspect kept, so that its longer side is 20/28 of the
    image's; its centre of mass is then put on the image's centre, as far as the edges allow.

    Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits".
    """
    ink = ink_of(grey)
    if ink is None:
        return None
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    digit = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]

    scale = min(height, width) * 20 / 28 / max(digit.shape)
    small = _resize(
        digit.round().astype(np.uint8), *(max(1, round(side * scale)) for side in digit.shape)
    )
    top, left = (
        int(np.clip(round(size // 2 - centre), 0, size - side))
        for size, side, centre in zip((height, width), small.shape, _centre(small), strict=True)
    )
    image = np.zeros((height, width), np.uint8)
    image[top : top + small.shape[0], left : left + small.shape[1]] = small
    return image


def _centre(grey: np.ndarray) -> tuple[float, float]:
    mass = grey.astype(np.float64)
    rows, columns = np.indices(grey.shape)
    return float((rows * mass).sum() / mass.sum()), float((columns * mass).sum() / mass.sum())


def _resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    if pixels.shape[:2] == (height, width):
        return pixels
    # Pillow's filters widen with the reduction: fine strokes are averaged, not skipped.
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.HAMMING))


def _read_image(path: Path) -> np.ndarray:
    """(rows, columns) or (rows, columns, 3) uint8, upright, transparency laid on white."""
    with opened(path) as image:
        return upright(image)


@contextmanager
def opened(path: Path, formats: tuple[str, ...] | None = None) -> Iterator[Image.Image]:
    """A picture in a file, of one of Pillow's `formats`; only its header was read yet.

    Raises:
        DataError: Here or while it is read: the file is missing, damaged, no picture, too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what else Pillow has to say of damaged files
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=formats) as image:
                _refuse_too_large(path, image.width, image.height)
                yield image
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file.") from error
    except IsADirectoryError as error:
        raise DataError(f"{path}: is a folder; name the pictures in it.") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{path}: is no picture that can be read; use PNG, JPEG or npy.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(
            f"{path}: is larger than {MAX_PIXELS // 1_000_000} million pixels; make it smaller."
        ) from error
    except _DAMAGE as error:
        raise DataError(f"{path}: cannot be read: {_one_line(error)}.") from error


def upright(image: Image.Image) -> np.ndarray:
    """(rows, columns) or (rows, columns, 3) uint8, upright, transparency laid on white."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        return _to_bytes(np.asarray(image, np.float64), 65535.0)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))


def read_array(path: Path) -> np.ndarray:
    """(rows, columns) or (rows, columns, 3) uint8 from NumPy's format; floats are from 0 to 1."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file.") from error
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: is no array that can be read: {_one_line(error)}.") from error
    shape = array.shape
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)) or array.size == 0:
        raise DataError(
            f"{path}: found an array of shape {shape}; "
            "one picture is (height, width), or (height, width, channels) with 1 or 3 channels."
        )
    _refuse_too_large(path, array.shape[1], array.shape[0])
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if not np.issubdtype(array.dtype, np.floating):
        raise DataError(f"{path}: found {array.dtype}; use uint8, or floats from 0 to 1.")
    if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
        raise DataError(f"{path}: found floats outside 0 to 1; scale them.")
    return _to_bytes(array, 1.0)


def _to_bytes(array: np.ndarray, white: float) -> np.ndarray:
    return np.clip(array * (255.0 / white), 0, 255).round().astype(np.uint8)


def _refuse_too_large(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise DataError(
            f"{path}: is {width}x{height}, larger than {MAX_PIXELS // 1_000_000} million pixels; "
            "make it smaller."
        )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
