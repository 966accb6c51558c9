"""Asking: what can be asked, what it would cost, and off it goes."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError

from siffra.data.dataset import Dataset
from siffra.data.load import DataSource
from siffra.lab.history import SavedLab
from siffra.lab.plan.plan import Plan
from siffra.lab.plan.presets import PRESETS
from siffra.report.text.labels import knob_name
from siffra.report.text.messages import Words
from siffra.store.store import open_store
from siffra.web import limits, questions
from siffra.web.errors import ApiError
from siffra.web.example import example as answered
from siffra.web.judging import TABLE
from siffra.web.limits import fault
from siffra.web.protocol import Task
from siffra.web.questions import Ask, AskStudy, plan_ask, plan_study
from siffra.web.queue_file import QUEUE
from siffra.web.routes.dependencies import App, Language
from siffra.web.state import AppState
from siffra.web.uploads import (
    ARRAYS_FILE,
    PICTURE,
    ArraysFile,
    keep_data,
    kept_data,
    source_of,
)

router = APIRouter(prefix="/api")


@router.get("/words")
def words(language: Language) -> Mapping[str, Any]:
    """Every text, in one language."""
    texts = dict(language.texts)
    return {"language": language.language, "texts": texts}


@router.get("/knobs")
def knobs(language: Language) -> Mapping[str, Any]:
    """What there is to turn, with what limits."""
    named = [{**knob, "label": knob_name(language, knob["name"])} for knob in questions.knobs()]
    presets = {name: {"epochs": p.epochs, "time": p.time} for name, p in PRESETS.items()}
    most = {
        "levels": limits.LEVELS,
        "seeds": limits.SEEDS,
        "runs": limits.RUNS,
        "epochs": limits.EPOCHS,
        "queue": QUEUE,
        "picture_bytes": PICTURE,
        "npz_bytes": ARRAYS_FILE,
        "table_bytes": TABLE,
    }
    return {
        "knobs": named,
        "defaults": questions.defaults(),
        "presets": presets,
        "limits": most,
    }


@router.get("/example")
def example(app: App, language: Language) -> Mapping[str, Any]:
    """A question with its answer, for who comes without one."""
    return answered(app.load(DataSource()), language)


@router.get("/datasets")
def datasets(app: App) -> Mapping[str, Any]:
    """What can be trained on."""
    return {"datasets": kept_data(app.paths)}


@router.post("/datasets", status_code=201)
def add_dataset(file: ArraysFile, app: App) -> Mapping[str, Any]:
    """Keep a data set of the user's own."""
    return keep_data(file, app.paths, app.load)


@router.post("/estimate")
def estimate(body: dict[str, Any], app: App, language: Language) -> Mapping[str, Any]:
    """What a question would cost, and how to ask it elsewhere.

    What cannot be run is no failure here: the page asks while the user is still typing. It is
    told as `{"error", "why"}`, where `why` is a sentence in the reader's language. If it is one
    field's, `knob` names it, a knob or `seeds`, with its limits: `least`, `above`, `most`,
    `below` and `whole` for numbers, `choices` for words.
    """
    if error := fault(body, language):
        return error.body
    try:
        return _estimated(app, language, *_plan(Ask.model_validate(body), app))
    except ValidationError:
        return {"error": "bad_request"}
    except ApiError as error:
        why = error.why and language("ui.limits.cannot", why=error.why)
        return error.body | ({"why": why} if why else {})


@router.post("/study/estimate")
def estimate_study(ask: AskStudy, app: App, language: Language) -> Mapping[str, Any]:
    """What the study would cost, and what its budget is for."""
    return _estimated(app, language, *plan_study(ask, app.load))


@router.post("/ask", status_code=201)
async def ask(ask: Ask, app: App) -> Mapping[str, Any]:
    """Put a question at the queue's end."""
    lab = await run_in_threadpool(lambda: _keep(app, *_plan(ask, app)))
    return begin(lab, app)


@router.post("/study", status_code=201)
async def study(ask: AskStudy, app: App) -> Mapping[str, Any]:
    """Put the study at the queue's end."""
    lab = await run_in_threadpool(lambda: _keep(app, *plan_study(ask, app.load)))
    return begin(lab, app)


def begin(lab: SavedLab, app: AppState) -> Mapping[str, Any]:
    """Queue a lab. If all of its runs are there, it is answered as soon as it is begun.

    Raises:
        ApiError: It is of a program: the page shows such labs, but no request starts a program.
    """
    if lab.plan.is_external:
        raise ApiError("not_started_here")
    task = Task(kind="lab", id=lab.id)
    app.jobs.add(task)
    return {"id": lab.id, "state": app.jobs.state(task, complete=False)}


def _plan(ask: Ask, app: AppState) -> tuple[Plan, Dataset]:
    source = source_of(ask.data, app.paths)
    dataset = app.load(source)
    return plan_ask(ask, dataset, source), dataset


def _estimated(app: AppState, words: Words, plan: Plan, dataset: Dataset) -> Mapping[str, Any]:
    with app.store() as store:
        told = questions.estimated(plan, dataset, app.running, store, words)
    return {**told, "seconds_most": told["seconds"] * app.crowding}


def _keep(app: AppState, plan: Plan, dataset: Dataset) -> SavedLab:
    with open_store(app.paths.store) as store:
        return questions.keep(plan, dataset, app.engine, store)
