"""Lab files that siffra writes: one to start from, and one that asks an ad-hoc question again."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from siffra.config import ExternalModel
from siffra.config.toml_text import toml_value
from siffra.data.dataset import Dataset
from siffra.data.load import DataSource
from siffra.data.shifted import SHIFTED
from siffra.errors import ConfigError
from siffra.lab.plan.ad_hoc import plan_vary
from siffra.lab.plan.plan import Claim, Level, Plan

_HEAD = """\
# A lab to start from. Run it with `siffra lab {name}`; `siffra lab {name} --dry-run` says what it
# costs. Change the claims to what you expect: the runs will say whether it is so.
# The format is described in docs/labs.md.
"""
_REMARKS = {
    "direction": "  # or worse, same, not better, not worse",
    "margin": "  # the smallest difference that matters: 0.2 percentage points",
}
"""What may stand in the place of a claim's keys, said at the first one."""


def starter_lab(
    ask: str,
    vary: Mapping[str, Sequence[object]],
    fixed: Mapping[str, object],
    dataset: Dataset,
    *,
    name: str = "lab.toml",
    data: DataSource | None = None,
) -> str:
    """The text of a lab file that asks what the knobs in `vary` do, with a claim for each level.

    Args:
        ask: The question, as it is to stand there.
        vary: The values to try, by knob.
        fixed: The knobs that all levels share.
        dataset: What the lab will be trained on; levels that it does not allow are refused.
        name: What the file will be called.
        data: Where `dataset` is from, if it is not MNIST.

    Raises:
        ConfigError: A knob or a value is wrong, there is nothing to compare, or no question.
    """
    if not ask.strip():
        raise ConfigError('ask: found an empty question; write one, as "Does dropout help?".')
    (question,) = plan_vary(vary, fixed, dataset).questions
    lines = [_HEAD.format(name=name), f"title = {toml_value(ask)}", ""]
    lines += _data(data or DataSource())
    lines += _table("[base]  # what all questions share", fixed)
    lines += [""] if fixed else ["# epochs = 5", ""]
    values = {knob: list(values) for knob, values in vary.items()}
    lines += _table("[[questions]]", {"id": "a", "ask": ask, "vary": values})
    for number, claim in enumerate(question.claims, start=1):
        written = _claim(claim, question.levels) | {"id": f"a{number}", "say": claim.say["en"]}
        del written["on"]
        lines += ["", *_table(_CLAIM, written, _REMARKS if number == 1 else {})]
    return "\n".join(lines) + "\n"


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
    else:
        lines += _data(plan.data or DataSource())
    lines += [*_table("[presets.full]", {"seeds": len(plan.seeds)}), ""]
    asked = {name: getattr(question, name) for name in ("id", "ask", "fixed")}
    if question.search:  # whose levels are no grid
        asked |= {"levels": [level.knobs for level in question.levels]}
    else:
        asked |= {"vary": _varied(question.vary, question.levels)}
    asked |= {"figures": question.figures}
    lines += _table("[[questions]]", asked)
    for claim in question.claims:
        lines += ["", *_table(_CLAIM, _claim(claim, question.levels))]
    return "\n".join(lines) + "\n"


_CLAIM = "[[questions.claims]]"


def _table(
    header: str, values: Mapping[str, object], remarks: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    lines = (f"{key} = {toml_value(v)}{remarks.get(key, '')}" for key, v in values.items())
    return [header, *lines]


def _data(source: DataSource) -> list[str]:
    """The tables that say it: `[data]`, and `[shifts]` where others are made than usual."""
    usual = DataSource()
    changed = [n for n in DataSource.model_fields if getattr(source, n) != getattr(usual, n)]
    table = {n: str(source.path) if n == "path" else getattr(source, n) for n in changed}
    lines = []
    if list(source.shifts) != ["move", "rotate"]:
        table = {name: value for name, value in table.items() if name not in SHIFTED}
        lines = [*_table("[shifts]", source.shifts), ""]
    return [*_table("[data]", table), "", *lines] if table else lines


def _program(plan: Plan, command: Sequence[str]) -> list[str]:
    """The tables that say what is run, how, and what is measured."""
    lines = [*_table("[base]", {"command": list(command)}), ""]
    for metric in plan.questions[0].metrics:
        table = {"better": metric.better, "scale": metric.scale, "unit": metric.unit}
        table |= {} if metric.margin is None else {"margin": metric.margin}
        table |= {"step": metric.step} if metric.step else {}
        lines += [*_table(f"[metrics.{toml_value(metric.name)}]", table), ""]
    how: dict[str, list[str]] = {}
    for word in plan.again:
        name, _, value = word.removeprefix("--").partition("=")
        how.setdefault(name, []).append(value)
    written: dict[str, object] = {name: how[name] for name in ("read", "watch") if name in how}
    written |= {"timeout": how["timeout"][0]} if "timeout" in how else {}
    return [*lines, *_table("[command]", written), ""] if written else lines


def _varied(knobs: tuple[str, ...], levels: tuple[Level, ...]) -> dict[str, list[Any]]:
    """The values of each knob, once each, in their order."""
    spelled = {k: {toml_value(level.knobs[k]): level.knobs[k] for level in levels} for k in knobs}
    return {knob: list(values.values()) for knob, values in spelled.items()}


def _claim(claim: Claim, levels: tuple[Level, ...]) -> dict[str, object]:
    assert isinstance(claim.against, tuple)
    return {
        "id": _id(claim.id),
        "say": claim.say,
        **({"metric": claim.metric} if claim.named else {"on": claim.on}),
        "level": levels[claim.level[0]].knobs,
        "against": levels[claim.against[0]].knobs,
        "direction": claim.direction,
        **({"margin": claim.margin} if claim.margin else {}),
    }


def _id(name: str) -> str:
    """A claim's id as a lab file may have it: a metric's name in it may be anything."""
    return re.sub("[^A-Za-z0-9_-]", "-", name).lstrip("-_")[-40:]
