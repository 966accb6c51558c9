"""Runs: the table, its export, one in full, several compared."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import StringConstraints

from siffra.config import ExternalModel, OwnModel
from siffra.report.render.files import record_rows, runs_csv, runs_parquet
from siffra.report.text.messages import Words
from siffra.store.store import Store
from siffra.training.run import Record
from siffra.web import runs
from siffra.web.errors import ApiError
from siffra.web.labs import title
from siffra.web.models import examined
from siffra.web.protocol import Task
from siffra.web.routes.dependencies import App, Language, Nothing, RunKey
from siffra.web.state import AppState

Condition = Annotated[str, StringConstraints(max_length=200)]
Where = Annotated[list[Condition], Query(max_length=runs.MOST_CONDITIONS)]
Key = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Keys = Annotated[list[Key], Query(min_length=2, max_length=runs.MOST_COMPARED)]

router = APIRouter(prefix="/api")


@router.get("/runs")
def table(
    app: App,
    words: Language,
    where: Where = [],  # noqa: B006  FastAPI copies it
    sort: str = "finished",
    order: Literal["asc", "desc"] = "desc",
    limit: Annotated[int, Query(ge=1, le=runs.MOST_ROWS)] = 200,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Mapping[str, Any]:
    """The runs that meet all conditions, sorted, some at a time."""
    with app.store() as store:
        rows = app.table.rows(store)
    own_columns = runs.own_columns(rows)
    kept = runs.matching(rows, runs.conditions(where, own_columns))
    matching = runs.ordered(kept, sort, order, own_columns)
    shown = matching[offset : offset + limit]
    return {
        "total": len(rows),
        "matching": len(matching),
        "columns": runs.COLUMNS,
        "own": own_columns,
        "runs": shown,
        "labs": _latest_labs(app, {row["key"] for row in shown}, words),
    }


@router.get("/runs.csv")
def as_csv(app: App, where: Where = []) -> Response:  # noqa: B006
    """The runs that meet all conditions, as CSV."""
    content = runs_csv(record_rows(_matching(app, where)))
    return _download(content.encode(), "runs.csv", "text/csv; charset=utf-8")


@router.get("/runs.parquet")
def as_parquet(app: App, where: Where = []) -> Response:  # noqa: B006
    """The runs that meet all conditions, as Parquet."""
    content = runs_parquet(record_rows(_matching(app, where)))
    return _download(content, "runs.parquet", "application/vnd.apache.parquet")


@router.get("/runs/{key}")
def run(key: RunKey, app: App, words: Language) -> Mapping[str, Any]:
    """One run in full."""
    with app.store() as store:
        whole = runs.in_full(_record(store, key))
        examinations = store.examinations([key])
    return whole | {
        "labs": _labs_with(app, key, words),
        "model": f"run-{key}" if app.models.find(f"run-{key}") else None,
        "examination": examined(examinations[key]) if key in examinations else None,
    }


@router.get("/compare")
def compare(run: Keys, app: App) -> Mapping[str, Any]:
    """Runs beside each other."""
    with app.store() as store:
        return runs.compared([_record(store, key) for key in run])


@router.post("/runs/{key}/model", status_code=202)
async def keep_model(key: RunKey, body: Nothing, app: App) -> Mapping[str, Any]:
    """Make a run once more, to keep its network."""

    def find() -> bool:
        with app.store() as store:
            model = _record(store, key).model
        if isinstance(model, OwnModel | ExternalModel):  # nobody else's code is run here
            raise ApiError("method")
        return app.models.find(f"run-{key}") is not None

    is_kept = await run_in_threadpool(find)
    if not is_kept:
        app.jobs.add(Task(kind="model", id=key))
    return {"id": f"run-{key}", "state": "made" if is_kept else "queued"}


@router.post("/runs/{key}/model/stop")
async def stop_model(key: RunKey, body: Nothing, app: App) -> Mapping[str, Any]:
    """Do not make it after all."""
    app.jobs.cancel(Task(kind="model", id=key))
    return {"id": f"run-{key}"}


def _record(store: Store, key: str) -> Record:
    record = store.get(key)
    if record is None:
        raise ApiError("not_found")
    return record


def _matching(app: AppState, where: Sequence[str]) -> list[Record]:
    with app.store() as store:
        rows = app.table.rows(store)
        rows = runs.matching(rows, runs.conditions(where, runs.own_columns(rows)))
        records = store.get_all(row["key"] for row in rows)
    return [records[row["key"]] for row in rows if row["key"] in records]


def _latest_labs(app: AppState, keys: set[str], words: Words) -> dict[str, Mapping[str, str]]:
    """By run, the lab that asked for it last."""
    latest: dict[str, Mapping[str, str]] = {}
    for lab in app.labs():
        for key in keys.intersection(lab.keys) - latest.keys():
            latest[key] = {"id": lab.id, "title": title(lab.plan, words)}
    return latest


def _labs_with(app: AppState, key: str, words: Words) -> list[Mapping[str, str]]:
    return [
        {"id": lab.id, "title": title(lab.plan, words)} for lab in app.labs() if key in lab.keys
    ]


def _download(content: bytes, name: str, kind: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=kind, headers=headers)
