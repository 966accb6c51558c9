"""The playground: models, digits, and what the ones make of the others."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path

from siffra.data.load import DataSource
from siffra.web import playground
from siffra.web.errors import Refusal
from siffra.web.models import examined, shipped_examination
from siffra.web.playground import Picture
from siffra.web.routes.common import Language, ModelName
from siffra.web.state import Here
from siffra.web.uploads import PictureFile, digit_in

router = APIRouter(prefix="/api")


@router.get("/models")
def models(here: Here, words: Language) -> Mapping[str, Any]:
    """The models that can be played with."""
    return {"models": here.models.described(words)}


@router.get("/models/{name}/examination")
def examination(name: ModelName, here: Here) -> Mapping[str, Any]:
    """How a model does on moved and turned images, and where it errs."""
    known = here.models.find(name)
    if known is None:
        raise Refusal("not_found")
    if known.kind == "shipped":
        return examined(shipped_examination(known))
    key = known.file.stem
    with here.store() as store:
        found = store.examinations([key])
    if key not in found:
        raise Refusal("data_gone")
    return examined(found[key])


@router.get("/digits/{index}")
def digit(
    index: Annotated[int, Path(ge=0, le=10**6)],
    here: Here,
    set: Literal["test", "moved", "rotated"] = "test",  # noqa: A002  the query's name for it
) -> Mapping[str, Any]:
    """An image of MNIST's."""
    return playground.digit(here.load(DataSource()), set, index)


@router.post("/predict")
async def predict(picture: Picture, here: Here) -> Mapping[str, Any]:
    """What models see in a digit that was moved, turned and scaled."""

    def work() -> Mapping[str, Any]:
        return playground.predicted(picture, here.models, here.load(DataSource()))

    return await here.calculate(work)


@router.post("/picture")
def picture(file: PictureFile) -> Mapping[str, Any]:
    """A picture as the networks take digits."""
    return {"pixels": digit_in(file)}
