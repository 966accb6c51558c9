"""Bytes in JSON: files that come in base64, and pixels that go in it."""

import base64
from typing import Annotated

import numpy as np
from pydantic import StringConstraints

from siffra.web.errors import ApiError

Base64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]*={0,2}$")]


def decoded(text: str, most: int) -> bytes:
    """The bytes of a file that came in base64.

    Raises:
        ApiError: They are more than `most`, or not base64.
    """
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError:
        raise ApiError("bad_upload") from None
    if len(content) > most:
        raise ApiError("too_large")
    return content


def encoded(pixels: np.ndarray) -> str:
    """Pixels, 0 to 255, a byte each, row by row, in base64."""
    return base64.b64encode(pixels.astype(np.uint8).tobytes()).decode("ascii")
