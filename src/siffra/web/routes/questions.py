"""Asking: what can be asked, what it would cost, and off it goes."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError

from siffra.data.dataset import Dataset
from siffra.lab.history import KeptLab
from siffra.lab.plan.plan import Plan
from siffra.lab.plan.presets import PRESETS
from siffra.report.text.labels import knob_name
from siffra.report.text.messages import LANGUAGES
from siffra.store.store import open_store
from siffra.web import limits, questions
from siffra.web.errors import Refusal
from siffra.web.limits import fault
from siffra.web.protocol import Task
from siffra.web.questions import Ask, AskStudy, plan_ask, plan_study
from siffra.web.queue_file import QUEUE
from siffra.web.routes.common import Language
from siffra.web.state import Here, Workplace
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
    return {"language": language.language, "languages": LANGUAGES, "texts": texts}


@router.get("/knobs")
def knobs(language: Language) -> Mapping[str, Any]:
    """What there is to turn, with what limits."""
    named = [{**knob, "label": knob_name(language, knob["name"])} for knob in questions.knobs()]
    presets = {name: {"epochs": cap, "seeds": seeds} for name, (cap, seeds) in PRESETS.items()}
    most = {
        "levels": limits.LEVELS,
        "seeds": limits.SEEDS,
        "runs": limits.RUNS,
        "epochs": limits.EPOCHS,
        "queue": QUEUE,
        "picture_bytes": PICTURE,
        "npz_bytes": ARRAYS_FILE,
    }
    return {
        "knobs": named,
        "defaults": questions.defaults(),
        "presets": presets,
        "limits": most,
    }


@router.get("/datasets")
def datasets(here: Here) -> Mapping[str, Any]:
    """What can be trained on."""
    return {"datasets": kept_data(here.places)}


@router.post("/datasets", status_code=201)
def add_dataset(file: ArraysFile, here: Here) -> Mapping[str, Any]:
    """Keep a data set of the user's own."""
    return keep_data(file, here.places, here.load)


@router.post("/estimate")
def estimate(body: dict[str, Any], here: Here, language: Language) -> Mapping[str, Any]:
    """What a question would cost, and how to ask it elsewhere.

    What cannot be run is no failure here: the page asks while the user is still typing. It is
    told as `{"error", "why"}`, where `why` is a sentence in the reader's language. If it is one
    field's, `knob` names it, a knob or `seeds`, with its limits: `least`, `above`, `most`,
    `below` and `whole` for numbers, `choices` for words.
    """
    if refusal := fault(body, language):
        return refusal.told
    try:
        return _estimated(here, *_plan(Ask.model_validate(body), here))
    except ValidationError:
        return {"error": "bad_request"}
    except Refusal as refusal:
        why = refusal.why and language("ui.limits.cannot", why=refusal.why)
        return refusal.told | ({"why": why} if why else {})


@router.post("/study/estimate")
def estimate_study(ask: AskStudy, here: Here) -> Mapping[str, Any]:
    """What the study would cost."""
    return _estimated(here, *plan_study(ask, here.load))


@router.post("/ask", status_code=201)
async def ask(ask: Ask, here: Here) -> Mapping[str, Any]:
    """Put a question at the queue's end."""
    lab = await run_in_threadpool(lambda: _keep(here, *_plan(ask, here)))
    return begin(lab, here)


@router.post("/study", status_code=201)
async def study(ask: AskStudy, here: Here) -> Mapping[str, Any]:
    """Put the study at the queue's end."""
    lab = await run_in_threadpool(lambda: _keep(here, *plan_study(ask, here.load)))
    return begin(lab, here)


def begin(lab: KeptLab, here: Workplace) -> Mapping[str, Any]:
    """Queue a lab. If all of its runs are there, it is answered as soon as it is begun."""
    task = Task(kind="lab", id=lab.id)
    here.bench.add(task)
    return {"id": lab.id, "state": here.bench.state(task, complete=False)}


def _plan(ask: Ask, here: Workplace) -> tuple[Plan, Dataset]:
    source = source_of(ask.data, here.places)
    dataset = here.load(source)
    return plan_ask(ask, dataset, source), dataset


def _estimated(here: Workplace, plan: Plan, dataset: Dataset) -> Mapping[str, Any]:
    with here.store() as store:
        return questions.estimated(plan, dataset, here.engine, store)


def _keep(here: Workplace, plan: Plan, dataset: Dataset) -> KeptLab:
    with open_store(here.places.store) as store:
        return questions.keep(plan, dataset, here.engine, store)
