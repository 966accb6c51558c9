"""Labs: all that are kept, one with its answers so far, its curves, its report."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, Response

from siffra.lab.history import SavedLab
from siffra.lab.plan.written import lab_file
from siffra.web import labs
from siffra.web.errors import ApiError, each_readable
from siffra.web.protocol import Task
from siffra.web.routes.dependencies import App, LabId, Language
from siffra.web.state import AppState

# A report brings its style and its figures within its one file, and needs no script.
REPORT_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "script-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
)

router = APIRouter(prefix="/api/labs")


@router.get("")
def all_labs(app: App, words: Language) -> Mapping[str, Any]:
    """Every lab that is kept, the latest first."""
    with app.store() as store:

        def line(lab: SavedLab) -> dict[str, Any]:
            listed = labs.listed(lab, store, app.desk, words)
            return listed | _state(lab, listed, app)

        return {"labs": each_readable(app.labs(), line, lambda lab: f"lab {lab.id}")}


@router.get("/class")
def class_view(app: App, words: Language) -> Mapping[str, Any]:
    """All labs side by side: claims, labs, verdicts."""
    with app.store() as store:
        return labs.class_of(app.labs(), store, app.desk, words).model_dump(mode="json")


@router.get("/{lab_id}")
def lab(lab_id: LabId, app: App, words: Language) -> Mapping[str, Any]:
    """A lab with its answers so far."""
    lab = app.lab(lab_id)
    with app.store() as store:
        page = labs.shown(lab, store, app.desk, words, app.paths).model_dump(mode="json")
    return page | _state(lab, page, app)


@router.get("/{lab_id}/curves")
def curves(
    lab_id: LabId,
    app: App,
    words: Language,
    question: Annotated[str, Query(max_length=100)],
) -> Mapping[str, Any]:
    """Accuracy after each epoch, of every level of a question and every seed."""
    with app.store() as store:
        by_level = labs.curves(app.lab(lab_id), store, app.desk, question, words)
    if by_level is None:
        raise ApiError("not_found")
    return by_level


@router.get("/{lab_id}/report")
async def report(lab_id: LabId, app: App, words: Language) -> Response:
    """The report, as a page."""
    page = await app.reports.page(app.lab(lab_id), words.language)
    headers = {"Content-Security-Policy": REPORT_POLICY}
    return FileResponse(page, media_type="text/html; charset=utf-8", headers=headers)


@router.get("/{lab_id}/lab.toml")
def toml(lab_id: LabId, app: App) -> Response:
    """The lab file that asks the question again."""
    text = lab_file(app.lab(lab_id).plan)
    if text is None:
        raise ApiError("not_found")
    headers = {"Content-Disposition": 'attachment; filename="lab.toml"'}
    return Response(text, media_type="text/plain; charset=utf-8", headers=headers)


def _state(lab: SavedLab, line: dict[str, Any], app: AppState) -> dict[str, Any]:
    task = Task(kind="lab", id=lab.id)
    state = app.jobs.state(task, complete=line["have"] == line["runs"])
    error = app.jobs.error(task) if state == "failed" else None
    return {"state": state, "error": error, "can_start": not lab.plan.is_external}
