"""An ad-hoc question as the lab file that asks it again, to keep, to change and to add to."""

import re
from collections.abc import Sequence
from typing import Any

from siffra.config import ExternalModel
from siffra.config.toml_text import toml_value
from siffra.data.load import DataSource
from siffra.data.shifted import SHIFTED
from siffra.lab.plan.plan import Claim, Level, Plan


def lab_file(plan: Plan) -> str | None:
    """The lab file (TOML) of a plan of one question on networks or on a program; None for others.

    A program's belongs into the folder in which that ran.

    `siffra lab FILE` makes the same runs with it, seed for seed.
    """
    if not plan.ad_hoc or plan.given:
        return None
    (question,) = plan.questions
    model = question.levels[0].settings[0].model
    if isinstance(model, ExternalModel) and not model.command:  # a function has no file
        return None
    lines = [f"title = {toml_value(plan.title)}", ""]
    if isinstance(model, ExternalModel):
        lines += _program(plan, model.command)
    for name, table in ({} if plan.is_external else _data(plan.data or DataSource())).items():
        lines += [
            f"[{name}]",
            *(f"{key} = {toml_value(value)}" for key, value in table.items()),
            "",
        ]
    lines += [
        "[presets.full]",
        f"seeds = {len(plan.seeds)}",
        "",
        "[[questions]]",
        f"id = {toml_value(question.id)}",
        f"ask = {toml_value(question.ask)}",
        f"fixed = {toml_value(question.fixed)}",
        f"vary = {toml_value(_varied(question.vary, question.levels))}",
        f"figures = {toml_value(question.figures)}",
    ]
    for claim in question.claims:
        lines += ["", *_claim(claim, question.levels)]
    return "\n".join(lines) + "\n"


def _data(source: DataSource) -> dict[str, Any]:
    """The tables that say it: `[data]`, and `[shifts]` where others are made than usual."""
    usual = DataSource()
    changed = [n for n in DataSource.model_fields if getattr(source, n) != getattr(usual, n)]
    table = {n: str(source.path) if n == "path" else getattr(source, n) for n in changed}
    if list(source.shifts) == ["move", "rotate"]:
        return {"data": table} if table else {}
    data = {name: value for name, value in table.items() if name not in SHIFTED}
    return ({"data": data} if data else {}) | {"shifts": source.shifts}


def _program(plan: Plan, command: Sequence[str]) -> list[str]:
    """The tables that say what is run, how, and what is measured."""
    lines = ["[base]", f"command = {toml_value(list(command))}", ""]
    for metric in plan.questions[0].metrics:
        given = {"better": metric.better, "scale": metric.scale, "unit": metric.unit}
        given |= {} if metric.margin is None else {"margin": metric.margin}
        given |= {"step": metric.step} if metric.step else {}
        keys = [f"{key} = {toml_value(value)}" for key, value in given.items()]
        lines += [f"[metrics.{toml_value(metric.name)}]", *keys, ""]
    how: dict[str, list[str]] = {}
    for word in plan.again:
        name, _, value = word.removeprefix("--").partition("=")
        how.setdefault(name, []).append(value)
    keys = [f"{name} = {toml_value(how[name])}" for name in ("read", "watch") if name in how]
    keys += [f"timeout = {toml_value(how['timeout'][0])}"] if "timeout" in how else []
    return [*lines, "[command]", *keys, ""] if keys else lines


def _varied(knobs: tuple[str, ...], levels: tuple[Level, ...]) -> dict[str, list[Any]]:
    """The values of each knob, once each, in their order."""
    spelled = {k: {toml_value(level.knobs[k]): level.knobs[k] for level in levels} for k in knobs}
    return {knob: list(values.values()) for knob, values in spelled.items()}


def _claim(claim: Claim, levels: tuple[Level, ...]) -> list[str]:
    assert isinstance(claim.against, tuple)
    return [
        "[[questions.claims]]",
        f"id = {toml_value(_id(claim.id))}",
        f"say = {toml_value(claim.say)}",
        f"metric = {toml_value(claim.metric)}" if claim.named else f"on = {toml_value(claim.on)}",
        f"level = {toml_value(levels[claim.level[0]].knobs)}",
        f"against = {toml_value(levels[claim.against[0]].knobs)}",
        f"direction = {toml_value(claim.direction)}",
        *([f"margin = {toml_value(claim.margin)}"] if claim.margin else []),
    ]


def _id(name: str) -> str:
    """A claim's id as a lab file may have it: a metric's name in it may be anything."""
    return re.sub("[^A-Za-z0-9_-]", "-", name).lstrip("-_")[-40:]
