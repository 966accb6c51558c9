"""Judging: a table of runs that are done comes in, an answer goes out, and nothing is kept."""

from fastapi import APIRouter
from fastapi.responses import Response

from siffra.web.judging import TableFile, judged
from siffra.web.routes.dependencies import Language

router = APIRouter(prefix="/api")


@router.post("/judge")
async def judge(file: TableFile, words: Language) -> Response:
    """A table's report, with what its columns were taken for.

    What cannot be judged is no failure here: it is told as `{"error", "why"}`, where `why` is one
    line, and names the table's columns, so that more can be said of them.
    """
    return Response(await judged(file, words), media_type="application/json")
