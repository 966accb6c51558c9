"""The playground: models, digits, and what the ones make of the others."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path

from siffra.data.load import DataSource
from siffra.web import playground
from siffra.web.errors import ApiError
from siffra.web.models import examined, shipped_examination
from siffra.web.playground import Picture
from siffra.web.routes.dependencies import App, Language, ModelName
from siffra.web.uploads import PictureFile, digit_in

router = APIRouter(prefix="/api")


@router.get("/models")
def models(app: App, words: Language) -> Mapping[str, Any]:
    """The models that can be played with."""
    return {"models": app.models.described(words)}


@router.get("/models/{name}/examination")
def examination(name: ModelName, app: App) -> Mapping[str, Any]:
    """How a model does on moved and turned images, and where it errs."""
    known = app.models.find(name)
    if known is None:
        raise ApiError("not_found")
    if known.kind == "shipped":
        return examined(shipped_examination(known))
    key = known.file.stem
    with app.store() as store:
        examinations = store.examinations([key])
    if key not in examinations:
        raise ApiError("data_gone")
    return examined(examinations[key])


@router.get("/digits/{index}")
def digit(
    index: Annotated[int, Path(ge=0, le=10**6)],
    app: App,
    set: Literal["test", "moved", "rotated"] = "test",  # noqa: A002  the query's name for it
) -> Mapping[str, Any]:
    """An image of MNIST's."""
    return playground.digit(app.load(DataSource()), set, index)


@router.post("/predict")
async def predict(picture: Picture, app: App) -> Mapping[str, Any]:
    """What models see in a digit that was moved, turned and scaled."""

    def work() -> Mapping[str, Any]:
        return playground.predicted(picture, app.models, app.load(DataSource()))

    return await app.calculate(work)


@router.post("/picture")
def picture(file: PictureFile) -> Mapping[str, Any]:
    """A picture as the networks take digits."""
    return {"pixels": digit_in(file)}
