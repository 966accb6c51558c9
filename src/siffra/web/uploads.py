"""What the page may bring: pictures of digits, and data sets. Nobody vouches for their bytes."""

import hashlib
import json
import logging
import re
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

from PIL import Image
from pydantic import StringConstraints, TypeAdapter

from siffra.config.validation import Frozen
from siffra.data.load import DataSource
from siffra.data.pictures import read_picture
from siffra.errors import DataError, StoreError
from siffra.system.atomic_write import part_folder, write_whole
from siffra.web.base64_fields import Base64, decoded, encoded
from siffra.web.datasets import Loader
from siffra.web.errors import ApiError, each_readable
from siffra.web.models import DIGIT
from siffra.web.paths import Paths
from siffra.web.questions import DataId

log = logging.getLogger("siffra.web")

PICTURE = 8 * 2**20
"""The most bytes of a picture's file."""
PICTURE_PIXELS = 16_000_000
ARRAYS_FILE = 32 * 2**20
"""The most bytes of an `.npz` file, compressed."""
ARRAYS = 256 * 2**20
"""The most bytes of all its arrays, decompressed."""
MEMBERS = 16
DATA_SETS = 50

_FORMATS = ("PNG", "JPEG")  # Pillow's others include some that start programs

_Name = Annotated[str, StringConstraints(pattern=r"^[\w][\w .()-]{0,59}$")]

_NAME = TypeAdapter(_Name)
_ID = re.compile(r"data-[0-9a-f]{12}")


def as_json(bytes_: int) -> int:
    """How large a JSON body may be that brings this many bytes in base64."""
    return bytes_ * 4 // 3 + 1024


class PictureFile(Frozen):
    """A picture, PNG or JPEG."""

    picture: Base64


class ArraysFile(Frozen):
    """A data set as an `.npz`, with Keras' names or MedMNIST's."""

    name: _Name
    npz: Base64


def digit_in(file: PictureFile) -> str:
    """The picture as the networks take digits, 28 x 28 pixels in base64.

    Raises:
        ApiError: It is not a picture, or it is blank or too large.
    """
    content = decoded(file.picture, PICTURE)
    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as image:
            if image.width * image.height > PICTURE_PIXELS:
                raise ApiError("too_large")
        with part_folder(Path(tempfile.gettempdir())) as folder:
            path = folder / "picture"
            path.write_bytes(content)
            return encoded(read_picture(path, DIGIT))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ApiError("too_large") from None
    except (OSError, ValueError, SyntaxError, DataError):
        raise ApiError("bad_upload") from None


def keep_data(file: ArraysFile, paths: Paths, load: Loader) -> dict[str, Any]:
    """Keep a data set beside the store, once it was seen to be one.

    Raises:
        ApiError: It is not a data set or is too large, or there are too many.
    """
    content = decoded(file.npz, ARRAYS_FILE)
    _refuse_too_large(content)
    name = f"data-{hashlib.sha256(content).hexdigest()[:12]}"
    path = paths.data(name)
    label = path.with_suffix(".json")
    # Without its name beside it, a server that was killed has left it here.
    known = path.exists() and label.exists()
    if not known and len(list(paths.data_sets.glob("data-*.npz"))) >= DATA_SETS:
        raise ApiError("queue_full")
    try:
        write_whole(path, content, StoreError, makes_folder=True)
        dataset = load(source_of(name, paths))
        write_whole(label, json.dumps({"name": file.name}).encode(), StoreError)
    except Exception as error:
        if not known:
            path.unlink(missing_ok=True)
        if isinstance(error, StoreError | OSError):
            raise
        if not isinstance(error, DataError):  # our reader's fault, though it is no data set either
            log.exception("an uploaded data set cannot be read")
        raise ApiError("bad_upload") from None
    return {
        "id": name,
        "name": file.name,
        "classes": dataset.classes,
        "image": dataset.image_shape,
        "notes": [note.texts for note in dataset.notes],
    }


def kept_data(paths: Paths) -> list[dict[str, str]]:
    """The data sets that there are, MNIST first; one that cannot be read is left out."""

    def described(label: Path) -> dict[str, str]:
        source_of(label.stem, paths)
        content = json.loads(label.read_text("utf-8"))
        return {"id": label.stem, "name": _NAME.validate_python(content["name"], strict=True)}

    labels = [each for each in paths.data_sets.glob("data-*.json") if _ID.fullmatch(each.stem)]
    kept = each_readable(sorted(labels), described, lambda label: label)
    return [{"id": "mnist", "name": "MNIST"}, *kept]


def source_of(name: DataId, paths: Paths) -> DataSource:
    """The data set with this id.

    Raises:
        ApiError: There is none.
    """
    if name == "mnist":
        return DataSource()
    path = paths.data(name).absolute()
    if not path.is_file():
        raise ApiError("not_found")
    return DataSource(path=path)


def _refuse_too_large(content: bytes) -> None:
    """Look at the sizes that the archive's directory claims: no more than these is ever read."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise ApiError("bad_upload") from None
    if len(members) > MEMBERS or sum(member.file_size for member in members) > ARRAYS:
        raise ApiError("too_large")
