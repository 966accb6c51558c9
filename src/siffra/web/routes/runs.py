"""Runs: the table, its export, one in full, two compared."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import StringConstraints

from siffra.config import OwnModel
from siffra.report.render.files import record_rows, runs_csv, runs_parquet
from siffra.report.text.messages import Words
from siffra.store.store import Store
from siffra.training.run import Record
from siffra.web import runs
from siffra.web.errors import Refusal
from siffra.web.labs import title
from siffra.web.models import examined
from siffra.web.protocol import Task
from siffra.web.routes.common import Language, Nothing, RunKey
from siffra.web.state import Here, Workplace

Condition = Annotated[str, StringConstraints(max_length=200)]
Where = Annotated[list[Condition], Query(max_length=runs.MOST_CONDITIONS)]
KeyQuery = Annotated[str, Query(pattern=r"^[0-9a-f]{64}$")]

router = APIRouter(prefix="/api")


@router.get("/runs")
def table(
    here: Here,
    where: Where = [],  # noqa: B006  FastAPI copies it
    sort: str = "finished",
    order: Literal["asc", "desc"] = "desc",
    limit: Annotated[int, Query(ge=1, le=runs.MOST_ROWS)] = 200,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Mapping[str, Any]:
    """The runs that meet all conditions, sorted, some at a time."""
    asked = runs.conditions(where)
    with here.store() as store:
        rows = here.table.rows(store)
    found = runs.ordered(runs.matching(rows, asked), sort, order)
    return {
        "total": len(rows),
        "matching": len(found),
        "columns": runs.COLUMNS,
        "runs": found[offset : offset + limit],
    }


@router.get("/runs.csv")
def as_csv(here: Here, where: Where = []) -> Response:  # noqa: B006
    """The runs that meet all conditions, as CSV."""
    content = runs_csv(record_rows(_matching(here, where)))
    return _download(content.encode(), "runs.csv", "text/csv; charset=utf-8")


@router.get("/runs.parquet")
def as_parquet(here: Here, where: Where = []) -> Response:  # noqa: B006
    """The runs that meet all conditions, as Parquet."""
    content = runs_parquet(record_rows(_matching(here, where)))
    return _download(content, "runs.parquet", "application/vnd.apache.parquet")


@router.get("/runs/{key}")
def run(key: RunKey, here: Here, words: Language) -> Mapping[str, Any]:
    """One run in full."""
    with here.store() as store:
        found = runs.in_full(_record(store, key))
        examinations = store.examinations([key])
    return found | {
        "labs": _labs_with(here, key, words),
        "model": f"run-{key}" if here.models.find(f"run-{key}") else None,
        "examination": examined(examinations[key]) if key in examinations else None,
    }


@router.get("/compare")
def compare(a: KeyQuery, b: KeyQuery, here: Here) -> Mapping[str, Any]:
    """Two runs beside each other."""
    with here.store() as store:
        return runs.compared(_record(store, a), _record(store, b))


@router.post("/runs/{key}/model", status_code=202)
async def keep_model(key: RunKey, body: Nothing, here: Here) -> Mapping[str, Any]:
    """Make a run once more, to keep its network."""

    def find() -> bool:
        with here.store() as store:
            model = _record(store, key).model
        if isinstance(model, OwnModel):  # here it is only a name: its code is not run
            raise Refusal("method")
        return here.models.find(f"run-{key}") is not None

    made = await run_in_threadpool(find)
    if not made:
        here.bench.add(Task(kind="model", id=key))
    return {"id": f"run-{key}", "state": "made" if made else "queued"}


@router.post("/runs/{key}/model/stop")
async def stop_model(key: RunKey, body: Nothing, here: Here) -> Mapping[str, Any]:
    """Do not make it after all."""
    here.bench.remove(Task(kind="model", id=key))
    return {"id": f"run-{key}"}


def _record(store: Store, key: str) -> Record:
    record = store.get(key)
    if record is None:
        raise Refusal("not_found")
    return record


def _matching(here: Workplace, where: Sequence[str]) -> list[Record]:
    asked = runs.conditions(where)
    with here.store() as store:
        rows = runs.matching(here.table.rows(store), asked)
        return [record for row in rows if (record := store.get(row["key"]))]


def _labs_with(here: Workplace, key: str, words: Words) -> list[Mapping[str, str]]:
    return [
        {"id": lab.id, "title": title(lab.plan, words)} for lab in here.labs() if key in lab.keys
    ]


def _download(content: bytes, name: str, kind: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=kind, headers=headers)
