"""Recipes written: a setting with what was measured of it, as `siffra.recipes` reads it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from siffra.config import Setting
from siffra.engine.schedule import steps_per_epoch, total_steps
from siffra.errors import SearchError
from siffra.lab.statistics import Summary, summarise
from siffra.run import Record


def write_recipe(path: Path, text: str) -> None:
    """Put a recipe's text into a file.

    Raises:
        SearchError: It cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SearchError(f"{path}: cannot be written: {error.strerror or error}.") from error


def recipe_text(
    name: str, budget: float | None, setting: Setting, records: Sequence[Record], images: int
) -> str:
    """A recipe as TOML, with what the `records`, one a seed, tell of it.

    `images` were trained on in each epoch.
    """
    steps = total_steps(setting.training, images)
    batch = setting.training.batch_size
    lines = [
        f"# {name}: {steps} steps of {batch} images, where there are {images:,} to train on.",
        "# What was measured is written by siffra; the knobs alone are the recipe.",
        "",
        *([f"budget = {_value(budget)}", ""] if budget else []),
        "[knobs]",
        *(f"{knob} = {_value(value)}" for knob, value in setting.knobs().items()),
    ]
    if records:
        lines += ["", *_measured(setting, records, images)]
    return "\n".join(lines) + "\n"


def _measured(setting: Setting, records: Sequence[Record], images: int) -> list[str]:
    first = records[0]
    seconds = summarise([record.seconds for record in records], "ratio")
    whole, rest = divmod(
        total_steps(setting.training, images), steps_per_epoch(setting.training, images)
    )
    used = whole * images + min(rest * setting.training.batch_size, images)
    told = {
        "machine": first.machine.cpu,
        "threads": first.machine.threads,
        "engine": f"{first.engine} {first.engine_version}",
        "data": first.dataset,
        "images": images,
        "images_per_second": round(used / seconds.mean, 1),
        "seeds": len(records),
        "seconds": _interval(seconds, 3),
        "accuracy": {
            name: _interval(summarise([record.accuracy[name] for record in records]), 6)
            for name in first.accuracy
            if name not in ("train", "val")
        },
    }
    accuracy: dict[str, Any] = told.pop("accuracy")
    return [
        "[measured]",
        *(f"{key} = {_value(value)}" for key, value in told.items()),
        "",
        "[measured.accuracy]",
        *(f"{key} = {_value(value)}" for key, value in accuracy.items()),
    ]


def _interval(summary: Summary, decimals: int) -> dict[str, float]:
    values = {"mean": summary.mean}
    if len(summary.values) > 1:
        values |= {"low": summary.low, "high": summary.high}
    return {name: round(value, decimals) for name, value in values.items()}


def _value(value: Any) -> str:
    """`value` in TOML; its strings are written as JSON's are."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{k} = {_value(v)}' for k, v in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)
