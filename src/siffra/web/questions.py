"""From what the page asks to a plan, with its cost, its command line and its lab file."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from siffra.api import RunOptions, job_on
from siffra.config import KNOBS, Setting, choices, suggested
from siffra.config.validation import Frozen
from siffra.data.dataset import Dataset
from siffra.data.load import DataSource
from siffra.engine.base import Engine
from siffra.errors import ConfigError, SiffraError
from siffra.lab.execute.results import EngineKeys
from siffra.lab.history import LabHistory, SavedLab, make_saved_lab
from siffra.lab.plan.ad_hoc import plan_vary
from siffra.lab.plan.labfile import read_lab
from siffra.lab.plan.plan import Plan
from siffra.lab.plan.planning import plan_lab
from siffra.lab.plan.presets import LabOptions
from siffra.lab.plan.written import lab_file
from siffra.report.text.messages import Words
from siffra.report.text.progress import looks_note
from siffra.report.text.provenance import command
from siffra.store.store import Store
from siffra.web.datasets import Loader
from siffra.web.errors import ApiError
from siffra.web.limits import EPOCHS, LEVELS, RUNS, SEEDS, TIME

_LAYERS = 64

# What passes may stand in siffra's own messages: nothing in it can be more than a word.
_Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,30}$")]
_Value = bool | int | float | _Word | Annotated[list[int], Field(min_length=1, max_length=_LAYERS)]
_Levels = Annotated[list[_Value], Field(min_length=1, max_length=LEVELS)]
_Seeds = Annotated[int, Field(ge=1, le=SEEDS)]
_Time = Annotated[float, Field(gt=0, le=TIME)]
DataId = Annotated[str, StringConstraints(pattern=r"^(mnist|data-[0-9a-f]{12})$")]


class Ask(Frozen):
    """A question: what the knobs in `vary` do, all others being as in `fixed`."""

    vary: Annotated[dict[_Word, _Levels], Field(min_length=1, max_length=2)]
    fixed: Annotated[dict[_Word, _Value], Field(max_length=len(KNOBS))] = Field(
        default_factory=dict
    )
    seeds: _Seeds = 5
    data: DataId = "mnist"


class AskStudy(Frozen):
    """The study that siffra brings, or some of its questions; `time` is in seconds."""

    preset: Literal["quick", "standard", "full"] = "quick"
    seeds: _Seeds | None = None
    time: _Time | None = None
    only: Annotated[list[Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]],
                    Field(max_length=50)] = Field(default_factory=list)  # fmt: skip


def plan_ask(ask: Ask, dataset: Dataset, source: DataSource) -> Plan:
    """The plan of a question.

    Raises:
        ApiError: It cannot be run, or is larger than the page may ask for.
    """
    vary = {name: [_typed(name, value) for value in ask.vary[name]] for name in ask.vary}
    fixed = {name: _typed(name, value) for name, value in ask.fixed.items()}
    if math.prod(map(len, vary.values())) > LEVELS:
        raise ApiError("impossible", f"more than {LEVELS} levels.")
    try:
        plan = plan_vary(vary, fixed, dataset, LabOptions(seeds=ask.seeds), data=source)
    except SiffraError as error:
        raise ApiError("impossible", str(error)) from error
    settings = [setting for level in plan.questions[0].levels for setting in level.settings]
    if max(setting.training.epochs for setting in settings) > EPOCHS:
        raise ApiError("impossible", f"epochs: it can be at most {EPOCHS} here.")
    if len(settings) * ask.seeds > RUNS:
        raise ApiError("impossible", f"more than {RUNS} runs.")
    return plan


def plan_study(ask: AskStudy, load: Loader) -> tuple[Plan, Dataset]:
    """The plan of the study that siffra brings, and what it is about.

    Raises:
        ApiError: It has no such question.
    """
    file = read_lab()
    dataset = load(file.data)
    try:
        options = LabOptions(
            preset=ask.preset, seeds=ask.seeds, time=ask.time, only=tuple(ask.only)
        )
        plan = plan_lab(file, dataset, options)
    except ConfigError as error:
        raise ApiError("impossible", str(error)) from error
    return plan, dataset


def ask_of(plan: Plan, data: str) -> Ask | None:
    """What was asked, for the form to show again; None for a plan that the page cannot ask."""
    if not plan.ad_hoc or plan.looks or plan.is_external:
        return None
    (question,) = plan.questions
    vary: dict[str, list[Any]] = {knob: [] for knob in question.vary}
    for level in question.levels:
        for knob, value in level.knobs.items():
            if (plain := _plain(value)) not in vary[knob]:
                vary[knob].append(plain)
    fixed = {knob: _plain(value) for knob, value in question.fixed.items()}
    try:
        return Ask(vary=vary, fixed=fixed, seeds=len(plan.seeds), data=data)
    except ValueError:
        return None


def keep(plan: Plan, dataset: Dataset, engine: Engine, store: Store) -> SavedLab:
    """`plan` as a lab in the history."""
    lab = make_saved_lab(plan, EngineKeys(dataset, engine))
    LabHistory(store.path).keep(lab)
    return lab


def estimated(
    plan: Plan, dataset: Dataset, running: RunOptions, store: Store, words: Words
) -> Mapping[str, Any]:
    """What the page shows of a question, or of a lab, before it starts."""
    with job_on(store, plan, dataset, plan.data, running) as job:
        cost, lab = job.cost(), job.saved()
    return {
        "id": lab.id,
        "runs": cost.runs,
        "have": cost.have,
        "seconds": cost.seconds,
        "looks": looks_note(words, lab.plan, cost),
        "command": command(lab.plan),
        "toml": lab_file(lab.plan),
        "known": LabHistory(store.path).get(lab.id) is not None,
    }


def knobs() -> list[dict[str, Any]]:
    """What there is to turn: by model, `needs` has what its form must say beside a knob."""
    usual = defaults()
    return [
        {
            "name": knob.name,
            "help": knob.help,
            "type": knob.type.__name__,
            "models": list(knob.models),
            "per_layer": knob.per_layer,
            "choices": choices(knob.name),
            "suggested": ", ".join(str(value).lower() for value in suggested(knob)),
            "needs": {
                model: {k: v for k, v in knob.needs.items() if usual[model].get(k) != v}
                for model in knob.models
            },
        }
        for knob in KNOBS.values()
    ]


def defaults() -> dict[str, dict[str, Any]]:
    """Each model's knobs where nothing else is said."""
    return {
        model: {k: _plain(v) for k, v in Setting.from_knobs({"model": model}).knobs().items()}
        for model in KNOBS["model"].models
    }


def _typed(name: str, value: Any) -> Any:
    """JSON does not tell 1 from 1.0; the command line gives such a knob 1.0."""
    number = type(value) is int and name in KNOBS and KNOBS[name].type is float
    return float(value) if number else value


def _plain(value: object) -> Any:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
