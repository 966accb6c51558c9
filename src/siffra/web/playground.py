"""The playground: a digit moved, turned and scaled, and what trained networks make of it."""

import base64
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from siffra.data.dataset import Dataset
from siffra.data.shifts import compose, rotations, translations, warp
from siffra.engine.network import Conv
from siffra.web.activations import first_response
from siffra.web.base64_fields import encoded
from siffra.web.errors import ApiError
from siffra.web.models import DIGIT, Models, Ready

MOST_MODELS = 6
_PIXELS = DIGIT[0] * DIGIT[1]

ModelId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,80}$")]


class Picture(BaseModel):
    """A digit as the page has it: `pixels` or a test `digit`, then scaled, turned and moved."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    models: Annotated[list[ModelId], Field(min_length=1, max_length=MOST_MODELS)]
    pixels: Annotated[str, StringConstraints(max_length=2 * _PIXELS)] | None = None
    digit: Annotated[int, Field(ge=0)] | None = None
    dx: Annotated[float, Field(ge=-28, le=28)] = 0.0
    dy: Annotated[float, Field(ge=-28, le=28)] = 0.0
    angle: Annotated[float, Field(ge=-360, le=360)] = 0.0
    scale: Annotated[float, Field(ge=0.1, le=4)] = 1.0
    response: bool = True

    @model_validator(mode="after")
    def _one_image(self) -> "Picture":
        if (self.pixels is None) == (self.digit is None):
            raise ValueError("either `pixels` or `digit`")
        return self


def predicted(picture: Picture, models: Models, dataset: Dataset) -> dict[str, Any]:
    """What each model sees in the picture, and the picture as it sees it.

    Raises:
        ApiError: There is no such digit or model, or it does not take 28 x 28 grey pixels.
    """
    image, label = _image(picture, dataset)
    seen = warp(image[np.newaxis], _map(picture))
    return {
        "pixels": encoded(np.rint(seen * 255)),
        "label": label,
        "models": [_answer(name, models, seen, picture.response) for name in picture.models],
    }


def digit(dataset: Dataset, name: str, index: int) -> dict[str, Any]:
    """An image of a set, with its label.

    Raises:
        ApiError: There is no such image.
    """
    images = dataset.sets.get(name)
    if images is None or not 0 <= index < len(images):
        raise ApiError("not_found")
    pixels = images.x[index]
    if pixels.dtype != np.uint8:
        pixels = np.rint(pixels * 255)
    return {"index": index, "label": int(images.y[index]), "pixels": encoded(pixels)}


def _image(picture: Picture, dataset: Dataset) -> tuple[np.ndarray, int | None]:
    if picture.digit is not None:
        if picture.digit >= len(dataset.test) or dataset.image_shape != DIGIT:
            raise ApiError("not_found")
        return dataset.test.x[picture.digit], int(dataset.test.y[picture.digit])
    try:
        pixels = base64.b64decode(picture.pixels or "", validate=True)
    except ValueError:
        raise ApiError("bad_request") from None
    if len(pixels) != _PIXELS:
        raise ApiError("bad_request")
    return np.frombuffer(pixels, np.uint8).reshape(DIGIT), None


def _map(picture: Picture) -> np.ndarray:
    scaled = np.diag([picture.scale, picture.scale, 1.0])[np.newaxis]
    turned = rotations(np.array([picture.angle]))
    moved = translations(np.array([picture.dx]), np.array([picture.dy]))
    return compose(scaled, turned, moved)


def _answer(name: str, models: Models, image: np.ndarray, response: bool) -> dict[str, Any]:
    known = models.find(name)
    if known is None:
        raise ApiError("not_found")
    ready = models.load(known)
    if ready.saved.image_shape != DIGIT:
        raise ApiError("bad_request")
    if ready.saved.ground == "light":
        image = 1 - image
    shares = ready.fitted.predict(image)[0]
    return {
        "id": name,
        "probabilities": [_finite(share) for share in shares],
        "response": _response(ready, image[0]) if response else None,
    }


def _response(ready: Ready, image: np.ndarray) -> dict[str, Any]:
    values = first_response(ready.network, ready.saved.weights, image)
    most = float(np.nanmax(np.abs(values), initial=0.0))
    # What is below zero (there is such, but for ReLU) is shown as nothing.
    levels = np.nan_to_num(np.clip(values / most, 0, 1)) * 255 if most else np.zeros(values.shape)
    return {
        "kind": "conv" if isinstance(ready.network.layers[0], Conv) else "dense",
        "shape": values.shape,
        "max": _finite(most),
        "values": encoded(np.rint(levels)),
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def prepare(models: Models, dataset: Dataset, names: Sequence[str]) -> None:
    """Compile, or load from the cache on disk, what predictions need, before they are asked."""
    picture = Picture(models=list(names), digit=0)
    predicted(picture, models, dataset)
