"""An ad-hoc question as the lab file that asks it again, to keep, to change and to add to."""

import json
from collections.abc import Mapping
from typing import Any

from siffra.data.load import DataSource
from siffra.data.shifted import SHIFTED
from siffra.lab.plan.plan import Claim, Level, Plan


def lab_file(plan: Plan) -> str | None:
    """The lab file (TOML) of a plan that `plan_vary` made; None for other plans, which have one.

    `siffra lab FILE` makes the same runs with it, seed for seed.
    """
    if plan.preset != "vary":
        return None
    (question,) = plan.questions
    lines = [f"title = {_value(plan.title)}", ""]
    for name, table in _data(plan.data or DataSource()).items():
        lines += [f"[{name}]", *(f"{key} = {_value(value)}" for key, value in table.items()), ""]
    lines += [
        "[presets.full]",
        f"seeds = {len(plan.seeds)}",
        "",
        "[[questions]]",
        f"id = {_value(question.id)}",
        f"ask = {_value(question.ask)}",
        f"fixed = {_value(question.fixed)}",
        f"vary = {_value(_varied(question.vary, question.levels))}",
        f"figures = {_value(question.figures)}",
    ]
    for claim in question.claims:
        lines += ["", *_claim(claim, question.levels)]
    return "\n".join(lines) + "\n"


def _data(source: DataSource) -> dict[str, Any]:
    """The tables that say it: `[data]`, and `[shifts]` where others are made than usual."""
    usual = DataSource()
    changed = [n for n in DataSource.model_fields if getattr(source, n) != getattr(usual, n)]
    told = {n: str(source.path) if n == "path" else getattr(source, n) for n in changed}
    if list(source.shifts) == ["move", "rotate"]:
        return {"data": told} if told else {}
    data = {name: value for name, value in told.items() if name not in SHIFTED}
    return ({"data": data} if data else {}) | {"shifts": source.shifts}


def _varied(knobs: tuple[str, ...], levels: tuple[Level, ...]) -> dict[str, list[Any]]:
    """The values of each knob, once each, in their order."""
    spelled = {k: {_value(level.knobs[k]): level.knobs[k] for level in levels} for k in knobs}
    return {knob: list(values.values()) for knob, values in spelled.items()}


def _claim(claim: Claim, levels: tuple[Level, ...]) -> list[str]:
    assert isinstance(claim.against, tuple)
    return [
        "[[questions.claims]]",
        f"id = {_value(claim.id)}",
        f"say = {_value(claim.say)}",
        f"on = {_value(claim.on)}",
        f"level = {_value(levels[claim.level[0]].knobs)}",
        f"against = {_value(levels[claim.against[0]].knobs)}",
        f"direction = {_value(claim.direction)}",
        f"margin = {_value(claim.margin)}",
    ]


def _value(value: Any) -> str:
    """`value` in TOML; its strings, and its lists of them, are written as JSON's are."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key} = {_value(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if value is None:
        return '"None"'  # which TOML has no word for
    if isinstance(value, float):
        return repr(value)  # 1e-05 and 0.1 are floats in TOML as well
    return json.dumps(value, ensure_ascii=False)
