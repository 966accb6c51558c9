"""The bench: what is at work and what waits, told as it happens; holding, going on, stopping."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

import siffra
from siffra.report.text.messages import Words
from siffra.web.errors import Refusal
from siffra.web.jobs import Event
from siffra.web.labs import place_of, progress, title
from siffra.web.protocol import Task, Told
from siffra.web.routes.common import LabId, Language, Nothing
from siffra.web.routes.questions import begin
from siffra.web.state import Here, Workplace

ALIVE = 15.0
"""Seconds of silence after which a stream says that it is still there."""

router = APIRouter(prefix="/api")


@router.get("/bench")
def bench(here: Here, words: Language) -> Mapping[str, Any]:
    """What is going on."""
    return shown(here, words)


@router.post("/bench/pause")
async def pause(body: Nothing, here: Here, words: Language) -> Mapping[str, Any]:
    """Hold training at the end of its epoch."""
    here.bench.pause(True)
    return await run_in_threadpool(shown, here, words)


@router.post("/bench/resume")
async def resume(body: Nothing, here: Here, words: Language) -> Mapping[str, Any]:
    """Go on with it."""
    here.bench.pause(False)
    return await run_in_threadpool(shown, here, words)


@router.post("/labs/{lab_id}/start")
async def start(lab_id: LabId, body: Nothing, here: Here) -> Mapping[str, Any]:
    """Put a lab at the queue's end."""
    return begin(await run_in_threadpool(here.lab, lab_id), here)


@router.post("/labs/{lab_id}/stop")
async def stop(lab_id: LabId, body: Nothing, here: Here) -> Mapping[str, Any]:
    """Take a lab out of the queue; its finished runs stay."""
    await run_in_threadpool(here.lab, lab_id)
    task = Task(kind="lab", id=lab_id)
    here.bench.remove(task)
    told = await run_in_threadpool(_lab, here, task)
    return {"id": lab_id, "state": told["state"]}


@router.post("/labs/{lab_id}/forget")
async def forget(lab_id: LabId, body: Nothing, here: Here) -> Mapping[str, Any]:
    """List a lab no longer; its runs stay."""
    await run_in_threadpool(here.lab, lab_id)
    if Task(kind="lab", id=lab_id) in here.bench.tasks:
        raise Refusal("conflict")
    here.forget(lab_id)
    return {"id": lab_id}


@router.get("/events")
async def events(here: Here, words: Language) -> StreamingResponse:
    """Everything that happens, from a look at the whole on."""
    if here.bench.is_full:
        raise Refusal("busy")
    return StreamingResponse(_stream(here, words), media_type="text/event-stream")


async def _stream(here: Workplace, words: Words) -> AsyncIterator[bytes]:
    happening = here.bench.listen()
    try:
        while True:
            try:
                event = await asyncio.wait_for(happening.get(), ALIVE)
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if event[0] == "end":
                return
            name, data = await run_in_threadpool(_told, here, words, event)
            yield f"event: {name}\ndata: {json.dumps(data, allow_nan=False)}\n\n".encode()
    finally:
        here.bench.leave(happening)


def _told(here: Workplace, words: Words, event: Event) -> tuple[str, Mapping[str, Any]]:
    kind, told = event
    if kind == "bench" or told is None:
        return "bench", shown(here, words)
    if kind == "epoch":
        return "epoch", _epoch(here, told)
    if told.task.kind == "model":
        failed = told.stopped or told.error
        state = "failed" if failed else "made" if told.event == "ended" else "queued"
        return "model", {"id": f"run-{told.task.id}", "state": state}
    return "lab", _lab(here, told.task)


def shown(here: Workplace, words: Words) -> Mapping[str, Any]:
    """The bench as the page shows it."""
    tasks = here.bench.tasks
    return {
        "paused": here.bench.paused,
        "queue": [{"kind": t.kind, "id": t.id, "title": _title(here, t, words)} for t in tasks],
        "running": _running(here),
        "version": siffra.__version__,
        "engine": here.engine.name,
        "threads": here.engine.threads,
        "store": here.places.store.name,
    }


def _title(here: Workplace, task: Task, words: Words) -> str:
    if task.kind == "model":
        return words("ui.bench.model", run=task.id[:8]) if "ui.bench.model" in words else ""
    try:
        return title(here.lab(task.id).plan, words)
    except Refusal:
        return ""


def _running(here: Workplace) -> Mapping[str, Any] | None:
    at_work = here.bench.at_work
    if at_work is None or at_work.stopping:
        return None
    told, run = at_work.told, None
    if at_work.run is not None:
        curve = at_work.epochs
        run = {**_place(here, at_work.task, at_work.run), "epoch": len(curve), "curve": curve}
    return {
        "kind": at_work.task.kind,
        "id": at_work.task.id,
        "done": told.done,
        "total": told.total,
        "seconds_left": told.seconds_left,
        "run": run,
    }


def _epoch(here: Workplace, told: Told) -> Mapping[str, Any]:
    assert told.run is not None
    assert told.scores is not None
    return {
        "kind": told.task.kind,
        "id": told.task.id,
        **_place(here, told.task, told.run),
        "epoch": told.epoch,
        **told.scores.model_dump(),
        "done": told.done,
        "total": told.total,
        "seconds_left": told.seconds_left,
    }


def _place(here: Workplace, task: Task, run: int) -> Mapping[str, Any]:
    """What is trained, and where in its lab it belongs."""
    if task.kind == "lab":
        lab, planned = here.lab(task.id), here.runs(task.id)[run]
        (question, level), setting, seed = place_of(lab, planned), planned.setting, planned.seed
    else:
        with here.store() as store:
            record = store.get(task.id)
        if record is None:
            return {}
        question, level, setting, seed = None, None, record.setting, record.seed
    return {
        "question": question,
        "level": level,
        "seed": seed,
        "knobs": setting.knobs(),
        "epochs": math.ceil(setting.training.epochs),
    }


def _lab(here: Workplace, task: Task) -> Mapping[str, Any]:
    try:
        lab = here.lab(task.id)
    except Refusal:
        return {"id": task.id, "state": "failed", "have": 0, "runs": 0}
    with here.store() as store:
        have, runs = progress(lab, store, here.desk)
    state = here.bench.state(task, complete=have == runs)
    return {"id": task.id, "state": state, "have": have, "runs": runs}
