"""Labs: all that are kept, one with its answers so far, its curves, its report."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, Response

from siffra.lab.history import KeptLab
from siffra.report.text.repeat import lab_file
from siffra.web import labs
from siffra.web.errors import Refusal
from siffra.web.listing import each_readable
from siffra.web.protocol import Task
from siffra.web.routes.common import LabId, Language
from siffra.web.state import Here, Workplace

# A report brings its style and its figures within its one file, and needs no script.
REPORT_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "script-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
)

router = APIRouter(prefix="/api/labs")


@router.get("")
def all_labs(here: Here, words: Language) -> Mapping[str, Any]:
    """Every lab that is kept, the latest first."""
    with here.store() as store:

        def line(lab: KeptLab) -> dict[str, Any]:
            listed = labs.listed(lab, store, here.desk, words)
            return listed | _state(lab, listed, here)

        return {"labs": each_readable(here.labs(), line, lambda lab: f"lab {lab.id}")}


@router.get("/{lab_id}")
def lab(lab_id: LabId, here: Here, words: Language) -> Mapping[str, Any]:
    """A lab with its answers so far."""
    lab = here.lab(lab_id)
    with here.store() as store:
        found = labs.shown(lab, store, here.desk, words, here.places)
    return found | _state(lab, found, here)


@router.get("/{lab_id}/curves")
def curves(
    lab_id: LabId,
    here: Here,
    words: Language,
    question: Annotated[str, Query(max_length=100)],
) -> Mapping[str, Any]:
    """Accuracy after each epoch, of every level of a question and every seed."""
    with here.store() as store:
        found = labs.curves(here.lab(lab_id), store, here.desk, question, words)
    if found is None:
        raise Refusal("not_found")
    return found


@router.get("/{lab_id}/report")
async def report(lab_id: LabId, here: Here, words: Language) -> Response:
    """The report, as a page."""
    page = await here.reports.page(here.lab(lab_id), words.language)
    headers = {"Content-Security-Policy": REPORT_POLICY}
    return FileResponse(page, media_type="text/html; charset=utf-8", headers=headers)


@router.get("/{lab_id}/lab.toml")
def toml(lab_id: LabId, here: Here) -> Response:
    """The lab file that asks the question again."""
    text = lab_file(here.lab(lab_id).plan)
    if text is None:
        raise Refusal("not_found")
    headers = {"Content-Disposition": 'attachment; filename="lab.toml"'}
    return Response(text, media_type="text/plain; charset=utf-8", headers=headers)


def _state(lab: KeptLab, line: dict[str, Any], here: Workplace) -> dict[str, Any]:
    task = Task(kind="lab", id=lab.id)
    state = here.bench.state(task, complete=line["have"] == line["runs"])
    return {"state": state, "error": here.bench.error(task) if state == "failed" else None}
