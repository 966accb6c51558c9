"""The job queue: its state, its updates as they happen; pausing, resuming, cancelling."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

import siffra
from siffra.lab.execute.events import Progress
from siffra.lab.plan.plan import PlannedRun
from siffra.report.text.messages import Words
from siffra.training.run import Epoch
from siffra.web.errors import ApiError
from siffra.web.jobs import Update
from siffra.web.labs import place_of, progress, title
from siffra.web.protocol import Task
from siffra.web.routes.dependencies import App, LabId, Language, Nothing
from siffra.web.routes.questions import begin
from siffra.web.state import AppState

ALIVE = 15.0
"""Seconds of silence after which a stream says that it is still there."""

router = APIRouter(prefix="/api")


@router.get("/jobs")
def jobs(app: App, words: Language) -> Mapping[str, Any]:
    """The queue and the task in progress."""
    return shown(app, words)


@router.post("/jobs/pause")
async def pause(body: Nothing, app: App, words: Language) -> Mapping[str, Any]:
    """Pause training after the epoch in progress."""
    app.jobs.pause(True)
    return await run_in_threadpool(shown, app, words)


@router.post("/jobs/resume")
async def resume(body: Nothing, app: App, words: Language) -> Mapping[str, Any]:
    """Resume it."""
    app.jobs.pause(False)
    return await run_in_threadpool(shown, app, words)


@router.post("/labs/{lab_id}/start")
async def start(lab_id: LabId, body: Nothing, app: App) -> Mapping[str, Any]:
    """Put a lab at the queue's end."""
    return begin(await run_in_threadpool(app.lab, lab_id), app)


@router.post("/labs/{lab_id}/cancel")
async def cancel(lab_id: LabId, body: Nothing, app: App) -> Mapping[str, Any]:
    """Take a lab out of the queue; its finished runs stay."""
    await run_in_threadpool(app.lab, lab_id)
    task = Task(kind="lab", id=lab_id)
    app.jobs.cancel(task)
    line = await run_in_threadpool(_lab, app, task)
    return {"id": lab_id, "state": line["state"]}


@router.post("/labs/{lab_id}/forget")
async def forget(lab_id: LabId, body: Nothing, app: App) -> Mapping[str, Any]:
    """List a lab no longer; its runs stay."""
    await run_in_threadpool(app.lab, lab_id)
    if Task(kind="lab", id=lab_id) in app.jobs.tasks:
        raise ApiError("conflict")
    app.forget(lab_id)
    return {"id": lab_id}


@router.get("/events")
async def events(app: App, words: Language) -> StreamingResponse:
    """Everything that happens, beginning with the state of the queue."""
    if app.jobs.is_full:
        raise ApiError("busy")
    return StreamingResponse(_stream(app, words), media_type="text/event-stream")


async def _stream(app: AppState, words: Words) -> AsyncIterator[bytes]:
    updates = app.jobs.listen()
    try:
        while True:
            try:
                update = await asyncio.wait_for(updates.get(), ALIVE)
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if update == "end":
                return
            name, data = await run_in_threadpool(_sent, app, words, update)
            yield f"event: {name}\ndata: {json.dumps(data, allow_nan=False)}\n\n".encode()
    finally:
        app.jobs.leave(updates)


def _sent(app: AppState, words: Words, update: Update) -> tuple[str, Mapping[str, Any]]:
    """The name and the data of an update as the page gets it."""
    if isinstance(update, str):
        return "queue", shown(app, words)
    task, event = update.task, update.event
    if event and event.kind == "epoch" and event.scores:
        run = _run(app, task, event.planned_run, [*update.earlier, event.scores])
        return "epoch", _at_work(app, task, event.progress, run | {"epoch": event.epoch})
    if task.kind == "lab":
        return "lab", _lab(app, task)
    failed = update.cancelled or update.error
    state = "queued" if event else "failed" if failed else "made"
    return "model", {"id": f"run-{task.id}", "state": state}


def shown(app: AppState, words: Words) -> Mapping[str, Any]:
    """The job queue as the page shows it."""
    tasks = app.jobs.tasks
    return {
        "paused": app.jobs.paused,
        "queue": [{"kind": t.kind, "id": t.id, "title": _title(app, t, words)} for t in tasks],
        "running": _running(app),
        "version": siffra.__version__,
        "engine": app.engine.name,
        "threads": app.engine.threads,
        "store": app.paths.store.name,
    }


def _title(app: AppState, task: Task, words: Words) -> str:
    if task.kind == "model":
        return words("ui.jobs.model", run=task.id[:8])
    try:
        return title(app.lab(task.id).plan, words)
    except ApiError:
        return ""


def _running(app: AppState) -> Mapping[str, Any] | None:
    running = app.jobs.running
    if running is None or running.cancelling:
        return None
    runs = list(running.runs.items())[:1]
    run = next((_run(app, running.task, planned, list(epochs)) for planned, epochs in runs), None)
    return _at_work(app, running.task, running.progress, run)


def _at_work(
    app: AppState, task: Task, progress: Progress, run: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """A task in progress, and its run of the moment: of an epoch's event with what is new alone."""
    left = progress.seconds_left
    return {
        "kind": task.kind,
        "id": task.id,
        "run": run,
        "done": progress.done,
        "total": progress.total,
        "seconds_left": left,
        "seconds_most": None if left is None else left * app.crowding,
        "decided": progress.decided,
        "claims": progress.claims,
    }


def _run(app: AppState, task: Task, planned: PlannedRun, epochs: Sequence[Epoch]) -> dict[str, Any]:
    """A run with its `epochs`, and where in its lab it belongs."""
    question, level = place_of(app.lab(task.id), planned) if task.kind == "lab" else (None, None)
    return {
        "question": question,
        "level": level,
        "seed": planned.seed,
        "epochs": math.ceil(planned.setting.training.epochs),
        "epoch": len(epochs),
        "curve": [scores.model_dump() for scores in epochs],
    }


def _lab(app: AppState, task: Task) -> Mapping[str, Any]:
    try:
        lab = app.lab(task.id)
    except ApiError:
        return {"id": task.id, "state": "failed", "have": 0, "runs": 0}
    with app.store() as store:
        have, runs = progress(lab, store)
    state = app.jobs.state(task, complete=have == runs)
    return {"id": task.id, "state": state, "have": have, "runs": runs}
